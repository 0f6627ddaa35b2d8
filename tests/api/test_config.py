#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole declaration as one document, replaced at once or not at all."""

import json
import api
from api import EXIT, NAT, TUNNEL

CONFIG = {
    "tunnels": [{"name": "tun_a", **TUNNEL}],
    "exit_routes": [{"name": "qq", **EXIT}],
    "nat_rules": [{"name": "exit", **NAT}],
}
EMPTY = {"tunnels": [], "exit_routes": [], "nat_rules": []}


class Config(api.ApiTest):
    def counts(self, answer):
        return tuple(self.ok(answer).body[member]
                     for member in ("created", "updated", "deleted", "unchanged"))

    def test_put_declares_everything_in_one_revision(self):
        answer = self.agent.put("/v1/config?wait=10", CONFIG)
        self.assertEqual(self.counts(answer), (3, 0, 0, 0))
        self.assertEqual((answer.body["revision"], answer.body["not_ready"]), (1, []))

    def test_order_within_the_document_does_not_matter(self):
        backwards = {member: CONFIG[member] for member in reversed(CONFIG)}
        self.assertEqual(self.counts(self.agent.put("/v1/config", backwards)), (3, 0, 0, 0))

    def test_get_gives_what_can_be_put(self):
        self.agent.put("/v1/config", CONFIG)
        answer = self.agent.get("/v1/config")
        self.assertEqual(answer.body, CONFIG)
        self.assertEqual(answer.etag, '"1"')
        self.assertEqual(self.counts(self.agent.put("/v1/config", answer.text)), (0, 0, 0, 3))
        self.assertEqual(self.revision(), 1)

    def test_a_slow_reader_gets_one_revision(self):
        tunnels = [{"name": f"t{i:05}", "comment": "x" * 100, "enabled": False,
                    "remote": f"198.18.{i // 250}.{i % 250 + 1}"} for i in range(4000)]
        config = {**EMPTY, "tunnels": tunnels}
        self.ok(self.agent.put("/v1/config", config))
        connection = api.Connection(self.agent.socket)
        connection.request("GET", "/v1/config")
        response = connection.getresponse()
        self.agent.put("/v1/tunnels/t03999", {**tunnels[3999], "comment": "new"})
        self.ok(self.agent.delete("/v1/tunnels/t03998"), 204)
        self.ok(self.agent.post("/v1/tunnels", {"name": "z", "remote": "198.51.100.9"}), 201)
        self.assertEqual(json.loads(response.read()), config)
        connection.request("GET", "/v1/config")
        read = json.loads(connection.getresponse().read())["tunnels"]
        self.assertEqual([t.get("comment") for t in read[-2:]], ["new", None])
        self.assertEqual(len(read), 4000)
        connection.close()

    def test_same_config_keeps_every_generation(self):
        self.agent.put("/v1/config", CONFIG)
        self.agent.put("/v1/config", CONFIG)
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").body["generation"], 1)

    def test_put_replaces(self):
        self.agent.put("/v1/config?wait=10", CONFIG)
        config = {**CONFIG, "nat_rules": [], "exit_routes": [{**CONFIG["exit_routes"][0],
                                                              "metric": 5}]}
        self.assertEqual(self.counts(self.agent.put("/v1/config?wait=10", config)), (0, 1, 1, 1))
        self.problem(self.agent.get("/v1/nat-rules/exit"), 404, "not-found")

    def test_empty_lists_remove_everything(self):
        self.agent.until("/readyz", lambda a: a.status == 200)
        before = self.agent.objects()
        self.agent.put("/v1/config?wait=10", CONFIG)
        self.assertEqual(self.counts(self.agent.put("/v1/config?wait=10", EMPTY)), (0, 0, 3, 0))
        if before:  # the fake writes its state at the first change
            self.assertEqual(self.agent.objects(), before)
        for noun in ("link tun_a", "rule", "nft"):
            self.assertEqual(self.agent.objects(noun), [])

    def test_merge_without_prune(self):
        self.agent.put("/v1/config", CONFIG)
        more = {"tunnels": [{"name": "tun_b", "remote": "10.0.0.9"}]}
        self.assertEqual(self.counts(self.agent.put("/v1/config?prune=false", more)),
                         (1, 0, 0, 3))
        self.ok(self.agent.get("/v1/exit-routes/qq"))

    def test_one_fault_and_nothing_changes(self):
        self.agent.put("/v1/config", CONFIG)
        before = self.agent.get("/v1/config").text
        for change, status, code, pointer in (
            ({"exit_routes": [{"name": "qq", **EXIT, "tunnel": "none"}]}, 422,
             "unresolved-reference", "/exit_routes/0/tunnel"),
            ({"tunnels": []}, 422, "unresolved-reference", "/exit_routes/0/tunnel"),
            ({"nat_rules": [{"name": "b", **NAT}, {"name": "a", **NAT, "priority": -1}]}, 422,
             "invalid-resource", "/nat_rules/1/priority"),
            ({"tunnels": CONFIG["tunnels"] * 2}, 422, "invalid-resource", "/tunnels/1/name"),
            ({"tunnel": []}, 422, "unknown-field", "/tunnel"),
            ({"tunnels": {}}, 422, "invalid-resource", "/tunnels"),
        ):
            with self.subTest(str(change)[:60]):
                self.problem(self.agent.put("/v1/config", {**CONFIG, **change}), status, code,
                             pointer)
                self.assertEqual(self.agent.get("/v1/config").text, before)

    def test_generations_are_checked(self):
        self.agent.put("/v1/config", CONFIG)
        for name in ("tun_a", "none"):
            config = {"tunnels": [{"name": name, **TUNNEL, "generation": 7}]}
            self.problem(self.agent.put("/v1/config", config), 409, "generation-mismatch",
                         "/tunnels/0/generation")

    def test_pointers_count_in_the_document_not_in_the_sorted_list(self):
        tunnels = [{"name": "zz", "remote": "10.0.0.1", "device": "same"},
                   {"name": "mm", "remote": "10.0.0.2"},
                   {"name": "aa", "remote": "10.0.0.3", "device": "same"}]
        answer = self.agent.put("/v1/config", {"tunnels": tunnels})
        self.problem(answer, 409, "interface-name-taken")
        self.assertIn(answer.pointers[0], ("/tunnels/0/device", "/tunnels/2/device"))
        routes = [{"name": "b", **EXIT}, {"name": "a", **EXIT, "tunnel": "none",
                                          "destinations": ["9.9.9.9/32"]}]
        answer = self.agent.put("/v1/config", {**CONFIG, "exit_routes": routes})
        self.problem(answer, 422, "unresolved-reference", "/exit_routes/1/tunnel")

    def test_a_merge_is_blamed_for_what_it_breaks(self):
        self.agent.put("/v1/config", CONFIG)
        before = self.agent.get("/v1/config").text
        for change, code, pointer in (
            ({"tunnels": [{**TUNNEL, "name": "aaa"}]}, "endpoints-in-use", "/tunnels/0/remote"),
            ({"tunnels": [{**TUNNEL, "name": "zzz"}]}, "endpoints-in-use", "/tunnels/0/remote"),
            ({"nat_rules": [{**NAT, "name": "aaa", "action": "none"}]}, "sources-overlap",
             "/nat_rules/0/sources"),
            ({"tunnels": [{**TUNNEL, "name": "tun_a", "addresses": []}]}, "resource-in-use",
             "/tunnels/0/addresses"),
        ):
            with self.subTest(str(change)[:60]):
                answer = self.problem(self.agent.put("/v1/config?prune=false", change), 409, code)
                self.assertEqual(answer.pointers, [pointer])
                self.assertEqual(self.agent.get("/v1/config").text, before)
        answer = self.agent.put("/v1/config?prune=false", {"tunnels": [{**TUNNEL, "name": "aaa"}]})
        self.assertIn("tunnel/tun_a has", answer.body["detail"])

    def test_a_tunnel_can_be_renamed(self):
        self.agent.put("/v1/config?wait=10", {"tunnels": [{"name": "old", **TUNNEL}]})
        answer = self.agent.put("/v1/config?wait=10", {"tunnels": [{"name": "new", **TUNNEL}]})
        self.assertEqual(self.counts(answer), (1, 0, 1, 0))
        self.agent.until("/v1/tunnels/new", lambda a: a.state == "ready")
        self.agent.until("/v1/tunnels/old", lambda a: a.status == 404)

    def test_if_match_is_the_revision(self):
        self.agent.put("/v1/config", CONFIG)
        tag = self.agent.get("/v1/config").etag
        self.ok(self.agent.put("/v1/config", EMPTY, {"If-Match": tag}))
        self.problem(self.agent.put("/v1/config", CONFIG, {"If-Match": tag}), 412,
                     "precondition-failed")

    def test_weak_tags_match_no_write(self):
        self.agent.put("/v1/config", CONFIG)
        tag = self.agent.get("/v1/config").etag
        self.problem(self.agent.put("/v1/config", CONFIG, {"If-Match": "W/" + tag}), 412,
                     "precondition-failed")
        self.ok(self.agent.put("/v1/config", CONFIG, {"If-Match": f'W/"7", {tag}'}))
        self.assertEqual(
            self.agent.get("/v1/config", **{"If-None-Match": "W/" + tag}).status, 304)

    def test_there_always_is_a_config(self):
        for tag in ("*", self.agent.get("/v1/config").etag):
            with self.subTest(tag):
                self.problem(self.agent.put("/v1/config", CONFIG, {"If-None-Match": tag}), 412,
                             "precondition-failed")
        self.ok(self.agent.put("/v1/config", CONFIG, {"If-None-Match": '"7"'}))

    def test_known_config_is_304(self):
        self.agent.put("/v1/config", CONFIG)
        tag = self.agent.get("/v1/config").etag
        self.assertEqual(self.agent.get("/v1/config", **{"If-None-Match": tag}).status, 304)

    def test_not_ready_says_why(self):
        config = {"tunnels": [{"name": "tun_a", **TUNNEL, "local": "172.16.99.1"}]}
        answer = self.agent.put("/v1/config?wait=1", config)
        self.assertEqual([(r["kind"], r["name"], r["state"], r["reason"])
                          for r in answer.body["not_ready"]],
                         [("tunnel", "tun_a", "pending", "LocalAddressMissing")])

    def test_malformed_configs(self):
        for body in ("", "[", "{", '{"tunnels":[}', '{"tunnels":[],"tunnels":[]}', "nul", "[]]",
                     '{"tunnels":[{}{}]}', '{"tunnels":[' + "{}," * 40 + "]}"):
            with self.subTest(body):
                answer = self.agent.put("/v1/config", body)
                self.assertEqual(answer.status, 400, answer)
                self.assertEqual([e["code"] for e in answer.body["errors"]], ["malformed-json"])

    def test_what_is_no_object_is_no_config(self):
        for body in ("[]", "null", "1", '"x"', " [{}] "):
            with self.subTest(body):
                answer = self.problem(self.agent.put("/v1/config", body), 422, "invalid-resource",
                                      "")
                self.assertIn("a config must be an object", answer.body["detail"])

    def test_many_faults_take_no_longer_each(self):
        for body in ('{"tunnels":[' + "1," * 500000 + "1]}",
                     "{" + ",".join(f'"k{i}":1' for i in range(80000)) + "}"):
            answer = self.agent.post("/v1/plan", body)  # else it takes minutes
            self.assertIn(answer.status, (400, 422), answer.text[:300])
            self.assertLess(len(answer.body["errors"]), 1000)

    def test_a_large_config(self):
        tunnels = [{"name": f"t{i}", "remote": f"10.{i >> 8}.{i & 255}.1"} for i in range(2000)]
        body = json.dumps({"tunnels": tunnels})
        self.assertEqual(self.counts(self.agent.put("/v1/config", body)), (2000, 0, 0, 0))
        self.agent.kill()
        self.agent.start()
        self.assertEqual(len(self.agent.get("/v1/config").body["tunnels"]), 2000)


if __name__ == "__main__":
    api.main()
