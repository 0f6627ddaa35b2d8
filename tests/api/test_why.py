#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""GET /v1/why over the fake kernel: parameters, roles, and what each end says of its part."""

import unittest

import api
from api import EXIT, NAT, TUNNEL

PEER = {"remote": "172.16.1.62", "local": "172.16.16.22", "addresses": ["10.7.0.2/24"]}
NEAR = "/v1/why?to=180.163.26.39"
FAR = "/v1/why?to=180.163.26.39&from=10.7.0.1&peer=172.16.1.62"


class WhyTest(api.ApiTest):
    def why(self, path):
        """The answer, and its checks by name (of both legs: the first)."""
        body = self.ok(self.agent.get(path)).body
        checks = {}
        for check in body["checks"]:
            checks.setdefault(check["check"], check)
            self.assertTrue(check["evidence"])
            self.assertLessEqual(len(check["evidence"]), 160)
            self.assertNotIn("\n", check["evidence"] + (check["fix"] or ""))
        return body, checks

    def broken(self, path, name):
        """The check that is broken is that one; it is returned."""
        body, checks = self.why(path)
        self.assertEqual(body["verdict"], "broken", body)
        broken = [check["check"] for check in body["checks"] if check["verdict"] == "broken"]
        self.assertEqual(broken, [name], body)
        return checks[name]


class Near(WhyTest):
    def test_a_path_through_the_tunnel(self):
        self.three()
        body, checks = self.why(NEAR)
        self.assertEqual((body["role"], body["from"], body["tunnel"], body["device"], body["local"],
                          body["remote"], body["protocol"], body["port"], body["probe"]),
                         ("client", "192.168.1.1", "tun_a", "tun_a", "172.16.16.22",
                          "172.16.1.62", "icmp", None, False))
        self.assertEqual([check["verdict"] for check in checks.values()
                          if check["check"] != "neighbour"], ["ok"] * (len(checks)
                          - ("neighbour" in checks)))
        self.assertEqual(checks["route"]["evidence"],
                         "180.163.26.39 dev tun_a src 192.168.1.1 table 7000")
        self.assertEqual(checks["route"]["resource"], "exit-route/qq")

    def test_no_exit_route_covers_it(self):
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL), 201)
        check = self.broken(NEAR, "route")
        self.assertEqual(check["fix"], "ipipctl exit add to-180.163.26.39 --tunnel tun_a "
                                       "--destinations 180.163.26.39/32")

    def test_the_exit_route_is_disabled(self):
        self.three()
        self.ok(self.agent.patch("/v1/exit-routes/qq?wait=10", {"enabled": False}))
        check = self.broken(NEAR, "route")
        self.assertEqual((check["resource"], check["fix"]),
                         ("exit-route/qq", "ipipctl exit set qq --enabled"))

    def test_to_this_host(self):
        self.broken("/v1/why?to=172.16.16.22", "route")


class Far(WhyTest):
    def three(self):
        for path, body in (("tunnels/tun_b", PEER),
                           ("nat-rules/exit", {**NAT, "sources": ["10.7.0.0/24"]})):
            answer = self.ok(self.agent.put(f"/v1/{path}?wait=10", body), 201)
            self.assertEqual(answer.state, "ready", answer)

    def test_a_path_out_and_back(self):
        self.three()
        body, checks = self.why(FAR)
        self.assertEqual((body["role"], body["verdict"], body["tunnel"], body["id"]),
                         ("exit", "ok", "tun_b", None))
        self.assertEqual(checks["nat"]["resource"], "nat-rule/exit")

    def test_forwarding_is_off_without_a_nat_rule(self):
        self.ok(self.agent.put("/v1/tunnels/tun_b?wait=10", PEER), 201)
        check = self.broken(FAR, "input")
        self.assertEqual(check["fix"], "ipipctl nat add exit-tun_b --sources 10.7.0.0/24 "
                                       "--out-interface eth0")

    def test_no_tunnel_of_that_peer(self):
        self.broken(FAR, "tunnel")


class Parameters(WhyTest):
    def test_what_does_not_go_together_is_refused(self):
        for query, word in (("&port=80", "port"), ("&local=172.16.16.22", "local"),
                            ("&peer=172.16.1.62", "from"), ("&protocol=sctp", "protocol"),
                            ("&from=10.7.0.1&peer=172.16.1.62&in=eth0", "in"),
                            ("&id=0", "id"), ("&port=65536&protocol=tcp", "port"),
                            ("&from=10.7.0.1&peer=172.16.1.62&probe=true", "id")):
            with self.subTest(query):
                answer = self.problem(self.agent.get(NEAR + query), 400, "bad-request")
                self.assertIn(f'"{word}"', answer.body["detail"])
        self.problem(self.agent.get("/v1/why"), 400, "bad-request")

    def test_a_port_is_that_of_the_protocol(self):
        for query, port in (("&protocol=tcp", 443), ("&protocol=udp", 53),
                            ("&protocol=tcp&port=80", 80)):
            self.assertEqual(self.why(NEAR + query)[0]["port"], port)


if __name__ == "__main__":
    api.main()
