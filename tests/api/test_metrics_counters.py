#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What /metrics counts of tunnels and rules takes nothing back."""

import time

import api
from api import NAT, TUNNEL
from metrics import MetricsTest, Scrape

RX = ("receive_bytes", "receive_packets", "receive_errors", "receive_drops")
TX = ("transmit_bytes", "transmit_packets", "transmit_errors", "transmit_drops")


class Counters(MetricsTest):
    """Of the kernel, over all that makes it count anew."""

    def setUp(self):
        super().setUp()
        self.three()

    def tunnel(self, scrape, names=RX + TX, name="tun_a"):
        return tuple(scrape(f"ipipd_tunnel_{n}_total", tunnel=name) for n in names)

    def rule(self, scrape, direction="out", rule="exit"):
        return tuple(scrape(f"ipipd_nat_rule_{n}_total", rule=rule, direction=direction)
                     for n in ("packets", "bytes"))

    def test_a_tunnel(self):
        scrape = self.scrape()
        self.assertEqual(self.tunnel(scrape), (840, 10, 0, 0, 1680, 20, 0, 0))
        self.assertEqual(scrape("ipipd_tunnel_up", tunnel="tun_a"), 1)
        self.assertEqual(scrape("ipipd_tunnel_mtu_bytes", tunnel="tun_a"), 1480)
        self.settle("traffic link tun_a rx_bytes 1 rx_packets 2 rx_errors 3 rx_dropped 4 "
                    "tx_bytes 5 tx_packets 6 tx_errors 7 tx_dropped 8")
        self.assertEqual(self.tunnel(self.scrape()), (841, 12, 3, 4, 1685, 26, 7, 8))
        stats = self.agent.get("/v1/tunnels/tun_a/stats").body
        self.assertEqual((stats["rx"]["bytes"], stats["tx"]["dropped"]), (841, 8))

    def test_counters_are_whole_numbers_however_great(self):
        for i in range(3):
            self.settle("traffic link tun_a rx_bytes 4000000000", f"# {i}")
        self.assertIn('ipipd_tunnel_receive_bytes_total{tunnel="tun_a"} 12000000840\n',
                      self.scrape().text)

    def test_a_tunnel_without_its_device(self):
        self.agent.kernel("fail link add * EPERM", "delete link tun_a")
        self.agent.until("/v1/tunnels/tun_a", lambda a: a.state == "failed")
        scrape = self.scrape()
        self.assertEqual(scrape("ipipd_tunnel_up", tunnel="tun_a"), 0)
        self.assertIsNone(scrape.get("ipipd_tunnel_mtu_bytes", tunnel="tun_a"))
        self.ok(self.agent.delete("/v1/exit-routes/qq"), 204)
        self.ok(self.agent.delete("/v1/tunnels/tun_a"), 204)
        self.assertIsNone(self.scrape().get("ipipd_tunnel_up", tunnel="tun_a"))

    def test_a_disabled_tunnel_is_not_down(self):
        self.scrape()
        self.ok(self.agent.delete("/v1/exit-routes/qq"), 204)
        self.ok(self.agent.patch("/v1/tunnels/tun_a?wait=5", {"enabled": False}))
        scrape = self.scrape()
        self.assertIsNone(scrape.get("ipipd_tunnel_up", tunnel="tun_a"))
        self.assertEqual(self.tunnel(scrape, ("receive_bytes",)), (840,))
        self.ok(self.agent.patch("/v1/tunnels/tun_a?wait=5", {"enabled": True}))
        self.assertEqual(self.scrape()("ipipd_tunnel_up", tunnel="tun_a"), 1)

    def test_a_link_that_somebody_deletes_loses_nothing(self):
        self.scrape()
        self.settle("traffic link tun_a rx_bytes 1000 tx_errors 5")
        # what it counted since it was read last is told by the event of its end
        self.settle("traffic link tun_a rx_bytes 160", "delete link tun_a")
        scrape = self.scrape()
        self.assertEqual(self.tunnel(scrape, ("receive_bytes", "receive_packets",
                                              "transmit_errors")), (840 + 1160 + 840, 20, 5))
        self.settle("delete link tun_a")
        self.settle("delete link tun_a")
        self.assertEqual(self.tunnel(self.scrape(), ("receive_bytes",)),
                         (840 + 1160 + 3 * 840,))

    def test_a_link_that_the_agent_replaces_loses_nothing(self):
        self.scrape()
        self.settle("traffic link tun_a rx_bytes 1000")
        index = self.agent.objects("link tun_a ")
        self.settle("link tun_a driver sit")  # its driver cannot be changed back in place
        self.assertEqual(self.agent.objects("link tun_a "), index)
        self.assertEqual(self.tunnel(self.scrape(), ("receive_bytes",)), (840 + 1000 + 840,))
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=5", {**TUNNEL, "device": "other"}))
        self.settle()
        self.assertEqual(self.tunnel(self.scrape(), ("receive_bytes",)), (840 + 1000 + 2 * 840,))

    def test_before_the_first_scrape_nothing_is_kept(self):
        self.settle("delete link tun_a")
        self.assertEqual(self.tunnel(self.scrape(), ("receive_bytes",)), (840,))

    def test_a_foreign_device_is_no_tunnel(self):
        self.agent.kernel("foreign-link theirs ipip 172.16.16.22 172.16.1.64")
        self.ok(self.agent.put("/v1/tunnels/theirs?wait=5", {
            **TUNNEL, "remote": "172.16.1.65", "addresses": []}), 201)
        scrape = self.scrape()
        self.assertEqual(scrape("ipipd_tunnel_up", tunnel="theirs"), 0)
        self.assertEqual(self.tunnel(scrape, ("receive_bytes",), "theirs"), (0,))
        self.settle("delete link theirs")
        self.assertEqual(self.tunnel(self.scrape(), ("receive_bytes",), "theirs"), (840,))

    def test_one_that_was_found_equal_is(self):
        self.agent.kernel("foreign-link found ipip 172.16.16.22 172.16.1.64")
        answer = self.agent.put("/v1/tunnels/found?wait=5", {
            **TUNNEL, "remote": "172.16.1.64", "addresses": []})
        self.assertEqual(answer.state, "ready", answer)
        scrape = self.scrape()
        self.assertEqual(scrape("ipipd_tunnel_up", tunnel="found"), 1)
        self.assertEqual(self.tunnel(scrape, ("receive_bytes",), "found"), (840,))
        self.settle("traffic link found rx_bytes 60", "delete link found")
        self.assertEqual(self.tunnel(self.scrape(), ("receive_bytes",), "found"), (1740,))

    def test_a_rule(self):
        scrape = self.scrape()
        self.assertEqual((self.rule(scrape), self.rule(scrape, "in")), ((1, 84), (1, 84)))
        out, prefix = self.element()
        back, _ = self.element("in_")
        self.settle(f"traffic element {out} {prefix} packets 10 bytes 1000",
                    f"traffic element {back} {prefix} packets 5 bytes 500")
        scrape = self.scrape()
        self.assertEqual((self.rule(scrape), self.rule(scrape, "in")), ((11, 1084), (6, 584)))
        stats = self.agent.get("/v1/nat-rules/exit/stats").body
        self.assertEqual(stats, {"out": {"packets": 11, "bytes": 1084},
                                 "in": {"packets": 6, "bytes": 584}})

    def test_a_table_that_is_made_again_takes_nothing_back(self):
        out, prefix = self.element()
        self.settle(f"traffic element {out} {prefix} packets 10 bytes 1000")
        self.assertEqual(self.rule(self.scrape()), (11, 1084))
        self.settle("flush nft")
        self.assertEqual(self.rule(self.scrape()), (12, 1168))
        self.settle(f"traffic element {out} {prefix} packets 5 bytes 50")
        self.assertEqual(self.rule(self.scrape()), (17, 1218))
        self.settle(f"delete element {out} {prefix}")
        self.assertEqual(self.rule(self.scrape()), (18, 1302))

    def test_elements_that_the_agent_takes_away_lose_nothing(self):
        self.ok(self.agent.put("/v1/nat-rules/exit?wait=5", {
            **NAT, "sources": ["192.168.1.0/24", "192.168.3.3/32"]}))
        self.assertEqual(self.rule(self.scrape()), (2, 168))
        out, _ = self.element()
        self.settle(f"traffic element {out}_n 192.168.1.0/24 packets 10 bytes 1000"
                    if not out.endswith("_n") else
                    f"traffic element {out} 192.168.1.0/24 packets 10 bytes 1000")
        self.ok(self.agent.put("/v1/nat-rules/exit?wait=5", {**NAT, "sources":
                                                             ["192.168.3.3/32"]}))
        self.assertEqual(self.rule(self.scrape()), (12, 1168))
        self.ok(self.agent.put("/v1/nat-rules/exit?wait=5", {**NAT, "priority": 7}))
        self.assertEqual(self.rule(self.scrape()), (13, 1252))

    def test_two_rules_of_one_set_have_their_own(self):
        self.ok(self.agent.put("/v1/nat-rules/more?wait=5", {
            **NAT, "sources": ["192.168.9.0/24", "192.168.8.8/32"]}), 201)
        out, prefix = self.element()
        self.settle(f"traffic element {out} 192.168.9.0/24 packets 7 bytes 70"
                    if out.endswith("_n") else f"traffic element {out}_n 192.168.9.0/24 "
                    "packets 7 bytes 70")
        scrape = self.scrape()
        self.assertEqual(self.rule(scrape), (1, 84))
        self.assertEqual(self.rule(scrape, rule="more"), (9, 238))
        self.assertTrue(prefix)

    def test_counters_that_take_long_to_read_are_read_seldom(self):
        self.scrape()
        out, prefix = self.element()
        self.settle("slow-count 120", f"traffic element {out} {prefix} packets 10 bytes 1000")
        stats = "/v1/nat-rules/exit/stats"
        self.assertEqual(self.agent.get(stats).body["out"], {"packets": 11, "bytes": 1084})
        self.settle("slow-count 120", f"traffic element {out} {prefix} packets 5 bytes 500",
                    "traffic link tun_a rx_bytes 1000")
        begin = time.monotonic()
        for _ in range(20):
            self.assertEqual(self.agent.get(stats).body["out"], {"packets": 11, "bytes": 1084})
            scrape = Scrape(self.ok(self.agent.get("/metrics")).text)
            self.assertEqual(self.rule(scrape), (11, 1084))
            # the others are of now
            self.assertEqual(self.tunnel(scrape, ("receive_bytes",)), (1840,))
        self.assertLess(time.monotonic() - begin, 20 * 0.12)
        self.agent.until(stats, lambda a: a.body["out"] == {"packets": 16, "bytes": 1584})
        self.assertEqual(self.rule(self.scrape()), (16, 1584))

    def test_what_cannot_be_read_is_left_out(self):
        self.scrape()
        self.agent.kernel("refuse-count EIO")
        self.settle()
        for i in range(1, 3):
            scrape = self.scrape()
            self.assertEqual(scrape("ipipd_scrape_failures_total"), i)
            self.assertIsNone(scrape.get("ipipd_tunnel_up", tunnel="tun_a"))
            self.assertIsNone(scrape.get("ipipd_nat_rule_bytes_total", rule="exit",
                                         direction="out"))
        self.assertIn("counters could not be read", self.agent.log)
        self.problem(self.agent.get("/v1/nat-rules/exit/stats"), 503, "not-ready")
        self.agent.kernel("")
        self.settle()
        self.assertEqual(self.tunnel(self.scrape(), ("receive_bytes",)), (840,))

    def test_a_restart_begins_anew(self):
        self.scrape()
        self.settle("delete link tun_a")
        first = self.scrape()
        self.assertEqual(self.tunnel(first, ("receive_bytes",)), (1680,))
        self.settle("")  # it is executed again at the start
        self.agent.stop()
        self.agent.start()
        self.agent.until("/readyz", lambda a: a.status == 200)
        scrape = self.scrape()
        self.assertEqual(self.tunnel(scrape, ("receive_bytes",)), (840,))
        self.assertEqual(scrape.total("ipipd_passes_total"), 1)
        self.assertEqual(scrape.total("ipipd_kernel_operations_total"), 0)
        self.assertEqual(scrape.get("ipipd_http_requests_total", route="/v1/{kind}/{name}",
                                    method="PUT", code="201"), None)
        self.assertGreater(scrape("process_start_time_seconds"),
                           first("process_start_time_seconds"))

    def test_a_scrape_changes_nothing(self):
        status = self.agent.get("/v1/status").body
        files = [(self.agent.directory / "kernel" / name).stat().st_mtime_ns
                 for name in ("state", "memory")] + [self.agent.db.stat().st_mtime_ns]
        for _ in range(20):
            self.ok(self.agent.get("/metrics"))
        after = [(self.agent.directory / "kernel" / name).stat().st_mtime_ns
                 for name in ("state", "memory")] + [self.agent.db.stat().st_mtime_ns]
        self.assertEqual(after, files)
        self.assertEqual(self.agent.get("/v1/status").body, status)

    def test_many_tunnels_come_in_pieces_whole(self):
        n = 400
        self.ok(self.agent.put("/v1/config?prune=false", {"tunnels": [
            {"name": f"t{i}", "remote": f"10.9.{i // 250}.{i % 250 + 1}",
             "local": "172.16.16.22"} for i in range(n)]}))
        self.settle()
        scrape = self.scrape()
        self.assertGreater(len(scrape.text), 5 * 32 * 1024)
        for i in range(n):
            self.assertEqual(self.tunnel(scrape, ("receive_bytes",), f"t{i}"), (840,))
        connection = api.Connection(self.agent.socket)
        connection.request("HEAD", "/metrics")
        answer = connection.getresponse()
        length = int(answer.headers["Content-Length"])
        # the request before it is one line more, or a digit
        self.assertLess(abs(length - len(scrape.text)), 2000)
        self.assertEqual(answer.read(), b"")
        connection.close()
        # a reader that goes away in the middle holds nothing back
        for _ in range(20):
            connection = api.Connection(self.agent.socket)
            connection.request("GET", "/metrics")
            connection.getresponse().read(100)
            connection.sock.close()
            connection.close()
        self.agent.until("/metrics", lambda a: a.status == 200)

    def test_slow_readers_are_bounded(self):
        self.ok(self.agent.put("/v1/config?prune=false", {"tunnels": [
            {"name": f"t{i}", "remote": f"10.9.{i // 250}.{i % 250 + 1}",
             "local": "172.16.16.22"} for i in range(1000)]}))
        self.agent.until("/v1/status", lambda a: a.body["resources"]["tunnels"]["ready"] == 1001)
        slow = []
        for _ in range(8):
            connection = api.Connection(self.agent.socket)
            connection.request("GET", "/metrics")
            self.addCleanup(connection.close)
            slow.append(connection)
        answer = self.agent.until("/metrics", lambda a: a.status == 429)
        self.problem(answer, 429, "too-many-requests")
        self.assertEqual(answer.headers["Retry-After"], "1")
        for connection in slow:
            Scrape(connection.getresponse().read().decode())
        self.agent.until("/metrics", lambda a: a.status == 200)


if __name__ == "__main__":
    api.main()
