#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
What udevd and systemd-networkd make of a device of our group, and of one that is not, beside a
.network file that matches every device. The kernel tells a udevd only of devices in its own
namespace, so there is one here. Needs no IPIP: a veth has a group as well.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
NETWORKD = "/lib/systemd/systemd-networkd"

# In namespaces of its own. $1: udev, $2: a folder with rules.d and network, for what comes out.
# Both are pairs of one veth, so that they become known at one time.
HOST = r"""
mount -t sysfs sysfs /sys
mount -t overlay -o "lowerdir=$1/lib/udev:/lib/udev" overlay /lib/udev
mount -t tmpfs run /run
mkdir -p /run/udev /run/systemd/netif/links
cp -r "$2/rules.d" /run/udev
cp -r "$2/network" /run/systemd
chown -R systemd-network: /run/systemd/netif
(exec -a systemd-udevd "$1/bin/udevadm") >"$2/udevd" 2>&1 &
udevd=$!
trap 'kill $udevd $networkd' EXIT
networkd=
until [[ -e /run/udev/control ]]; do sleep 0.05; done
SYSTEMD_LOG_LEVEL=debug NETWORKD >"$2/networkd" 2>&1 &
networkd=$!
ip link add ours group 0x69706970 type veth peer name theirs
"$1/bin/udevadm" settle --timeout=20
state() { grep -oP 'ADMIN_STATE=\K.*' "/run/systemd/netif/links/$(</sys/class/net/"$1"/ifindex)"; }
for device in ours theirs; do
	for _ in {1..400}; do
		state=$(state "$device" || true)
		[[ $state != unmanaged && $state != conf* ]] || break
		sleep 0.05
	done
	echo "$device $state"
	"$1/bin/udevadm" test --action=add "/sys/class/net/$device" 2>&1 |
		sed -n "s/^run: /$device runs /p"
	"$1/bin/udevadm" info --query=property "/sys/class/net/$device" |
		sed -n "s/^NM_UNMANAGED=/$device NM_UNMANAGED /p"
done
""".replace("NETWORKD", NETWORKD)


@unittest.skipUnless(os.geteuid() == 0, "namespaces take root")
class Neighbours(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ipipd-neighbours-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o755)
        for name in ("rules.d", "network"):
            (self.folder / name).mkdir()
        (self.folder / "network/50-all.network").write_text(
            "[Match]\nName=*\n[Network]\nAddress=10.99.0.1/24\n")

    def install(self):
        for name, to in (("10-ipipd.rules", "rules.d"), ("network/10-ipipd.network", "network")):
            path = PACKAGING / name
            (self.folder / to / path.name).write_text(path.read_text())

    def host(self):
        """What the two make of the devices, lines of words."""
        udev = subprocess.run([ROOT / "tests/deps", "udev"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.strip()
        done = subprocess.run(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "bash", "-euc", HOST, "host", udev, str(self.folder)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=90, check=False)
        logs = "\n".join((self.folder / name).read_text()[-4000:]
                         for name in ("udevd", "networkd") if (self.folder / name).exists())
        self.assertEqual(done.returncode, 0, done.stderr + logs)
        self.told = done.stdout + logs
        return done.stdout.splitlines()

    def test_ours_are_left_alone_and_no_others(self):
        self.install()
        lines = self.host()
        self.assertIn("ours unmanaged", lines, self.told)
        self.assertIn("ours NM_UNMANAGED 1", lines, self.told)
        self.assertEqual([line for line in lines if line.startswith("ours runs")],
                         ["ours runs 'net_id'"], self.told)
        self.assertTrue(any(re.match("theirs conf", line) for line in lines), self.told)
        self.assertFalse(any("theirs NM_UNMANAGED" in line for line in lines), self.told)
        self.assertTrue(any("theirs runs" in line and "sysctl" in line for line in lines),
                        self.told)

    def test_without_the_package_they_are_taken(self):
        lines = self.host()
        self.assertTrue(any(re.match("ours conf", line) for line in lines), self.told)
        self.assertTrue(any("ours runs" in line and "sysctl" in line for line in lines),
                        self.told)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
