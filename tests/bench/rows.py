# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of the table: what is measured, at which sizes, and what is asked of it."""
import collections
import functools

import drift_rows as drift
import host_rows as here
import tunnel_rows as tunnels
import udev_rows as udev

# ours against baseline; sense: "faster" (baseline/ours at least), "within" (ours/baseline at
# most), "most" (ours at most, no baseline), or "" where it is only printed. floor: what was
# measured of the work that nobody is spared; told by the same measure where the goal is not met.
Judge = collections.namedtuple("Judge", "sense bound baseline ours measure floor", defaults=("",))


def faster(bound, than, ours="ours", measure="value", floor="raw"):
    return Judge("faster", bound, than, ours, measure, floor)


def within(bound, of, ours="ours"):
    return Judge("within", bound, of, ours, "value")


def most(bound, ours="ours"):
    return Judge("most", bound, None, ours, "value")


def printed(ours="ours", beside=None):
    return Judge("", None, beside, ours, "value")


# place: "lab" needs IPIP, "host" is on the running kernel. small and full are the arguments of
# the function; the first is what --size N changes. rounds: where five take too long. needs: what
# of tests/deps is fetched for this row alone. why: what a goal that is not met fails by, as far
# as it was found out; printed beside it.
Row = collections.namedtuple(
    "Row", "name place what measure small full judges unit rounds needs why",
    defaults=("s", 5, None, ""))

_some = functools.partial



def drift_of(*kinds):
    """An event to repaired, at the median and at the worst of a hundred."""
    return tuple(within(bound, f"raw {kind} {name}", f"{kind} {name}")
                 for kind in kinds for name, bound in (("p50", 8), ("p99", 40)))


def bulk_faster(bound):
    """The floor has the commit of as many rows besides what the kernel takes."""
    return faster(bound, "ip+nft", floor="floor"), printed(beside="raw")


POST_FASTER = (faster(10, "commands", floor=""), printed("with exit and NAT", "commands"))

ROWS = (
    Row("tunnels", "lab", "{0} tunnels + address + exit + NAT, IPv6 on", tunnels.bulk,
        (20,), (2000,), bulk_faster(2.5)),
    Row("tunnels-10k", "lab", "{0} tunnels + address + exit + NAT, IPv6 on", tunnels.bulk,
        (), (10000,), bulk_faster(7), "s", 3),
    Row("tunnels-noipv6", "lab", "{0} tunnels + address + exit + NAT, IPv6 off by default",
        _some(tunnels.bulk, ipv6=False), (20,), (2000,),
        (faster(1.5, "ip+nft"), printed(beside="raw"))),
    Row("delete", "lab", "of {0} tunnels, delete {1}", tunnels.delete,
        (40, 20), (10000, 1000), (faster(8, "ip+nft"), printed(beside="raw")), "s", 3),
    Row("routes", "lab", "{0} exit routes on one tunnel", tunnels.exit_routes,
        (500,), (10000,), (faster(2.5, "ip -batch"), faster(2.5, "ip -batch", measure="cpu"),
                           printed(beside="raw"))),
    Row("post-one", "lab", "POST one tunnel, applied, {0} present", tunnels.post_one,
        (0, 1), (0, 5), POST_FASTER),
    Row("post-one-more", "lab", "POST one tunnel, applied, {0} present", tunnels.post_one,
        (), (1000, 5), POST_FASTER),
    Row("look", "lab", "no-op full pass over {0} tunnels, twice the routes", tunnels.look,
        (20,), (10000,), (faster(6, "ip+nft"), most(0, "modifying messages and syncs"),
                          printed("pass alone"), printed(beside="raw"),
                          printed("scrape", beside="raw"))),
    Row("start", "lab", "start with {0} in sync", tunnels.start,
        (20,), (10000,), (within(2, "raw"),)),
    Row("memory", "lab", "resident MB: idle, {0} tunnels, peak of PUT", tunnels.memory,
        (20,), (10000,), (most(8, "idle"), most(24, "loaded"), most(48, "peak")), "MB", 3),
    Row("latency", "lab", "GET p99 while {0} tunnels are made, deleted", tunnels.latency,
        (64,), (10000,), (within(2, "raw create", "creating"),
                          within(2, "raw delete", "deleting"), printed("worst creating"),
                          printed("worst deleting")), "s", 3),
    Row("udev", "lab", "{0} tunnels + address, udevd running", udev.tunnels, (5,), (500,),
        (printed(beside="ip -batch"), printed(beside="networkd"),
         printed("without our rule", beside="ip -batch")), "s", 3, "udev"),
    Row("drift", "lab", "one route, address, rule of {0}", drift.objects,
        (10, 2), (1000, 100), drift_of("route", "address", "rule"), "s", 3),
    Row("drift-element", "host", "one of {0} NAT sources", drift.elements,
        (50, 3), (10000, 100), drift_of("element")),
    Row("flush-routes", "lab", "flush of {0} exit routes, healed", drift.flush_routes,
        (200,), (10000,), (within(4, "raw"),)),
    Row("overrun", "lab", "{1} changes of {0} routes, 2 KB of event buffer", drift.overrun,
        (200, 1000), (10000, 10000), (within(3, "raw"),)),
    Row("flush-ruleset", "host", "nft flush ruleset with {0} sources, healed",
        drift.flush_ruleset, (500,), (10000,), (within(4, "raw"),)),
    Row("sources", "host", "{0} NAT sources (/32)", here.sources,
        (500,), (10000,), (faster(10, "rules", floor="floor"),
                                faster(2, "map", floor="floor"), printed(beside="raw"))),
    Row("source-more", "host", "one NAT source more, kernel time, {0}, {1}, {2} present",
        here.one_source_more, (10, 50, 200, 2), (10, 1000, 100000),
        (within(2, "few", "some"), within(2, "few", "many"), printed("few, whole"),
         printed("some, whole"), printed("many, whole"))),
    Row("post", "host", "durable POST of a disabled tunnel, one at a time",
        _some(here.post_disabled, parallel=1), (100,), (3000,),
        (faster(0.9, "raw single", floor="floor"),)),
    Row("post-64", "host", "the same, 64 at a time", _some(here.post_disabled, parallel=64),
        (256,), (20000,), (faster(8, "raw single", floor="floor"), printed(beside="raw grouped"))),
    Row("get-one", "host", "GET one", here.get_one, (200,), (20000,),
        (faster(0.7, "raw", floor=""),)),
    Row("get-config", "host", "GET /v1/config of {0}", here.get_config,
        (200,), (10000,), (within(3, "raw"), most(1, "extra memory"))),
    Row("scrape", "host", "/metrics, {0} tunnels told, {0} devices read", here.scrape,
        (200,), (10000,), (most(0.05), printed(beside="raw"))),
    Row("start-empty", "host", "start with nothing", here.start_empty, (0,), (0,), (printed(),)),
    Row("idle", "host", "wake-ups in {0} s without a due timer", here.idle, (1,), (60,),
        (most(0, "wake-ups"),), "", 3),
)

# Figures of the lab (QEMU's TCG, where a system call costs some 15 us) unless said otherwise.
_BULK = ("The floor is netlink alone, and the commit of as many rows as are declared. Above it "
         "stand 254,000 instructions of the agent's own for each tunnel with what hangs on it "
         "(callgrind, 500 tunnels), SQLite's among them: storing 34 %, JSON 26 %, the ledger "
         "18 %, expanding and planning 13 %; and the look that reads it all back, and events of "
         "our own devices.")
WHY = {
    "tunnels": _BULK,
    "tunnels-10k": _BULK,
    "tunnels-noipv6": _BULK,
    "routes": "Netlink alone (raw) is half of ours. Of the agent's own 17,000 instructions for a "
              "route (callgrind) storing it has 29 %, JSON and the answer 32 %, passes with the "
              "dump that reads it back 37 %.",
    "post-one-more": "15 million instructions of the agent's own (callgrind, a thousand tunnels "
                     "with what hangs on them, on the fake kernel): expanding all that is "
                     "declared 8.8, asking twice whether the answers to it are still the same "
                     "4.1, statuses 1.0.",
    "look": "For 3,000 tunnels, in ms: links 202, each remote's route asked for anew 196, nftables "
            "111, sorting 77, planning 38, switches 30, routes 29, addresses 17. Raw throws away "
            "what it dumps, and asks for no route.",
    "delete": "Two looks at all that is left, of 2.3 s each when both expanded what is declared "
              "(the second does not any more), stand around what raw takes.",
    "start": "Raw dumps and throws away. Ours takes some 120,000 instructions for each tunnel "
             "with what hangs on it (callgrind, 500 tunnels on the fake kernel): opening and "
             "loading the database 39 %, the look, which expands, sorts and compares, 43 %.",
    "memory": "7 MB are libraries, 2 MB SQLite's pages. 2.4 KB for a tunnel with what hangs on "
              "it: its three resources 0.9, the objects desired 0.8, three statuses 0.2, the "
              "ledger 0.2, facts 0.2, the allocator the rest. The peak holds what was observed "
              "and planned besides.",
    "drift": "Raw adds again what it is told went: three system calls. Ours takes eight until it "
             "sends (two say that no more events are there), and some 16,000 instructions.",
    "overrun": "The pass that runs when the last change comes, and the one after it: each parses, "
               "sorts and compares what raw throws away.",
    "sources": "A source is in three sets (translated, counted out, counted back): the floor is "
               "loading those 30,000 elements raw, and storing 10,000 rows.",
    "post": "The floor is the raw commit and a raw HTTP round trip. Ours stores two rows (the "
            "resource, and the event that says who declared it), and reads and writes JSON.",
    "get-one": "Of ours 44 % are the system calls that raw makes as well, 18 % the library's "
               "zeroing of its buffers; the rest checks the request, makes out the status, and "
               "writes JSON and its ETag.",
    "get-config": "Raw sends one buffer that stands ready; ours writes each document from the "
                  "tables while it is sent, and holds a piece of 32 KB.",
    "post-64": "CPU time, which the floor of raw commits and raw HTTP has half of: of ours SQLite "
               "has a fifth, passes a fifth, the answer and its ETag a fifth, JSON a tenth; raw "
               "HTTP, whose buffers are zeroed for each request, the rest.",
}
ROWS = tuple(row._replace(why=WHY.get(row.name, "")) for row in ROWS)
