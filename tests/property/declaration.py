# SPDX-License-Identifier: GPL-2.0-or-later
"""Which declarations api.md refuses, of those that the generator can make."""

import itertools

from oracle import device_of
from packets import matches
from world import network


def faults(declaration):
    """Codes of what is wrong with it as a whole; empty: it is to be accepted."""
    tunnels = declaration["tunnels"]
    wrong = set()
    devices, ends = set(), set()
    for name, t in tunnels.items():
        if "remote" not in t or (t.get("path_mtu_discovery") is False and t.get("ttl", 64)):
            wrong.add("invalid-resource")
        local = t.get("local", "auto")
        end = (local, t.get("remote"), t.get("underlay"))
        if device_of(name, t) in devices:
            wrong.add("interface-name-taken")
        if end in ends:
            wrong.add("endpoints-in-use")
        devices.add(device_of(name, t))
        ends.add(end)
    wrong |= exit_faults(declaration)
    for n in declaration["nat_rules"].values():
        wrong |= rule_faults(n)
    for a, b in itertools.combinations(declaration["nat_rules"].values(), 2):
        if "invalid-resource" not in wrong and contradict(a, b):
            wrong.add("sources-overlap")
    return wrong


def exit_faults(declaration):
    tunnels, wrong, taken = declaration["tunnels"], set(), set()
    on_tunnels = {p.split("/")[0] for t in tunnels.values() for p in t.get("addresses", [])}
    locals_ = {t.get("local") for t in tunnels.values()}
    for e in declaration["exit_routes"].values():
        tunnel = tunnels.get(e.get("tunnel"))
        if not e.get("destinations"):
            wrong.add("invalid-resource")
        if tunnel is None:
            wrong.add("unresolved-reference")
            continue
        source = e.get("source") or (tunnel.get("addresses") or [""])[0].split("/")[0]
        if source not in on_tunnels or source in locals_:
            wrong.add("source-required")
        for key in itertools.product(e.get("destinations", []), e.get("from") or ["0.0.0.0/0"],
                                     [e.get("metric", 0)]):
            if key in taken:
                wrong.add("destination-in-use")
            taken.add(key)
    return wrong


def rule_faults(n):
    if not n.get("sources") or "out_interface" not in n:
        return {"invalid-resource"}
    if (n.get("action") == "snat") != bool(n.get("to_address")):
        return {"invalid-resource"}
    return {"invalid-resource"} if n.get("in_interface") == n["out_interface"] else set()


def points(prefixes):
    nets = [network(p) for p in prefixes or ["0.0.0.0/0"]]
    return sorted({int(n.network_address) for n in nets} | {int(n.broadcast_address) for n in nets})


def contradict(a, b):
    """Equal place and destinations, overlapping sources, another effect."""
    def place(n):
        return n.get("priority", 100), n["out_interface"], n.get("in_interface")

    def effect(n):
        return n.get("action", "masquerade"), n.get("to_address")

    if place(a) != place(b) or effect(a) == effect(b):
        return False
    if not same_set(a.get("destinations"), b.get("destinations")):
        return False
    return any(network(p).overlaps(network(q)) for p in a["sources"] for q in b["sources"])


def same_set(a, b):
    """Of addresses."""
    a, b = a or ["0.0.0.0/0"], b or ["0.0.0.0/0"]
    near = {p + d for p in points(a) + points(b) for d in (-1, 0, 1)}
    in_a, in_b = matches(a), matches(b)
    return all(in_a(p) == in_b(p) for p in near if 0 <= p <= 0xFFFFFFFF)
