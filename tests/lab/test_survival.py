#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Killed agents leave traffic alone; damage is repaired; what others made is not touched."""
import json
import os
import re
import signal

import lab
from lab import A_ADDR, INET, ip, nft, sysctl
from test_scenario import TUN_A, declare

# For what is damaged of a device alone; it leads nowhere.
TUN_C = {"local": A_ADDR, "remote": "172.16.1.80", "rp_filter": "loose"}


class Killed(lab.LabTest):
    def test_traffic_goes_on_and_damage_is_repaired_at_start(self):
        t, a, b = self.pair()
        declare(a, b)
        before = {ns: lab.snapshot(ns) for ns in (t.a, t.b)}
        pinger = self.pinger(t.a, INET).start(0.05)
        a.kill9()
        b.kill9()
        sent, answered = pinger.stop()
        self.assertEqual(sent, answered)
        self.assert_ping(t.a, INET)
        for ns, old in before.items():
            self.assert_same(old, lab.snapshot(ns))
        ip(t.a, "link del tun_a")
        ip(t.a, "rule del priority 9999")
        nft(t.b, "delete table ip ipipd")
        sysctl(t.b, "net/ipv4/conf/eth0/forwarding", 0)
        self.assertIn("dev eth0", lab.route_get(t.a, INET))
        a.start()
        b.start()
        lab.eventually(lambda: "dev tun_a" in lab.route_get(t.a, INET), lab.SECOND)
        lab.eventually(lambda: lab.ping(t.a, INET, count=1, timeout=0.3), lab.SECOND)
        for ns, old in before.items():
            self.assert_same(old, lab.snapshot(ns))

    def test_sigterm_leaves_the_data_plane(self):
        t, a, b = self.pair()
        declare(a, b)
        before = lab.snapshot(t.b)
        a.stop()
        b.stop()
        self.assert_ping(t.a, INET)
        self.assert_same(before, lab.snapshot(t.b))

    def test_a_second_agent_refuses_to_start(self):
        ns = self.host()
        self.agent(ns)
        second = lab.Agent(ns, "second", start=False)
        self.addCleanup(second.close)
        with self.assertRaisesRegex(AssertionError, "ended with"):
            second.start()
        second.process = None


class Unprivileged(lab.Agent):
    """As nobody, with the two capabilities that are needed, and no way to more."""
    NOBODY = 65534
    CAPABILITIES = "-all,+net_admin,+net_raw"

    def __init__(self, ns, name):
        super().__init__(ns, name, start=False)
        for folder in (self.folder, os.path.dirname(self.database)):
            os.chown(folder, self.NOBODY, self.NOBODY)

    def command(self, *more):
        words = super().command(*more)
        at = words.index(lab.IPIPD)
        return [*words[:at], "setpriv", f"--reuid={self.NOBODY}", f"--regid={self.NOBODY}",
                "--clear-groups", "--no-new-privs",
                *(f"--{kind}={self.CAPABILITIES}"
                  for kind in ("inh-caps", "ambient-caps", "bounding-set")), *words[at:]]


class WithoutRoot(lab.LabTest):
    def test_the_scenario_needs_two_capabilities_only(self):
        t = self.topology()
        before = {ns: lab.snapshot(ns) for ns in (t.a, t.b)}
        a, b = Unprivileged(t.a, "a"), Unprivileged(t.b, "b")
        for agent in (a, b):
            self.addCleanup(agent.close)
            agent.start()
            with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as file:
                status = file.read()
            self.assertRegex(status, f"Uid:\t{agent.NOBODY}\t")
            self.assertRegex(status, "CapEff:\t0000000000003000\n")  # bits 12 and 13
        declare(a, b)
        self.assert_ping(t.a, INET)
        index = lab.ip_json(t.a, "link show tun_a")[0]["ifindex"]
        ip(t.a, "link del tun_a")
        lab.eventually(lambda: lab.has_link(t.a, "tun_a"), lab.SECOND)
        self.assertNotEqual(index, lab.ip_json(t.a, "link show tun_a")[0]["ifindex"])
        lab.eventually(lambda: lab.ping(t.a, INET, count=1, timeout=0.3), lab.SECOND)
        pinged = a.ok("POST", "/v1/tunnels/tun_a/ping", {"target": "192.168.1.2", "count": 1})
        self.assertEqual(1, pinged["received"])
        for agent in (a, b):
            agent.ok("PUT", "/v1/config?wait=10",
                     {"tunnels": [], "exit_routes": [], "nat_rules": []})
        for ns, old in before.items():
            self.assert_same(old, lab.snapshot(ns))


class Repaired(lab.LabTest):
    """Damage by somebody else, while the agents run."""

    def repaired(self, agent, what, damage, whole, seconds=lab.SECOND):
        def repairs():
            return agent.get("status")["drift_repaired"]
        with self.subTest(what):
            want, before = whole(agent.ns), repairs()
            damage()
            lab.eventually(lambda: whole(agent.ns) == want and repairs() > before, seconds,
                           f"{what} to be repaired")

    @staticmethod
    def at_once(agent, *lines):
        """The agent hears of them when they are all over."""
        os.kill(agent.process.pid, signal.SIGSTOP)
        try:
            ip(agent.ns, *lines)
        finally:
            os.kill(agent.process.pid, signal.SIGCONT)

    @staticmethod
    def link(ns, device):
        """Without the index: a device made again has another."""
        shown = lab.run(ns, "ip", "-j", "-d", "link", "show", "dev", device, check=False).out
        return [{**link, "ifindex": 0} for link in json.loads(shown or "[]")]

    @classmethod
    def tun_a(cls, ns):
        shown = lab.run(ns, "ip", "-N", "-o", "-batch", "-", check=False, stdin="address show dev"
                        " tun_a\nroute show table 7000\nrule show\n").out
        return cls.link(ns, "tun_a"), re.sub(r"^\d+: tun_a", "", shown)

    @classmethod
    def tun_c(cls, ns):
        return cls.link(ns, "tun_c"), sysctl(ns, "net/ipv4/conf/tun_c/rp_filter")

    @staticmethod
    def nat_side(ns):
        ruleset = lab.run(ns, "nft", "-s", "list", "ruleset")
        return ruleset + "".join(
            sysctl(ns, f"net/ipv4/conf/{device}/forwarding") for device in ("eth0", "tun_b"))

    @staticmethod
    def rename(ns):
        """Down, then renamed: unless the agent has it up again before."""
        lab.eventually(lambda: ip(ns, "link set tun_a down", "link set tun_a name other",
                                  check=False).status == 0, 20)

    def test_on_a(self):
        t, a, b = self.pair()
        declare(a, b)
        a.put("tunnels/tun_c", TUN_C)
        whole = lab.snapshot(t.a)
        for what, *lines in (
                ("a deleted device", "link del tun_a"),
                ("a device that is down", "link set tun_a down"),
                ("a deleted address", "address del 192.168.1.1/24 dev tun_a"),
                ("a deleted route", f"route del {INET}/32 table 7000"),
                ("flushed routes", "route flush table 7000"),
                ("a deleted rule", "rule del priority 9999"),
                ("all rules", *["rule del priority " + line.split(":")[0]
                                for line in lab.rule_lines(t.a)
                                if 7000 <= int(line.split(":")[0]) <= 9999])):
            self.repaired(a, what, lambda: ip(t.a, *lines), self.tun_a)
        self.repaired(a, "routes that went with a flap of their device", lambda: self.at_once(
            a, "link set tun_a down", "link set tun_a up"), self.tun_a)
        for attribute in ("ttl 9", "tos 0x10", "remote 172.16.1.77", "local 172.16.16.77"):
            self.repaired(a, attribute, lambda: ip(
                t.a, "link change tun_c type ipip " + attribute), self.tun_c)
        for attribute in ("mtu 1300", "alias mine", "group 5"):
            self.repaired(a, attribute, lambda: ip(t.a, "link set tun_c " + attribute),
                          self.tun_c)
        self.repaired(a, "rp_filter", lambda: sysctl(
            t.a, "net/ipv4/conf/tun_c/rp_filter", 1), self.tun_c)
        # it may be contested by then
        self.repaired(a, "a renamed device", lambda: self.rename(t.a), self.tun_a, 20)
        self.assert_ping(t.a, INET)
        lab.eventually(lambda: a.get("status")["ready"], 10)
        self.assert_same(whole, lab.snapshot(t.a))

    def test_on_b(self):
        t, a, b = self.pair()
        declare(a, b)
        whole = lab.snapshot(t.b)
        for what, text in (("a deleted table", "delete table ip ipipd"),
                           ("a flushed ruleset", "flush ruleset"),
                           ("a flushed table", "flush table ip ipipd")):
            self.repaired(b, what, lambda: nft(t.b, text), self.nat_side)
        for device in ("eth0", "tun_b"):
            self.repaired(b, f"forwarding of {device}", lambda: sysctl(
                t.b, f"net/ipv4/conf/{device}/forwarding", 0), self.nat_side)
        self.assert_ping(t.a, INET)
        self.assert_same(whole, lab.snapshot(t.b))

    def test_a_flap_of_the_underlay_leaves_all_in_place(self):
        t, a, b = self.pair()
        declare(a, b)
        whole = lab.snapshot(t.a)
        flap = ("link set eth0 down", "link set eth0 up", f"route add default via {lab.ROUTER}")
        ip(t.a, flap[0])
        ip(t.a, *flap[1:])
        for way in ("one by one", "at once"):
            with self.subTest(way):
                self.assertIn("dev tun_a", lab.route_get(t.a, INET))
                lab.eventually(lambda: lab.ping(t.a, INET, count=1, timeout=0.3), lab.SECOND)
                for path in ("tunnels/tun_a", "exit-routes/qq"):
                    a.wait_state(path, "ready", lab.SECOND)
                self.assertEqual([], a.plan())
            if way == "one by one":
                self.at_once(a, *flap)
        self.assert_same(whole, lab.snapshot(t.a))


class Foreign(lab.LabTest):
    def test_what_others_made_is_never_touched(self):
        t = self.topology()
        ip(t.a, "link add name theirs type ipip remote 172.16.1.90 local 172.16.16.22",
           "address add 10.77.0.1/24 dev theirs", "link set theirs up",
           "link add name tun_t type dummy",
           "route add 10.78.0.0/16 dev eth0 table 7000 proto static",
           "rule add priority 7011 from 10.0.0.1 lookup 52 protocol 99",
           "rule add priority 5210 fwmark 0x77 lookup 52",
           "route add 8.8.8.8/32 via 172.16.0.1 table 52")
        nft(t.a, "table ip other { chain c { type filter hook forward priority 0; }; }\n"
            "table inet ipipd { set s { type ipv4_addr; elements = { 1.2.3.4 }; }; }")
        before = lab.snapshot(t.a)
        a, b = self.agent(t.a, "a"), self.agent(t.b, "b")
        declare(a, b)
        a.put("exit-routes/more", {"tunnel": "tun_a", "destinations": ["10.78.0.0/16"]},
              "conflict")
        a.put("tunnels/tun_t", {"remote": "172.16.1.91"}, "conflict")
        a.put("tunnels/again", {"remote": "172.16.1.90", "local": A_ADDR}, "conflict")
        self.assertEqual("ForeignObject", a.get("tunnels/tun_t")["status"]["reason"])
        self.assertEqual("DuplicateEndpoints", a.get("tunnels/again")["status"]["reason"])
        self.assertIn("10.78.0.0/16 dev eth0 proto static",
                      " ".join(ip(t.a, "route show table 7000").split()))
        self.assertEqual("dummy", lab.ip_json(t.a, "link show tun_t")[0]["linkinfo"]["info_kind"])
        self.assert_ping(t.a, INET)
        a.clear()
        self.assert_same(before, lab.snapshot(t.a))

    def test_a_found_device_stays_when_the_declaration_goes(self):
        ns = self.host()
        a = self.agent(ns, "a")
        ip(ns, "link add name tun_a type ipip local 172.16.16.22 remote 172.16.1.62 ttl 64",
           "address add 192.168.1.1/24 dev tun_a", "link set tun_a up")
        before = ip(ns, "-d -o link show tun_a") + ip(ns, "address show dev tun_a")
        answer = a.put("tunnels/tun_a", TUN_A)
        self.assertIn("found", [o["state"] for o in answer["status"]["objects"]])
        a.delete("tunnels/tun_a")
        self.assertEqual(before, ip(ns, "-d -o link show tun_a")
                         + ip(ns, "address show dev tun_a"))


if __name__ == "__main__":
    lab.main()
