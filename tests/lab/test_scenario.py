#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job: a tunnel, an exit route, NAT, whatever rp_filter says; and only that."""
import lab
from lab import A_ADDR, B_ADDR, INET, LAN, ROUTER, ip, sysctl

TUN_A = {"local": A_ADDR, "remote": B_ADDR, "addresses": ["192.168.1.1/24"]}
TUN_B = {"local": B_ADDR, "remote": A_ADDR, "addresses": ["192.168.1.2/24"]}
QQ = {"tunnel": "tun_a", "destinations": [f"{INET}/32"]}
EXIT = {"sources": ["192.168.1.0/24"], "out_interface": "eth0", "action": "snat",
        "to_address": B_ADDR}


def declare(a, b, exit_route=True, nat=True):
    b.put("tunnels/tun_b", TUN_B)
    a.put("tunnels/tun_a", TUN_A)
    if nat:
        b.put("nat-rules/exit", EXIT)
    if exit_route:
        a.put("exit-routes/qq", QQ)


def forwarding(ns):
    """The devices that forward."""
    names = [link["ifname"] for link in lab.ip_json(ns, "link show")]
    return {name for name in names
            if name != "tunl0" and sysctl(ns, f"net/ipv4/conf/{name}/forwarding") == "1"}


class Scenario(lab.LabTest):
    def test_points_one_to_three(self):
        t, a, b = self.pair()
        b_before = lab.snapshot(t.b)
        self.one_tunnel(t, a, b)
        self.two_exit_route(t, a)
        self.three_nat(t, b)
        self.only_what_was_declared(t, b)
        b.delete("nat-rules/exit")
        b.delete("tunnels/tun_b")
        self.assert_same(b_before, lab.snapshot(t.b))

    def one_tunnel(self, t, a, b):
        wire = self.capture(t.b, "eth0")
        created = a.request("PUT", "/v1/tunnels/tun_a?wait=30", TUN_A)
        self.assertEqual(201, created.status, created.body)
        self.assertIn("ETag", created.headers)
        self.assertEqual("ready", created.body["status"]["state"], created.body)
        b.put("tunnels/tun_b", TUN_B)
        link = lab.ip_json(t.a, "link show tun_a")[0]
        data = link["linkinfo"]["info_data"]
        self.assertEqual(("ipip", A_ADDR, B_ADDR, 64), (link["linkinfo"]["info_kind"],
                         data["local"], data["remote"], data["ttl"]))
        self.assertIn("UP", link["flags"])
        self.assertEqual(1480, link["mtu"])
        self.assertEqual(str(0x69706970), str(link["group"]))
        self.assertRegex(link.get("ifalias", ""), "^ipipd:[0-9a-f]{8}:tun_a$")
        self.assertEqual("1", sysctl(t.a, "net/ipv6/conf/tun_a/disable_ipv6"))
        address = ip(t.a, "address show dev tun_a")
        self.assertIn("inet 192.168.1.1/24", address)
        self.assert_ping(t.a, "192.168.1.2")
        self.assert_ping(t.b, "192.168.1.1")
        self.assert_seen(wire, f"{A_ADDR} > {B_ADDR}: 192.168.1.1 > 192.168.1.2: ICMP echo request")
        # no exit yet: no rule, no table, nothing forwards
        self.assertEqual(3, len(lab.rule_lines(t.a)))
        self.assertEqual(set(), forwarding(t.a) | forwarding(t.b))

    def two_exit_route(self, t, a):
        a.put("exit-routes/qq", QQ)
        self.assertRegex(lab.route_get(t.a, INET), "dev tun_a .*src 192.168.1.1")
        self.assertRegex(lab.route_get(t.a, lab.INET_OTHERS[0]), "dev eth0")
        self.assertEqual(1, len(lab.our_routes(t.a)), lab.our_routes(t.a))
        self.assertNotIn("tun_a", "".join(
            line for line in ip(t.a, "route show table main").splitlines()
            if "proto kernel" not in line))
        outside = self.capture(t.router, "eth0")
        self.assert_no_ping(t.a, INET)
        # nothing is forwarded yet
        self.assert_not_seen(outside, "192[.]168")

    def three_nat(self, t, b):
        wire = self.capture(t.b, "eth0")
        outside = self.capture(t.router, "eth1")
        server = self.tcp_server(t.inet)
        b.put("nat-rules/exit", EXIT)
        self.assert_ping(t.a, INET)
        self.assertTrue(lab.tcp_ok(t.a, INET), "TCP through the exit")
        self.assertEqual([B_ADDR], server.peers)
        self.assert_seen(wire, f"{A_ADDR} > {B_ADDR}: 192.168.1.1 > {INET}: ICMP echo request",
                         outgoing=False)
        self.assert_seen(wire, f"{B_ADDR} > {INET}: ICMP echo request", outgoing=True)
        self.assert_seen(wire, f"{INET} > {B_ADDR}: ICMP echo reply", outgoing=False)
        self.assert_seen(wire, f"{B_ADDR} > {A_ADDR}: {INET} > 192.168.1.1: ICMP echo reply",
                         outgoing=True)
        self.assert_not_seen(wire, "192[.]168", outgoing=True)
        self.assert_not_seen(outside, "192[.]168")
        self.assertFalse([p for p in outside.read() if A_ADDR in p.addresses()])

    def only_what_was_declared(self, t, b):
        for ns in (t.a, t.b):
            self.assertEqual("0", sysctl(ns, "net/ipv4/ip_forward"))
        self.assertEqual({"tun_b", "eth0"}, forwarding(t.b))
        self.assertEqual(set(), forwarding(t.a))
        # the router knows a way to the inner network now, and tries
        ip(t.router, f"route add 192.168.1.0/24 via {B_ADDR}")
        inner, third = self.capture(t.b, "tun_b"), self.capture(t.b, "eth1")
        self.assert_no_ping(t.router, "192.168.1.1")
        self.assertFalse(lab.tcp_ok(t.router, "192.168.1.1", timeout=1))
        self.assert_not_seen(inner, f"{ROUTER} > ", outgoing=True)
        self.assert_no_ping(t.router, lab.THIRD_HOST)
        self.assert_not_seen(third, f"{ROUTER} > ", outgoing=True)
        # another source of A, sent into the tunnel by force
        wire = self.capture(t.b, "eth0")
        self.assert_no_ping(t.a, INET, source=LAN, device="tun_a")
        self.assert_seen(wire, f"{A_ADDR} > {B_ADDR}: {LAN} > {INET}", outgoing=False)
        self.assert_not_seen(wire, f"{LAN} > ", outgoing=True)
        # the third network of B does not get a way in either
        self.assert_no_ping(t.third, "192.168.1.1")
        self.assert_ping(t.a, INET)
        self.assertTrue(b.get("nat-rules/exit/stats"))

    def test_metrics_count_what_flows(self):
        t, a, b = self.pair()
        declare(a, b)
        packet = 20 + 8 + 56  # an echo request: IP, ICMP, data
        series = {a: 'ipipd_tunnel_{}_total{{tunnel="tun_a"}}',
                  b: 'ipipd_nat_rule_{}_total{{rule="exit",direction="{}"}}'}

        def counts():
            """Of the client's tunnel, and of the exit's rule: packets and bytes, out and in."""
            found = []
            for agent, names in ((a, ("transmit", "receive")), (b, ("out", "in"))):
                lines = dict(line.rsplit(" ", 1)
                             for line in agent.ok("GET", "/metrics").splitlines())
                for name in names:
                    for what in ("packets", "bytes"):
                        first = f"{name}_{what}" if agent is a else what
                        found.append(int(lines[series[agent].format(first, name)]))
            return found

        def flows(n):
            """n packets each way are exactly what is counted."""
            before = counts()
            self.assertEqual(n, lab.ping(t.a, INET, count=n))
            self.assertEqual([n, n * packet] * 4,
                             [now - then for then, now in zip(before, counts())])

        flows(7)
        before = counts()
        ip(t.a, "link delete tun_a")
        a.wait_state("tunnels/tun_a", "ready")
        lab.nft(t.b, "delete table ip ipipd")
        b.ok("POST", "/v1/reconcile?wait=30")
        a.ok("POST", "/v1/reconcile?wait=30")
        self.assertEqual(before, counts())
        flows(5)

    def test_rp_filter_of_every_kind(self):
        for value in (1, 2):
            with self.subTest(rp_filter=value):
                t, a, b = self.pair(rp_filter=value)
                before = {ns: self.rp_filters(ns) for ns in (t.a, t.b)}
                declare(a, b)
                self.assert_ping(t.a, "192.168.1.2")
                self.assert_ping(t.a, INET)
                for ns, old in before.items():
                    now = self.rp_filters(ns)
                    self.assertEqual(old, {name: now[name] for name in old})

    @staticmethod
    def rp_filters(ns):
        names = ["all", "default"] + [link["ifname"] for link in lab.ip_json(ns, "link show")]
        return {name: sysctl(ns, f"net/ipv4/conf/{name}/rp_filter") for name in names
                if name != "tunl0"}

    def test_no_inner_source_leaves_while_nat_comes_and_goes(self):
        t, a, b = self.pair()
        declare(a, b, nat=False)
        wire = self.capture(t.b, "eth0")
        outside = self.capture(t.router, "eth0")
        pinger = self.pinger(t.a, INET).start(0.02)
        for _ in range(10):
            b.put("nat-rules/exit", EXIT)
            answered = len(pinger.answered)
            lab.eventually(lambda: len(pinger.answered) > answered, 20, "an answer")
            b.delete("nat-rules/exit")
        sent, answered = pinger.stop()
        self.assertGreater(answered, 9, f"of {sent}")
        self.assertGreater(sent, answered)
        self.assert_not_seen(wire, "192[.]168", outgoing=True)
        self.assert_not_seen(outside, "192[.]168")
        self.assertEqual(set(), forwarding(t.b))
        self.assertEqual("0", sysctl(t.b, "net/ipv4/ip_forward"))

    def test_large_tcp_through_a_narrow_tunnel(self):
        t, a, b = self.pair()
        declare(a, b)
        wire = self.capture(t.router, "eth1")
        self.tcp_server(t.inet)
        self.assertTrue(lab.tcp_ok(t.a, INET, size=300000))
        syns = [p for p in wire.read() if p.mss]
        self.assertTrue(syns)
        self.assertLessEqual(max(p.mss for p in syns if p.src == B_ADDR), 1440)

    def test_masquerade_and_none(self):
        t, a, b = self.pair()
        declare(a, b, nat=False)
        wire = self.capture(t.b, "eth0")
        b.put("nat-rules/exit", {"sources": ["192.168.1.0/24"], "out_interface": "eth0"})
        self.assert_ping(t.a, INET)
        self.assert_seen(wire, f"{B_ADDR} > {INET}: ICMP echo request", outgoing=True)
        b.put("nat-rules/bare", {"sources": ["192.168.1.1/32"], "out_interface": "eth0",
                                 "action": "none", "priority": 50})
        self.assert_no_ping(t.a, INET)
        self.assert_seen(wire, f"192.168.1.1 > {INET}: ICMP echo request", outgoing=True)

    def test_allowed_sources(self):
        t, a, b = self.pair()
        declare(a, b)
        b.put("tunnels/tun_b", dict(TUN_B, allowed_sources=["192.168.1.1/32"]))
        self.assert_ping(t.a, INET)
        self.assert_ping(t.a, "192.168.1.2")
        b.put("tunnels/tun_b", dict(TUN_B, allowed_sources=["192.168.1.9/32"]))
        self.assert_no_ping(t.a, INET)

    def test_a_second_put_writes_nothing(self):
        t, a, b = self.pair()
        declare(a, b)
        before = lab.snapshot(t.a)
        events = lab.run(t.a, "ip", "-o", "link", "show", "tun_a")
        answer = a.request("PUT", "/v1/tunnels/tun_a?wait=30", TUN_A)
        self.assertEqual((200, 1), (answer.status, answer.body["generation"]))
        self.assert_same(before, lab.snapshot(t.a))
        self.assertEqual(events, lab.run(t.a, "ip", "-o", "link", "show", "tun_a"))
        self.assertEqual([], a.plan())
        self.assertEqual([], b.plan())


if __name__ == "__main__":
    lab.main()
