#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans, dry runs, full passes, and what the agent says of itself and its host."""

import json
import os
import pathlib
import re
import resource

import api
import events
from api import EXIT, NAT, TUNNEL


class Plan(api.ApiTest):
    def verbs(self, plan):
        return [(op["verb"], op["kind"]) for op in plan["ops"]]

    def planned(self, query):
        answer = self.ok(self.agent.post("/v1/reconcile?dry_run=true&" + query))
        return self.verbs(answer.body["plan"])

    def test_dry_run_plans_and_stores_nothing(self):
        self.three()
        config, revision = self.agent.get("/v1/config").text, self.revision()
        ask = self.agent.ask
        for method, path, body, expected in (
            ("PUT", "tunnels/tun_b", {"remote": "10.0.0.9"}, ("add", "link")),
            ("PUT", "tunnels/tun_a", {**TUNNEL, "ttl": 9}, ("change", "link")),
            ("PATCH", "tunnels/tun_a", {"ttl": 9}, ("change", "link")),
            ("POST", "tunnels", {"name": "tun_b", "remote": "10.0.0.9"}, ("add", "link")),
            ("DELETE", "exit-routes/qq", None, ("delete", "route")),
            ("PUT", "config", {}, ("delete", "link")),
        ):
            with self.subTest(f"{method} {path}"):
                answer = self.ok(ask(method, f"/v1/{path}?dry_run=true", body))
                self.assertIn(expected, self.verbs(answer.body["plan"]), answer)
                self.assertEqual(answer.body["plan"]["revision"], revision)
                self.assertEqual(self.agent.get("/v1/config").text, config)
                self.assertEqual(self.revision(), revision)

    def test_dry_run_of_the_same_document_is_an_empty_plan(self):
        self.three()
        answer = self.ok(self.agent.put("/v1/tunnels/tun_a?dry_run=true", TUNNEL))
        self.assertEqual(answer.body["plan"]["ops"], [])

    def test_dry_run_validates_in_full(self):
        self.problem(self.agent.put("/v1/exit-routes/qq?dry_run=true", EXIT), 422,
                     "unresolved-reference", "/tunnel")
        self.problem(self.agent.put("/v1/tunnels/t?dry_run=true", {}), 422, "invalid-resource",
                     "/remote")

    def test_plan_of_nothing_is_drift(self):
        self.three()
        self.assertEqual(self.agent.post("/v1/plan").body, {"ops": [], "revision": 3})

    def test_plan_of_a_config(self):
        answer = self.ok(self.agent.post("/v1/plan", {"tunnels": [{"name": "tun_a", **TUNNEL}]}))
        op = next(op for op in answer.body["ops"] if op["kind"] == "link")
        self.assertEqual((op["verb"], op["kind"], op["key"], op["have"]),
                         ("add", "link", "tun_a", None))
        self.assertIn("ip link add tun_a type ipip", op["command"])
        self.assertEqual(op["want"]["remote"], "172.16.1.62")
        self.assertTrue(op["why"])
        self.problem(self.agent.get("/v1/tunnels/tun_a"), 404, "not-found")

    def test_plan_with_and_without_prune(self):
        self.three()
        self.assertIn(("delete", "link"), self.verbs(self.agent.post("/v1/plan", {}).body))
        merged = self.agent.post("/v1/plan?prune=false", {}).body
        self.assertEqual(merged["ops"], [])

    def test_reconcile_runs_a_pass(self):
        self.three()
        before = self.agent.get("/v1/status").body["last_pass"]["number"]
        answer = self.ok(self.agent.post("/v1/reconcile"))
        self.assertEqual((answer.body["unchanged"], answer.body["not_ready"]), (3, []))
        self.assertGreater(self.agent.get("/v1/status").body["last_pass"]["number"], before)
        self.assertIn("plan", self.ok(self.agent.post("/v1/reconcile?dry_run=true")).body)

    def test_status_counts_by_kind_and_state(self):
        self.three()
        body = self.agent.get("/v1/status").body
        self.assertTrue(body["ready"])
        for kind in ("tunnels", "exit-routes", "nat-rules"):
            self.assertEqual(body["resources"][kind]["ready"], 1)
            self.assertEqual(body["resources"][kind]["failed"], 0)
        self.assertEqual(body["orphans"], [])
        self.assertEqual(body["last_pass"]["failed"], 0)

    def test_orphans_are_shown_and_go_when_told(self):
        self.three()
        self.agent.stop()
        for path in self.agent.db.parent.iterdir():
            path.unlink()
        self.agent.start()
        orphans = self.agent.until("/readyz", lambda a: a.status == 200) and \
            self.agent.get("/v1/status").body["orphans"]
        self.assertIn({"kind": "link", "key": "tun_a"}, orphans)
        self.assertTrue(self.agent.objects("link tun_a"))
        self.assertEqual(self.planned(""), [])
        for kind in ("link", "rule", "nft-table"):
            self.assertIn(("delete", kind), self.planned("orphans=delete"))
        self.assertEqual(self.agent.get("/v1/status").body["orphans"], orphans)
        self.ok(self.agent.post("/v1/reconcile?orphans=delete&dry_run=true"))
        self.ok(self.agent.post("/v1/reconcile"))
        self.assertEqual(events.kept(self.agent, "&type=orphans-deleted"), [])
        pid, old = self.agent.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, old[1]))
        self.problem(self.agent.post("/v1/reconcile?orphans=delete"), 503, "database-unavailable")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, old)
        self.ok(self.agent.post("/v1/reconcile"))
        self.assertEqual(self.agent.get("/v1/status").body["orphans"], orphans)
        self.ok(self.agent.post("/v1/reconcile?orphans=delete"))
        self.assertEqual(self.agent.objects("link tun_a"), [])
        (event,) = events.kept(self.agent, "&type=orphans-deleted")
        self.assertLessEqual({"caller": f"uid {os.geteuid()}", "address": "unix"}.items(),
                             event.items())
        self.assertIn(f"request {event['request_id']}: full pass asked for by", self.agent.log)
        self.assertEqual(event["message"], f"{len(orphans)} objects; links: tun_a")
        self.assertEqual(self.agent.get("/v1/status").body["orphans"], [])
        self.ok(self.agent.post("/v1/reconcile?orphans=delete"))
        self.assertEqual(events.kept(self.agent, "&type=orphans-deleted"), [event])

    def test_host(self):
        self.three()
        body = self.agent.get("/v1/host").body
        self.assertEqual([(a["address"], a["device"], a["mtu"], a["default_route"])
                          for a in body["addresses"]], [("172.16.16.22", "eth0", 1500, True)])
        self.assertRegex(body["id"], r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]")
        self.assertIsNone(body["observed_address"])
        self.assertIs(type(body["kernel"]["abilities"]["ipip"]), bool)
        self.assertTrue(body["kernel"]["release"] and body["version"] and body["hostname"])

    def test_host_route_is_the_kernels_own_answer(self):
        self.three()
        body = self.ok(self.agent.get("/v1/host/route?to=180.163.26.39")).body
        self.assertEqual((body["device"], body["source"]), ("tun_a", "192.168.1.1"))
        body = self.agent.get("/v1/host/route?to=180.163.26.39&underlay=true").body
        self.assertEqual((body["device"], body["gateway"]), ("eth0", "172.16.16.1"))
        self.agent.kernel("delete route 0.0.0.0/0")
        body = self.agent.until("/v1/host/route?to=1.2.3.4", lambda a: a.body["error"]).body
        self.assertIsNone(body["device"])

    def test_stats_of_a_tunnel(self):
        self.three()
        answer = self.ok(self.agent.get("/v1/tunnels/tun_a/stats"))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertEqual(answer.body["device"], "tun_a")
        self.assertEqual((answer.body["rx"]["packets"], answer.body["rx"]["bytes"]), (10, 840))
        self.assertEqual((answer.body["tx"]["packets"], answer.body["tx"]["bytes"]), (20, 1680))

    def test_stats_of_a_nat_rule_add_up_its_elements(self):
        self.three()
        sources = ["10.1.0.0/16", "10.2.3.4/32", "10.2.3.5/32", "10.1.2.0/24"]
        self.ok(self.agent.put("/v1/nat-rules/exit?wait=10", {**NAT, "sources": sources}))
        body = self.ok(self.agent.get("/v1/nat-rules/exit/stats")).body
        for way in ("in", "out"):  # the fourth source is covered by the first
            self.assertEqual(body[way], {"packets": 3, "bytes": 3 * 84})

    def test_stats_that_are_not_there(self):
        self.three()
        self.problem(self.agent.get("/v1/exit-routes/qq/stats"), 404, "not-found")
        self.agent.patch("/v1/tunnels/tun_a?wait=5", {"enabled": False})
        self.problem(self.agent.get("/v1/tunnels/tun_a/stats"), 404, "not-found")

    def test_ping_says_what_it_needs(self):
        self.three()
        path = "/v1/tunnels/tun_a/ping"
        self.problem(self.agent.post(path), 422, "invalid-resource", "/target")
        for body, pointer in (({"target": "x"}, "/target"), ({"count": 11}, "/count"),
                              ({"target": "0.0.0.0"}, "/target"), ({"count": 0}, "/count"),
                              ({"count": "3"}, "/count"), ([], "")):
            with self.subTest(pointer):
                self.problem(self.agent.post(path, body), 422, "invalid-resource", pointer)
        self.problem(self.agent.post(path, {"a/b": 1}), 422, "unknown-field", "/a~1b")
        self.problem(self.agent.post(path, {"uid": 1}), 422, "unknown-field", "/uid")
        answer = self.problem(self.agent.post(path, {"cuont": 1}), 422, "unknown-field", "/cuont")
        self.assertIn('did you mean "count"', answer.body["detail"])
        # the fake's device is none of this machine's
        self.problem(self.agent.post(path, {"target": "192.168.1.2"}), 503, "not-ready")

    def test_probes_need_no_pass(self):
        self.ok(self.agent.get("/livez"))
        answer = self.agent.until("/readyz?verbose", lambda a: a.status == 200)
        self.assertIn("last_pass", answer.body)


class Large(api.ApiTest):
    """Plans that are many times as long as what asks for them."""

    sources = 40000

    def setUp(self):
        super().setUp()
        addresses = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}/32" for i in range(self.sources)]
        self.config = json.dumps({"nat_rules": [
            {"name": f"n{i}", "sources": addresses, "out_interface": f"eth{i}"}
            for i in range(2)]})
        self.dry = json.dumps({**NAT, "sources": addresses})

    def peak(self):
        """In bytes, of what was resident."""
        text = pathlib.Path(f"/proc/{self.agent.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) * 1024

    def test_the_text_of_a_plan_is_not_held(self):
        before = self.peak()
        answer = self.ok(self.agent.post("/v1/plan", self.config))
        elements = [op for op in answer.body["ops"] if op["kind"] == "nft-element"]
        self.assertGreaterEqual(len(elements), 2 * 3 * self.sources)
        self.assertEqual(answer.body["revision"], 0)
        if "asan" not in api.BIN:  # which keeps for a while what was freed
            self.assertLess(self.peak() - before, 2 * len(answer.text))

    def slow(self, method, path, body):
        """Somebody who has the head of his answer, and reads no more of it for now."""
        connection = api.Connection(self.agent.socket)
        self.addCleanup(connection.close)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        return connection, response

    def test_one_plan_is_on_its_way_at_a_time(self):
        for method, path, body in (("POST", "/v1/plan", self.config),
                                   ("PUT", "/v1/nat-rules/x?dry_run=true", self.dry)):
            with self.subTest(path):
                connection, response = self.slow(method, path, body)
                for other, at, long in (("POST", "/v1/plan", self.config),
                                        ("PUT", "/v1/nat-rules/y?dry_run=true", self.dry)):
                    refused = self.problem(self.agent.ask(other, at, long), 429,
                                           "too-many-requests")
                    self.assertEqual(refused.headers["Retry-After"], "1")
                self.ok(self.agent.post("/v1/plan"))
                self.ok(self.agent.post("/v1/reconcile?dry_run=true"))
                self.ok(self.agent.put("/v1/tunnels/tun_a", TUNNEL), 201)
                self.ok(self.agent.delete("/v1/tunnels/tun_a"), 204)
                plan = json.loads(response.read())
                self.assertGreater(len(plan.get("plan", plan)["ops"]), 3 * self.sources)
                self.ok(self.agent.post("/v1/plan"))
                connection.close()

    def test_a_second_long_plan_is_refused_before_it_is_made(self):
        self.slow("POST", "/v1/plan", self.config)
        self.agent.kernel("refuse-observe EIO")  # so that none can be made
        for method, path, body in (("POST", "/v1/plan", self.config),
                                   ("POST", "/v1/plan", "x" * 40000),
                                   ("PUT", "/v1/config?dry_run=true", self.config),
                                   ("POST", "/v1/nat-rules?dry_run=true", self.dry),
                                   ("PUT", "/v1/nat-rules/y?dry_run=true", self.dry)):
            with self.subTest(path):
                self.problem(self.agent.ask(method, path, body), 429, "too-many-requests")
        for path in ("/v1/plan", "/v1/reconcile?dry_run=true"):
            self.problem(self.agent.post(path), 503, "not-ready")
        self.ok(self.agent.put("/v1/nat-rules/y", self.dry), 201)

    def test_who_leaves_in_the_middle_makes_room(self):
        connection, response = self.slow("POST", "/v1/plan", self.config)
        response.close()
        connection.close()
        self.agent.until("/livez", lambda _: self.agent.post(
            "/v1/plan", self.config).status == 200)


if __name__ == "__main__":
    api.main()
