# SPDX-License-Identifier: GPL-2.0-or-later
"""What needs no tunnel: NAT sources, HTTP, durability, start and rest of an agent."""
import contextlib
import json
import os
import time

import bench
import lab
import load
from bench import Sample, check


def _put_rule(agent, rule):
    answer = agent.ok("PUT", f"/v1/nat-rules/{rule['name']}?wait=60", json.dumps(rule))
    check(answer["status"]["state"] == "ready", str(answer["status"])[:300])


def sources(rounds, count):
    rule = load.sources(count, action="snat", to_address=lab.A_ADDR)
    for _ in rounds:
        with bench.host() as ns, bench.agent(ns) as agent:
            ours = agent.timed(lambda: _put_rule(agent, rule))
            listing = lab.run(ns, "nft", "list", "table", "ip", "ipipd")
            check(listing.count(load.source(count - 1)) >= 1, "the last source is not there")
            raw = bench.raw_sample(ns, "ruleset")
        with bench.host() as ns:
            rules = bench.timed(ns, "nft", "-f", "-", stdin=load.nft_rules(count))
        with bench.host() as ns:
            by_map = bench.timed(ns, "nft", "-f", "-", stdin=load.nft_map(count))
        yield {"ours": ours, "rules": rules, "map": by_map, "raw": raw,
               "floor": bench.total(raw, bench.stored(count))}


def one_source_more(rounds, few, some, many, each=5):
    """Time of the kernel, in the batches alone and in all that the agent has it do."""
    spread = {"few": few, "some": some, "many": many}
    for _ in rounds:
        found = {}
        for name, present in spread.items():
            with bench.host() as ns, bench.agent(
                    ns, load.document(rules=[load.sources(present)]), counted=True) as agent:
                agent.settle()
                before, system = agent.counters(), agent.system_cpu()
                begin = time.monotonic()
                for i in range(each):
                    _put_rule(agent, load.sources(1, present + i, f"more{i}"))
                took = time.monotonic() - begin
                counted = agent.counted(before)
                check(counted.nft_ns, "no batch was sent")
                found[name] = Sample(counted.nft_ns / 1e9 / each)
                found[f"{name}, whole"] = Sample(took / each,
                                                 (agent.system_cpu() - system) / each)
        yield found


# ---------------------------------------------------------------- HTTP and SQLite

RESOURCE_BYTES = 700  # of a tunnel, as it is answered


def post_disabled(rounds, count, parallel):
    for _ in rounds:
        with bench.host() as ns, bench.agent(ns) as agent:
            ours = agent.timed(lambda: bench.raw(ns, "http", "post", agent.socket, count,
                                                 parallel))
            check(sum(agent.states("tunnels").values()) == count, "not all were stored")
        singles = max(count // parallel, 20)
        single, grouped = (_per(of.value, n, of.cpu)
                           for of, n in ((bench.stored(singles, 1), singles),
                                         (bench.stored(count, parallel), count)))
        with bench.host() as ns, bench.folder() as folder:
            posts = _raw_http(ns, folder, RESOURCE_BYTES, count, parallel)
        yield {"ours": _per(ours.value, count, ours.cpu), "raw single": single,
               "raw grouped": grouped, "floor": bench.total(grouped, posts)}


def _per(wall, n, cpu):
    return Sample(wall / n, cpu / n)


def _disabled(count):
    return load.document(({**load.tunnel(i), "enabled": False} for i in range(count)),
                         ({**load.exit_route(i), "enabled": False} for i in range(count)),
                         ({**load.nat_rule(i), "enabled": False} for i in range(count)))


def _raw_http(ns, folder, size, count, parallel=0):
    """GETs, one after the other; or POSTs."""
    path = os.path.join(folder, "raw.sock")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with bench.background(ns, "mhd", path, size, ready=False) as stop:
        bench.wait_for(lambda: os.path.exists(path), "the raw server")
        cpu = bench.cpu_of(stop.process)
        wall = bench.raw(ns, "http", *(("post", path, count, parallel) if parallel else
                                       ("get", path, "/", count)))["wall"]
        return _per(wall, count, bench.cpu_of(stop.process) - cpu)


def _our_http(agent, path, count):
    """The client's clock, and the server's CPU time: of ours and of the raw one."""
    cpu = agent.cpu()
    wall = bench.raw(agent.ns, "http", "get", agent.socket, path, count)["wall"]
    return _per(wall, count, agent.cpu() - cpu)


def _body(agent, path):
    """The bytes as they are sent."""
    connection = lab.UnixConnection(agent.socket, 60)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def get_one(rounds, count):
    with bench.host() as ns, bench.agent(ns, _disabled(1)) as agent, bench.folder() as folder:
        path = "/v1/tunnels/t0"
        size = len(_body(agent, path))
        for _ in rounds:
            yield {"ours": _our_http(agent, path, count),
                   "raw": _raw_http(ns, folder, size, count)}


def get_config(rounds, present, count=5):
    with bench.host() as ns, bench.agent(ns, _disabled(present)) as agent, \
            bench.folder() as folder:
        size = len(_body(agent, "/v1/config"))
        for _ in rounds:
            # 5: VmHWM begins anew at what is resident
            with open(f"/proc/{agent.process.pid}/clear_refs", "w", encoding="ascii") as file:
                file.write("5")
            before = agent.memory("VmRSS")
            ours = _our_http(agent, "/v1/config", count)
            extra = agent.memory("VmHWM") - before
            yield {"ours": ours, "raw": _raw_http(ns, folder, size, count),
                   "extra memory": Sample(extra)}


def scrape(rounds, present, count=5):
    """Without IPIP tunnels can only be declared, and told with what they have counted; as many
    devices stand beside them, so that the kernel's part is there, too."""
    tunnels = load.document({**load.tunnel(i), "enabled": False} for i in range(present))
    with bench.host() as ns, bench.agent(ns, tunnels) as agent, bench.folder() as folder:
        lab.ip(ns, *(f"link add d{i} type veth peer name d{i + 1}" for i in range(0, present, 2)))
        agent.settle()
        told = _body(agent, "/metrics")
        check(told.count(b"\nipipd_tunnel_receive_bytes_total{") == present, "not all were told")
        for _ in rounds:
            links = bench.raw_sample(ns, "look", "links")
            yield {"ours": _our_http(agent, "/metrics", count),
                   "raw": bench.total(links, _raw_http(ns, folder, len(told), count))}


# ---------------------------------------------------------------- start and rest

def start_empty(rounds, _):
    for _ in rounds:
        with bench.host() as ns:
            made = bench.Agent(ns)
            try:
                begin = time.monotonic()
                made.start()
                yield {"ours": Sample(time.monotonic() - begin, made.cpu())}
            finally:
                made.close()


def idle(rounds, seconds):
    for _ in rounds:
        with bench.host() as ns, bench.agent(ns, counted=True) as agent:
            agent.settle()
            time.sleep(0.5)
            before, cpu = agent.counters(), agent.cpu()
            time.sleep(seconds)
            counted = agent.counted(before)
            passes = seconds / 24 + 1  # one each 30 s, 20 % early
            yield {"wake-ups": Sample(counted.events + max(0, counted.timeouts - passes),
                                      agent.cpu() - cpu)}
