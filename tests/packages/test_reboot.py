#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with the packages reboots. It runs twice, before and after, in the lab's guest with a
disk."""
import re
import time
from pathlib import Path

import host
import lab
import test_scenario
from host import apt, systemctl
from lab import A_ADDR, B_ADDR, INET

AGAIN = Path("/run/lab/again")
BEFORE = Path("/var/lib/rebooted")
SEEN = Path("/run/seen")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
UNITS = Path("/etc/systemd/system")
NAT = dict(test_scenario.EXIT, to_address=A_ADDR)

# The wire to B: what configures the network at boot, and is done with it before any network
# manager would start.
WIRE = f"""[Unit]
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip netns add b
ExecStart=ip link add name eth0 type veth peer name eth0 netns b
ExecStart=ip address add {A_ADDR}/16 dev eth0
ExecStart=ip link set eth0 up
ExecStart=ip -n b address add {B_ADDR}/16 dev eth0
ExecStart=ip -n b address add {INET}/32 dev lo
ExecStart=ip -n b link set eth0 up
[Install]
WantedBy=multi-user.target
"""
# One of the network's users: it keeps what it finds in the kernel.
USER = f"""[Unit]
After=network.target
[Service]
Type=oneshot
ExecStart=sh -c '(ip link; ip rule; ip route show table all; nft list ruleset) >{SEEN}'
[Install]
WantedBy=multi-user.target
"""


class Reboot(lab.LabTest):
    def test_the_tunnel_is_there_before_the_network_s_users(self):
        if not BEFORE.exists():
            self.before_it()
        self.assertNotEqual(BEFORE.read_text(encoding="ascii"),
                            BOOT_ID.read_text(encoding="ascii"))
        seen = SEEN.read_text(encoding="utf-8")
        for pattern in ("^[0-9]+: tun_a@", f"^{INET} dev tun_a table 7000 proto 105",
                        "^9[0-9]+:.* lookup 7000 .*proto 105",
                        f"192[.]168[.]1[.]0/24 : {A_ADDR}", "snat to ip saddr map"):
            self.assertRegex(seen, re.compile(pattern, re.M))
        self.in_order()
        a = host.Unit()
        self.addCleanup(a.forget)
        for path in ("tunnels/tun_a", "exit-routes/qq", "nat-rules/exit"):
            self.assertEqual("ready", a.state(path))
        self.assertEqual([], a.plan())
        self.far_end()
        self.assert_ping(None, INET)

    def before_it(self):
        for name, text in (("wire", WIRE), ("user", USER)):
            (UNITS / f"{name}.service").write_text(text, encoding="ascii")
        systemctl("enable", "user.service")
        systemctl("enable", "--now", "wire.service")
        apt("install", *apt.ours)
        a = host.Unit()
        a.put("tunnels/tun_a", test_scenario.TUN_A)
        a.put("exit-routes/qq", test_scenario.QQ)
        a.put("nat-rules/exit", NAT)
        self.far_end()
        self.assert_ping(None, INET)
        BEFORE.write_bytes(BOOT_ID.read_bytes())
        AGAIN.touch()
        systemctl("reboot")
        time.sleep(120)  # until this is ended, too
        AGAIN.unlink()
        self.fail("the host does not reboot")

    @staticmethod
    def far_end():
        lab.ip("b", f"link add name tun_b type ipip local {B_ADDR} remote {A_ADDR}",
               "address add 192.168.1.2/24 dev tun_b", "link set tun_b up")

    def in_order(self):
        """When each was done, and the next began."""
        def when(unit, name):
            return int(systemctl("show", "--value", f"--property={name}Monotonic", unit))

        done, begun = "ActiveEnterTimestamp", "InactiveExitTimestamp"
        for first in ("network-pre.target", "systemd-sysctl.service", "ipipd.socket",
                      "systemd-modules-load.service"):
            self.assertLess(0, when(first, done), first)
            self.assertLessEqual(when(first, done), when("ipipd.service", begun), first)
        for second in ("network.target", "user.service"):
            self.assertLessEqual(when("ipipd.service", done), when(second, begun), second)
        self.assertIn("docker.service", systemctl("show", "--value", "--property=Before",
                                                  "ipipd.service").split())


if __name__ == "__main__":
    lab.main()
