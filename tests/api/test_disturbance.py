#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the property test (tests/property) has found, each made small."""

import concurrent.futures
import json
import signal
import time

import api

# More than a pass carries out in one turn of the loop.
MANY = [f"10.{i // 250 + 1}.{i % 250}.0/24" for i in range(500)]


def tunnel(remote, inner, **more):
    return {"remote": remote, "addresses": [inner], **more}


class Disturbance(api.ApiTest):
    def rest(self, *script):
        if script:
            self.agent.kernel(*script)
        self.ok(self.agent.post("/v1/reconcile"))

    def declare(self, **config):
        self.ok(self.agent.put("/v1/config", {
            member: [{"name": name, **doc} for name, doc in docs.items()]
            for member, docs in config.items()}))
        self.rest()

    def test_what_is_desired_is_made_out_anew_only_when_the_host_changed(self):
        def kept():
            return self.agent.log.count("nothing changed of what the declaration is expanded with")
        self.declare(tunnels={"tun_a": tunnel("172.16.1.62", "10.0.0.1/24")})
        self.rest()
        before = kept()
        self.rest()
        self.assertEqual(kept(), before + 1)
        for change, then in (("link eth0 mtu 1400", "mtu=1380"),
                             ("addr eth0 172.16.16.99/24", "local=172.16.16.22"),
                             ("delete addr eth0 172.16.16.22/24", "local=172.16.16.99"),
                             ("route 172.16.1.62/32 dev eth0 src 172.16.16.7",
                              "local=172.16.16.7")):
            with self.subTest(change):
                self.rest(change)
                self.assertIn(then, self.agent.objects("link tun_a")[0])
                self.rest("")
                before = kept()
                self.rest()
                self.assertEqual(kept(), before + 1)

    def test_a_lost_question_rule_sends_no_tunnel_through_another(self):
        self.rest("delete route default")
        self.declare(tunnels={"near": tunnel("172.16.16.50", "10.0.0.1/24", local="172.16.16.22"),
                              "far": tunnel("172.16.1.1", "10.0.1.1/24")},
                     exit_routes={"all": {"tunnel": "near", "destinations": ["0.0.0.0/0"]}})
        self.assertEqual(self.agent.objects("link far"), [])
        self.rest("delete rule 7005")
        self.assertEqual(self.agent.objects("link far"), [])
        self.assertTrue(self.agent.objects("rule 7005 "))

    def test_a_route_leaves_its_old_tunnel_though_the_new_one_cannot_stand(self):
        self.rest("delete route default")
        route = {"tunnel": "near", "destinations": ["8.8.8.8/32"]}
        self.declare(tunnels={"near": tunnel("172.16.16.50", "10.0.0.1/24", local="172.16.16.22"),
                              "far": tunnel("172.16.1.1", "10.0.1.1/24")},
                     exit_routes={"e": route})
        self.assertTrue(self.agent.objects("route 7000 8.8.8.8/32 "))
        self.ok(self.agent.put("/v1/exit-routes/e", {**route, "tunnel": "far"}))
        self.rest()
        self.assertEqual(self.agent.objects("route 7000 "), [])

    def test_a_route_goes_with_the_tunnel_that_its_source_stands_on(self):
        self.declare(tunnels={"near": tunnel("172.16.1.2", "10.0.0.1/24"),
                              "far": tunnel("172.16.1.3", "10.0.1.1/24")},
                     exit_routes={"e": {"tunnel": "near", "destinations": ["8.8.8.8/32"],
                                        "source": "10.0.1.1"}})
        self.assertTrue(self.agent.objects("rule 9999"))
        self.ok(self.agent.patch("/v1/tunnels/far?wait=5", {"enabled": False}))
        self.agent.until("/v1/exit-routes/e", lambda a: a.reason == "DependencyDisabled", 5)
        self.assertEqual(self.agent.objects("rule 9999"), [])

    def test_a_route_leaves_its_old_source_though_the_new_one_cannot_stand(self):
        self.three()
        self.declare(tunnels={"tun_a": api.TUNNEL,
                              "waits": tunnel("172.16.1.9", "192.168.4.1/24", underlay="dum0",
                                              local="172.16.16.22")},
                     exit_routes={"qq": {**api.EXIT, "source": "192.168.4.1"}})
        self.assertEqual(self.agent.get("/v1/exit-routes/qq").state, "failed")
        self.assertEqual(self.agent.objects("route 180.163.26.39/32"), [])
        self.assertTrue(self.agent.objects("rule 9999"))
        self.rest("link dum0 up")
        self.assertEqual(self.agent.get("/v1/exit-routes/qq").state, "ready")

    def test_a_route_keeps_its_old_source_while_the_new_one_is_only_late(self):
        self.three()
        (old,) = self.agent.objects("route 7000 180.163.26.39/32")
        self.agent.kernel("fail address add waits* ENOMEM")
        self.declare(tunnels={"tun_a": api.TUNNEL,
                              "waits": tunnel("172.16.1.9", "192.168.4.1/24")},
                     exit_routes={"qq": {**api.EXIT, "source": "192.168.4.1"}})
        self.assertEqual(self.agent.get("/v1/exit-routes/qq").state, "failed")
        self.assertEqual(self.agent.objects("route 7000 180.163.26.39/32"), [old])
        self.rest("# nothing fails")
        self.assertEqual(self.agent.get("/v1/exit-routes/qq").state, "ready")
        self.assertNotEqual(self.agent.objects("route 7000 180.163.26.39/32"), [old])

    def test_routes_from_an_address_of_a_device_made_anew_come_back(self):
        near = tunnel("172.16.1.2", "10.0.0.1/24")
        far, other = tunnel("172.16.1.3", "10.0.1.1/24"), tunnel("172.16.1.4", "10.0.2.1/24")
        exits = {"e": {"tunnel": "near", "destinations": ["8.8.8.8/32"], "source": "10.0.1.1"}}
        self.declare(tunnels={"near": near, "far": far, "other": other}, exit_routes=exits)
        (route,) = self.agent.objects("route 7000 ")
        swapped = {"near": near, "far": {**far, "remote": other["remote"]},
                   "other": {**other, "remote": far["remote"]}}
        self.ok(self.agent.put("/v1/config?wait=5", {
            "tunnels": [{"name": name, **doc} for name, doc in swapped.items()],
            "exit_routes": [{"name": name, **doc} for name, doc in exits.items()]}))
        self.assertEqual(self.agent.objects("route 7000 "), [route])

    def test_what_goes_does_not_wait_for_a_link_that_cannot_change(self):
        self.rest("foreign-link theirs ipip 172.16.16.22 172.16.1.3")
        a = tunnel("172.16.1.2", "192.168.1.1/24", local="172.16.16.22")
        self.declare(tunnels={"tun_a": a}, nat_rules={"exit": {**api.NAT,
                                                               "in_interface": "tun_a"}})
        self.assertEqual(self.forwarding(), "1")
        self.declare(tunnels={"tun_a": {**a, "remote": "172.16.1.3"}})
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").state, "conflict")
        self.assertEqual(self.forwarding(), "0")
        self.assertEqual(self.agent.get("/v1/nat-rules/exit").status, 404)

    def stopped_at(self, failpoint):
        """An agent that will stop there, once; and a connection that it knows already."""
        self.with_failpoint(failpoint + "=stop")
        connection = api.Connection(self.agent.socket)
        self.addCleanup(connection.close)
        self.agent.ask("GET", "/v1/status", connection=connection)
        return connection

    def go_on_with(self, connection, *request):
        """What the stopped agent finds when it goes on: that request."""
        self.agent.wait_for_stop()
        connection.request(*request)
        self.agent.process.send_signal(signal.SIGCONT)
        return api.Answer(connection.getresponse())

    def test_what_is_deleted_between_two_rounds_of_the_pass_that_made_it_goes(self):
        self.rest()
        connection = self.stopped_at("added.link")
        self.ok(self.agent.put("/v1/config", {
            "tunnels": [{"name": "brief", **tunnel("172.16.1.2", "10.0.0.1/24")},
                        {"name": "busy", **tunnel("172.16.1.3", "10.0.1.1/24")}],
            "exit_routes": [{"name": "many", "tunnel": "busy", "destinations": MANY}]}))
        answer = self.go_on_with(connection, "DELETE", "/v1/tunnels/brief?wait=10")
        self.ok(answer, 204)
        self.assertEqual([line for line in self.agent.objects() if "brief" in line], [])

    def test_what_is_written_between_two_rounds_of_a_repair_is_no_repair(self):
        exit_route = {"tunnel": "tun_a", "destinations": MANY}
        self.declare(tunnels={"tun_a": api.TUNNEL}, exit_routes={"many": exit_route})
        connection = self.stopped_at("added.route")
        repaired = self.agent.get("/v1/status").body["drift_repaired"]
        self.agent.kernel(*(f"delete route {dst} table 7000" for dst in MANY))
        answer = self.go_on_with(connection, "DELETE", "/v1/exit-routes/many?wait=10")
        self.ok(answer, 204)
        self.assertEqual(self.agent.get("/v1/status").body["drift_repaired"],
                         repaired + len(MANY))

    def test_a_conflict_stays_one_whatever_is_written_while_others_are_repaired(self):
        self.rest("foreign-link other ipip 172.16.16.22 172.16.1.99")
        self.declare(tunnels={"tun_a": api.TUNNEL, "other": tunnel("172.16.1.98", "10.9.9.1/24")},
                     exit_routes={"many": {"tunnel": "tun_a", "destinations": MANY}})
        self.assertEqual(self.agent.get("/v1/tunnels/other").state, "conflict")
        connection = self.stopped_at("added.route")
        self.agent.kernel(*(f"delete route {dst} table 7000" for dst in MANY))
        self.ok(self.go_on_with(connection, "DELETE", "/v1/exit-routes/many?wait=10"), 204)
        self.assertEqual(self.agent.get("/v1/tunnels/other").state, "conflict")

    def test_what_fails_is_logged_once_though_it_was_written_while_a_pass_looked(self):
        self.rest()
        connection = api.Connection(self.agent.socket)
        self.addCleanup(connection.close)
        self.agent.ask("GET", "/v1/status", connection=connection)
        time.sleep(0.2)  # so that the pass begins in the turn that hears of the event
        self.agent.process.send_signal(signal.SIGSTOP)
        self.agent.wait_for_stop()
        self.agent.kernel("fail link add tun_* EPERM not today", "link eth0 mtu 1400")
        answer = self.go_on_with(connection, "PUT", "/v1/tunnels/tun_a?wait=10",
                                 json.dumps(api.TUNNEL), {"Content-Type": "application/json"})
        self.assertEqual(answer.state, "failed", answer)
        self.assertIn("(event): 4 changed", self.agent.log)
        passes = self.agent.get("/v1/status").body["last_pass"]["number"]
        self.agent.until("/v1/status", lambda a: a.body["last_pass"]["number"] > passes + 2)
        lines = [line for line in self.agent.log.splitlines()
                 if line == "<4>link tun_a: add: not today"]
        self.assertEqual(1, len(lines), self.agent.log)

    def test_a_batch_that_lost_a_race_is_tried_again_before_anybody_is_told(self):
        self.with_failpoint("fake.apply:1-3=ERESTART")
        answer = self.ok(self.agent.put("/v1/nat-rules/exit?wait=10", api.NAT), 201)
        self.assertEqual(answer.state, "ready", answer)
        self.assertNotIn("failed", self.agent.log.replace("0 failed", ""))
        self.assertEqual(self.agent.get("/v1/status").body["last_pass"]["failed"], 0)

    def test_a_race_that_is_lost_for_ever_is_a_failure(self):
        self.with_failpoint("fake.apply:1+=ERESTART")
        answer = self.ok(self.agent.put("/v1/nat-rules/exit?wait=10", api.NAT), 201)
        self.assertEqual((answer.state, answer.reason), ("failed", "KernelError"), answer)

    def test_an_exit_route_without_a_table_is_not_called_ready(self):
        self.three()
        self.with_failpoint("store.commit:4-7=EIO")  # after the start's, and the write's
        self.agent.put("/v1/exit-routes/with-from?wait=0", {
            **api.EXIT, "destinations": ["9.9.9.9/32"], "from": ["10.9.0.0/16"]})
        self.agent.until("/v1/exit-routes/with-from", lambda a: a.state == "ready")
        self.assertIn("table numbers could not be kept", self.agent.log)
        self.assertIn("exit-route with-from: pending NotTried: no table could be kept for packets "
                      "from 10.9.0.0/16", self.agent.log)
        self.assertTrue(self.agent.objects("route 7001 9.9.9.9/32 "))

    def test_a_long_pass_lets_others_be_answered_meanwhile(self):
        self.three()
        self.rest("slow-apply 3")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            put = pool.submit(self.agent.put, "/v1/exit-routes/many?wait=10",
                              {"tunnel": "tun_a", "destinations": MANY})
            time.sleep(0.3)
            for _ in range(5):
                begin = time.monotonic()
                self.ok(self.agent.get("/v1/tunnels/tun_a"))
                self.assertLess(time.monotonic() - begin, 0.9)
            self.assertFalse(put.done())  # 500 changes take 1.5 s
            self.assertEqual(self.ok(put.result(), 201).state, "ready")

    def lose_a_race(self, errno, check, *events):
        """Who first puts back what goes is refused; check gets the number of the pass before."""
        self.rest()
        for gone in ("rule 7005", "addr tun_a 192.168.1.1/24",
                     "route 180.163.26.39/32 table 7000"):
            with self.subTest(gone):
                self.agent.kernel()
                self.with_failpoint(f"fake.apply:1={errno}")
                self.rest()
                before = self.agent.get("/v1/status").body["last_pass"]["number"]
                self.agent.kernel(f"delete {gone}", *events)
                check(before)

    def test_what_came_back_since_it_was_looked_at_is_no_failure(self):
        def check(before):
            self.agent.until("/v1/status", lambda a: a.body["last_pass"]["number"] > before)
            self.assertNotIn("failed", self.agent.log.replace(" 0 failed", ""))
        self.three()
        self.lose_a_race("EEXIST", check, "overrun")

    def test_what_was_told_and_is_so_no_more_is_looked_at_again(self):
        def check(_):
            # it is counted when it is repaired, the pass when it is over
            self.agent.until("/v1/status", lambda a: a.body["drift_repaired"] and
                             a.body["last_pass"]["trigger"] != "request")
            last = self.agent.get("/v1/status").body["last_pass"]
            self.assertEqual(last["trigger"], "event", self.agent.log)
        self.three()
        for errno in ("EEXIST", "ENODEV"):
            self.lose_a_race(errno, check)

    def forwarding(self):
        (line,) = self.agent.objects("sysctl tun_a forwarding ")
        return line.rpartition("=")[2]

    def test_a_switch_that_was_found_on_a_device_of_ours_is_kept_on(self):
        self.rest("sysctl ip_forward 1")
        self.three()
        self.assertEqual(self.forwarding(), "1")
        self.rest("sysctl ip_forward 0")
        self.assertEqual(self.forwarding(), "1")

    def test_a_switch_that_was_found_and_is_ours_now_opens_for_nothing_else(self):
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=5", api.TUNNEL), 201)
        self.rest("sysctl tun_a forwarding 1")
        self.ok(self.agent.put("/v1/nat-rules/exit?wait=5", api.NAT), 201)
        self.assertEqual(self.agent.objects("nft-element opened tun_a"), [])
        self.agent.kernel("sysctl tun_a forwarding 0")
        self.agent.until("/v1/status", lambda _: self.agent.objects("nft-element opened tun_a"))

    def test_a_filter_that_was_found_as_declared_can_be_declared_otherwise(self):
        for declared, value in (("off", "0"), ("strict", "1"), ("off", "0")):
            self.declare(tunnels={"tun_a": {**api.TUNNEL, "rp_filter": declared}})
            self.assertEqual(self.agent.objects("sysctl tun_a rp_filter"),
                             [f"sysctl tun_a rp_filter value={value}"])

    def test_a_found_device_made_anew_in_another_form_is_not_used(self):
        self.rest("foreign-link tun_a ipip 172.16.16.22 172.16.1.62")
        self.declare(tunnels={"tun_a": api.TUNNEL})
        self.assertTrue(self.agent.objects("address tun_a 192.168.1.1/24"))
        self.rest("delete link tun_a", "foreign-link tun_a ipip 172.16.16.22 172.16.1.99")
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").state, "conflict")
        self.assertEqual(self.agent.objects("address tun_a"), [])

    def test_a_repaired_switch_goes_back_to_what_was_found_first(self):
        self.declare(tunnels={"tun_a": {**api.TUNNEL, "rp_filter": "off"}})
        self.rest("sysctl tun_a rp_filter 2")
        self.declare(tunnels={"tun_a": api.TUNNEL})
        self.assertEqual(self.agent.objects("sysctl tun_a rp_filter"),
                         ["sysctl tun_a rp_filter value=0"])


if __name__ == "__main__":
    api.main()
