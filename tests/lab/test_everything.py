#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything leaves through B: no loop, A stays reachable, the longest prefix wins."""
import lab
from lab import A_ADDR, INET, INET_OTHERS, LAN, LAN_HOST, ip

EVERYTHING = {"tunnel": "tun_a", "destinations": ["0.0.0.0/0"]}


def declare(t, a, b):
    b.put("tunnels/tun_b", {"local": t.b_addr, "remote": A_ADDR, "addresses": ["192.168.1.2/24"]})
    a.put("tunnels/tun_a", {"local": A_ADDR, "remote": t.b_addr, "addresses": ["192.168.1.1/24"]})
    b.put("nat-rules/exit", {"sources": ["192.168.1.0/24"], "out_interface": "eth0",
                             "action": "snat", "to_address": t.b_addr})


class Everything(lab.LabTest):
    def everything(self, off_link, rp_filter):
        t, a, b = self.pair(off_link=off_link, rp_filter=rp_filter)
        declare(t, a, b)
        # connections from outside that are there before, and stay
        before = self.pinger(t.inet, A_ADDR).start(0.05)
        a.put("exit-routes/all", EVERYTHING)
        wire = self.capture(t.a, "eth0")
        for destination in (INET, *INET_OTHERS):
            self.assert_ping(t.a, destination)
        for destination in (INET, *INET_OTHERS):
            self.assert_seen(wire, f"{A_ADDR} > {t.b_addr}: 192.168.1.1 > {destination}: ",
                             outgoing=True)
        # no packet in a packet in a packet, and none of it in the clear
        self.assertFalse([p for p in wire.read() if p.inner and p.inner.inner])
        self.assert_not_seen(wire, "192[.]168", outgoing=True)
        self.assertEqual(0, self.collisions(t.a))
        # reachable on each own address, also from inside the destination
        self.assert_ping(t.inet, A_ADDR)
        self.assert_ping(t.inet, LAN)
        self.assert_ping(t.router, A_ADDR)
        server = self.tcp_server(t.a)
        self.assertTrue(lab.tcp_ok(t.inet, A_ADDR), "an inbound connection")
        self.assertEqual([INET], server.peers)
        # the LAN is nearer than everything
        self.assert_ping(t.a, LAN_HOST)
        self.assertIn("dev eth1", lab.route_get(t.a, LAN_HOST))
        sent, answered = before.stop()
        self.assertEqual(sent, answered, "pings from outside were lost on the way")

    @staticmethod
    def collisions(ns):
        return lab.ip_json(ns, "-s link show tun_a")[0]["stats64"]["tx"].get("collisions", 0)

    def test_on_link_rp_filter_off(self):
        self.everything(False, 0)

    def test_on_link_rp_filter_strict(self):
        self.everything(False, 1)

    def test_on_link_rp_filter_loose(self):
        self.everything(False, 2)

    def test_off_link_rp_filter_off(self):
        self.everything(True, 0)

    def test_off_link_rp_filter_strict(self):
        self.everything(True, 1)

    def test_off_link_rp_filter_loose(self):
        self.everything(True, 2)

    def test_without_the_first_rules_it_loops(self):
        """The negative case: the same declaration, its guarding rules taken away."""
        t, a, b = self.pair(off_link=True)
        declare(t, a, b)
        a.put("exit-routes/all", EVERYTHING)
        self.assert_ping(t.a, INET)
        rules = [line for line in lab.rule_lines(t.a)
                 if line.startswith(("7000:", "7005:"))]
        self.assertTrue(rules)
        a.kill9()
        for line in rules:
            priority, rest = line.split(":", 1)
            ip(t.a, f"rule del priority {priority} {rest.replace('proto', 'protocol')}")
        self.assert_no_ping(t.a, INET)
        self.assertGreater(self.collisions(t.a), 0)
        a.start()
        lab.eventually(lambda: "dev tun_a" in lab.route_get(t.a, INET)
                       and lab.ping(t.a, INET, count=1), lab.SECOND, "the repair")

    def test_longest_prefix_wins(self):
        t, a, b = self.pair()
        declare(t, a, b)
        ip(t.a, f"route add 203.0.113.0/24 via {lab.ROUTER}")
        a.put("exit-routes/all", EVERYTHING)
        self.assertIn("dev eth0", lab.route_get(t.a, INET_OTHERS[0]))
        self.assertIn("dev tun_a", lab.route_get(t.a, INET_OTHERS[1]))
        a.put("exit-routes/nearer", {"tunnel": "tun_a", "destinations": [f"{INET_OTHERS[0]}/32"]})
        self.assertIn("dev tun_a", lab.route_get(t.a, INET_OTHERS[0]))
        self.assertIn("dev eth0", lab.route_get(t.a, "203.0.113.10"))
        # equal lengths: ours
        a.put("exit-routes/equal", {"tunnel": "tun_a", "destinations": ["203.0.113.0/24"]})
        self.assertIn("dev tun_a", lab.route_get(t.a, "203.0.113.10"))
        self.assertIn("dev eth0", lab.route_get(t.a, "172.16.200.1"))
        for name in ("nearer", "equal", "all"):
            a.delete(f"exit-routes/{name}")
        self.assertEqual(3, len(lab.rule_lines(t.a)), lab.rule_lines(t.a))
        self.assertEqual([], lab.our_routes(t.a))

    def test_two_tunnels_and_the_longest_prefix_between_them(self):
        t, a, b = self.pair()
        declare(t, a, b)
        a.put("tunnels/other", {"remote": "172.16.1.99", "addresses": ["192.168.2.1/24"]})
        a.put("exit-routes/all", {"tunnel": "other", "destinations": ["0.0.0.0/0"]})
        a.put("exit-routes/one", {"tunnel": "tun_a", "destinations": [f"{INET}/32"]})
        self.assertIn("dev tun_a", lab.route_get(t.a, INET))
        self.assertIn("dev other", lab.route_get(t.a, INET_OTHERS[0]))
        self.assert_ping(t.a, INET)

    def test_from_chooses_who_leaves_through_b(self):
        t, a, b = self.pair()
        declare(t, a, b)
        b.put("nat-rules/lan", {"sources": ["10.8.0.0/24"], "out_interface": "eth0"})
        ip(t.b, "route add 10.8.0.0/24 dev tun_b")
        lab.sysctl(t.a, "net/ipv4/ip_forward", 1)
        a.put("exit-routes/lan", {"tunnel": "tun_a", "destinations": ["0.0.0.0/0"],
                                  "from": [f"{LAN_HOST}/32"]})
        wire = self.capture(t.b, "eth0")
        self.assertIn("dev eth0", lab.route_get(t.a, INET))
        self.assertIn("dev tun_a", lab.route_get(t.a, INET, "from", LAN_HOST, "iif", "eth1"))
        self.assertIn("dev eth0", lab.route_get(t.a, INET, "from", "10.8.0.77", "iif", "eth1"))
        self.assert_ping(t.lan, INET)
        self.assert_seen(wire, f"{t.b_addr} > {INET}: ICMP echo request", outgoing=True)


if __name__ == "__main__":
    lab.main()
