#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every fault gets its problem, with a pointer, and changes nothing."""

import json
import api
from api import EXIT, NAT, TUNNEL

INVALID, UNKNOWN = "invalid-resource", "unknown-field"
LONG = "x" * 64

# kind, what is changed in a good body, code, pointer
HEAD_FAULTS = (
    ({"labels": []}, INVALID, "/labels"),
    ({"labels": {"a": 1}}, INVALID, "/labels/a"),
    ({"labels": {LONG: "v"}}, INVALID, None),
    ({"labels": {"k": "v" * 256}}, INVALID, "/labels/k"),
    ({"labels": {f"k{i}": "" for i in range(33)}}, INVALID, "/labels"),
    ({"comment": 1}, INVALID, "/comment"),
    ({"comment": "x" * 1025}, INVALID, "/comment"),
    ({"enabled": "yes"}, INVALID, "/enabled"),
    ({"enabled": 1}, INVALID, "/enabled"),
    ({"adopt": 1}, INVALID, "/adopt"),
    ({"name": "other"}, INVALID, "/name"),
    ({"name": 1}, INVALID, "/name"),
    ({"colour": "red"}, UNKNOWN, "/colour"),
    ({"enable": True}, UNKNOWN, "/enable"),
)

TUNNEL_FAULTS = (
    ({"remote": None}, INVALID, "/remote"),
    ({"remote": 1}, INVALID, "/remote"),
    ({"remote": ""}, INVALID, "/remote"),
    ({"remote": "172.16.1"}, INVALID, "/remote"),
    ({"remote": "172.16.1.062"}, INVALID, "/remote"),
    ({"remote": "::1"}, INVALID, "/remote"),
    ({"remote": "224.0.0.1"}, INVALID, "/remote"),
    ({"remote": "127.0.0.1"}, INVALID, "/remote"),
    ({"remote": "172.16.16.22"}, INVALID, "/remote"),
    ({"local": "eth0"}, INVALID, "/local"),
    ({"local": "0.0.0.0/0"}, INVALID, "/local"),
    ({"local": "255.255.255.255"}, INVALID, "/local"),
    ({"device": "lo"}, INVALID, "/device"),
    ({"device": "tunl0"}, INVALID, "/device"),
    ({"device": "a/b"}, INVALID, "/device"),
    ({"device": ""}, INVALID, "/device"),
    ({"device": "x" * 16}, INVALID, "/device"),
    ({"underlay": "x" * 16}, INVALID, "/underlay"),
    ({"underlay": "tun_a"}, INVALID, "/underlay"),
    ({"addresses": "192.168.1.1/24"}, INVALID, "/addresses"),
    ({"addresses": ["192.168.1.1"]}, INVALID, "/addresses/0"),
    ({"addresses": ["192.168.1.1/24", 5]}, INVALID, "/addresses/1"),
    ({"addresses": ["192.168.1.1/33"]}, INVALID, "/addresses/0"),
    ({"addresses": ["192.168.1.1/24"] * 2}, INVALID, "/addresses/1"),
    ({"addresses": [f"10.0.0.{i}/32" for i in range(17)]}, INVALID, "/addresses"),
    ({"mtu": 67}, INVALID, "/mtu"),
    ({"mtu": 65516}, INVALID, "/mtu"),
    ({"mtu": "1480"}, INVALID, "/mtu"),
    ({"mtu": 1480.0}, INVALID, "/mtu"),
    ({"ttl": -1}, INVALID, "/ttl"),
    ({"ttl": 256}, INVALID, "/ttl"),
    ({"ttl": "64"}, INVALID, "/ttl"),
    ({"tos": 1}, INVALID, "/tos"),
    ({"tos": 256}, INVALID, "/tos"),
    ({"tos": "inherited"}, INVALID, "/tos"),
    ({"path_mtu_discovery": False}, INVALID, "/path_mtu_discovery"),
    ({"mss_clamp": "on"}, INVALID, "/mss_clamp"),
    ({"rp_filter": "2"}, INVALID, "/rp_filter"),
    ({"rp_filter": 2}, INVALID, "/rp_filter"),
    ({"allowed_sources": ["192.168.1.1/24"]}, INVALID, "/allowed_sources/0"),
    ({"allowed_sources": [f"10.0.{i}.0/24" for i in range(257)]}, INVALID, "/allowed_sources"),
    ({"generation": 5}, "generation-mismatch", "/generation"),
)

EXIT_FAULTS = (
    ({"tunnel": None}, INVALID, "/tunnel"),
    ({"tunnel": 1}, INVALID, "/tunnel"),
    ({"tunnel": "tun_x"}, "unresolved-reference", "/tunnel"),
    ({"destinations": None}, INVALID, "/destinations"),
    ({"destinations": []}, INVALID, "/destinations"),
    ({"destinations": ["180.163.26.39"]}, INVALID, "/destinations/0"),
    ({"destinations": ["180.163.26.39/24"]}, INVALID, "/destinations/0"),
    ({"source": "192.168.1.77"}, "source-required", "/source"),
    ({"source": "172.16.16.22"}, "source-required", "/source"),
    ({"metric": -1}, INVALID, "/metric"),
    ({"metric": 1 << 32}, INVALID, "/metric"),
    ({"from": ["10.0.0.1/8"]}, INVALID, "/from/0"),
    ({"from": [f"10.0.{i}.0/24" for i in range(257)]}, INVALID, "/from"),
    ({"destinaton": []}, UNKNOWN, "/destinaton"),
)

NAT_FAULTS = (
    ({"sources": None}, INVALID, "/sources"),
    ({"sources": []}, INVALID, "/sources"),
    ({"sources": ["192.168.1.1/24"]}, INVALID, "/sources/0"),
    ({"out_interface": None}, INVALID, "/out_interface"),
    ({"out_interface": "eth 0"}, INVALID, "/out_interface"),
    ({"action": "dnat"}, INVALID, "/action"),
    ({"action": "snat"}, INVALID, "/to_address"),
    ({"to_address": "172.16.1.62"}, INVALID, "/to_address"),
    ({"action": "snat", "to_address": "0.0.0.0"}, INVALID, "/to_address"),
    ({"in_interface": "eth0"}, INVALID, "/in_interface"),
    ({"destinations": ["1.2.3.4/8"]}, INVALID, "/destinations/0"),
    ({"priority": 65536}, INVALID, "/priority"),
    ({"priority": -1}, INVALID, "/priority"),
)


class Problems(api.ApiTest):
    def setUp(self):
        super().setUp()
        self.agent.put("/v1/tunnels/tun_a", TUNNEL)

    def unchanged(self):
        return (self.agent.get("/v1/config").text, self.revision())

    def test_every_bad_field_is_pointed_at(self):
        before = self.unchanged()
        for path, body, faults in (
            ("/v1/tunnels/tun_a", TUNNEL, HEAD_FAULTS + TUNNEL_FAULTS),
            ("/v1/exit-routes/qq", EXIT, HEAD_FAULTS + EXIT_FAULTS),
            ("/v1/nat-rules/exit", NAT, HEAD_FAULTS + NAT_FAULTS),
        ):
            for change, code, pointer in faults:
                with self.subTest(path=path, change=str(change)[:80]):
                    bad = {k: v for k, v in {**body, **change}.items() if v is not None}
                    status = 409 if code == "generation-mismatch" else 422
                    answer = self.problem(self.agent.put(path, bad), status, code)
                    if pointer:
                        self.assertEqual(answer.pointers, [pointer], answer)
        self.assertEqual(self.unchanged(), before)

    def test_all_faults_of_a_body_come_at_once(self):
        bad = {**TUNNEL, "ttl": 256, "mtu": 1, "colour": "red"}
        answer = self.agent.put("/v1/tunnels/tun_b", bad)
        self.assertEqual(sorted(answer.pointers), ["/colour", "/mtu", "/ttl"])

    def test_faults_that_are_not_listed_are_counted(self):
        answer = self.agent.put("/v1/config", {"tunnels": [1] * 50})
        self.problem(answer, 422, INVALID, "/tunnels/0", "/tunnels/31")
        self.assertEqual(len(answer.pointers), 32)
        self.assertIn("50 faults, the first 32 are listed; the first:", answer.body["detail"])

    def test_unknown_field_suggests_the_near_one(self):
        answer = self.agent.put("/v1/tunnels/tun_b", {**TUNNEL, "adresses": []})
        self.assertIn('did you mean "addresses"', answer.body["errors"][0]["detail"])

    def test_malformed_bodies(self):
        before = self.unchanged()
        for body in (b"", b"{", b"nonsense", b'{"remote":"1.2.3.4","remote":"1.2.3.4"}',
                     b'{"comment":"\xff"}', b'{"comment":"a\\u0000b"}', b"{} {}", b'{"a":\x00}',
                     b"[" * 17 + b"]" * 17, b'{"mtu":' + b"9" * 400 + b"}"):
            with self.subTest(body[:40]):
                self.problem(self.agent.put("/v1/tunnels/tun_b", body), 400, "malformed-json")
        self.assertEqual(self.unchanged(), before)

    def test_documents_that_are_no_objects(self):
        for body in ("[]", "null", "1", '"x"'):
            with self.subTest(body):
                self.problem(self.agent.put("/v1/tunnels/tun_b", body), 422, INVALID)

    def test_names_have_a_rule(self):
        for name in ("-a", "a-", "a b", LONG, ".a", "ä"):
            with self.subTest(name):
                body = {"name": name, "device": "dev0", **TUNNEL}
                self.problem(self.agent.post("/v1/tunnels", body), 422, INVALID, "/name")
        self.problem(self.agent.post("/v1/tunnels", TUNNEL), 422, INVALID, "/name")
        self.problem(self.agent.put("/v1/tunnels/-a", TUNNEL), 422, INVALID, "/name")

    def test_a_long_name_needs_a_device(self):
        body = {**TUNNEL, "remote": "172.16.1.63"}
        self.problem(self.agent.put("/v1/tunnels/" + "x" * 16, body), 422, INVALID, "/device")
        self.ok(self.agent.put("/v1/tunnels/" + "x" * 16, {**body, "device": "tun_x"}), 201)

    def test_content_types(self):
        plain = {"Content-Type": "text/plain"}
        self.problem(self.agent.put("/v1/tunnels/tun_b", TUNNEL, plain), 415,
                     "unsupported-media-type")
        for other in ("application/jsonx", "application/json; charset=utf-16"):
            self.problem(self.agent.put("/v1/tunnels/tun_b", TUNNEL, {"Content-Type": other}), 415,
                         "unsupported-media-type")
        answer = self.agent.patch("/v1/tunnels/tun_a", {}, {"Content-Type": "application/json"})
        self.problem(answer, 415, "unsupported-media-type")
        self.assertEqual(answer.headers["Accept-Patch"], "application/merge-patch+json")
        charset = {"Content-Type": "Application/JSON; charset=utf-8"}
        self.ok(self.agent.put("/v1/tunnels/tun_a", TUNNEL, charset))

    def test_methods_and_paths(self):
        for method, path, allowed in (
            ("POST", "/v1/tunnels/tun_a", "GET, HEAD, PUT, PATCH, DELETE"),
            ("DELETE", "/v1/tunnels", "GET, HEAD, POST"),
            ("PUT", "/v1/status", "GET, HEAD"),
            ("GET", "/v1/plan", "POST"),
            ("PATCH", "/v1/config", "GET, HEAD, PUT"),
            ("DELETE", "/v1/tunnels/tun_a/stats", "GET, HEAD"),
            ("GET", "/v1/tunnels/tun_a/ping", "POST"),
        ):
            with self.subTest(f"{method} {path}"):
                answer = self.problem(self.agent.ask(method, path), 405, "method-not-allowed")
                self.assertEqual(answer.headers["Allow"], allowed)
        for path in ("/", "/v1", "/v1/tunnel", "/v1/tunnels/", "/v2/tunnels", "/v1/tunnels/a/b/c",
                     "/v1/nat-rules/exit/ping", "/v1/tunnels/none", "/v1/tunnels/none/stats"):
            with self.subTest(path):
                self.problem(self.agent.get(path), 404, "not-found")

    def test_what_a_path_was_to_name_is_suggested(self):
        for path, meant in (("/v1/tunels", "tunnels"), ("/v1/exitroutes/a", "exit-routes"),
                            ("/tunnels", "tunnels"), ("/v1/hazard", "hazards"),
                            ("/v1/tunnels/a/b", None), ("/v1/zebra", None), ("/", None),
                            ("/v1", None)):
            with self.subTest(path):
                answer = self.agent.get(path)
                self.problem(answer, 404, "not-found")
                self.assertEqual(answer.body["detail"].partition("; ")[2],
                                 f"did you mean /v1/{meant}?" if meant else "")

    def test_query_parameters(self):
        for path in ("tunnels?limt=1", "tunnels?limit=0", "tunnels?limit=1001", "tunnels?limit=x",
                     "tunnels?limit=1&limit=2", "tunnels?state=good", "tunnels?label=a",
                     "tunnels/tun_a?wait=1", "status?a", "host/route?to=1.2.3", "host/route"):
            with self.subTest(path):
                self.problem(self.agent.get("/v1/" + path), 400, "bad-request")
        for count in (900, 1000, 7000):
            path = "/v1/status?" + "&".join(["a"] * count)
            self.problem(self.agent.get(path), 400, "bad-request")
            self.problem(self.agent.put(path, {}), 405, "method-not-allowed")
        for query in ("wait=61", "wait=-1", "wait=1.5", "dry_run=1", "prune=true"):
            with self.subTest(query):
                answer = self.agent.put("/v1/tunnels/tun_a?" + query, TUNNEL)
                self.problem(answer, 400, "bad-request")
        for query, allowed in (
            ("tunnels?limit=1001", "a whole number from 1 to 1000, not \"1001\""),
            ("tunnels?state=good", '"disabled" or "deleting"'), ("tunnels?label=a", "key=value"),
            ("readyz?verbose=1", "true or false"),
            ("host/route?to=0.0.0.0", "IPv4 address a.b.c.d"),
            ("host/route?to=1.2.3.4&in=" + "x" * 16, "an interface name of 1 to 15 characters"),
        ):
            with self.subTest(query):
                path = query if query.startswith("readyz") else "v1/" + query
                answer = self.problem(self.agent.get("/" + path), 400, "bad-request")
                self.assertIn(allowed, answer.body["detail"])
        self.assertIn('did you mean "limit"', self.agent.get("/v1/tunnels?limt=1").text
                      .replace("\\", ""))

    def test_a_body_where_none_belongs(self):
        self.problem(self.agent.ask("GET", "/v1/status", {}), 400, "bad-request")
        self.problem(self.agent.ask("DELETE", "/v1/tunnels/tun_a", {}), 400, "bad-request")

    def test_headers_have_a_limit(self):
        for path, headers in (("/v1/status", {"X": "a" * 20000}), ("/v1/" + "a" * 20000, {})):
            with self.subTest(path[:20]):
                self.problem(self.agent.get(path, **headers), 431, "headers-too-large")

    def test_bodies_have_a_limit(self):
        patch = json.dumps({"comment": "x" * (64 << 10)})
        self.problem(self.agent.patch("/v1/tunnels/tun_a", patch), 413, "body-too-large")
        put = json.dumps({"comment": "x" * (8 << 20)})
        self.problem(self.agent.put("/v1/tunnels/tun_a", put), 413, "body-too-large")

    def test_what_is_used_twice(self):
        put = self.agent.put
        put("/v1/exit-routes/qq", EXIT)
        put("/v1/nat-rules/exit", NAT)
        self.problem(put("/v1/tunnels/tun_b", TUNNEL), 409, "endpoints-in-use")
        body = {**TUNNEL, "remote": "172.16.1.63", "device": "tun_a"}
        self.problem(put("/v1/tunnels/tun_b", body), 409, "interface-name-taken", "/device")
        self.problem(put("/v1/exit-routes/qr", EXIT), 409, "destination-in-use",
                     "/destinations/0")
        self.problem(put("/v1/nat-rules/e2", {**NAT, "action": "none"}), 409, "sources-overlap",
                     "/sources")

    def test_what_others_need_cannot_go(self):
        self.agent.put("/v1/exit-routes/qq", EXIT)
        answer = self.problem(self.agent.delete("/v1/tunnels/tun_a"), 409, "resource-in-use")
        self.assertIn("qq", answer.body["detail"])
        answer = self.agent.put("/v1/tunnels/tun_a", {**TUNNEL, "addresses": []})
        self.problem(answer, 409, "resource-in-use")
        self.ok(self.agent.get("/v1/tunnels/tun_a"))

    def test_a_route_without_any_source(self):
        self.agent.put("/v1/tunnels/bare", {"remote": "172.16.1.70"})
        self.problem(self.agent.put("/v1/exit-routes/q", {**EXIT, "tunnel": "bare"}), 422,
                     "source-required")

    def test_generation_of_what_is_not_there(self):
        self.problem(self.agent.put("/v1/tunnels/tun_z", {"remote": "10.0.0.9", "generation": 1}),
                     409, "generation-mismatch", "/generation")

    def test_patch_result_is_checked_as_a_whole(self):
        patch = self.agent.patch
        self.problem(patch("/v1/tunnels/tun_a", {"remote": None}), 422, INVALID, "/remote")
        self.problem(patch("/v1/tunnels/tun_a", {"mtu": 5}), 422, INVALID, "/mtu")
        self.problem(patch("/v1/tunnels/tun_a", []), 422, INVALID)
        self.problem(patch("/v1/tunnels/none", {}), 404, "not-found")
        answer = patch("/v1/tunnels/tun_a", {"adresses": None, "x/y": None, "z": 1, "uid": None})
        self.problem(answer, 422, UNKNOWN)
        self.assertEqual(sorted(answer.pointers), ["/adresses", "/x~1y", "/z"])
        self.assertIn('did you mean "addresses"', answer.body["detail"])
        self.ok(patch("/v1/tunnels/tun_a", {"comment": None, "labels": {"none": None}}))
        self.problem(patch("/v1/tunnels/tun_a", {"name": "b"}), 422, INVALID, "/name")

    def test_a_refusal_is_logged_once_with_its_id(self):
        answer = self.agent.get("/v1/tunnels/none")
        lines = [line for line in self.agent.log.splitlines() if answer.body["request_id"] in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("404 not-found", lines[0])

    def test_a_write_is_logged_with_its_caller(self):
        self.assertRegex(self.agent.log, r'request \S+: tunnel "tun_a" created by uid \d+')


if __name__ == "__main__":
    api.main()
