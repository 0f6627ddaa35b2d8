# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels with what hangs on them: made, deleted, looked at, held in memory."""
import json
import os
import shutil
import time

import bench
import lab
import load
from bench import Sample, check


def ruleset(ns):
    return lab.run(ns, "nft", "list", "ruleset")


def bulk(rounds, count, ipv6=True):
    document = load.full(count)
    for _ in rounds:
        with bench.host(ipv6) as ns, bench.agent(ns) as agent:
            ours = agent.timed(lambda: agent.converge(document))
            check(agent.states("tunnels")["ready"] == count, "not all tunnels are ready")
            rules = ruleset(ns)
        with bench.host(ipv6) as ns:
            theirs = bench.total(bench.timed(ns, "ip", "-batch", "-",
                                             stdin=load.ip_tunnels(count)),
                                 bench.timed(ns, "nft", "-f", "-", stdin=rules))
        with bench.host(ipv6) as ns:
            links = bench.raw_sample(ns, "links", "create", count)
            lab.nft(ns, rules)
            raw = bench.total(links, bench.raw_sample(ns, "ruleset"))
        # a tunnel, an exit route and a NAT rule, each with a list of one
        yield {"ours": ours, "ip+nft": theirs, "raw": raw,
               "floor": bench.total(raw, bench.stored(6 * count))}


def _delete_elements(ns, doomed):
    """The `nft -f` that takes the sources of the doomed out of every set."""
    text = []
    for part in json.loads(lab.run(ns, "nft", "-j", "list", "table", "ip", "ipipd"))["nftables"]:
        of = part.get("set") or part.get("map")
        if of and load.source(0) in json.dumps(of.get("elem", ())):
            gone = ", ".join(load.source(i) for i in range(doomed))
            text.append(f"delete element ip ipipd {of['name']} {{ {gone} }}")
    check(text, "no set has the sources")
    return load.lines(text)


def delete(rounds, count, doomed):
    before, after = load.full(count), load.full(count - doomed, doomed)
    for _ in rounds:
        with bench.host() as ns, bench.agent(ns, before) as agent:
            rules, gone = ruleset(ns), _delete_elements(ns, doomed)

            def to_the_end():
                for i in (0, doomed - 1):
                    bench.wait_for(lambda: agent.request("GET", f"/v1/tunnels/t{i}").status == 404,
                                   f"t{i} to be gone")
            agent.ok("PUT", "/v1/config", after)
            ours = agent.timed(to_the_end)
            check(not lab.has_link(ns, "t0") and lab.has_link(ns, f"t{doomed}"),
                  "the wrong links are gone")
        with bench.host() as ns:
            bench.raw(ns, "links", "create", count)
            raw = bench.raw_sample(ns, "links", "delete", doomed)
            bench.raw(ns, "links", "create", doomed)
            lab.nft(ns, rules)
            links = load.lines(f"link del t{i}" for i in range(doomed))
            theirs = bench.total(bench.timed(ns, "ip", "-batch", "-", stdin=links),
                                 bench.timed(ns, "nft", "-f", "-", stdin=gone))
        yield {"ours": ours, "ip+nft": theirs, "raw": raw}


def exit_routes(rounds, count):
    one = load.document([load.tunnel(0)])
    route = json.dumps(load.exit_route(0, count))
    for _ in rounds:
        with bench.host() as ns, bench.agent(ns, one) as agent:
            def put():
                answer = agent.ok("PUT", "/v1/exit-routes/e0?wait=60", route)
                check(answer["status"]["state"] == "ready", str(answer["status"])[:300])
            ours = agent.timed(put)
            check(len(lab.our_routes(ns)) == count, "not all routes are there")
            agent.stop()
            raw = bench.raw_sample(ns, "routes", "replay")
        with bench.host() as ns:
            lab.ip(ns, *load.ip_tunnel(0)[:3])
            theirs = bench.timed(ns, "ip", "-batch", "-", stdin=load.ip_routes(count))
            yield {"ours": ours, "ip -batch": theirs, "raw": raw}


def post_one(rounds, present, each):
    """One tunnel, and the same with its exit route and NAT source, as the commands make."""
    command_lines = load.ip_tunnel
    with bench.host() as ns, bench.agent(ns, load.full(present + 1)) as agent, \
            bench.host() as other:
        bench.raw(other, "links", "create", present + 1)
        lab.nft(other, ruleset(ns))
        at = present + 1
        for _ in rounds:
            span, at = range(at, at + 2 * each), at + 2 * each

            def post():
                for i in span[:each]:
                    answer = agent.ok("POST", "/v1/tunnels?wait=30", json.dumps(load.tunnel(i)))
                    check(answer["status"]["state"] == "ready", f"t{i} is not ready")

            def merge():
                for i in span[each:]:
                    agent.converge(load.full(1, i), prune=False)
            ours, whole = agent.timed(post), agent.timed(merge)
            theirs = []
            for i in span[:each]:
                theirs += [bench.timed(other, "ip", *line.split()) for line in command_lines(i)]
                theirs.append(bench.timed(other, "nft", _add_element(other, i)))
            yield {"ours": _each(ours, each), "with exit and NAT": _each(whole, each),
                   "commands": _each(bench.total(*theirs), each)}


def _each(sample, n):
    return Sample(sample.value / n, None if sample.cpu is None else sample.cpu / n)


_set_of = {}


def _add_element(ns, i):
    if ns not in _set_of:
        _set_of[ns] = _delete_elements(ns, 1).split()[4]
    return f"add element ip ipipd {_set_of[ns]} {{ {load.source(i)} }}"


# ---------------------------------------------------------------- with many in sync

def look(rounds, count):
    """A full pass that finds nothing to do."""
    commands = (("ip", "-d", "link", "show"), ("ip", "-4", "address", "show"),
                ("ip", "rule", "show"), ("ip", "route", "show", "table", "all"),
                ("nft", "list", "ruleset"))
    with bench.host() as ns, bench.agent(ns, load.full(count, routes=2), counted=True) as agent:
        agent.settle()
        for _ in rounds:
            before = agent.counters()
            ours = agent.timed(agent.reconcile)
            counted, last = agent.counted(before), agent.get("status")["last_pass"]
            check(last["ops"] == 0, "a pass in sync had ops")
            yield {"ours": ours, "ip+nft": bench.total(*(bench.timed(ns, *c) for c in commands)),
                   "raw": bench.raw_sample(ns, "look"),
                   "pass alone": Sample(last["duration_us"] / 1e6),
                   "scrape": agent.timed(lambda: agent.request("GET", "/metrics")),
                   "modifying messages and syncs":
                       Sample(counted.modifying + counted.syncs + counted.sysctls)}


def start(rounds, count):
    with bench.host() as ns, bench.agent(ns, load.full(count)) as agent:
        for _ in rounds:
            agent.stop()
            with bench.folder() as folder:
                copy = os.path.join(folder, "ipipd.db")
                shutil.copy(agent.database, copy)
                raw = bench.total(bench.raw_sample(ns, "look"),
                                  bench.raw_sample(None, "sqlite", "check", copy))
            begin = time.monotonic()
            agent.start()
            yield {"ours": Sample(time.monotonic() - begin, agent.cpu()), "raw": raw}
            agent.settle()


def memory(rounds, count):
    document = load.full(count)
    for _ in rounds:
        with bench.host() as ns, bench.agent(ns) as agent:
            agent.settle()
            idle = agent.memory("VmRSS")
            cpu = agent.timed(lambda: agent.converge(document)).cpu
            agent.settle()
            yield {"idle": Sample(idle), "loaded": Sample(agent.memory("VmRSS")),
                   "peak": Sample(agent.memory("VmHWM"), cpu)}


def latency(rounds, count):
    """How long a GET takes while many tunnels are made, and while they are deleted."""
    probe = {"name": "probe", "remote": "192.0.2.1", "enabled": False}
    many = load.document([probe, *map(load.tunnel, range(count))])
    for _ in rounds:
        with bench.host() as ns, bench.agent(ns, load.document([probe])) as agent:
            def watched(document):
                with bench.background(ns, "http", "watch", agent.socket, "/v1/tunnels/probe",
                                      1) as stop:
                    cpu = agent.timed(lambda: agent.converge(document)).cpu
                    return {**stop(), "cpu": cpu}
            creating, deleting = watched(many), watched(load.document([probe]))
        with bench.host() as ns:
            raw_create = bench.raw(ns, "links", "create", count)
            raw_delete = bench.raw(ns, "links", "delete", count)
        # the times are of a GET and of a batch, the CPU is that of all the work
        yield {"creating": Sample(creating["p99"], creating["cpu"]),
               "raw create": Sample(raw_create["max"], raw_create["cpu"]),
               "deleting": Sample(deleting["p99"], deleting["cpu"]),
               "raw delete": Sample(raw_delete["max"], raw_delete["cpu"]),
               "worst creating": Sample(creating["max"]),
               "worst deleting": Sample(deleting["max"])}
