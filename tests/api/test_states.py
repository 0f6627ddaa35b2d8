#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says becomes a state, never an HTTP error."""

import time
import api
from api import EXIT, NAT, TUNNEL


class States(api.ApiTest):
    def test_an_absent_address_is_pending_until_it_comes(self):
        body = {**TUNNEL, "local": "172.16.99.1"}
        answer = self.ok(self.agent.put("/v1/tunnels/tun_a?wait=1", body), 201)
        self.assertEqual((answer.state, answer.reason), ("pending", "LocalAddressMissing"))
        self.agent.kernel("addr eth0 172.16.99.1/24")
        self.agent.until("/v1/tunnels/tun_a", lambda a: a.state == "ready")

    def test_a_foreign_device_is_a_conflict_and_untouched(self):
        self.agent.kernel("foreign-link tun_a ipip 10.1.1.1 10.1.1.2")
        self.agent.until("/v1/status", lambda a: self.agent.objects("link tun_a"))
        before = self.agent.objects("link tun_a")
        answer = self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL), 201)
        self.assertEqual((answer.state, answer.reason), ("conflict", "ForeignObject"))
        self.assertEqual(answer.body["status"]["objects"][0]["state"], "foreign")
        self.assertIn("driver ipip, local 10.1.1.1", answer.body["status"]["message"])
        self.assertEqual(self.agent.objects("link tun_a"), before)
        self.ok(self.agent.delete("/v1/tunnels/tun_a"), 204)
        self.assertEqual(self.agent.objects("link tun_a"), before)

    def test_adopt_takes_the_foreign_device_over(self):
        self.agent.kernel("foreign-link tun_a ipip 10.1.1.1 10.1.1.2")
        self.agent.until("/v1/status", lambda a: self.agent.objects("link tun_a"))
        answer = self.agent.put("/v1/tunnels/tun_a?wait=10", {**TUNNEL, "adopt": True})
        self.assertEqual(answer.state, "ready", answer)
        self.assertIn("172.16.1.62", self.agent.objects("link tun_a")[0])
        self.ok(self.agent.delete("/v1/tunnels/tun_a?wait=10"), 204)
        self.assertEqual(self.agent.objects("link tun_a"), [])

    def test_a_differing_route_of_another_is_a_conflict_until_it_is_adopted(self):
        key, path = "route 7000 180.163.26.39/32", "/v1/exit-routes/qq"
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL), 201)
        self.agent.kernel("route 180.163.26.39/32 dev eth0 table 7000 protocol 186")
        self.agent.until("/v1/status", lambda _: self.agent.objects(key))
        before = self.agent.objects(key)
        answer = self.ok(self.agent.put(f"{path}?wait=10", EXIT), 201)
        self.assertEqual((answer.state, answer.reason), ("conflict", "ForeignObject"))
        self.assertIn("protocol 186, device eth0 instead of tun_a",
                      answer.body["status"]["message"])
        self.assertEqual(self.agent.objects(key), before)
        answer = self.ok(self.agent.put(f"{path}?wait=10", {**EXIT, "adopt": True}))
        self.assertEqual(answer.state, "ready", answer)
        (ours,) = self.agent.objects(key)
        self.assertIn("device=tun_a", ours)
        self.assertIn("protocol=105", ours)
        self.ok(self.agent.delete(path + "?wait=10"), 204)
        self.assertEqual(self.agent.objects(key), [])

    def test_an_address_of_another_goes_with_the_declaration_if_it_is_adopted(self):
        address, bare = "address tun_a 192.168.1.1/24", {**TUNNEL, "addresses": []}
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", bare), 201)
        for adopt, state, left in ((False, "found", [address]), (True, "in-sync", [])):
            with self.subTest(adopt=adopt):
                self.agent.kernel("addr tun_a 192.168.1.1/24", f"# {adopt}")
                self.agent.until("/v1/status", lambda _: self.agent.objects(address))
                answer = self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10",
                                                {**TUNNEL, "adopt": adopt}))
                self.assertEqual(answer.state, "ready", answer)
                self.assertEqual({o["kind"]: o["state"] for o in
                                  answer.body["status"]["objects"]}["address"], state)
                self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", bare))
                self.assertEqual(self.agent.objects(address), left)

    def test_endpoints_of_a_foreign_device_are_a_conflict(self):
        self.agent.kernel("foreign-link other ipip 172.16.16.22 172.16.1.62")
        self.agent.until("/v1/status", lambda a: self.agent.objects("link other"))
        answer = self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        self.assertEqual((answer.status, answer.state), (201, "conflict"), answer)
        self.assertEqual(answer.reason, "DuplicateEndpoints")

    def test_endpoints_that_two_of_ours_come_to_are_a_conflict(self):
        auto = {"remote": TUNNEL["remote"], "addresses": ["192.168.2.1/24"]}
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL), 201)
        answer = self.ok(self.agent.put("/v1/tunnels/auto?wait=10", auto), 201)
        self.assertEqual((answer.state, answer.reason), ("conflict", "DuplicateEndpoints"))
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").state, "ready")
        answer = self.ok(self.agent.patch("/v1/tunnels/auto?wait=10", {"remote": "172.16.1.63"}))
        self.assertEqual(answer.state, "ready")
        answer = self.ok(self.agent.put("/v1/tunnels/auto?wait=10", auto))
        self.assertEqual((answer.state, answer.reason), ("conflict", "DuplicateEndpoints"))
        self.ok(self.agent.delete("/v1/tunnels/tun_a"), 204)
        self.agent.until("/v1/tunnels/auto", lambda a: a.state == "ready")

    def test_a_name_that_somebody_takes_meanwhile_is_a_conflict(self):
        self.agent.kernel("fail link add tun_* EEXIST the endpoints were not it")
        answer = self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL), 201)
        self.assertEqual((answer.state, answer.reason), ("conflict", "ForeignObject"))

    def test_a_refusing_kernel_is_failed_then_tried_again(self):
        self.agent.kernel("fail link add tun_* EPERM not today")
        answer = self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL), 201)
        self.assertEqual((answer.state, answer.reason), ("failed", "PermissionDenied"))
        self.assertIn("not today", answer.body["status"]["message"])
        self.assertEqual(answer.body["status"]["objects"][0]["state"], "failed")
        self.agent.kernel("")
        self.agent.until("/v1/tunnels/tun_a", lambda a: a.state == "ready")

    def test_a_failure_that_lasts_is_logged_once(self):
        self.agent.kernel("fail link add tun_* EPERM not today")
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        passes = self.agent.get("/v1/status").body["last_pass"]["number"]
        self.agent.until("/v1/status", lambda a: a.body["last_pass"]["number"] > passes + 2)
        lines = [line for line in self.agent.log.splitlines()
                 if line == "<4>link tun_a: add: not today"]
        self.assertEqual(1, len(lines), self.agent.log)

    def test_a_refusal_has_its_reason(self):
        for number, reason in (("EOPNOTSUPP", "KernelModuleMissing"), ("ENOMEM", "OutOfMemory"),
                               ("ENOBUFS", "OutOfMemory"), ("EACCES", "PermissionDenied"),
                               ("EBUSY", "KernelError")):
            with self.subTest(number):
                self.agent.kernel(f"fail link add * {number} that is why")
                self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
                answer = self.agent.get("/v1/tunnels/tun_a")
                self.assertEqual((answer.state, answer.reason), ("failed", reason), answer)
                self.assertEqual(answer.body["status"]["message"],
                                 "link tun_a: add: that is why")
                self.agent.kernel("")
                self.agent.until("/v1/tunnels/tun_a", lambda a: a.state == "ready")
                self.ok(self.agent.delete("/v1/tunnels/tun_a"), 204)

    def test_a_route_waits_for_its_tunnel(self):
        self.agent.kernel("fail link add tun_* ENOMEM")
        self.agent.put("/v1/tunnels/tun_a", TUNNEL)
        answer = self.ok(self.agent.put("/v1/exit-routes/qq?wait=1", EXIT), 201)
        self.assertEqual((answer.state, answer.reason), ("pending", "DependencyFailed"))
        self.agent.patch("/v1/tunnels/tun_a?wait=5", {"enabled": False})
        answer = self.agent.until("/v1/exit-routes/qq",
                                  lambda a: a.reason == "DependencyDisabled")
        self.assertEqual(answer.state, "pending")

    def test_a_refused_rule_fails_the_exit_route_that_needs_it(self):
        self.agent.kernel("fail rule add * EPERM no rules today")
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL), 201)
        answer = self.ok(self.agent.put("/v1/exit-routes/qq?wait=10", EXIT), 201)
        self.assertEqual((answer.state, answer.reason), ("failed", "PermissionDenied"))
        self.assertEqual(answer.body["status"]["objects"][0]["kind"], "rule")
        self.agent.kernel("link eth0 mtu 1500")
        self.agent.until("/v1/exit-routes/qq", lambda a: a.state == "ready")

    def test_a_route_waits_for_the_tunnel_of_its_source(self):
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        other = {**TUNNEL, "remote": "172.16.1.63", "addresses": ["192.168.2.1/24"]}
        self.agent.put("/v1/tunnels/other?wait=10", {**other, "enabled": False})
        answer = self.ok(self.agent.put("/v1/exit-routes/qq?wait=5",
                                        {**EXIT, "source": "192.168.2.1"}), 201)
        self.assertEqual((answer.state, answer.reason), ("pending", "DependencyDisabled"))
        self.assertIn("other", answer.body["status"]["message"])
        self.agent.put("/v1/tunnels/other?wait=10", other)
        self.agent.until("/v1/exit-routes/qq", lambda a: a.state == "ready")

    def test_what_a_write_brings_about_counts_for_what_was_declared_before(self):
        def reason_of(kind, name):
            return self.agent.get(f"/v1/{kind}/{name}").reason
        inner = {"remote": "172.16.1.70", "local": "192.168.2.1"}
        answer = self.ok(self.agent.put("/v1/tunnels/inner?wait=1", inner), 201)
        self.assertEqual((answer.state, answer.reason), ("pending", "LocalAddressMissing"))
        other = {**TUNNEL, "addresses": ["192.168.2.1/24"]}
        self.ok(self.agent.put("/v1/tunnels/other?wait=10", other), 201)
        self.assertEqual(reason_of("tunnels", "inner"), "InSync")
        self.ok(self.agent.put("/v1/nat-rules/out?wait=10", {**NAT, "out_interface": "other"}), 201)
        self.assertEqual(reason_of("nat-rules", "out"), "InSync")
        self.ok(self.agent.delete("/v1/tunnels/other?wait=10"), 204)
        self.assertEqual(reason_of("tunnels", "inner"), "LocalAddressMissing")
        self.assertEqual(reason_of("nat-rules", "out"), "DependencyDisabled")

    def test_a_missing_interface_is_pending(self):
        answer = self.agent.put("/v1/nat-rules/exit?wait=1", {**NAT, "out_interface": "eth9"})
        self.assertEqual((answer.state, answer.reason), ("pending", "InterfaceMissing"), answer)

    def test_what_cannot_be_removed_stays_deleting(self):
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        self.agent.kernel("fail link delete tun_* EBUSY stuck")
        answer = self.ok(self.agent.delete("/v1/tunnels/tun_a"), 202)
        self.assertEqual(answer.state, "deleting")
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").state, "deleting")
        self.assertEqual(self.agent.get("/v1/config").body["tunnels"], [])
        self.problem(self.agent.put("/v1/tunnels/tun_a", TUNNEL), 409, "deleting")
        self.problem(self.agent.patch("/v1/tunnels/tun_a", {}), 409, "deleting")
        self.problem(self.agent.post("/v1/tunnels", {"name": "tun_a", **TUNNEL}), 409, "deleting")
        self.problem(self.agent.put("/v1/config", {"tunnels": [{"name": "tun_a", **TUNNEL}]}),
                     409, "deleting", "/tunnels/0")
        self.problem(self.agent.put("/v1/tunnels/tun_b", TUNNEL), 409, "endpoints-in-use")
        self.ok(self.agent.delete("/v1/tunnels/tun_a?wait=0"), 202)
        self.agent.kernel("")
        self.agent.until("/v1/tunnels/tun_a", lambda a: a.status == 404)
        self.assertEqual(self.agent.objects("link tun_a"), [])

    def test_what_is_to_be_removed_says_so_at_once(self):
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        self.agent.kernel("fail link delete tun_* EPERM stuck")
        status = self.ok(self.agent.delete("/v1/tunnels/tun_a?wait=0"), 202).body["status"]
        self.assertEqual((status["state"], status["reason"], status["message"]),
                         ("deleting", "Deleting", "its objects are yet to be removed"))
        answer = self.agent.until("/v1/tunnels/tun_a", lambda a: a.reason != "Deleting")
        self.assertEqual((answer.state, answer.reason), ("deleting", "PermissionDenied"))
        self.assertIn("stuck", answer.body["status"]["message"])

    def test_every_reason_is_promised(self):
        schemas = self.agent.get("/v1/openapi.json").body["components"]["schemas"]
        promised = schemas["TunnelStatus"]["properties"]["reason"]["enum"]
        self.assertEqual(len(promised), len(set(promised)))
        for name in ("ExitRouteStatus", "NatRuleStatus", "NotReady", "Event"):
            self.assertEqual(schemas[name]["properties"]["reason"]["enum"], promised)
        self.assertLessEqual({"InSync", "NotTried", "Disabled", "Deleting", "ForeignObject"},
                             set(promised))
        answer = self.ok(self.agent.put("/v1/tunnels/off?wait=0", {**TUNNEL, "enabled": False}),
                         201)
        self.assertEqual((answer.state, answer.reason), ("pending", "NotTried"))
        answer = self.agent.until("/v1/tunnels/off", lambda a: a.state != "pending")
        self.assertEqual((answer.state, answer.reason), ("disabled", "Disabled"))

    def test_deleting_goes_on_after_a_restart(self):
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        self.agent.kernel("fail link delete tun_* EBUSY")
        self.ok(self.agent.delete("/v1/tunnels/tun_a?wait=1"), 202)
        self.agent.kill()
        self.agent.kernel("")
        self.agent.start()
        self.agent.until("/v1/tunnels/tun_a", lambda a: a.status == 404)

    def test_drift_is_repaired_and_counted(self):
        self.three()
        self.agent.kernel("delete link tun_a", "flush nft")
        self.agent.until("/v1/status", lambda a: a.body["drift_repaired"] > 0)
        self.agent.until("/v1/exit-routes/qq", lambda a: a.state == "ready")
        self.assertTrue(self.agent.objects("link tun_a"))

    def test_wait_ends_in_time_whatever_the_state(self):
        body = {**TUNNEL, "local": "172.16.99.1"}
        start = time.monotonic()
        answer = self.ok(self.agent.put("/v1/tunnels/tun_a?wait=1", body), 201)
        self.assertTrue(0.9 <= time.monotonic() - start < 5)
        self.assertEqual(answer.state, "pending")

    def test_without_wait_the_new_generation_is_pending(self):
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        answer = self.agent.put("/v1/tunnels/tun_a", {**TUNNEL, "ttl": 9})
        self.assertEqual((answer.body["generation"], answer.state), (2, "pending"))

    def test_when_the_kernel_cannot_be_observed_nothing_is_deleted(self):
        self.three()
        self.agent.kernel("refuse-observe EINTR")
        self.problem(self.agent.post("/v1/reconcile"), 503, "not-ready")
        self.problem(self.agent.get("/readyz"), 503, "not-ready")
        self.problem(self.agent.post("/v1/plan"), 503, "not-ready")
        self.ok(self.agent.get("/livez"))
        self.assertTrue(self.agent.objects("link tun_a"))


if __name__ == "__main__":
    api.main()
