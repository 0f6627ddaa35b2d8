# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels where udevd runs. The kernel tells of a device in the device's namespace only, so
each host here has a udevd of its own, with Debian's stock rules."""
import contextlib
import os
import shutil
import subprocess
import time

import bench
import lab
import load
from bench import Sample, check

ROOT = lab.REPO
RULE = os.path.join(ROOT, "packaging/10-ipipd.rules")
UDEV = os.path.join(ROOT, "build/udev")  # by tests/deps udev
UDEVADM = os.path.join(UDEV, "bin/udevadm")
NETWORKD = "/lib/systemd/systemd-networkd"

# The rules of the other packages stay; /run is a folder of this measurement alone.
MOUNTS = """
export SYSTEMD_LOG_TARGET=console
mount -t sysfs sysfs /sys
for folder in lib/udev lib/systemd/network; do
	mount -t overlay -o "lowerdir=$1/$folder:/$folder" overlay "/$folder"
done
for folder in udev systemd; do
	mkdir -p "/run/$folder"
	mount --bind "$2/$folder" "/run/$folder"
done
exec -a systemd-udevd "$1/bin/udevadm"
"""


class Udevd:
    """A running udevd, and programs that see the same /sys and /run."""

    def __init__(self, ns, folder, log):
        self.ns, self.folder, self.log = ns, folder, log
        self.processes = []  # the first is udevd

    @contextlib.contextmanager
    def spawned(self, *argv):
        with bench.spawned(self.ns, argv, stdin=subprocess.DEVNULL, stdout=self.log,
                           stderr=self.log) as process:
            self.processes.append(process)
            yield process

    def beside(self, *argv):
        return ("nsenter", "--mount", "--target", str(self.processes[0].pid), *argv)

    def is_up(self):
        check(all(process.poll() is None for process in self.processes),
              "udevd or networkd has ended")
        return os.path.exists(os.path.join(self.folder, "udev/control"))

    def settle(self):
        """Returns when udevd has read its rules and is done with all that the kernel told."""
        lab.run(self.ns, *self.beside(UDEVADM, "settle", "--timeout=1800"), timeout=1800)

    def until_settled(self, action, count):
        """Seconds from nothing until the tunnels are up and udev is done with them."""
        begin = time.monotonic()
        action()
        bench.wait_for(lambda: self._is_settled(count), f"{count} tunnels with udevd", pause=0.2)
        return time.monotonic() - begin

    def _is_settled(self, count):
        check(self.is_up(), "udevd is gone")
        # blocks while udevd is busy, so the look that follows is seldom one too early
        self.settle()
        there = lab.run(self.ns, "ip", "-br", "-4", "address", "show", "up", "type", "ipip")
        return len(there.splitlines()) == count


@contextlib.contextmanager
def udevd(ns, folder, rule):
    for name in ("udev/rules.d", "systemd/network"):
        os.makedirs(os.path.join(folder, name))
    if rule:
        shutil.copy(RULE, os.path.join(folder, "udev/rules.d"))
    with open(os.path.join(folder, "log"), "a+", encoding="utf-8") as log:
        made = Udevd(ns, folder, log)
        try:
            with made.spawned("unshare", "--mount", "bash", "-ec", MOUNTS, "udevd", UDEV,
                              folder) as process:
                bench.wait_for(made.is_up, "udevd to start")
                made.settle()
                yield made
                process.terminate()
                check(process.wait(60) == 0, "udevd does not end well")
        except Exception:
            log.seek(0)
            print("--- end of udevd's log", *log.read().splitlines()[-20:], sep="\n")
            raise


def _by_agent(udev, count):
    document = load.document(map(load.tunnel, range(count)))
    with bench.agent(udev.ns) as agent:
        return udev.until_settled(lambda: agent.converge(document), count)


def _by_ip(udev, count):
    batch = load.lines(line for i in range(count) for line in load.ip_tunnel(i)[:3])
    return udev.until_settled(lambda: bench.timed(udev.ns, "ip", "-batch", "-", stdin=batch),
                              count)


def _by_networkd(udev, count):
    """Without a bus it cannot be told to load its files: its start is in the time."""
    for i in range(count):
        for suffix, text in load.networkd(i):
            with open(os.path.join(udev.folder, f"systemd/network/t{i}.{suffix}"), "w",
                      encoding="ascii") as file:
                file.write(text)
    with contextlib.ExitStack() as stack:
        def start():
            stack.enter_context(udev.spawned(*udev.beside(NETWORKD)))
        return udev.until_settled(start, count)


def _measured(way, count, rule=False):
    """Its CPU is that of all programs, from udevd's start to its end."""
    with bench.host() as ns, bench.folder() as folder:
        cpu = bench.children_cpu()
        with udevd(ns, folder, rule) as udev:
            wall = way(udev, count)
        return Sample(wall, bench.children_cpu() - cpu)


def tunnels(rounds, count):
    check(os.path.exists(UDEVADM), "no udevd: tests/deps udev fetches it")
    for _ in rounds:
        yield {"ours": _measured(_by_agent, count, rule=True),
               "without our rule": _measured(_by_agent, count),
               "ip -batch": _measured(_by_ip, count),
               "networkd": _measured(_by_networkd, count)}
