#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is refused changes nothing in the kernel; what is accepted tells its state."""
import re
import time

import lab
from lab import A_ADDR, B_ADDR, ip
from test_scenario import QQ, TUN_A

REFUSED = (
    ("tunnels/x", {}, 422, "invalid-resource", "/remote"),
    ("tunnels/x", {"remote": 7}, 422, "invalid-resource", "/remote"),
    ("tunnels/x", {"remote": "999.1.1.1"}, 422, "invalid-resource", "/remote"),
    ("tunnels/x", {"remote": B_ADDR, "ttl": 256}, 422, "invalid-resource", "/ttl"),
    ("tunnels/x", {"remote": B_ADDR, "ttl": 64, "path_mtu_discovery": False}, 422,
     "invalid-resource", None),
    ("tunnels/x", {"remote": B_ADDR, "colour": 1}, 422, "unknown-field", "/colour"),
    ("tunnels/x", {"remote": B_ADDR, "device": "a/b"}, 422, "invalid-resource", "/device"),
    ("tunnels/x", {"remote": B_ADDR, "local": A_ADDR}, 409, "endpoints-in-use", None),
    ("tunnels/x", {"remote": "172.16.1.80", "device": "tun_a"}, 409, "interface-name-taken", None),
    ("exit-routes/x", {"tunnel": "none", "destinations": ["1.0.0.0/8"]}, 422,
     "unresolved-reference", "/tunnel"),
    ("exit-routes/x", {"tunnel": "tun_a", "destinations": ["1.0.0.1/8"]}, 422,
     "invalid-resource", "/destinations/0"),
    ("exit-routes/x", {"tunnel": "tun_a", "destinations": []}, 422, "invalid-resource",
     "/destinations"),
    ("exit-routes/x", {"tunnel": "bare", "destinations": ["1.0.0.0/8"]}, 422,
     "source-required", None),
    ("exit-routes/x", {"tunnel": "tun_a", "destinations": ["1.0.0.0/8"], "source": A_ADDR}, 422,
     "source-required", None),
    ("nat-rules/x", {"sources": ["10.0.0.0/8"], "out_interface": "eth0", "action": "snat"}, 422,
     "invalid-resource", None),
)


class Quiet(lab.LabTest):
    def test_all_is_looked_at_every_half_minute(self):
        agent = self.agent(self.host(), "a")
        agent.ok("POST", "/v1/reconcile?wait=30")
        due = int(re.findall(r"looked at again in (\d+) ms", agent.log())[-1])
        time.sleep(due / 1000 - 2)
        self.assertEqual("request", agent.get("status")["last_pass"]["trigger"])
        lab.eventually(lambda: agent.get("status")["last_pass"]["trigger"] == "timer",
                       2 + lab.SECOND, "a pass that nobody asked for")


class Input(lab.LabTest):
    def test_what_is_refused_changes_nothing(self):
        ns = self.host()
        a = self.agent(ns, "a")
        a.put("tunnels/tun_a", TUN_A)
        a.put("tunnels/bare", {"local": A_ADDR, "remote": "172.16.1.70"})
        a.put("exit-routes/qq", QQ)
        before, revision = lab.snapshot(ns), a.get("status")["revision"]
        for path, body, status, code, pointer in REFUSED:
            with self.subTest(path=path, body=body):
                answer = a.request("PUT", f"/v1/{path}?wait=5", body)
                self.assertEqual(status, answer.status, answer.body)
                codes = {answer.body["code"]} | {e["code"] for e in answer.body.get("errors", [])}
                self.assertIn(code, codes)
                if pointer:
                    self.assertIn(pointer, [e["pointer"] for e in answer.body["errors"]])
        self.assertEqual(409, a.request("DELETE", "/v1/tunnels/tun_a").status)
        self.assertEqual(400, a.request("PUT", "/v1/tunnels/x", b'{"remote":').status)
        self.assertEqual(404, a.request("GET", "/v1/tunnels/x").status)
        self.assertEqual(revision, a.get("status")["revision"])
        self.assert_same(before, lab.snapshot(ns))

    def test_an_absent_address_is_accepted_and_told(self):
        ns = self.host()
        a = self.agent(ns, "a")
        answer = a.put("tunnels/x", {"local": "172.16.44.44", "remote": B_ADDR}, "pending")
        self.assertEqual("LocalAddressMissing", answer["status"]["reason"])
        ip(ns, "address add 172.16.44.44/32 dev eth0")
        a.wait_state("tunnels/x", "ready", lab.SECOND)

    def test_a_foreign_device_is_a_conflict_until_it_goes(self):
        ns = self.host()
        a = self.agent(ns, "a")
        ip(ns, "link add name x type dummy")
        before = ip(ns, "-d -o link show x")
        a.put("tunnels/x", {"local": A_ADDR, "remote": B_ADDR}, "conflict")
        self.assertEqual(before, ip(ns, "-d -o link show x"))
        ip(ns, "link del x")
        a.wait_state("tunnels/x", "ready", lab.SECOND)
        self.assertEqual("ipip", lab.ip_json(ns, "link show x")[0]["linkinfo"]["info_kind"])

    def test_dry_run_and_plan_write_nothing(self):
        ns = self.host()
        a = self.agent(ns, "a")
        before = lab.snapshot(ns)
        answer = a.ok("PUT", "/v1/tunnels/tun_a?dry_run=true", TUN_A)
        commands = [op["command"] for op in answer["plan"]["ops"]]
        self.assertTrue([c for c in commands if "tun_a" in c], commands)
        self.assert_same(before, lab.snapshot(ns))
        self.assertEqual(404, a.request("GET", "/v1/tunnels/tun_a").status)

    def test_changes_in_place_lose_nothing(self):
        t, a, b = self.pair()
        b.put("tunnels/tun_b", {"local": t.b_addr, "remote": A_ADDR,
                                "addresses": ["192.168.1.2/24"]})
        a.put("tunnels/tun_a", TUN_A)
        index = lab.ip_json(t.a, "link show tun_a")[0]["ifindex"]
        pinger = self.pinger(t.a, "192.168.1.2").start(0.05)
        a.put("tunnels/tun_a", dict(TUN_A, ttl=32, mtu=1400,
                                    addresses=["192.168.1.1/24", "192.168.9.1/24"]))
        sent, answered = pinger.stop()
        self.assertEqual(sent, answered)
        link = lab.ip_json(t.a, "link show tun_a")[0]
        self.assertEqual((index, 1400, 32), (link["ifindex"], link["mtu"],
                         link["linkinfo"]["info_data"]["ttl"]))


if __name__ == "__main__":
    lab.main()
