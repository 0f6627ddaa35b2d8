#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever somebody changes comes back, and only what events named is looked at for it."""

import re
import time

import api
from api import EXIT, NAT, TUNNEL

PARTIAL = "a pass over what events named"
TOS = [0, 4, 252, "inherit", 184]
VERIFIED = "a pass over everything follows"

# Of each kind what may befall it.
SCRIPTS = (
    ("delete link tun_a",),
    ("link tun_a down",),
    ("flap tun_a",),
    ("link tun_a mtu 1300",),
    ("link tun_a ttl 3",),
    ("link tun_a tos 16",),
    ("link other0 tos 1", "link other1 ttl 0 tos 0"),
    ("link tun_a alias nobody",),
    ("delete addr tun_a 192.168.1.1/24",),
    ("delete route 180.163.26.39/32 table 7000",),
    ("delete rule 9999",),
    ("sysctl eth0 forwarding 0",),
    ("sysctl other1 rp_filter 1",),
    ("sysctl tun_a forwarding 0", "delete route 203.0.1.0/24 table 7000"),
    ("flush nft",),
    ("delete chain forward",),
    ("rule 7500 from 10.0.0.0/8 lookup 7000 protocol 105",),
    ("route 198.51.100.0/24 dev tun_a table 7000 protocol 105",),
    ("link other2 group 5",),
    ("link other2 local 172.16.16.77",),
    ("link other2 remote 172.16.2.77",),
    ("delete set opened",),
)


class Drift(api.ApiTest):
    def setUp(self):
        super().setUp()
        self.three()
        for i in range(5):  # more of each, which is to stay as it is
            self.agent.put(f"/v1/tunnels/other{i}?wait=10",
                           {**TUNNEL, "remote": f"172.16.2.{i + 1}", "tos": TOS[i],
                            "addresses": [f"192.168.{i + 2}.1/24"], "rp_filter": "loose"})
            self.agent.put(f"/v1/exit-routes/other{i}?wait=10",
                           {**EXIT, "tunnel": f"other{i}", "destinations": [f"203.0.{i}.0/24"]})
        self.ok(self.agent.post("/v1/reconcile"))
        self.before = self.agent.objects()

    def scripts(self):
        """As they are, and those that name a set."""
        masq = self.agent.objects("nft-set masq")[0].split()[1]
        return (*SCRIPTS, (f"element {masq} 192.168.99.0/24",),
                (f"delete element {masq} 192.168.1.0/24",))

    def passes(self):
        return self.agent.get("/v1/status").body["last_pass"]["number"]

    def disturbed(self, *script):
        """The script happens; all is as before; by passes over what it changed alone."""
        log = self.agent.log
        passes = self.passes()
        self.agent.kernel(*script)
        self.agent.until("/v1/status", lambda a: a.body["last_pass"]["number"] > passes
                         and self.agent.objects() == self.before)
        fresh = self.agent.log[len(log):]
        self.assertIn(PARTIAL, fresh)
        self.assertNotIn(VERIFIED, fresh)
        for path in ("/v1/tunnels/tun_a", "/v1/exit-routes/qq", "/v1/nat-rules/exit"):
            self.assertEqual(self.agent.get(path).state, "ready")

    def test_every_kind_comes_back(self):
        for script in self.scripts():
            with self.subTest(script=script):
                self.disturbed(*script)

    def test_a_look_at_everything_finds_what_no_event_told(self):
        for script in self.scripts():
            with self.subTest(script=script):
                passes = self.passes()
                self.agent.kernel("quiet", *script)
                self.agent.until("/v1/status", lambda _: self.agent.objects() != self.before, 5)
                time.sleep(0.02)
                self.assertEqual(self.passes(), passes)
                self.ok(self.agent.post("/v1/reconcile"))
                self.assertEqual(self.agent.objects(), self.before)

    def test_everything_is_looked_at_after_24_to_36_seconds(self):
        for _ in range(10):
            self.ok(self.agent.post("/v1/reconcile"))
        waits = [int(ms) for ms in re.findall(r"looked at again in (\d+) ms", self.agent.log)]
        self.assertGreater(len(waits), 10)
        self.assertTrue(all(24000 <= ms <= 36000 for ms in waits), waits)
        self.assertGreater(max(waits) - min(waits), 1000, waits)

    def test_a_table_that_is_flushed_comes_back(self):
        destinations = [f"10.{i // 250}.{i % 250}.0/24" for i in range(500)]
        self.agent.put("/v1/exit-routes/qq?wait=10", {**EXIT, "destinations": destinations})
        self.ok(self.agent.post("/v1/reconcile"))
        self.before = self.agent.objects()
        self.disturbed(*(f"delete route {d} table 7000" for d in destinations))

    def test_what_cannot_be_put_right_is_judged(self):
        passes = self.passes()
        self.agent.kernel("fail route add * EPERM not today",
                          "delete route 180.163.26.39/32 table 7000")
        answer = self.agent.until("/v1/exit-routes/qq", lambda a: a.state == "failed")
        self.assertIn("not today", answer.body["status"]["message"])
        self.assertGreater(self.passes(), passes)
        self.assertIn(VERIFIED, self.agent.log)
        self.agent.kernel("")
        self.agent.until("/v1/exit-routes/qq", lambda a: a.state == "ready")
        self.assertEqual(self.agent.objects(), self.before)

    def test_what_stands_in_the_way_is_a_conflict(self):
        self.agent.kernel("route 180.163.26.39/32 dev eth0 table 7000 protocol 4")
        self.agent.until("/v1/exit-routes/qq", lambda a: a.state == "conflict")
        self.agent.kernel("delete route 180.163.26.39/32 table 7000")
        self.agent.until("/v1/exit-routes/qq", lambda a: a.state == "ready")
        self.assertEqual(self.agent.objects(), self.before)

    def fight(self, blow):
        """Ten times it is repaired at once, then it is contested. When that began."""
        for i in range(10):
            repaired = self.agent.get("/v1/status").body["drift_repaired"]
            self.agent.kernel(blow, f"# {i}")
            self.agent.until("/v1/status", lambda a: a.body["drift_repaired"] > repaired
                             and self.agent.objects() == self.before)
        begin = time.monotonic()
        self.agent.kernel(blow, "# 11")
        return begin

    def test_what_stands_on_something_contested_waits_for_it(self):
        self.fight("flush nft")
        self.agent.until("/v1/nat-rules/exit", lambda a: a.reason == "Contested")
        self.agent.put("/v1/nat-rules/more", {**NAT, "sources": ["192.168.2.7/32"]})
        answer = self.agent.until("/v1/nat-rules/more", lambda a: a.reason != "NotTried")
        self.assertEqual((answer.state, answer.reason), ("conflict", "Contested"), answer)
        self.agent.until("/v1/nat-rules/more", lambda a: a.state == "ready")
        self.assertNotRegex(self.agent.log, "[1-9][0-9]* failed|No such file")

    def test_a_fight_is_told_and_slowed_down(self):
        key = "route 7000 180.163.26.39/32"
        begin = self.fight("delete route 180.163.26.39/32 table 7000")
        answer = self.agent.until("/v1/exit-routes/qq", lambda a: a.state == "conflict")
        self.assertEqual(answer.reason, "Contested", self.agent.log)
        self.assertIn("again and again", answer.body["status"]["message"])
        self.assertEqual(self.agent.objects(key), [])
        passes = self.passes()
        self.agent.until("/v1/status", lambda a: self.agent.objects() == self.before)
        self.assertGreater(time.monotonic() - begin, 3)
        self.assertLess(self.passes() - passes, 10)
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").state, "ready")

    def test_repairs_are_counted(self):
        before = self.agent.get("/v1/status").body["drift_repaired"]
        self.disturbed("delete route 180.163.26.39/32 table 7000")
        self.assertEqual(self.agent.get("/v1/status").body["drift_repaired"], before + 1)


if __name__ == "__main__":
    api.main()
