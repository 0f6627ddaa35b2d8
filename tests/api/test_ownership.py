#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose an object is: after a lost or another database, on a device remade by somebody else."""

import shutil
import time

import api
from api import EXIT, NAT, TUNNEL


def tunnel(name, remote, inner):
    return {"name": name, "local": "172.16.16.22", "remote": remote, "addresses": [inner]}


class Ownership(api.ApiTest):
    def sysctl(self, device, name):
        (line,) = self.agent.objects(f"sysctl {device} {name} ")
        return line.rpartition("=")[2]

    def ready(self, path, body, wait=10):
        answer = self.agent.put(f"{path}?wait={wait}", body)
        self.assertEqual(answer.state, "ready", answer)
        return answer

    def settle(self):
        """Two full passes: what the first one finds, the second one knows."""
        for _ in range(2):
            self.ok(self.agent.post("/v1/reconcile"))

    def lose_database(self):
        self.agent.stop()
        shutil.rmtree(self.agent.db.parent)
        self.agent.start()

    def test_a_failing_op_is_tried_again_with_backoff(self):
        self.agent.kernel("fail link add tun_* EPERM no")
        self.agent.put("/v1/tunnels/tun_a?wait=2", TUNNEL)
        before = self.agent.get("/v1/status").body["last_pass"]["number"]
        time.sleep(2)
        passes = self.agent.get("/v1/status").body["last_pass"]["number"] - before
        self.assertTrue(1 <= passes <= 5, passes)  # 0.2 + 0.4 + 0.8 + 1.6 s

    def test_of_a_foreign_device_nothing_is_told(self):
        for body in ({**TUNNEL, "device": "eth0"},
                     {**TUNNEL, "device": "eth0", "enabled": False}):
            self.agent.put("/v1/tunnels/tun_a?wait=2", body)
            self.problem(self.agent.get("/v1/tunnels/tun_a/stats"), 404, "not-found")
            self.problem(self.agent.post("/v1/tunnels/tun_a/ping", {"target": "192.168.1.2"}),
                         503, "not-ready")
        self.agent.kernel("foreign-link tun_a ipip 172.16.16.22 172.16.1.62")
        self.ready("/v1/tunnels/tun_a", TUNNEL)
        self.ok(self.agent.get("/v1/tunnels/tun_a/stats"))

    def test_addresses_come_to_a_found_device_in_the_same_pass(self):
        self.agent.kernel("foreign-link tun_a ipip 172.16.16.22 172.16.1.62")
        self.agent.until("/v1/status", lambda a: self.agent.objects("link tun_a"))
        self.ready("/v1/tunnels/tun_a", TUNNEL)
        self.assertTrue(self.agent.objects("address tun_a 192.168.1.1/24"))

    def test_what_stands_on_a_link_stays_when_it_loses_its_marks(self):
        self.three()
        self.settle()
        self.agent.stop()
        self.agent.kernel("link tun_a group 7 alias mine")
        self.agent.start()
        self.settle()
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").state, "ready")
        self.assertNotIn(" changed, ", self.agent.log.rpartition(" serves ")[2])

    def test_another_database_with_a_tunnel_of_that_name_deletes_nothing(self):
        self.three()
        self.agent.stop()
        objects = self.agent.objects()
        self.agent.db = self.agent.directory / "other" / "ipipd.db"
        (self.agent.directory / "kernel").rename(self.agent.directory / "real")
        (self.agent.directory / "kernel").mkdir()
        self.agent.kernel(*api.HOST)
        self.agent.start()
        self.ready("/v1/tunnels/tun_a", TUNNEL)
        self.agent.stop()
        shutil.rmtree(self.agent.directory / "kernel")
        (self.agent.directory / "real").rename(self.agent.directory / "kernel")
        self.agent.start()
        self.settle()

        def keys(lines):
            return {tuple(line.split()[:3]) for line in lines}
        self.assertEqual(keys(objects) - keys(self.agent.objects()), set())
        self.assertTrue(self.agent.get("/v1/status").body["orphans"])

    def test_what_is_declared_anew_after_a_loss_lets_traffic_through(self):
        self.three()
        self.lose_database()
        self.ready("/v1/tunnels/tun_a", TUNNEL)
        self.ready("/v1/nat-rules/exit", NAT)
        self.settle()
        (chain,) = self.agent.objects("nft-chain forward")
        self.assertLess(chain.rindex("accept"), chain.index("drop"))
        self.agent.post("/v1/reconcile?orphans=delete")
        self.settle()
        self.assertIn("opened", "".join(self.agent.objects("nft-chain forward")))
        self.assertEqual(self.sysctl("eth0", "forwarding"), "1")
        self.ok(self.agent.put("/v1/config?wait=5", {}))
        self.assertEqual(self.sysctl("eth0", "forwarding"), "0")
        self.assertEqual(self.agent.objects("nft-"), [])

    def test_what_is_declared_again_is_no_orphan_at_once(self):
        for path, body in (("tunnels/tun_a", TUNNEL), ("exit-routes/qq", EXIT)):
            self.ready("/v1/" + path, body)
        self.lose_database()
        self.settle()
        self.assertTrue(self.agent.get("/v1/status").body["orphans"])
        for path, body in (("tunnels/tun_a", TUNNEL), ("exit-routes/qq", EXIT)):
            self.ready("/v1/" + path, body)
        self.assertEqual(self.agent.get("/v1/status").body["orphans"], [])

    def test_orphans_that_are_released_put_forwarding_back(self):
        self.three()
        self.lose_database()
        self.settle()
        self.assertEqual(self.sysctl("eth0", "forwarding"), "1")
        self.agent.post("/v1/reconcile?orphans=delete")
        self.settle()
        self.assertEqual(self.sysctl("eth0", "forwarding"), "0")
        self.assertEqual(self.agent.objects("link tun_a"), [])

    def test_leftovers_of_a_known_database_go_at_the_start(self):
        self.settle()
        self.agent.stop()
        self.agent.kernel("route 198.51.100.0/24 dev eth0 table 7000 protocol 105")
        self.agent.start()
        self.settle()
        self.assertEqual(self.agent.objects("route 7000"), [])
        self.assertEqual(self.agent.get("/v1/status").body["orphans"], [])

    def foreign_device(self):
        self.agent.kernel("delete link tun_a", "link tun_a driver dummy",
                          "addr tun_a 192.168.1.1/24", "sysctl tun_a forwarding 1")

    def assert_foreign_untouched(self):
        self.settle()
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").state, "conflict")
        self.assertTrue(self.agent.objects("address tun_a 192.168.1.1/24"))
        self.assertEqual(self.sysctl("tun_a", "forwarding"), "1")

    def test_a_device_remade_by_another_while_the_agent_is_dead_is_his(self):
        self.three()
        self.agent.kill()
        self.foreign_device()
        self.agent.start()
        self.assert_foreign_untouched()

    def test_a_device_remade_by_another_between_two_looks_is_his(self):
        self.three()
        self.foreign_device()
        self.agent.until("/v1/tunnels/tun_a", lambda a: a.state == "conflict")
        self.assert_foreign_untouched()

    def test_an_uplink_remade_by_another_keeps_his_forwarding(self):
        self.three()
        self.agent.kill()
        self.agent.kernel("delete link eth0", *api.HOST, "sysctl eth0 forwarding 1")
        self.agent.start()
        self.settle()
        self.ok(self.agent.delete("/v1/nat-rules/exit"), 204)
        self.assertEqual(self.sysctl("eth0", "forwarding"), "1")

    def test_a_sysctl_goes_back_to_what_was_found_first(self):
        self.agent.kernel("sysctl default rp_filter 2")
        self.settle()
        self.ready("/v1/tunnels/tun_a", TUNNEL)
        self.assertEqual(self.sysctl("tun_a", "rp_filter"), "2")
        for wanted, value in (("strict", "1"), ("off", "0"), ("keep", "2")):
            self.ready("/v1/tunnels/tun_a", {**TUNNEL, "rp_filter": wanted})
            self.assertEqual(self.sysctl("tun_a", "rp_filter"), value)

    def test_what_a_new_device_began_with_was_found(self):
        self.agent.kernel("sysctl ip_forward 1")
        self.ready("/v1/nat-rules/exit", NAT)
        self.ready("/v1/tunnels/tun_a", TUNNEL)
        self.agent.kernel("link tun_a group 7 alias mine")
        self.settle()
        self.agent.kernel("sysctl ip_forward 0")
        self.agent.until("/v1/nat-rules/exit", lambda a: a.state == "conflict")
        self.assertEqual(self.sysctl("tun_a", "forwarding"), "0")

    def test_a_replaced_device_closes_again_when_the_rule_goes(self):
        self.three()
        self.agent.stop()
        self.agent.kernel("delete link tun_a")
        self.agent.start()
        self.settle()
        self.assertEqual(self.sysctl("tun_a", "forwarding"), "1")
        self.ok(self.agent.delete("/v1/nat-rules/exit"), 204)
        self.assertEqual(self.sysctl("tun_a", "forwarding"), "0")

    def test_tunnels_may_swap_their_remotes(self):
        first = {"tunnels": [tunnel("a", "172.16.1.1", "10.0.0.1/24"),
                             tunnel("b", "172.16.1.2", "10.0.1.1/24")]}
        second = {"tunnels": [tunnel("a", "172.16.1.2", "10.0.0.1/24"),
                              tunnel("b", "172.16.1.1", "10.0.1.1/24")]}
        for config in (first, second):
            answer = self.ok(self.agent.put("/v1/config?wait=5", config))
            self.assertEqual(answer.body["not_ready"], [])
        self.assertIn("remote=172.16.1.2", self.agent.objects("link a ")[0])
        self.assertTrue(self.agent.objects("address a 10.0.0.1/24"))

    def test_a_device_of_another_kind_is_never_adopted(self):
        before = self.agent.objects("link eth0") + self.agent.objects("address eth0")
        answer = self.agent.put("/v1/tunnels/eth0?wait=5", {**TUNNEL, "adopt": True})
        self.assertEqual((answer.state, answer.reason), ("conflict", "ForeignObject"), answer)
        self.assertIn("veth" if "veth" in before[0] else "another owner",
                      answer.body["status"]["message"])
        self.settle()
        self.assertEqual(self.agent.objects("link eth0") + self.agent.objects("address eth0"),
                         before)


if __name__ == "__main__":
    api.main()
