#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Empty lists, or --flush, leave the host as it was found, byte for byte."""
import lab
from lab import INET, ip, nft, sysctl
from test_scenario import declare


class Clean(lab.LabTest):
    def both(self, prepare, undo):
        t = self.topology()
        prepare(t)
        before = {ns: lab.snapshot(ns) for ns in (t.a, t.b)}
        a, b = self.agent(t.a, "a"), self.agent(t.b, "b")
        declare(a, b)
        a.put("exit-routes/all", {"tunnel": "tun_a", "destinations": ["0.0.0.0/0", "8.0.0.0/8"]})
        a.put("tunnels/absent", {"local": "192.0.2.77", "remote": "192.0.2.78"}, "pending")
        b.put("nat-rules/more", {"sources": ["10.55.0.0/16", "10.56.1.1/32"],
                                 "out_interface": "eth1", "destinations": ["10.9.0.0/24"]})
        self.assert_ping(t.a, INET)
        self.assertNotEqual(before[t.a], lab.snapshot(t.a))
        undo(a)
        undo(b)
        for ns, old in before.items():
            self.assert_same(old, lab.snapshot(ns))

    def test_empty_lists(self):
        self.both(lambda t: None, lambda agent: agent.clear())

    def test_empty_lists_where_the_host_forwards_by_itself(self):
        def prepare(t):
            sysctl(t.b, "net/ipv4/ip_forward", 1)
            nft(t.b, "table ip filter { chain FORWARD { type filter hook forward priority 0;"
                " policy accept; ip saddr 1.2.3.4 counter drop; }; }")
        self.both(prepare, lambda agent: agent.clear())

    def test_empty_lists_after_a_restart_with_sigkill(self):
        def undo(agent):
            agent.kill9()
            agent.start()
            agent.clear()
        self.both(lambda t: ip(t.a, "route add 203.0.113.0/24 via 172.16.0.1"), undo)

    def test_flush(self):
        def undo(agent):
            agent.stop()
            done = agent.flush()
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertNotIn("cannot", done.stderr)
        self.both(lambda t: None, undo)

    def test_forwarding_that_somebody_wants_meanwhile_is_left(self):
        t, a, b = self.pair()
        declare(a, b)
        sysctl(t.b, "net/ipv4/ip_forward", 1)
        b.clear()
        self.assertEqual("1", sysctl(t.b, "net/ipv4/ip_forward"))
        self.assertEqual("1", sysctl(t.b, "net/ipv4/conf/eth0/forwarding"))


if __name__ == "__main__":
    lab.main()
