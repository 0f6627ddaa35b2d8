#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What on the host endangers the tunnels, as GET /v1/hazards tells it."""

import platform
import time

import api
from api import TUNNEL


class HazardTest(api.ApiTest):
    def file(self, path, text=""):
        """A file of the fake host."""
        full = self.agent.directory / "kernel" / "root" / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)

    def hazards(self):
        return self.ok(self.agent.get("/v1/hazards")).body["hazards"]

    def found(self, name):
        """The only hazard of that name."""
        of_name = [hazard for hazard in self.hazards() if hazard["hazard"] == name]
        self.assertEqual(len(of_name), 1, of_name)
        return of_name[0]

    def names(self):
        return [hazard["hazard"] for hazard in self.hazards()]

    def logged(self, line):
        """Nobody asks: it comes by itself."""
        end = time.monotonic() + api.READY_S
        while line not in self.agent.log:
            self.assertLess(time.monotonic(), end, self.agent.log)
            time.sleep(0.02)

    def until(self, names):
        """They may be scanned for a second later."""
        self.agent.until("/v1/hazards", lambda answer: names == [
            hazard["hazard"] for hazard in answer.body["hazards"]])


class Devices(HazardTest):
    def test_a_host_without_hazards_has_none(self):
        self.three()
        answer = self.ok(self.agent.get("/v1/hazards"))
        self.assertEqual((answer.body["hazards"], answer.body["hazards_total"]), ([], 0))
        self.assertRegex(answer.body["scanned_at"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")

    def test_fallback_device_that_is_up_is_one_until_it_is_down(self):
        self.agent.kernel("link tunl0 driver ipip up")
        self.until(["FallbackDeviceUp"])
        self.assertEqual(self.found("FallbackDeviceUp"), {
            "hazard": "FallbackDeviceUp", "severity": "warning", "object": "tunl0",
            "message": "tunl0 is up: it takes tunnelled packets of every sender that no tunnel "
                       "is declared for",
            "fix": "ip link set tunl0 down", "resources": []})
        self.agent.kernel("link tunl0 down")
        self.until([])

    def test_what_comes_and_goes_is_logged_once(self):
        self.agent.kernel("link tunl0 driver ipip up")
        self.until(["FallbackDeviceUp"])
        self.agent.kernel("link tunl0 down")
        self.until([])
        lines = [line for line in self.agent.log.splitlines() if "hazard" in line]
        self.assertEqual([line[:3] for line in lines], ["<4>", "<6>"], lines)

    def test_somebody_elses_tunnel_between_the_same_addresses(self):
        self.agent.put("/v1/tunnels/tun_a?wait=10", {**TUNNEL, "underlay": "eth0"})
        self.agent.kernel("foreign-link other ipip 172.16.16.22 172.16.1.62")
        self.until(["DuplicateEndpoints"])
        hazard = self.found("DuplicateEndpoints")
        self.assertEqual((hazard["object"], hazard["severity"], hazard["resources"]),
                         ("other", "critical", ["tunnel/tun_a"]))

    def test_somebody_elses_tunnel_from_anywhere(self):
        self.agent.kernel("foreign-link other ipip 172.16.16.22 0.0.0.0", "link other up")
        self.until(["CatchAllTunnel"])
        self.assertEqual(self.found("CatchAllTunnel")["fix"], "ip link set other down")


class Rules(HazardTest):
    """Somebody else's chains."""

    def test_docker_drops_what_a_nat_rule_forwards(self):
        self.three()
        self.agent.kernel("foreign-chain ip filter FORWARD forward 0 drop",
                          "foreign-rule ip filter FORWARD accept in docker0")
        self.until(["ForwardDrop"])
        self.assertEqual(self.found("ForwardDrop"), {
            "hazard": "ForwardDrop", "severity": "critical", "object": "nft ip filter FORWARD",
            "message": "nft ip filter FORWARD drops packets that NAT rules of ours forward for "
                       "tun_a: that we accept them does not count there",
            "fix": "nft 'insert rule ip filter FORWARD iifname \"tun_a\" accept; "
                   "insert rule ip filter FORWARD oifname \"tun_a\" accept'",
            "resources": ["nat-rule/exit"]})
        self.agent.kernel("foreign-rule ip filter FORWARD accept in tun_a",
                          "foreign-rule ip filter FORWARD accept out tun_a")
        self.until([])

    def test_what_somebody_changes_is_scanned_without_being_asked(self):
        self.three()
        self.agent.kernel("foreign-chain ip filter FORWARD forward 0 drop")
        self.logged("<4>hazard ForwardDrop (critical): nft ip filter FORWARD drops")
        self.agent.kernel("flush foreign")
        self.logged("<6>hazard gone: ForwardDrop (critical)")

    def test_what_was_there_before_the_agent_is_found_at_its_start(self):
        self.agent.stop()
        self.agent.kernel("link tunl0 driver ipip up")
        self.agent.start()
        self.logged("hazard FallbackDeviceUp")

    def test_what_somebody_declares_is_scanned_without_being_asked(self):
        self.agent.kernel("foreign-chain ip filter FORWARD forward 0 drop")
        self.three()
        self.logged("hazard ForwardDrop")

    def test_chains_of_many_are_the_worst_hundred(self):
        self.three()
        self.agent.kernel(*(f"foreign-chain ip filter c{i} forward {i} drop"
                            for i in range(150)), "link tunl0 driver ipip up")
        self.agent.until("/v1/hazards", lambda answer: answer.body["hazards_total"] == 151)
        self.assertEqual({hazard["severity"] for hazard in self.hazards()}, {"critical"})
        self.assertEqual(len(self.hazards()), 100)


class Modules(HazardTest):
    def test_a_kernel_without_ipip(self):
        self.file(f"lib/modules/{platform.release()}/modules.dep", "kernel/net/tun.ko: x.ko\n")
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        self.agent.until("/v1/hazards", lambda answer: [
            (hazard["hazard"], hazard["severity"]) for hazard in answer.body["hazards"]
        ] == [("ModuleMissing", "critical")])
        self.file("sys/module/ipip/refcnt")
        self.until([])

    def test_iptables_legacy_names_its_tables(self):
        self.file("sys/module/iptable_raw/refcnt")
        self.file("sys/module/iptable_nat/refcnt")
        self.until(["IptablesLegacy"])
        self.assertIn("(nat, raw)", self.found("IptablesLegacy")["message"])

    def test_a_module_that_is_kept_away(self):
        self.file("etc/modprobe.d/lean.conf", "blacklist ipip\n")
        self.until(["ModuleBlacklisted"])
        self.assertEqual(self.found("ModuleBlacklisted")["object"], "/etc/modprobe.d/lean.conf:1")


class Programs(HazardTest):
    def setUp(self):
        super().setUp()
        self.three()

    def runs(self, unit):
        self.file(f"run/systemd/units/invocation:{unit}.service")

    def test_networkd_that_is_not_told_to_keep_what_it_did_not_make(self):
        self.runs("systemd-networkd")
        self.until(["NetworkdRemoves"])
        self.assertIn("systemctl restart systemd-networkd", self.found("NetworkdRemoves")["fix"])
        self.file("etc/systemd/networkd.conf.d/ours.conf",
                  "[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n")
        self.until([])

    def test_network_manager_without_our_udev_rule(self):
        self.runs("NetworkManager")
        self.until(["NetworkManagerManages"])
        self.assertEqual(self.found("NetworkManagerManages")["resources"], ["tunnel/tun_a"])
        for index in range(1, 10):
            self.file(f"run/udev/data/n{index}", "E:NM_UNMANAGED=1\n")
        self.until([])

    def test_sysctl_line_against_a_nat_rule(self):
        self.file("etc/sysctl.d/50-x.conf", "# no router\nnet.ipv4.conf.eth0.forwarding = 0\n")
        self.until(["SysctlUndoes"])
        hazard = self.found("SysctlUndoes")
        self.assertEqual((hazard["object"], hazard["resources"]),
                         ("/etc/sysctl.d/50-x.conf:2", ["nat-rule/exit"]))
        # as its fix does
        self.file("etc/sysctl.d/zz-ipipd.conf", "net.ipv4.conf.eth0.forwarding = 1\n")
        self.until([])


if __name__ == "__main__":
    api.main()
