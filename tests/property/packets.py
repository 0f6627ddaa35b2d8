# SPDX-License-Identifier: GPL-2.0-or-later
"""
nftables by meaning: packets at every edge of every prefix are led through the chains that
are there and through the declared rules, and must fare the same. Names of sets, and how the
agent groups rules, play no part.
"""

import itertools

from oracle import enabled
from world import network


def edges(prefixes):
    """One address of every class that these prefixes can tell apart."""
    points = {0, 0xFFFFFFFF}
    for prefix in prefixes:
        net = network(prefix)
        first, last = int(net.network_address), int(net.broadcast_address)
        points |= {first, last}
        if first:
            points.add(first - 1)
        if last < 0xFFFFFFFF:
            points.add(last + 1)
    return points


def classes(points, lists):
    """Of the points that every list answers alike, one."""
    tests = [matches(prefixes) for prefixes in lists]
    return sorted({tuple(test(p) for test in tests): p for p in sorted(points)}.values())


def matches(prefixes):
    ranges = [(int(network(p).network_address), int(network(p).broadcast_address))
              for p in prefixes]
    return lambda address: any(a <= address <= b for a, b in ranges)


class Ruleset:
    """What the kernel has."""

    def __init__(self, objects):
        self.names, self.prefixes, self.maps, self.faults = {}, {}, {}, []
        self.chains = []
        self.sets = {key: f for (noun, key), f in objects.items() if noun == "nft-set"}
        self.used = set()
        self.tables = [key for noun, key in objects if noun == "nft-table"]
        for (noun, key), fields in objects.items():
            if noun == "nft-element":
                self.element(key, fields)
            elif noun == "nft-chain":
                self.chains.append((key, fields, [self.rule(r) for r in
                                                  fields["rules"].split("; ") if r]))
        self.tests = {name: matches(p) for name, p in self.prefixes.items()}
        for name in set(self.sets) - self.used:
            self.faults.append(f"set {name} is used by no rule")

    def element(self, key, fields):
        words = key.split()
        name = words[0]
        if name not in self.sets:
            self.faults.append(f"element {key} has no set")
        elif self.sets[name]["type"] == "ifname":
            self.names.setdefault(name, set()).add(words[1])
        else:
            self.prefixes.setdefault(name, []).append(words[-1])
            self.maps.setdefault(name, {})[words[-1]] = fields["to"]

    def rule(self, text):
        words = text.split(" ")
        rule = {words[i]: words[i + 1] for i in range(0, len(words) - 1, 2)}
        self.used |= {v for k, v in rule.items() if v and (k.endswith("_set") or k == "snat_map")}
        return {k: v for k, v in rule.items() if v}

    def devices(self):
        named = {r[k] for _, _, rules in self.chains for r in rules for k in ("iif", "oif")
                 if k in r}
        return named.union(*self.names.values()) if self.names else named

    def by_devices(self, rule, iif, oif):
        return all((
            rule.get("iif", iif) == iif, rule.get("oif", oif) == oif,
            "iif_set" not in rule or iif in self.names.get(rule["iif_set"], ()),
            "oif_set" not in rule or oif in self.names.get(rule["oif_set"], ())))

    def by_addresses(self, rule, src, dst, established):
        for name, address in (("saddr_set", src), ("daddr_set", dst), ("snat_map", src)):
            if name in rule and not self.has(rule[name], address):
                return False
        return established or "established" not in rule

    def has(self, name, address):
        return name in self.tests and self.tests[name](address)

    def chosen(self, kind, hook, iif, oif):
        return [[r for r in rules if self.by_devices(r, iif, oif)]
                for key, f, rules in sorted(self.chains, key=lambda c: int(c[1]["priority"]))
                if (f["type"], f["hook"]) == (kind, hook)]

    def fate(self, chains, src, dst, established):
        """Of a filter hook: a drop of any chain drops."""
        for chain in chains:
            for rule in chain:
                if not self.by_addresses(rule, src, dst, established):
                    continue
                if rule.get("verdict") == "drop":
                    return "drop"
                if rule.get("verdict") == "accept":
                    break
        return "pass"

    def translation(self, chains, src, dst):
        for rule in itertools.chain(*chains):
            if not self.by_addresses(rule, src, dst, False):
                continue
            if rule.get("verdict") == "snat":
                to = self.maps[rule["snat_map"]]
                return "snat " + next(to[p] for p in to if matches([p])(src))
            if rule.get("verdict") in ("masquerade", "accept"):
                return rule["verdict"]
        return "accept"


class Declared:
    """What is declared, in the order in which rules win (api.md, NAT rule)."""

    def __init__(self, declaration, expected, world):
        self.usable, self.opened = expected.usable, expected.opened
        self.closed = not world.ip_forward
        self.allowed = {d: matches(t["allowed_sources"])
                        for d, (_, t) in self.usable.items() if t.get("allowed_sources")}
        self.clamped = {d for d, (_, t) in self.usable.items() if t.get("mss_clamp", True)}
        self.rules = sorted((r for r in declaration["nat_rules"].values() if enabled(r)),
                            key=self.rank)
        self.lists = [*(t["allowed_sources"] for _, t in self.usable.values()
                        if t.get("allowed_sources")),
                      *(r["sources"] for r in self.rules),
                      *(r.get("destinations", []) for r in self.rules)]
        self.tests = {id(r): (matches(r["sources"]),
                              matches(r.get("destinations") or ["0.0.0.0/0"]))
                      for r in self.rules}

    @staticmethod
    def rank(rule):
        return (rule.get("priority", 100), rule.get("action", "masquerade") != "none",
                not rule.get("destinations"), not rule.get("in_interface"))

    @staticmethod
    def text(rule):
        """Of equal rank: by the text of destinations and in_interface."""
        return " ".join(sorted(rule.get("destinations", []))), rule.get("in_interface", "")

    def comes_in(self, rule):
        return {rule["in_interface"]} if rule.get("in_interface") else set(self.usable)

    def devices(self):
        named = {d for r in self.rules for d in (r["out_interface"], r.get("in_interface")) if d}
        return named | set(self.usable) | self.opened

    def outward(self, iif, oif):
        return [r for r in self.rules if iif in self.comes_in(r) and oif == r["out_interface"]]

    def forward(self, iif, oif):
        return ([(self.tests[id(r)], False) for r in self.outward(iif, oif)] +
                [(self.tests[id(r)][::-1], True) for r in self.outward(oif, iif)])

    def fate(self, rules, iif, src, dst, established):
        for (source, destination), reply in rules:
            if source(src) and destination(dst) and established >= reply:
                return "pass"
        return "drop" if self.closed and iif in self.opened else "pass"

    def translation(self, rules, src, dst):
        """The one way that the packet may go; several, where the ranks are equal."""
        hits = [r for r in rules if self.tests[id(r)][0](src) and self.tests[id(r)][1](dst)]
        hits = [r for r in hits if self.rank(r) == self.rank(hits[0])]
        return {self.action(r) for r in hits} or {"accept"}

    @staticmethod
    def action(rule):
        action = rule.get("action", "masquerade")
        return {"none": "accept", "snat": "snat " + rule.get("to_address", "")}.get(action, action)


SHAPES = {("filter", "prerouting"), ("filter", "forward"), ("nat", "postrouting")}


def compare(declaration, expected, world, objects):
    """Faults, in words; none when every packet fares as declared."""
    have, want = Ruleset(objects), Declared(declaration, expected, world)
    faults = have.faults
    needed = want.rules or want.allowed or want.clamped
    if bool(have.tables) != bool(needed):
        faults.append(f"tables {have.tables}, needed: {bool(needed)}")
    for name, f, _ in have.chains:
        if (f["type"], f["hook"]) not in SHAPES or f["accept"] != "true":
            faults.append(f"chain {name} has an odd form: {f}")
        if f["type"] == "nat" and f["priority"] != "95":
            faults.append(f"chain {name} has priority {f['priority']}")
    devices = sorted(have.devices() | want.devices() | {"none0"})
    lists = [*want.lists, *have.prefixes.values()]
    # a map answers by element
    lists += [[p] for name, to in have.maps.items() if have.sets[name]["map"] == "true"
              for p in to]
    points = classes(edges(itertools.chain(*lists)), lists)
    sources(have, want, devices, points, faults)
    done = set()
    for iif, oif in itertools.product(devices, devices):
        clamp(have, want, iif, oif, faults)
        forwards = world.sysctls.get((iif, "forwarding"), 0)
        chains, rules = have.chosen("filter", "forward", iif, oif), want.forward(iif, oif)
        nat, out = have.chosen("nat", "postrouting", iif, oif), want.outward(iif, oif)
        key = repr((chains, nat, [id(r) for r in out],
                    [id(r) for r in want.outward(oif, iif)], iif in want.opened, forwards))
        if key in done:
            continue
        done.add(key)
        for src, dst in itertools.product(points, points):
            for established in (False, True) if forwards else ():
                got = have.fate(chains, src, dst, established)
                wish = want.fate(rules, iif, src, dst, established)
                if got != wish:
                    faults.append(f"forward {iif}>{oif} {ip(src)}>{ip(dst)} "
                                  f"{'reply ' if established else ''}is {got}, not {wish}")
            got, may = have.translation(nat, src, dst), want.translation(out, src, dst)
            if got not in may:
                faults.append(f"nat {iif}>{oif} {ip(src)}>{ip(dst)} is {got}, not {may}")
            if len(faults) > 5:
                return faults
    return faults


def sources(have, want, devices, points, faults):
    for iif in devices:
        chains = have.chosen("filter", "prerouting", iif, "none0")
        for src in points:
            got = have.fate(chains, src, 0, False)
            wish = "drop" if iif in want.allowed and not want.allowed[iif](src) else "pass"
            if got != wish:
                faults.append(f"from {iif} {ip(src)} is {got}, not {wish}")


def clamp(have, want, iif, oif, faults):
    got = any("clamp" in r for chain in have.chosen("filter", "forward", iif, oif) for r in chain)
    if got != bool({iif, oif} & want.clamped):
        faults.append(f"clamp {iif}>{oif} is {got}")


def ip(value):
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
