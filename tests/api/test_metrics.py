#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What /metrics says is what was done, in the format of Prometheus."""

import http.client
import os
import pathlib
import socket
import subprocess
import time

import api
import network
from api import EXIT, NAT, TUNNEL
from metrics import ROOT, MetricsTest, Scrape
from network import ADMIN, READ

IPIPD = pathlib.Path(api.BIN).with_name("ipipd")


class Metrics(MetricsTest):
    def test_every_family_has_help_type_and_a_name_by_the_rules(self):
        self.three()
        text = self.agent.get("/metrics").text
        helps = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP ")]
        types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
        self.assertEqual(helps, types)
        self.assertEqual(len(helps), len(set(helps)))
        scrape = self.scrape()
        sampled = {f.name for f in scrape.families if f.samples}
        self.assertEqual({f.name for f in scrape.families} - sampled,
                         {"ipipd_tls_certificate_expiry_timestamp_seconds"})  # there is no TLS
        for family in scrape.families:
            self.assertTrue(family.name.startswith(("ipipd_", "process_")), family.name)
            self.assertIn(family.type, ("counter", "gauge", "histogram"))

    def test_the_docs_name_every_metric(self):
        table = subprocess.run([IPIPD, "--print", "metrics"], text=True, stdout=subprocess.PIPE,
                               check=True).stdout
        self.assertIn(table, (ROOT / "README.md").read_text(), "ipipd --print metrics has it")
        self.three()
        text = self.agent.get("/metrics").text
        names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
        self.assertGreater(len(names), 30)
        for name in names:
            self.assertIn(f"| `{name}` |", table)

    def test_build_and_ready(self):
        version = self.agent.get("/v1/host").body["version"]
        scrape = self.scrape()
        self.assertEqual(scrape("ipipd_build_info", version=version), 1)
        self.assertEqual(scrape("ipipd_ready"), 1)
        self.agent.kernel("refuse-observe EIO")
        self.problem(self.agent.post("/v1/reconcile"), 503, "not-ready")
        self.assertEqual(self.scrape()("ipipd_ready"), 0)

    def test_resources_by_state(self):
        self.three()
        self.ok(self.agent.put("/v1/tunnels/off?wait=5", {
            **TUNNEL, "remote": "172.16.1.63", "addresses": [], "enabled": False}), 201)
        self.agent.kernel("foreign-link theirs ipip 172.16.16.22 172.16.1.64")
        self.ok(self.agent.put("/v1/tunnels/theirs?wait=5", {
            **TUNNEL, "remote": "172.16.1.65", "addresses": []}), 201)
        status = self.agent.get("/v1/status").body["resources"]
        scrape = self.scrape()
        for path, kind in (("tunnels", "tunnel"), ("exit-routes", "exit-route"),
                           ("nat-rules", "nat-rule")):
            for state, n in status[path].items():
                self.assertEqual(scrape("ipipd_resources", kind=kind, state=state), n)
        self.assertEqual(scrape("ipipd_resources", kind="tunnel", state="ready"), 1)
        self.assertEqual(scrape("ipipd_resources", kind="tunnel", state="disabled"), 1)
        self.assertEqual(scrape("ipipd_resources", kind="tunnel", state="conflict"), 1)

    def test_passes_operations_and_failures(self):
        self.ok(self.agent.post("/v1/reconcile"))
        before = self.scrape()
        self.assertEqual(before("ipipd_passes_total", trigger="start"), 1)
        self.assertEqual(before("ipipd_passes_total", trigger="request"), 1)
        self.assertEqual(before.total("ipipd_kernel_operations_total"), 0)
        started = time.time()
        self.three()
        self.ok(self.agent.post("/v1/reconcile"))
        scrape = self.scrape()
        number = self.agent.get("/v1/status").body["last_pass"]["number"]
        self.assertEqual(scrape.total("ipipd_passes_total"), number)
        self.assertEqual(scrape("ipipd_pass_duration_seconds_count"), number)
        self.assertEqual(scrape("ipipd_pass_duration_seconds_bucket", le="+Inf"), number)
        self.assertGreater(scrape("ipipd_pass_duration_seconds_sum"), 0)
        self.assertEqual(scrape("ipipd_passes_total", trigger="write"), 3)
        self.assertEqual(scrape("ipipd_pass_failures_total"), 0)
        success = scrape("ipipd_pass_last_success_timestamp_seconds")
        self.assertTrue(started - 1 < success < time.time() + 1, success)
        made = scrape.labelled("ipipd_kernel_operations_total")
        for kind, verb, n in (("link", "add", 1), ("address", "add", 1), ("route", "add", 1),
                              ("nft-table", "add", 1), ("sysctl", "change", 2)):
            self.assertEqual(made[("kind", kind), ("verb", verb)], n)
        self.assertEqual(scrape.labelled("ipipd_kernel_operation_failures_total"), {})
        self.assertEqual(scrape.labelled("ipipd_drift_repaired_total"), {})

    def test_what_the_kernel_refuses_is_a_failure(self):
        self.ok(self.agent.post("/v1/reconcile"))
        self.agent.kernel("fail route add * EPERM not today")
        self.three_but_route()
        self.agent.kernel("")
        self.agent.until("/v1/exit-routes/qq", lambda a: a.state == "ready")
        self.ok(self.agent.post("/v1/reconcile"))
        scrape = self.scrape()
        refused = scrape("ipipd_kernel_operation_failures_total", kind="route", verb="add")
        self.assertGreaterEqual(refused, 1)
        self.assertEqual(scrape("ipipd_kernel_operations_total", kind="route", verb="add"),
                         refused + 1)
        self.assertEqual(scrape.total("ipipd_kernel_operation_failures_total"), refused)
        # the first was met by a pass over a few objects, which only calls for one over all
        self.assertIn(scrape("ipipd_pass_failures_total"), range(1, int(refused)))
        self.assertEqual(scrape("ipipd_passes_total", trigger="verify"), 1)

    def three_but_route(self):
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL), 201)
        self.ok(self.agent.put("/v1/exit-routes/qq", EXIT), 201)
        self.agent.until("/v1/exit-routes/qq", lambda a: a.state == "failed")

    def test_a_batch_that_fails_has_one_culprit(self):
        self.agent.kernel("fail nft-set add out_* EPERM")
        answer = self.ok(self.agent.put("/v1/nat-rules/exit?wait=10", NAT), 201)
        self.assertEqual(answer.state, "failed")
        scrape = self.scrape()
        failed = scrape.labelled("ipipd_kernel_operation_failures_total")
        self.assertEqual(list(failed), [(("kind", "nft-set"), ("verb", "add"))])
        self.assertEqual(scrape("ipipd_kernel_operations_total", kind="nft-table", verb="add"), 0)

    def test_a_kernel_that_cannot_be_read_fails_the_pass(self):
        self.three()
        before = self.scrape()
        self.agent.kernel("refuse-observe EINTR")
        self.problem(self.agent.post("/v1/reconcile"), 503, "not-ready")
        scrape = self.scrape()
        self.assertGreater(scrape("ipipd_pass_failures_total"),
                           before("ipipd_pass_failures_total"))
        self.assertEqual(scrape("ipipd_pass_last_success_timestamp_seconds"),
                         before("ipipd_pass_last_success_timestamp_seconds"))

    def test_repaired_drift_by_kind(self):
        self.three()
        self.settle()
        self.settle("delete route 180.163.26.39/32 table 7000", "delete rule 9999",
                    "sysctl eth0 forwarding 0")
        self.settle("link tun_a ttl 3")
        scrape = self.scrape()
        repaired = {labels[0][1]: n for labels, n in
                    scrape.labelled("ipipd_drift_repaired_total").items()}
        self.assertEqual(repaired, {"route": 1, "rule": 1, "sysctl": 1, "link": 1})
        self.assertEqual(sum(repaired.values()),
                         self.agent.get("/v1/status").body["drift_repaired"])

    def test_orphans_and_overruns(self):
        self.assertEqual(self.scrape()("ipipd_netlink_overruns_total"), 0)
        for i in range(1, 3):
            self.agent.kernel("overrun", f"# {i}")
            self.agent.until("/metrics", lambda a: Scrape(a.text)(
                "ipipd_netlink_overruns_total") == i)
        self.three()
        self.agent.stop()
        self.agent.db.unlink()
        self.agent.start()
        self.settle()
        orphans = self.agent.get("/v1/status").body["orphans"]
        self.assertGreater(len(orphans), 0)
        self.assertEqual(self.scrape()("ipipd_orphans"), len(orphans))

    def test_hazards_by_name_and_severity(self):
        def count():
            return self.scrape()("ipipd_hazards", hazard="FallbackDeviceUp", severity="warning")
        self.assertEqual(count(), 0)
        self.agent.kernel("link tunl0 driver ipip up")
        self.agent.until("/v1/hazards", lambda answer: answer.body["hazards_total"] == 1)
        self.assertEqual(count(), 1)
        self.assertEqual(self.scrape()("ipipd_hazards", hazard="ForwardDrop",
                                       severity="critical"), 0)


class Http(MetricsTest):
    def requests(self, scrape):
        return {tuple(dict(labels)[k] for k in ("route", "method", "code")): n
                for labels, n in scrape.labelled("ipipd_http_requests_total").items()}

    def test_requests_by_route_method_and_code(self):
        self.scrape()
        self.three()
        for _ in range(3):
            self.agent.get("/v1/tunnels/none")
        self.agent.get("/v1/tunnels")
        self.agent.get("/v1/nat-rules")
        self.agent.ask("HEAD", "/v1/tunnels/tun_a")
        self.agent.put("/v1/tunnels/tun_a", {"remote": 1})
        self.agent.post("/v1/status")
        for i in range(50):
            self.agent.get(f"/nothing/{i}")
            self.agent.ask(f"BREW{i}", "/v1/status")
        self.agent.get("/v1/status?what=1")
        self.agent.delete("/v1/exit-routes/qq")
        scrape = self.scrape()
        self.assertEqual(self.requests(scrape), {
            ("/metrics", "GET", "200"): 1,
            ("/v1/{kind}/{name}", "PUT", "201"): 3,
            ("/v1/{kind}/{name}", "PUT", "422"): 1,
            ("/v1/{kind}/{name}", "GET", "404"): 3,
            ("/v1/{kind}/{name}", "HEAD", "200"): 1,
            ("/v1/{kind}/{name}", "DELETE", "204"): 1,
            ("/v1/{kind}", "GET", "200"): 2,
            ("/v1/status", "POST", "405"): 1,
            ("/v1/status", "GET", "400"): 1,
            ("/v1/status", "other", "405"): 50,
            ("other", "GET", "404"): 50,
        })
        for route in ("/v1/{kind}/{name}", "/v1/status", "other"):
            n = sum(n for (r, _, _), n in self.requests(scrape).items() if r == route)
            self.assertEqual(scrape("ipipd_http_request_duration_seconds_count", route=route), n)
            self.assertEqual(scrape("ipipd_http_request_duration_seconds_bucket", route=route,
                                    le="+Inf"), n)

    def test_a_request_that_waits_takes_its_time(self):
        self.agent.kernel("fail link add * EPERM")
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=5", TUNNEL), 201)
        self.agent.put("/v1/exit-routes/qq?wait=1", {**EXIT})
        scrape = self.scrape()
        route = "/v1/{kind}/{name}"
        self.assertGreater(scrape("ipipd_http_request_duration_seconds_sum", route=route), 1)
        self.assertEqual(scrape("ipipd_http_request_duration_seconds_bucket", route=route,
                                le="0.5"), 1)
        self.assertEqual(scrape("ipipd_http_request_duration_seconds_count", route=route), 2)

    def test_what_is_refused_before_the_api_counts(self):
        for raw, route, method, code in (
                (b"GET /v1/status HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "/v1/status", "GET",
                 "400"),
                (b"PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
                 "/v1/config", "PUT", "413"),
                (b"GET /v1/a%00b HTTP/1.1\r\nHost: x\r\n\r\n", "other", "GET", "400"),
                (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 17000 + b"\r\n\r\n", "/livez",
                 "GET", "431")):
            with self.subTest(raw[:30]):
                connection = api.Connection(self.agent.socket)
                connection.connect()
                connection.sock.sendall(raw)
                response = http.client.HTTPResponse(connection.sock)
                response.begin()
                self.assertEqual(str(response.status), code)
                connection.close()
                self.assertEqual(self.requests(self.scrape())[route, method, code], 1)

    def test_cardinality_is_bounded(self):
        for i in range(300):
            self.agent.ask(f"M{i}", f"/a{i}")
            self.agent.get(f"/v1/tunnels/x{i}")
        before = len(self.scrape().samples)
        for i in range(300):
            self.agent.ask(f"N{i}", f"/b{i}")
            self.agent.get(f"/v1/tunnels/y{i}")
        self.assertEqual(len(self.scrape().samples), before + 17 + 1 + 1)  # its own


class Host(MetricsTest):
    def test_the_database(self):
        size = self.scrape()("ipipd_database_size_bytes")
        files = [self.agent.db, self.agent.db.with_name(self.agent.db.name + "-wal")]
        self.assertEqual(size, sum(f.stat().st_size for f in files))
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=5", {**TUNNEL, "comment": "x" * 1000}), 201)
        self.assertGreater(self.scrape()("ipipd_database_size_bytes"), size)
        self.assertEqual(self.scrape()("ipipd_database_write_failures_total"), 0)

    def test_writes_that_fail(self):
        self.with_failpoint("store.commit:1-3=EIO")
        for _ in range(2):
            self.problem(self.agent.put("/v1/tunnels/tun_a", TUNNEL), 503,
                         "database-unavailable")
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=5", TUNNEL), 201)
        self.assertEqual(self.scrape()("ipipd_database_write_failures_total"),
                         3)  # that it started is written, too

    def test_connections_and_followers(self):
        one = api.Connection(self.agent.socket)
        self.addCleanup(one.close)
        one.request("GET", "/livez")
        one.getresponse().read()
        follower = api.Connection(self.agent.socket)
        self.addCleanup(follower.close)
        follower.request("GET", "/v1/events")
        follower.getresponse()
        scrape = self.scrape()
        connections = {labels[0][1]: n for labels, n in
                       scrape.labelled("ipipd_http_connections").items()}
        self.assertEqual(connections, {"unix": 3})  # with its own
        self.assertEqual(scrape("ipipd_http_connections", listener="tcp"), 0)
        self.assertEqual(scrape("ipipd_event_followers"), 1)
        self.assertEqual(scrape("ipipd_contested_objects"), 0)
        follower.close()
        self.agent.until("/metrics", lambda a: Scrape(a.text)("ipipd_event_followers") == 0)

    def test_the_process(self):
        pid = self.agent.process.pid
        scrape = self.scrape()
        self.assertEqual(scrape("process_max_fds"), int(
            next(line for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
                 if line.startswith("Max open files")).split()[3]))
        self.assertLess(abs(scrape("process_open_fds") - len(os.listdir(f"/proc/{pid}/fd"))), 3)
        resident = 4096 * int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
        self.assertLess(abs(scrape("process_resident_memory_bytes") - resident), resident / 4)
        self.assertLess(abs(scrape("process_start_time_seconds") - time.time()), 60)
        self.assertGreater(scrape("process_cpu_seconds_total"), 0)
        self.assertEqual(self.scrape()("process_start_time_seconds"),
                         scrape("process_start_time_seconds"))


class Callers(MetricsTest):
    def setUp(self):
        self.agent = network.Agent()
        self.addCleanup(self.agent.clean)
        self.agent.start()

    def test_the_certificate_and_connections(self):
        self.agent.stop()
        self.agent.with_tls(network.Authority(self.agent.directory / "ca"))
        self.agent.start()
        scrape = self.scrape()
        ends = scrape("ipipd_tls_certificate_expiry_timestamp_seconds") - time.time()
        self.assertLess(abs(ends - 30 * 86400), 60)
        with socket.create_connection(("127.0.0.1", self.agent.ports()[-1])):
            self.agent.until("/metrics", lambda a: Scrape(a.text)(
                "ipipd_http_connections", listener="tcp") == 1)

    def test_a_reader_may_and_a_stranger_may_not(self):
        self.assertEqual(self.agent.over_tcp("GET", "/metrics", READ).status, 200)
        self.assertEqual(self.agent.over_tcp("GET", "/metrics", ADMIN).status, 200)
        self.problem(self.agent.over_tcp("GET", "/metrics"), 401, "unauthenticated")
        self.problem(self.agent.over_tcp("POST", "/metrics", READ), 405, "method-not-allowed")
        self.problem(self.agent.over_tcp("GET", "/metrics?name=x", READ), 400, "bad-request")
        requests = Scrape(self.agent.over_tcp("GET", "/metrics", READ).text).labelled(
            "ipipd_http_requests_total")
        self.assertEqual(requests[("code", "401"), ("method", "GET"), ("route", "/metrics")], 1)
        self.assertEqual(requests[("code", "200"), ("method", "GET"), ("route", "/metrics")], 2)


if __name__ == "__main__":
    api.main()
