#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""GET /v1/why over the fake kernel: parameters, roles, and what each end says of its part."""

import json
import socket
import statistics
import time

import api
import network
from api import EXIT, NAT, TUNNEL
from test_cli_tls import run

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
        self.assertEqual(check["evidence"], "exit-route qq is disabled")

    def test_to_this_host(self):
        self.broken("/v1/why?to=172.16.16.22", "route")

    def test_without_probes_it_is_answered_at_once(self):
        self.three()
        took = []
        for _ in range(15):
            began = time.monotonic()
            body, _ = self.why(NEAR)
            took.append(max(body["took_ms"] / 1000, time.monotonic() - began))
        self.assertLess(statistics.median(took), 0.02)


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


# What a trace sees of a path that is whole: layer, hook, in the order of the packet.
OUT = ("out outer prerouting", "out outer input", "out inner prerouting", "out inner forward",
       "out inner postrouting")
BACK = ("back inner prerouting", "back inner forward", "back inner postrouting",
        "back outer output", "back outer postrouting")
PROBED = FAR + "&local=172.16.16.22&id=4711&probe=true"


def seen(*places, count=3):
    return [f"seen {place} {edge} {count}" for place in places for edge in ("first", "last")]


class FarProbed(WhyTest):
    """What the trace sees, the script says: no packet moves here."""

    def setUp(self):
        super().setUp()
        Far.three(self)

    def test_a_path_that_is_whole(self):
        self.agent.kernel(*seen(*OUT, *BACK), "device out inner left eth0",
                          "device out outer came wan0", "device back outer left wan1",
                          "flow 172.16.16.22 180.163.26.39 replied")
        began = time.monotonic()
        body, checks = self.why(PROBED)
        self.assertLess(time.monotonic() - began, 0.7)
        self.assertEqual(body["verdict"], "ok", body)
        self.assertEqual([check["check"] for check in body["checks"]],
                         ["arrival", "tunnel", "decapsulation", "input", "rp_filter", "forward",
                          "nat", "leave", "reply", "return", "reply-forward", "reply-send", "mtu"])
        self.assertEqual(checks["nat"]["evidence"], "10.7.0.1 becomes 172.16.16.22 of eth0")
        self.assertEqual(checks["arrival"]["evidence"],
                         "protocol 4 from 172.16.1.62 on wan0: 3 of 3 probes")
        self.assertEqual(checks["reply-send"]["evidence"],
                         "3 replies left by wan1 as protocol 4 to 172.16.1.62")
        self.assertNotIn("trace", self.agent.objects())

    def test_nothing_arrives(self):
        began = time.monotonic()
        self.broken(PROBED, "arrival")
        self.assertLess(time.monotonic() - began, 3)

    def test_it_ends_when_no_more_is_sent(self):
        sent = FAR + "&local=172.16.16.22&sent=true"
        took = []
        for wrong, right in ((f"{sent}&id=4712", f"{sent}&id=4711"),) * 3:
            connection, response = self.begin()
            began = time.monotonic()
            for query in (wrong, sent.replace("to=180.163.26.39", "to=180.163.26.40") + "&id=4711"):
                self.ok(self.agent.get(query), 204)
                self.assertIn("trace", self.agent.objects())
            self.ok(self.agent.get(right), 204)
            body = json.loads(response.read())
            took.append(time.monotonic() - began)
            self.assertEqual([check["check"] for check in body["checks"]
                              if check["verdict"] == "broken"], ["arrival"])
            self.assertNotIn("trace", self.agent.objects())
            self.ok(self.agent.get(right), 204)  # too late, which is no harm
        self.assertLess(min(took), 0.4)

    def test_what_still_moves_when_no_more_is_sent_is_not_lost(self):
        connection, response = self.begin()
        self.agent.kernel("seen out outer prerouting first 1", "next",
                          *seen(*OUT[:3]), "next", *seen(*OUT), "next",
                          *seen(*BACK), "flow 172.16.16.22 180.163.26.39 replied")
        self.ok(self.agent.get(FAR + "&local=172.16.16.22&id=4711&sent=true"), 204)
        body = json.loads(response.read())
        self.assertEqual(body["verdict"], "ok", body)

    def test_who_is_slow_to_send_is_waited_for_until_he_tells(self):
        connection, response = self.begin()
        time.sleep(1.2)
        self.agent.kernel(*seen(*OUT), "seen out outer prerouting first 1", "next",
                          *seen(*OUT, *BACK), "flow 172.16.16.22 180.163.26.39 replied")
        self.ok(self.agent.get(FAR + "&local=172.16.16.22&id=4711&sent=true"), 204)
        body = json.loads(response.read())
        self.assertEqual(body["verdict"], "ok", body)

    def test_where_only_some_of_the_probes_came_the_rest_is_waited_for(self):
        """A starved host: one is there, and nothing moves for a while."""
        connection, response = self.begin()
        self.agent.kernel(*["seen out outer prerouting first 1", "next"] * 10,
                          *seen(*OUT, *BACK), "flow 172.16.16.22 180.163.26.39 replied")
        self.ok(self.agent.get(FAR + "&local=172.16.16.22&id=4711&sent=true"), 204)
        body = json.loads(response.read())
        self.assertEqual(body["verdict"], "ok", body)

    def test_what_never_stands_still_ends_as_well(self):
        connection, response = self.begin()
        began = time.monotonic()
        steps = 1000
        self.agent.kernel(*(f"seen out outer prerouting first {n}\nnext" for n in range(steps)))
        self.ok(self.agent.get(FAR + "&local=172.16.16.22&id=4711&sent=true"), 204)
        response.read()
        self.assertLess(time.monotonic() - began, steps * 0.01)

    def test_a_foreign_chain_drops(self):
        self.agent.kernel(*seen(*OUT[:3]), "seen out inner forward first 3",
                          "drop out inner forward ip filter FORWARD 7")
        check = self.broken(PROBED, "forward")
        self.assertEqual((check["object"], check["fix"]), (
            "nft ip filter FORWARD",
            "nft 'insert rule ip filter FORWARD iifname \"tun_b\" accept; "
            "insert rule ip filter FORWARD oifname \"tun_b\" accept'"))

    def test_a_chain_with_a_name_of_its_own_kind_is_in_no_command(self):
        self.agent.kernel(*seen(*OUT[:3]), "seen out inner forward first 3",
                          "drop out inner forward ip filter $(reboot) 7")
        self.assertIsNone(self.broken(PROBED, "forward")["fix"])

    def test_a_name_that_is_no_text_is_told_as_far_as_it_is_one(self):
        self.agent.kernel(*seen(*OUT[:3]), "seen out inner forward first 3",
                          "drop out inner forward ip filter F\udcffW\udcc3 7")
        check = self.broken(PROBED, "forward")
        self.assertEqual((check["object"], check["fix"]), ("nft ip filter F?W?", None))

    def test_the_destination_does_not_answer(self):
        self.agent.kernel(*seen(*OUT), "device out inner left eth0",
                          "flow 172.16.16.22 180.163.26.39")
        self.broken(PROBED, "reply")

    def test_no_answer_of_udp_says_nothing(self):
        self.agent.kernel(*seen(*OUT), "device out inner left eth0",
                          "flow 172.16.16.22 180.163.26.39")
        self.assertEqual(self.why(PROBED + "&protocol=udp")[0]["verdict"], "unknown")

    def test_no_trace_can_be_opened(self):
        self.agent.kernel("refuse-trace EPERM")
        body, checks = self.why(PROBED)
        self.assertEqual(body["verdict"], "unknown")
        self.assertIn("Operation not permitted", checks["arrival"]["evidence"])

    def test_a_trace_that_cannot_be_closed_is_swept_later(self):
        whole = seen(*OUT, *BACK), "flow 172.16.16.22 180.163.26.39 replied"
        self.agent.kernel(*whole[0], whole[1], "refuse-trace-close EPERM")
        self.assertEqual(self.why(PROBED)[0]["verdict"], "ok")
        self.assertIn("trace", self.agent.objects())
        self.assertEqual(self.why(PROBED)[0]["verdict"], "ok")
        self.assertEqual(self.agent.log.count("its table stays"), 1)
        self.agent.kernel(*whole[0], whole[1])
        end = time.monotonic() + 5
        while "trace" in self.agent.objects():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def begin(self):
        """A request whose headers, and first byte, are there."""
        connection = api.Connection(self.agent.socket)
        self.addCleanup(connection.close)
        connection.request("GET", PROBED)
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        self.assertEqual(response.read(1), b"\n")
        return connection, response

    def test_the_headers_come_when_it_begins_to_watch(self):
        began = time.monotonic()
        connection, response = self.begin()
        self.assertLess(time.monotonic() - began, 0.4)
        self.assertIn("trace", self.agent.objects())
        self.agent.kernel(*seen(*OUT, *BACK), "flow 172.16.16.22 180.163.26.39 replied")
        body = json.loads(response.read())
        self.assertEqual(body["verdict"], "ok", body)

    def test_one_at_a_time(self):
        connection, response = self.begin()
        answer = self.problem(self.agent.get(PROBED), 429, "too-many-requests")
        self.assertEqual(answer.headers["Retry-After"], "1")
        self.ok(self.agent.get(FAR))
        response.read()
        self.ok(self.agent.get(PROBED))

    def test_a_client_that_goes_away(self):
        connection, response = self.begin()
        response.close()
        connection.close()
        end = time.monotonic() + 5
        while "trace" in self.agent.objects() and time.monotonic() < end:
            time.sleep(0.02)
        self.assertNotIn("trace", self.agent.objects())
        self.ok(self.agent.get(PROBED))

    def test_the_agent_stops_meanwhile(self):
        connection, response = self.begin()
        began = time.monotonic()
        self.assertEqual(self.agent.stop(), 0)
        self.assertLess(time.monotonic() - began, 0.6)
        self.assertNotIn("trace", self.agent.objects())

    def test_not_too_often(self):
        self.agent.kernel(*seen(*OUT, *BACK), "flow 172.16.16.22 180.163.26.39 replied")
        statuses = []
        while 429 not in statuses and len(statuses) < 20:
            statuses.append(self.agent.get(PROBED).status)
        self.assertIn(len(statuses), (11, 12, 13))
        self.assertEqual(self.agent.get(PROBED).headers["Retry-After"], "2")
        self.ok(self.agent.get(FAR))

    def test_a_head_of_it(self):
        self.assertEqual(self.agent.ask("HEAD", PROBED).status, 200)
        self.assertNotIn("trace", self.agent.objects())
        self.ok(self.agent.get(PROBED))


class NearProbed(WhyTest):
    def setUp(self):
        super().setUp()
        self.three()

    def test_a_broken_route_sends_nothing(self):
        self.ok(self.agent.patch("/v1/exit-routes/qq?wait=10", {"enabled": False}))
        self.broken(NEAR + "&probe=true", "route")

    def test_what_cannot_be_sent_is_not_known(self):
        """The fake's addresses are none of this host."""
        body, checks = self.why(NEAR + "&probe=true")
        self.assertEqual(body["verdict"], "unknown")
        self.assertEqual(checks["send"]["verdict"], "unknown")
        self.assertNotIn("trace", self.agent.objects())


class Sends(WhyTest):
    """From 127.0.0.1 to another loopback address: the only probes that leave here arrive here."""

    SENT = "/v1/why?to=127.0.0.9&from=127.0.0.1&probe=true"

    def setUp(self):
        super().setUp()
        self.three()
        self.agent.kernel("route 127.0.0.9/32 dev tun_a")
        self.until("route", "127.0.0.9")
        # a port that is bound, and says nothing: the agent waits for it
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.9", 0))
        self.silent = f"{self.SENT}&protocol=udp&port={silent.getsockname()[1]}"

    def until(self, noun, word="", there=True):
        """The fake kernel has such an object, or none."""
        end = time.monotonic() + 5
        while any(word in line for line in self.agent.objects(noun)) != there:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)


class NearSends(Sends):
    def begin(self):
        """A request that waits for its answer."""
        connection = api.Connection(self.agent.socket)
        self.addCleanup(connection.close)
        connection.request("GET", self.silent)
        self.until("trace")
        return connection

    def test_what_answers_does(self):
        self.agent.kernel(*seen(*(f"{way} {place}" for way, places in (
            ("out", ("inner output", "inner postrouting", "outer output", "outer postrouting")),
            ("back", ("outer prerouting", "outer input", "inner prerouting", "inner input")))
            for place in places)))
        body = self.why(self.SENT)[0]
        reply = next(check for check in body["checks"]
                     if (check["leg"], check["check"]) == ("back", "reply"))
        self.assertEqual((reply["verdict"], reply["evidence"][:17]), ("ok", "3 of 3 answered, "))
        self.assertNotIn("trace", self.agent.objects())

    def test_a_client_that_goes_away(self):
        self.begin().close()
        self.until("trace", there=False)
        self.ok(self.agent.get(self.silent))

    def test_one_at_a_time_and_the_first_is_answered(self):
        connection = self.begin()
        self.problem(self.agent.get(self.silent), 429, "too-many-requests")
        self.assertEqual(json.loads(connection.getresponse().read())["role"], "client")

    def test_the_tunnel_goes_meanwhile(self):
        connection = self.begin()
        for path in ("exit-routes/qq", "tunnels/tun_a"):
            self.ok(self.agent.delete(f"/v1/{path}?wait=10"), 204)
        response = connection.getresponse()
        self.assertEqual((response.status, json.loads(response.read())["verdict"]),
                         (200, "broken"))

    def test_the_agent_stops_meanwhile(self):
        self.begin()
        self.assertEqual(self.agent.stop(), 0)
        self.assertNotIn("trace", self.agent.objects())


class Walk(Sends):
    """`ipipctl why` over two agents, which wait for what never comes."""

    def setUp(self):
        super().setUp()
        self.far = api.Agent("delete addr eth0 172.16.16.22/24", "addr eth0 172.16.1.62/16",
                             "route default dev eth0 via 172.16.16.1",
                             "route 127.0.0.9/32 dev eth0")
        self.addCleanup(self.far.clean)
        self.far.start()
        self.ok(self.far.put("/v1/tunnels/tun_b?wait=10", {
            **PEER, "remote": PEER["local"], "local": PEER["remote"]}), 201)
        self.ok(self.far.put("/v1/nat-rules/exit?wait=10", {**NAT, "sources": ["0.0.0.0/0"]}), 201)
        port = self.silent.rpartition("=")[2]
        self.words = ("why", "127.0.0.9", "--from", "127.0.0.1", "--protocol", "udp", "--port",
                      port, "--peer", f"unix://{self.far.socket}", "-j")

    def walk(self):
        began = time.monotonic()
        done = run(*self.words, IPIPCTL_HOST=f"unix://{self.agent.socket}")
        took = time.monotonic() - began
        self.assertEqual(done.stderr, "")
        walked = json.loads(done.stdout)
        self.assertEqual(walked["notes"], [])
        return took, walked["checks"][(walked["broken_at"] or 1) - 1]["check"]

    def assert_waits(self, check):
        """All waits of a walk together: the quickest of some is what is left without the rest."""
        walks = [self.walk() for _ in range(3)]
        self.assertEqual({check}, {where for _, where in walks})
        self.assertLess(min(took for took, _ in walks), 0.75)

    def test_nothing_arrives(self):
        self.agent.kernel(*seen("out inner output", "out inner postrouting", "out outer output",
                                "out outer postrouting"))
        self.assert_waits("arrival")

    def test_nothing_comes_back(self):
        self.agent.kernel(*seen("out inner output", "out inner postrouting", "out outer output",
                                "out outer postrouting"))
        self.far.kernel(*seen(*OUT[:3]), "seen out inner forward first 3",
                        "drop out inner forward ip filter FORWARD 7")
        self.assert_waits("forward")


class Parameters(WhyTest):
    def test_what_does_not_go_together_is_refused(self):
        for query, word in (("&port=80", "port"), ("&local=172.16.16.22", "local"),
                            ("&peer=172.16.1.62", "from"), ("&protocol=sctp", "protocol"),
                            ("&from=10.7.0.1&peer=172.16.1.62&in=eth0", "in"),
                            ("&id=0", "id"), ("&sent=true&id=1", "sent"), ("&mtu=1400", "mtu"),
                            ("&from=10.7.0.1&peer=172.16.1.62&sent=true", "sent"),
                            ("&from=10.7.0.1&peer=172.16.1.62&sent=true&id=1&probe=true",
                             "sent"), ("&port=65536&protocol=tcp", "port"),
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
