#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left to the agent follows the underlay; and one who fights the agent is named."""
import subprocess
import time

import lab
from lab import INET, LAN, ip
from test_scenario import TUN_B, declare

LEASE = "172.16.16.99"
PAUSE_S = 5  # between two repairs of what is contested


class Underlay(lab.LabTest):
    def declared(self):
        t, a, b = self.pair()
        b.put("tunnels/tun_b", TUN_B)
        a.put("tunnels/tun_a", {"remote": t.b_addr, "addresses": ["192.168.1.1/24"]})
        self.device = self.link(t)["ifindex"]
        return t, a, b

    @staticmethod
    def link(t):
        return lab.ip_json(t.a, "link show tun_a")[0]

    def follows(self, t, **want):
        """In place: the device stays the same."""
        def is_so():
            link = self.link(t)
            now = {**link["linkinfo"]["info_data"], "mtu": link["mtu"]}
            return link["ifindex"] == self.device and want.items() <= now.items()
        lab.eventually(is_so, lab.SECOND, f"tun_a to have {want}")

    def test_a_new_lease(self):
        t, a, b = self.declared()
        self.follows(t, local=t.a_addr, mtu=1480)
        ip(t.a, "address flush dev eth0 scope global", f"address add {LEASE}/16 dev eth0",
           f"route add default via {lab.ROUTER}")
        self.follows(t, local=LEASE)
        a.wait_state("tunnels/tun_a", "ready", lab.SECOND)
        self.assertEqual(LEASE, a.get("tunnels/tun_a")["status"]["effective"]["local"])
        b.put("tunnels/tun_b", {**TUN_B, "remote": LEASE})
        self.assert_ping(t.a, "192.168.1.2")

    def test_a_changed_route(self):
        t, a, _ = self.declared()
        ip(t.a, f"route add {t.b_addr}/32 dev eth1")
        self.follows(t, local=LAN)
        ip(t.a, f"route del {t.b_addr}/32")
        self.follows(t, local=t.a_addr)
        a.wait_state("tunnels/tun_a", "ready", lab.SECOND)
        self.assert_ping(t.a, "192.168.1.2")

    def test_a_changed_mtu(self):
        t, _, _ = self.declared()
        ip(t.a, "link set eth0 mtu 1400")
        self.follows(t, mtu=1380)
        ip(t.a, f"route add {t.b_addr}/32 dev eth0 mtu 1300")
        self.follows(t, mtu=1280)
        ip(t.a, f"route del {t.b_addr}/32")
        self.follows(t, mtu=1380)
        ip(t.a, "link set eth0 mtu 1500")
        self.follows(t, mtu=1480)

    def test_an_underlay_that_goes(self):
        t, a, _ = self.declared()
        ip(t.a, "link set eth0 down")
        a.wait_state("tunnels/tun_a", "pending", lab.SECOND)
        status = a.get("tunnels/tun_a")["status"]
        self.assertEqual("UnderlayUnroutable", status["reason"])
        self.assertIn(t.b_addr, status["message"])
        self.follows(t, local=t.a_addr, mtu=1480)  # as it was
        ip(t.a, "link set eth0 up", f"route add default via {lab.ROUTER}")
        a.wait_state("tunnels/tun_a", "ready", lab.SECOND)
        self.follows(t, local=t.a_addr, mtu=1480)
        self.assert_ping(t.a, "192.168.1.2")


class Fight(lab.LabTest):
    def test_who_fights_is_named_and_nobody_spins(self):
        t, a, b = self.pair()
        declare(a, b)
        with lab.inside(t.a):
            enemy = subprocess.Popen(["ip", "-force", "-batch", "-"], stdin=subprocess.PIPE,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                     text=True)
        self.addCleanup(enemy.wait)
        self.addCleanup(enemy.kill)

        def blow():
            enemy.stdin.write(f"route del {INET}/32 table 7000\n")
            enemy.stdin.flush()

        def is_contested():
            blow()
            time.sleep(0.1)
            return a.get("exit-routes/qq")["status"]["reason"] == "Contested"
        lab.eventually(is_contested, 30, "the fight to be told")
        repaired, begin = a.get("status")["drift_repaired"], time.monotonic()
        passes = a.get("status")["last_pass"]["number"]
        while time.monotonic() < begin + 2 * PAUSE_S + 1:
            is_contested()
        status = a.get("exit-routes/qq")["status"]
        self.assertEqual(("conflict", "Contested"), (status["state"], status["reason"]))
        self.assertIn(f"last by pid {enemy.pid} (ip)", status["message"])
        now = a.get("status")
        self.assertIn(now["drift_repaired"] - repaired, (1, 2, 3))
        self.assertLess(now["last_pass"]["number"] - passes, 40)
        # he gives up, the agent does not
        lab.eventually(lambda: lab.our_routes(t.a), 2 * PAUSE_S, "the last repair")
        self.assert_ping(t.a, INET)


if __name__ == "__main__":
    lab.main()
