#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`ipipctl why`: the path is broken in each way that there is, one at a time. It names the hop
and the cause, and after the command that it gives the path works."""

import contextlib
import json
import os
import re
import socket
import statistics
import threading
import time

import lab
from lab import A_ADDR, B_ADDR, INET, ROUTER, THIRD, ip, nft, sysctl

INNER_A, INNER_B = "192.168.1.1", "192.168.1.2"
TUN_A = {"name": "tun_a", "local": A_ADDR, "remote": B_ADDR, "addresses": [INNER_A + "/24"]}
TUN_B = {"name": "tun_b", "local": B_ADDR, "remote": A_ADDR, "addresses": [INNER_B + "/24"]}
QQ = {"name": "qq", "tunnel": "tun_a", "destinations": [f"{INET}/32"]}
EXIT = {"name": "exit", "sources": ["192.168.1.0/24"], "out_interface": "eth0"}
PORT = 7777
PROBES, PROBE_S = 10, 2     # so many an agent sends at once, and one more in that time
WAIT_S = 0.4                # the near end waits so long for answers
CLOSED_UDP = ("--protocol", "udp", "--port", "9")
TO_PORT = ("--protocol", "tcp", "--port", str(PORT))


def chain(hook, rule, priority=0, kind="filter", policy="accept", family="ip", device=""):
    """A table of somebody else's with that one rule."""
    where = f'devices = {{ "{device}" }} ' if device else ""
    return (f"table {family} other {{ chain c {{ type {kind} hook {hook} {where}priority "
            f"{priority}; policy {policy}; {rule}; }}; }}")


def otherwise(one, other):
    """The resource with members that differ; of a list the first, and more behind it."""
    first, *more = other if isinstance(other, list) else [other]
    return [{**one, **first}, *more]


class Break:
    """What is done to a host (role: its namespace), and what `why` must find.

    do, undo: nft text where it begins with `table`, else a line of ip, sysctl or iptables-legacy;
    "ROLE: line" is for that one, "-line" may fail;
    a, b: members of the resources that are declared otherwise ({"tunnels": {…}}), None: not at
    all. fixed: the command that is given mends it; False: none can be given from here.
    """

    def __init__(self, name, at, words, **more):
        self.name, self.at, self.words = name, at, words
        self.role = more.pop("role", at[0])
        self.do, self.undo = more.pop("do", ()), more.pop("undo", ())
        self.a, self.b = more.pop("a", {}), more.pop("b", {})
        self.arguments = more.pop("arguments", ())
        self.fixed = more.pop("fixed", True)
        self.static = more.pop("static", False)
        self.verdict = more.pop("verdict", "broken")
        self.other_check = more.pop("or_at", None)
        assert not more, more


ADDRESS_OF_A = ("ip address flush dev eth0", f"ip address add {A_ADDR}/16 dev eth0",
                f"ip route replace default via {ROUTER}")
DROP_4 = "ip protocol 4 drop"
# A mark of the packet's counts where its source is looked for: as wg-quick has it.
MARKED = ("sysctl net.ipv4.conf.all.src_valid_mark=1",
          "ip rule add priority 50 fwmark 0x10 lookup 77")
UNMARKED = ("sysctl net.ipv4.conf.all.src_valid_mark=0", "ip rule del priority 50",
            "ip route flush table 77")
DROP_LONG_4 = "ip protocol 4 ip length > 1370 drop"
# Behind the router, both ends of that link.
NARROW, WIDE = ((f"ip link set eth1 mtu {mtu}", f"inet: ip link set eth0 mtu {mtu}")
                for mtu in (1300, 1500))
BREAKS = (
    # the client sends
    Break("no exit route", ("a", "route"), "no exit route", a={"exit_routes": None}, static=True),
    Break("a disabled exit route", ("a", "route"), "disabled", static=True,
          a={"exit_routes": {"enabled": False}}),
    Break("a disabled tunnel", ("a", "route"), "disabled", static=True,
          a={"tunnels": {"enabled": False}}, or_at="tunnel"),
    Break("a source that goes past the tunnels", ("a", "route"), A_ADDR, static=True,
          arguments=("--from", A_ADDR), fixed=False),
    Break("somebody's rule before ours", ("a", "route"), "rule", static=True,
          do=(f"ip rule add priority 100 to {INET} lookup main",),
          undo=(f"ip rule del priority 100 to {INET} lookup main", "ip rule del priority 1")),
    Break("an outer packet that enters the tunnel", ("a", "loop"), "tun_a", static=True,
          do=(f"ip route add {B_ADDR}/32 dev tun_a table 77",
              f"ip rule add priority 50 to {B_ADDR} lookup 77"),
          undo=(f"ip rule del priority 50 to {B_ADDR} lookup 77", "ip route flush table 77")),
    Break("the local address gone", ("a", "underlay"), A_ADDR, static=True,
          do=("ip address flush dev eth0",), undo=ADDRESS_OF_A, fixed=False),
    Break("the local address gone, but not the way", ("a", "underlay"), A_ADDR, static=True,
          do=("ip address flush dev eth0", "ip address add 172.16.16.23/16 dev eth0",
              f"ip route replace default via {ROUTER}"),
          undo=("-ip address del 172.16.16.23/16 dev eth0", *ADDRESS_OF_A)),
    Break("no route to the remote", ("a", "underlay"), B_ADDR, static=True, fixed=False,
          do=("ip address flush dev eth0", f"ip address add {A_ADDR}/32 dev eth0"),
          undo=ADDRESS_OF_A),
    Break("a neighbour that does not answer", ("a", "neighbour"), B_ADDR, fixed=False,
          do=("switch: ip link set to_b down", "ip neigh flush dev eth0"),
          undo=("switch: ip link set to_b up", "ip neigh flush dev eth0")),
    Break("no carrier", ("a", "neighbour"), "carrier", fixed=False, static=True,
          do=("switch: ip link set to_a down",), undo=("switch: ip link set to_a up",)),
    Break("a gateway that is not there", ("a", "neighbour"), "172.16.0.99",
          do=(f"ip route add {B_ADDR}/32 via 172.16.0.99",),
          undo=(f"-ip route del {B_ADDR}/32 via 172.16.0.99",)),
    Break("protocol 4 dropped on output", ("a", "send"), "other c", do=(
        chain("output", DROP_4),)),
    Break("the inner packet dropped on output", ("a", "send"), "other c", do=(
        chain("output", f"ip daddr {INET} drop", family="inet"),)),
    Break("dropped as it goes into the tunnel", ("a", "send"), "netdev other c", do=(
        chain("egress", f"ip daddr {INET} drop", family="netdev", device="tun_a"),)),
    Break("protocol 4 dropped as it leaves", ("a", "send"), "netdev other c", do=(
        chain("egress", DROP_4, family="netdev", device="eth0"),)),
    # between
    Break("protocol 4 blocked on the way", ("b", "arrival"), "blocked", role="switch", fixed=False,
          do=(chain("ingress", DROP_4, family="netdev", device="to_a"),)),
    Break("a remote that is not the exit", ("b", "arrival"), "no address of this host",
          a={"tunnels": {"remote": ROUTER}}, fixed=False),
    # the exit receives
    Break("a firewall that lets in what it knows", ("b", "decapsulation"), "other c",
          do=(chain("input", "ct state established,related accept", policy="drop"),
              "conntrack -F")),
    Break("no tunnel on the exit", ("b", "tunnel"), A_ADDR, b={"tunnels": None}, static=True),
    Break("another remote", ("b", "tunnel"), "172.16.1.99", static=True,
          b={"tunnels": {"remote": "172.16.1.99"}}),
    Break("another local", ("b", "tunnel"), THIRD, b={"tunnels": {"local": THIRD}}, static=True),
    Break("a disabled tunnel on the exit", ("b", "tunnel"), "disabled", static=True,
          b={"tunnels": {"enabled": False}}),
    Break("protocol 4 dropped on input", ("b", "decapsulation"), "other c", do=(
        chain("input", DROP_4),)),
    Break("protocol 4 dropped before routing", ("b", "decapsulation"), "other c", do=(
        chain("prerouting", DROP_4, -150),)),
    Break("protocol 4 dropped as it comes in", ("b", "arrival"), "netdev other c", do=(
        chain("ingress", DROP_4, family="netdev", device="eth0"),)),
    Break("dropped as it comes out of the tunnel", ("b", "decapsulation"), "netdev other c", do=(
        chain("ingress", f"ip daddr {INET} drop", family="netdev", device="tun_b"),)),
    Break("a strict underlay", ("b", "decapsulation"), "rp_filter", fixed=False,
          do=("sysctl net.ipv4.conf.eth0.rp_filter=1", f"ip route add {A_ADDR}/32 dev eth1"),
          undo=("sysctl net.ipv4.conf.eth0.rp_filter=0", f"ip route del {A_ADDR}/32 dev eth1")),
    # the exit forwards
    Break("forwarding off", ("b", "input"), "forwarding", b={"nat_rules": None}, static=True),
    Break("a strict tunnel without an address", ("b", "input"), "rp_filter", static=True,
          b={"tunnels": {"addresses": [], "rp_filter": "strict"}}),
    Break("a forward rule that drops", ("b", "forward"), "other c", do=(
        chain("forward", f"ip daddr {INET} drop"),)),
    Break("a forward policy that drops", ("b", "forward"), "other c", do=(
        chain("forward", "ct state invalid accept", family="inet", policy="drop"),)),
    Break("a NAT rule for others", ("b", "forward"), "no NAT rule of ours",
          b={"nat_rules": {"sources": ["10.77.0.0/24"]}}),
    Break("a source that the tunnel does not allow", ("b", "forward"), "none of the sources",
          b={"tunnels": {"allowed_sources": ["10.77.0.0/24"]}}),
    Break("iptables-legacy", ("b", "forward"), "legacy",
          do=("iptables-legacy -A FORWARD -i tun_b -j DROP",),
          undo=("iptables-legacy -F FORWARD",)),
    Break("no source NAT", ("b", "nat"), INNER_A, b={"nat_rules": None},
          do=("sysctl net.ipv4.conf.eth0.forwarding=1", "sysctl net.ipv4.conf.tun_b.forwarding=1"),
          undo=("sysctl net.ipv4.conf.eth0.forwarding=0",
                "sysctl net.ipv4.conf.tun_b.forwarding=0")),
    Break("a source that is not the exit's", ("b", "nat"), "172.16.1.99", b={"nat_rules": {
        "action": "snat", "to_address": "172.16.1.99"}}),
    Break("somebody's NAT before ours", ("b", "nat"), "other c", do=(
        chain("postrouting", 'oifname "eth0" snat to 172.16.1.98', 50, "nat"),)),
    Break("dropped behind routing", ("b", "leave"), "other c", do=(
        chain("postrouting", f"ip daddr {INET} drop", 50),)),
    Break("dropped as it leaves the exit", ("b", "leave"), "netdev other c", do=(
        chain("egress", f"ip daddr {INET} drop", family="netdev", device="eth0"),)),
    # the destination
    Break("a destination that is silent", ("b", "reply"), INET, role="inet", fixed=False, do=(
        chain("input", "drop"),)),
    Break("a reply lost behind the exit", ("b", "reply"), INET, role="router", fixed=False, do=(
        chain("forward", f"ip saddr {INET} drop"),)),
    Break("no way back to the exit", ("b", "reply"), INET, role="router", fixed=False,
          do=(f"ip route add blackhole {B_ADDR}/32",), undo=(f"ip route del {B_ADDR}/32",)),
    # the way back
    Break("the reply dropped as it comes in", ("b", "reply"), "netdev other c", do=(
        chain("ingress", f"ip saddr {INET} drop", family="netdev", device="eth0"),)),
    Break("the reply dropped as it goes into the tunnel", ("b", "reply-send"), "netdev other c",
          do=(chain("egress", f"ip saddr {INET} drop", family="netdev", device="tun_b"),)),
    Break("the outer reply dropped as it leaves", ("b", "reply-send"), "netdev other c", do=(
        chain("egress", DROP_4, family="netdev", device="eth0"),)),
    Break("the outer reply dropped as it comes in", ("a", "reply-arrival"), "netdev other c", do=(
        chain("ingress", DROP_4, family="netdev", device="eth0"),)),
    Break("the reply dropped as it comes out of the tunnel", ("a", "reply-input"),
          "netdev other c", do=(
              chain("ingress", f"ip saddr {INET} drop", family="netdev", device="tun_a"),)),
    Break("no way back into the tunnel", ("b", "return"), INNER_A, static=True,
          b={"tunnels": {"addresses": []}}),
    Break("a reply by another device, which is strict", ("b", "return"), "conf.alt.rp_filter",
          do=("router: ip link add alt type veth peer name alt netns {b}",
              "ip address add 172.31.0.1/24 dev alt", "ip link set alt up",
              "router: ip address add 172.31.0.2/24 dev alt", "router: ip link set alt up",
              f"router: ip route add {B_ADDR}/32 via 172.31.0.1",
              "sysctl net.ipv4.conf.alt.rp_filter=1", "sysctl net.ipv4.conf.alt.forwarding=1"),
          undo=("ip link del alt",)),
    Break("a strict WAN for what is marked", ("b", "reply-forward"), "conf.eth0.rp_filter",
          do=(chain("prerouting", f"ip saddr {INET} meta mark set 0x10", -150), *MARKED,
              "sysctl net.ipv4.conf.eth0.rp_filter=1", f"ip route add {INET}/32 dev eth1 table 77"),
          undo=("sysctl net.ipv4.conf.eth0.rp_filter=0", *UNMARKED)),
    Break("the reply dropped on forward", ("b", "reply-forward"), "other c", do=(
        chain("forward", f"ip saddr {INET} drop"),)),
    Break("the outer reply dropped on output", ("b", "reply-send"), "other c", do=(
        chain("output", DROP_4),)),
    Break("protocol 4 blocked on the way back", ("a", "reply-arrival"), "blocked", role="switch",
          fixed=False, do=(chain("ingress", DROP_4, family="netdev", device="to_b"),)),
    Break("protocol 4 dropped on the client's input", ("a", "reply-input"), "other c", do=(
        chain("input", DROP_4),)),
    Break("the reply dropped on the client's input", ("a", "reply-input"), "other c", do=(
        chain("input", f"ip saddr {INET} drop"),), or_at="reply"),
    Break("a strict tunnel for what is marked", ("a", "rp_filter"), "conf.tun_a.rp_filter",
          a={"tunnels": {"rp_filter": "strict"}},
          do=(chain("prerouting", f"ip saddr {INET} meta mark set 0x10", -150), *MARKED,
              f"ip route add {INET}/32 dev eth0 table 77"), undo=UNMARKED),
    Break("a strict tunnel without an address, for what is marked", ("a", "rp_filter"),
          "conf.tun_a.rp_filter",
          a={"tunnels": [{"addresses": [], "rp_filter": "strict"},
                         {"name": "spare", "remote": "172.16.0.98",
                          "addresses": [INNER_A + "/24"]}],
             "exit_routes": {"source": INNER_A}},
          do=(chain("prerouting", f"ip saddr {INET} meta mark set 0x10", -150), *MARKED,
              f"ip route add {INET}/32 dev eth0 table 77"), undo=UNMARKED),
    # sizes and ports
    Break("a way between that is narrower than the tunnel", ("a", "device"),
          "too large for the outer way", verdict="warn", fixed=False,
          a={"tunnels": {"mtu": 1480}}, do=(f"ip route add {B_ADDR}/32 dev eth0 mtu 1300",),
          undo=(f"ip route del {B_ADDR}/32 dev eth0",)),
    Break("a smaller MTU behind the exit", ("a", "mtu"), "1300", role="router", verdict="warn",
          do=NARROW, undo=WIDE, fixed=False),
    Break("a destination that answers nothing long", ("b", "mtu"), "longer ones left", role="inet",
          verdict="warn", fixed=False, do=(
              chain("input", "icmp type echo-request meta length > 600 drop"),)),
    Break("a black hole", ("a", "mtu"), "1280", role="router",
          do=(*NARROW, chain("output", "icmp type destination-unreachable drop")), undo=WIDE),
    Break("a black hole on the way there", ("b", "mtu"), "1340 bytes pass", role="switch",
          do=(chain("ingress", DROP_LONG_4, family="netdev", device="to_a"),)),
    Break("a black hole on the way back", ("a", "mtu"), "1340 bytes pass", role="switch",
          do=(chain("ingress", DROP_LONG_4, family="netdev", device="to_b"),)),
    Break("a black hole on both ways", ("b", "mtu"), "1340 bytes pass", role="switch",
          do=(chain("ingress", DROP_LONG_4, family="netdev", device='to_a", "to_b'),)),
    Break("a port that is dropped", ("b", "forward"), "other c", do=(
        chain("forward", f"tcp dport {PORT} drop"),),
        arguments=TO_PORT),
)

# What looks broken to who asks without the ports of both ends: the kernel looks for the way back
# of a reply with its ports the other way round.
PASSING = (
    Break("a strict way out", ("b", "return"), "rp_filter",
          do=(f"ip route add default via {ROUTER} dev eth0 table 88",
              f"ip rule add priority 100 iif tun_b ipproto tcp dport {PORT} lookup 88",
              f"ip route add {INET}/32 dev eth1", "sysctl net.ipv4.conf.eth0.rp_filter=1"),
          undo=("sysctl net.ipv4.conf.eth0.rp_filter=0", f"ip route del {INET}/32 dev eth1",
                "ip rule del priority 100", "ip route flush table 88"),
          arguments=TO_PORT),
    Break("a strict tunnel by which the reply would not leave", ("a", "rp_filter"), "rp_filter",
          a={"tunnels": {"rp_filter": "strict"}, "exit_routes": None},
          do=(f"ip route add {INET}/32 dev tun_a src {INNER_A} table 77",
              f"ip rule add priority 100 to {INET} ipproto udp dport {PORT} lookup 77"),
          undo=("ip rule del priority 100", "ip route flush table 77"),
          arguments=("--protocol", "udp", "--port", str(PORT))),
)


class Why(lab.LabTest):
    def setUp(self):
        self.t, self.a, self.b = self.pair()
        self.load_modules()
        self.took, self.declared, self.waited = {False: [], True: []}, {}, 0  # by: is it broken
        self.simulated = []
        self.tokens, self.counted = PROBES, time.monotonic()

    def load_modules(self):
        """Which takes the guest seconds, that nobody's loop is to wait."""
        nft(self.t.inet, "table inet warm { chain c { type nat hook postrouting priority 0; "
                         "ct state new meta nftrace set 1 counter masquerade; }; }; "
                         "delete table inet warm")

    def servers(self):
        self.tcp_server(self.t.inet, PORT)
        with lab.inside(self.t.inet):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("", PORT))
        self.addCleanup(sock.close)

        def echo():
            with contextlib.suppress(OSError):
                while True:
                    data, peer = sock.recvfrom(2048)
                    sock.sendto(data, peer)
        threading.Thread(target=echo, daemon=True).start()

    def declare(self, case=None):
        """The base, with what the case has otherwise."""
        for agent, base, other in (
                (self.a, {"tunnels": TUN_A, "exit_routes": QQ}, case.a if case else {}),
                (self.b, {"tunnels": TUN_B, "nat_rules": EXIT}, case.b if case else {})):
            config = {kind: otherwise(one, other.get(kind, {}))
                      for kind, one in base.items() if other.get(kind, {}) is not None}
            if "exit_routes" in config and "tunnels" not in config:
                del config["exit_routes"]
            if self.declared.get(agent.name) != config:
                agent.ok("PUT", "/v1/config", config)  # some of it never gets ready
                agent.ok("POST", "/v1/reconcile?wait=10")
                self.declared[agent.name] = config

    def why(self, *arguments):
        begin = time.monotonic()
        done = lab.ipipctl("why", INET, "--peer", f"unix://{self.b.socket}", "-j", *arguments,
                           host=self.a)
        took = time.monotonic() - begin
        self.assertIn(done.status, (0, 1), done.out + done.err)
        found = json.loads(done.out)
        self.assertEqual(done.status, int(found["verdict"] == "broken"), done.out)
        if any("they must wait" in note or "watched for" in note for note in found["notes"]):
            self.waited += 1
            time.sleep(1)
            return self.why(*arguments)
        self.assertEqual([], found["notes"])
        if "--no-probe" not in arguments:
            self.tokens -= 1
        if found["hosts"][0]["answer"]["probe"]:  # else it was broken before any could be sent
            self.took[found["verdict"] == "broken"].append(took)
        return found

    def simulate(self):
        """What a walk costs that waits for nothing: the same command, agents and guest."""
        begin = time.monotonic()
        self.why("--no-probe")
        self.simulated.append(time.monotonic() - begin)

    def assert_waits(self):
        """A walk whose probes are not answered waits once; all else of walks is work, as it is
        without probes, and how quick that is is the guest's matter."""
        simulated = statistics.median(self.simulated)
        print(f"a walk without probes took {simulated:.2f} s in the median, in the lab; "
              f"{self.waited} had to wait", flush=True)
        for broken, took in self.took.items():
            limit = broken * WAIT_S + 3 * simulated
            median = statistics.median(took)
            print(f"one that ends {'broken' if broken else 'healthy'}: {median:.2f} s, "
                  f"{max(took):.2f} s at most, {limit:.2f} s allowed", flush=True)
            self.assertLess(median, limit)

    def save_time(self):
        """An agent that started again knows nothing of the probes that were sent before."""
        now = time.monotonic()
        self.tokens = min(self.tokens + (now - self.counted) / PROBE_S, PROBES)
        self.counted = now
        if self.tokens < 3:
            self.a.restart()
            self.b.restart()
            self.tokens = PROBES

    def name(self, url):
        return next(agent.name for agent in (self.a, self.b) if agent.socket in url)

    def lines(self, found):
        return "\n".join(f"{c['step']} {self.name(c['host'])} {c['check']} {c['verdict']}: "
                         f"{c['evidence']} [{c['resource'] or c['object']}] {c['fix']}"
                         for c in found["checks"])

    def play(self, role, steps):
        for step in steps:
            host, _, line = step.partition(": ")
            if not host.isalpha():
                host, line = role, step
            ns, words = getattr(self.t, host), line.lstrip("-").replace("{b}", self.t.b).split()
            if words[0] == "table":
                nft(ns, line)
            elif words[0] == "sysctl":
                path, value = words[1].split("=")
                sysctl(ns, path.replace(".", "/"), value)
            else:
                lab.run(ns, *words, check=line[0] != "-")

    def undo(self, case):
        for step in case.do:
            if step.startswith("table"):
                family = step.split()[1]
                nft(getattr(self.t, case.role), f"delete table {family} other", check=False)
        if case.undo:
            self.declare(case)  # what a fix has declared goes first
        self.play(case.role, case.undo)
        self.declare()
        if case.undo and case.role in "ab":
            getattr(self, case.role).ok("POST", "/v1/reconcile?wait=10")
        # a carrier takes a moment to be noticed
        lab.eventually(lambda: lab.ping(self.t.a, INET, count=1, timeout=0.3), lab.SECOND)

    def shell(self, found):
        """As a person would, on the host that it is for."""
        host = self.name(found["fix_host"])
        path = f"{os.path.dirname(lab.IPIPCTL)}:{os.environ['PATH']}"
        self.declared.pop(host, None)
        lab.run(getattr(self.t, host), "sh", "-c", found["fix"],
                env={**os.environ, "PATH": path})
        if not found["fix"].startswith(("nft", "iptables")):
            getattr(self, host).ok("POST", "/v1/reconcile?wait=10")

    def assert_healthy(self, *arguments):
        found = self.why(*arguments)
        self.assertIn(found["verdict"], ("ok", "warn"), self.lines(found))
        return found

    def assert_found(self, case, found):
        check = next((c for c in found["checks"] if c["verdict"] == case.verdict), None)
        shown = f"{case.name}:\n{self.lines(found)}"
        self.assertIsNotNone(check, shown)
        self.assertEqual(self.name(check["host"]), case.at[0], shown)
        self.assertIn(check["check"], (case.at[1], case.other_check), shown)
        self.assertIn(case.words, " ".join(filter(None, (check["evidence"], check["object"],
                                                         check["resource"]))), shown)
        self.assertEqual(found["broken_at"], check["step"] if case.verdict == "broken" else None,
                         shown)

    def one(self, case):
        self.declare(case)
        self.play(case.role, case.do)
        try:
            found = self.why(*case.arguments)
            self.assert_found(case, found)
            if (case.verdict == "broken" and not case.arguments
                    and case.at[1] not in ("route", "mtu")):
                self.assertEqual(0, lab.ping(self.t.a, INET, count=1, timeout=0.3), case.name)
            if case.static:
                self.assert_found(case, self.why("--no-probe", *case.arguments))
            if case.fixed:
                self.mend(case, found)
        finally:
            self.undo(case)

    def mend(self, case, found):
        shown = f"{case.name}: after {found['fix']}"
        self.assertTrue(found["fix"], f"{case.name}:\n{self.lines(found)}")
        self.shell(found)
        again = self.why(*case.arguments)
        self.assertIn(again["verdict"], ("ok", "warn"), f"{shown}\n{self.lines(again)}")
        if not case.arguments:
            self.assertTrue(lab.ping(self.t.a, INET), shown)

    def test_each_break_is_found_and_mended(self):
        self.servers()
        self.declare()
        self.assert_healthy()
        faults = []
        wanted = os.environ.get("WHY_BREAKS", "")
        cases = [case for case in BREAKS[::int(os.environ.get("WHY_EVERY", "1"))]
                 if re.search(wanted, case.name)]
        for n, case in enumerate(cases):
            if n % 2 == 0:
                self.simulate()
            self.save_time()
            begin = time.monotonic()
            before = len(faults)
            try:
                self.one(case)
            except AssertionError as fault:
                faults.append(f"{case.name}: {fault}")
            print(f"{'FAULT' if len(faults) > before else 'ok'} {time.monotonic() - begin:5.2f} s  "
                  f"{case.name}", flush=True)
        print(f"{len(cases) - len(faults)} right, of {len(cases)} of {len(BREAKS)} breaks",
              flush=True)
        if faults:
            self.fail("\n\n".join(faults))
        self.assert_waits()

    def assert_devices(self, found):
        """Both ends name the device by which protocol 4 went: it was counted there."""
        shown = {(self.name(c["host"]), c["check"]): c["evidence"] for c in found["checks"]}
        self.assertIn(f"protocol 4 from {A_ADDR} on eth0: 3 of 3 probes", shown["b", "arrival"])
        self.assertIn("3 of 3 left by eth0 as protocol 4", shown["a", "send"])

    def assert_quick(self):
        """Without probes under 20 ms on hardware; here, too, though all is ten times slower."""
        far = f"&from={INNER_A}&peer={A_ADDR}&local={B_ADDR}"
        for agent, query in ((self.a, ""), (self.b, far)):
            took = statistics.median(agent.ok("GET", f"/v1/why?to={INET}{query}")["took_ms"]
                                     for _ in range(9))
            print(f"without probes {agent.name} answers in {took} ms", flush=True)
            self.assertLess(took, 20)

    def test_healthy_by_each_protocol(self):
        self.servers()
        self.declare()
        for arguments in ((), TO_PORT, ("--protocol", "tcp", "--port", "9"),
                          ("--protocol", "udp", "--port", str(PORT)),
                          CLOSED_UDP, ("--no-probe",)):
            found = self.assert_healthy(*arguments)
            if "--no-probe" not in arguments:
                self.assert_devices(found)
            if arguments == CLOSED_UDP:
                self.assertNotIn("does not answer", self.lines(found))
                self.assertEqual([], [c["check"] for c in found["checks"]
                                      if c["verdict"] == "unknown" and c["check"] != "neighbour"])
        self.assert_quick()
        # the other end itself
        done = lab.ipipctl("why", INNER_B, "--peer", f"unix://{self.b.socket}", host=self.a)
        self.assertEqual(0, done.status, done.out)

    def test_what_passes_is_not_broken(self):
        self.servers()
        for case in PASSING:
            self.declare(case)
            self.play(case.role, case.do)
            self.assert_healthy(*case.arguments)
            self.assert_healthy("--no-probe", *case.arguments)
            self.undo(case)

    def test_without_a_peer_it_says_what_it_can(self):
        self.declare()
        done = lab.ipipctl("why", INET, host=self.a, env={**os.environ, "HOME": self.a.folder,
                                                          "XDG_CONFIG_HOME": self.a.folder})
        self.assertEqual(0, done.status, done.out + done.err)
        self.assertRegex(done.out, "healthy|no break was found")  # one reply may be lost
        self.assertIn(f"no agent is known at {B_ADDR}", done.out)

    def test_nothing_stays_behind(self):
        self.declare()
        before = {ns: lab.snapshot(ns) for ns in (self.t.a, self.t.b)}
        self.assert_healthy()
        for ns, then in before.items():
            self.assert_same(then, lab.snapshot(ns))
        # killed while it watches: the next start takes away what it had set up
        path = (f"/v1/why?to={INET}&from={INNER_A}&peer={A_ADDR}&local={B_ADDR}&id=77&probe=true")
        connection = lab.UnixConnection(self.b.socket, 10)
        connection.request("GET", path)
        self.assertEqual(200, connection.getresponse().status)
        self.b.kill9()
        connection.close()
        self.assertIn("table ip ipipd_trace", nft(self.t.b, "list tables"))
        self.b.start()
        self.assertNotIn("ipipd_trace", nft(self.t.b, "list tables"))
        self.assert_healthy()


if __name__ == "__main__":
    lab.main()
