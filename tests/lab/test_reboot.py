#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""After a reboot everything is back; after the loss of a database nothing is destroyed."""
import lab
from lab import INET, ip, sysctl
from test_scenario import QQ, TUN_A, TUN_B, declare


class Reboot(lab.LabTest):
    def test_everything_is_back_when_eth0_has_its_address(self):
        t, a, b = self.pair()
        declare(a, b)
        self.assert_ping(t.a, INET)
        for agent in (a, b):
            agent.kill9()
        for role in ("a", "b"):
            t.reboot(role)
        # what an admin made before the agents started
        ip(t.b, "link add name theirs type ipip remote 172.16.1.99")
        sysctl(t.b, "net/ipv4/conf/eth1/forwarding", 1)
        sysctl(t.b, "net/ipv4/conf/eth0/forwarding", 1)
        before = lab.snapshot(t.b)
        a.start()
        b.start()
        self.assertEqual("pending", a.state("tunnels/tun_a"))
        self.assertEqual("LocalAddressMissing", a.get("tunnels/tun_a")["status"]["reason"])
        t.give_address("a")
        t.give_address("b")
        lab.eventually(lambda: lab.ping(t.a, INET, count=1, timeout=0.3), lab.SECOND)
        for agent, path in ((a, "tunnels/tun_a"), (a, "exit-routes/qq"), (b, "tunnels/tun_b"),
                            (b, "nat-rules/exit")):
            agent.wait_state(path, "ready", lab.SECOND)
        # and all of it goes, but for what the admin made
        b.clear()
        self.assertEqual("1", sysctl(t.b, "net/ipv4/conf/eth0/forwarding"))
        self.assertEqual("1", sysctl(t.b, "net/ipv4/conf/eth1/forwarding"))
        ip(t.b, "route del default", f"address del {t.b_addr}/16 dev eth0")
        self.assert_same(before, lab.snapshot(t.b))

    def test_an_address_that_comes_later_is_followed(self):
        t, a, b = self.pair()
        b.put("tunnels/tun_b", TUN_B)
        ip(t.a, "address flush dev eth0 scope global")
        a.put("tunnels/tun_a", {"remote": t.b_addr, "addresses": ["192.168.1.1/24"]}, "pending")
        t.give_address("a")
        a.wait_state("tunnels/tun_a", "ready", lab.SECOND)
        data = lab.ip_json(t.a, "link show tun_a")[0]["linkinfo"]["info_data"]
        self.assertEqual(t.a_addr, data["local"])
        self.assert_ping(t.a, "192.168.1.2")


class Databases(lab.LabTest):
    def orphaned(self):
        """A namespace with a declared exit, whose agent is gone for good."""
        t, a, b = self.pair()
        declare(a, b)
        a.kill9()
        return t, lab.snapshot(t.a)

    def test_an_empty_database_deletes_nothing(self):
        t, before = self.orphaned()
        other = self.agent(t.a, "other")
        other.ok("POST", "/v1/reconcile")
        self.assert_same(before, lab.snapshot(t.a))
        self.assertTrue(other.get("status")["orphans"])
        other.restart()
        self.assertTrue(other.get("status")["orphans"])
        # declared again, they are ours
        other.put("tunnels/tun_a", TUN_A)
        other.put("exit-routes/qq", QQ)
        self.assert_ping(t.a, INET)
        self.assertEqual([], other.get("status")["orphans"])

    def test_a_wrong_database_deletes_nothing(self):
        t, before = self.orphaned()
        spare = self.host()
        other = self.agent(spare, "other")
        other.put("tunnels/else", {"local": lab.A_ADDR, "remote": "172.16.1.63"})
        other.stop()
        other.ns = t.a
        other.start()
        other.ok("POST", "/v1/reconcile")
        self.assertTrue(lab.has_link(t.a, "else"))
        self.assert_ping(t.a, INET)
        other.delete("tunnels/else")
        self.assert_same(before, lab.snapshot(t.a))
        orphans = other.get("status")["orphans"]
        self.assertTrue(orphans)

    def test_orphans_go_when_that_is_said(self):
        t, a, b = self.pair()
        before = lab.snapshot(t.a)
        declare(a, b)
        a.kill9()
        other = self.agent(t.a, "other")
        other.ok("POST", "/v1/reconcile?orphans=delete")
        lab.eventually(lambda: other.get("status")["orphans"] == [], 10)
        self.assert_same(before, lab.snapshot(t.a))


if __name__ == "__main__":
    lab.main()
