#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hazards that need the IPIP driver: somebody else's tunnels beside ours."""

import time

import lab


class Hazards(lab.LabTest):
    def wait(self, agent, *expected):
        """Exactly these, as (name, severity, object); by themselves, after events."""
        end = time.monotonic() + 30
        while True:
            seen = {(hazard["hazard"], hazard["severity"], hazard["object"]): hazard
                    for hazard in agent.get("hazards")["hazards"]}
            if set(seen) == set(expected):
                return [seen[key] for key in expected]
            self.assertLess(time.monotonic(), end, seen)
            time.sleep(0.1)

    def test_foreign_tunnels_are_found_and_their_fix_helps(self):
        host = self.host()
        agent = self.agent(host)
        agent.put("tunnels/tun_a", {"remote": "172.16.1.62", "local": "172.16.16.22",
                                    "addresses": ["192.168.1.1/24"]})
        self.wait(agent)
        for commands, hazard in (
            (["ip link set tunl0 up"], ("FallbackDeviceUp", "warning", "tunl0")),
            (["ip link add other type ipip local 172.16.16.22 remote any", "ip link set other up"],
             ("CatchAllTunnel", "warning", "other")),
            (["ip link add other type ipip local 172.16.16.22 remote 172.16.1.62 dev eth0"],
             ("DuplicateEndpoints", "critical", "other")),
        ):
            with self.subTest(hazard[0]):
                for command in commands:
                    lab.run(host, "sh", "-c", command)
                found, = self.wait(agent, hazard)
                lab.run(host, "sh", "-c", found["fix"])
                self.wait(agent)
                lab.run(host, "sh", "-c", "ip link del other || true")


if __name__ == "__main__":
    lab.main()
