#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What on the host endangers the tunnels, as GET /v1/hazards tells it."""

import platform

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


if __name__ == "__main__":
    api.main()
