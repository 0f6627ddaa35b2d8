# SPDX-License-Identifier: GPL-2.0-or-later
"""What disturbers take away, and how soon it is back; bench_heal is the floor."""
import datetime
import json
import time

import bench
import lab
import load
from bench import Sample, check


def _routes(present):
    return load.document([load.tunnel(0)], [load.exit_route(0, present)])


def _elements(present):
    return load.document(rules=[load.sources(present)])


# An agent takes as many different `from` prefixes.
FROM_MAX = 999
# Before each disturbance, of ours and of the floor alike: what was idle for so long wakes slowly.
QUIET_MS = 150


def _rtnetlink(present):
    """Routes on the first tunnel, as many tunnels without any, rules with `from`."""
    froms = {**load.exit_route(present), "name": "from", "tunnel": "t0",
             "from": [f"{load.source(i)}/32" for i in range(min(present, FROM_MAX // 4))]}
    return load.document(map(load.tunnel, range(present)),
                         [load.exit_route(0, present), froms])


def _disturbed(rounds, document, count, kinds):
    """The CPU time is that of one repair, beside their median."""
    for _ in rounds:
        found = {}

        def disturb(name, kind, cpu):
            before = cpu()
            times = bench.raw(ns, "drift", kind, count, QUIET_MS)
            found[f"{name} p50"] = Sample(times["p50"], (cpu() - before) / count)
            found[f"{name} p99"] = Sample(times["p99"])
        with bench.host() as ns, bench.agent(ns, document) as agent:
            for kind in kinds:
                agent.settle()
                disturb(kind, kind, agent.cpu)
            agent.settle()
            agent.stop()
            with bench.background(ns, "heal") as stop:
                for kind in kinds:
                    disturb(f"raw {kind}", kind, lambda: bench.cpu_of(stop.process))
        yield found


def _healed(agent, what, *arguments):
    """From the flush until all stands again, by the clock of who flushes."""
    cpu = agent.cpu()
    return Sample(bench.raw(agent.ns, "drift", what, *arguments)["wall"], agent.cpu() - cpu)


def objects(rounds, present, count):
    """Routes, addresses and rules: one at a time, with as many of each around it."""
    return _disturbed(rounds, _rtnetlink(present), count, ("route", "address", "rule"))


def elements(rounds, present, count):
    return _disturbed(rounds, _elements(present), count, ("element",))


def _count_elements(ns):
    listed = json.loads(lab.run(ns, "nft", "-j", "list", "table", "ip", "ipipd"))
    return sum(len((part.get("set") or part.get("map") or {}).get("elem", ()))
               for part in listed["nftables"])


def flush_ruleset(rounds, count):
    with bench.host() as ns, bench.agent(ns, _elements(count)) as agent:
        for _ in rounds:
            agent.settle()
            elements = _count_elements(ns)
            ours = _healed(agent, "ruleset", elements)
            agent.settle()
            check(_count_elements(ns) == elements, "not all elements are back")
            agent.stop()
            raw = bench.raw_sample(ns, "ruleset")
            agent.start()
            yield {"ours": ours, "raw": raw}


def flush_routes(rounds, count):
    with bench.host() as ns, bench.agent(ns, _routes(count)) as agent:
        for _ in rounds:
            agent.settle()
            ours = _healed(agent, "routes")
            agent.settle()
            check(len(lab.our_routes(ns)) == count, "not all routes are back")
            agent.stop()
            raw = bench.raw_sample(ns, "routes", "replay")
            agent.start()
            yield {"ours": ours, "raw": raw}


def _looked_after(agent, moment):
    """Did a pass begin after that moment, and find nothing?"""
    last = agent.get("status")["last_pass"]
    finished = datetime.datetime.fromisoformat(last["finished_at"].replace("Z", "+00:00"))
    began = finished.timestamp() - last["duration_us"] / 1e6
    return began >= moment - 0.002 and last["ops"] == 0


def overrun(rounds, present, changes):
    """Changes that the event socket has no room for."""
    with bench.host() as ns, \
            bench.agent(ns, _routes(present), counted=True, event_buffer=2048) as agent:
        for _ in rounds:
            agent.settle()
            bench.raw(ns, "routes", "churn", changes)
            moment = time.time()
            ours = agent.timed(lambda since=moment: bench.wait_for(
                lambda: _looked_after(agent, since), "a look after the last change",
                pause=0.001))
            check(len(lab.our_routes(ns)) == present, "not all routes are there")
            yield {"ours": ours, "raw": bench.raw_sample(ns, "look")}
