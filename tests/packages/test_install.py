#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of $IPIPD_PACKAGES on a host, as apt brings them: installed, at work, upgraded to
those of $IPIPD_NEXT, removed, purged. In the lab's guest with systemd."""
import contextlib
import grp
import os
import pwd
import signal
import sqlite3
import stat
import threading

import host
import lab
import test_scenario
from footprint import Footprint
from host import OWN_UNITS, apt, run, systemctl
from lab import A_ADDR, INET, ip

SOCKET = "/run/ipipd/ipipd.sock"


class Forgotten(host.PackagesTest):
    """The first to run: nothing of ours was there before."""

    def setUp(self):
        if self.by.has_ours():
            self.forget()
        self.refused = host.Refused()

    def forget(self):
        self.by("purge", *host.NAMES)

    def test_forgotten_it_leaves_the_host_as_it_was(self):
        t = self.topology(own_a=True)
        before = Footprint(t.a)
        self.by("install", *self.by.ours)
        a = host.Unit().start()
        self.addCleanup(a.forget)
        for path, body in (("tunnels/tun_a", test_scenario.TUN_A),
                           ("exit-routes/qq", test_scenario.QQ),
                           ("nat-rules/exit", dict(test_scenario.EXIT, to_address=A_ADDR))):
            a.put(path, body)
        with open("/etc/ipipd/ipipd.conf.d/log.conf", "w", encoding="ascii") as file:
            file.write("[agent]\nlog_level = debug\n")
        installed = Footprint(t.a)
        made = installed.kernel + "\n".join(before.gone_and_new(installed)[1])
        for what in ("tun_a", "proto 105", "table ip ipipd {", "/var/lib/ipipd/ipipd.db ",
                     "/run/ipipd/ipipd.sock ", "ipipd.service enabled", "eth0/forwarding = 1",
                     "ipipd /usr/sbin/ipipd"):
            self.assertIn(what, made)
        self.forget()
        after = Footprint(t.a)
        self.assert_same(before.kernel, after.kernel)
        self.assertEqual(([], []), before.gone_and_new(after))


class NetworkManager(host.PackagesTest):
    def states(self):
        said = run("nmcli", "--terse", "--fields=DEVICE,STATE", "device")
        return dict(line.split(":") for line in said.splitlines())

    def test_it_leaves_our_tunnels_alone_and_theirs_not(self):
        ip(None, "link add eth0 type dummy", f"address add {A_ADDR}/16 dev eth0",
           "link set eth0 up", f"link add theirs type ipip local {A_ADDR} remote 172.16.1.99",
           "address add 192.168.9.1/24 dev theirs", "link set theirs up")
        self.addCleanup(ip, None, "link delete theirs", "link delete eth0")
        a = self.host_a()
        a.put("tunnels/tun_a", test_scenario.TUN_A)
        run("udevadm", "settle")
        systemctl("start", "NetworkManager.service")
        self.addCleanup(systemctl, "stop", "NetworkManager.service")
        a.put("tunnels/later", {"local": A_ADDR, "remote": "172.16.1.98",
                                "addresses": ["192.168.8.1/24"]})
        lab.eventually(lambda: self.states().get("theirs") == "connected (externally)", 60,
                       f"it to take theirs: {self.states()}")
        states = self.states()
        self.assertEqual(("unmanaged", "unmanaged"), (states["tun_a"], states["later"]))


class Service(host.PackagesTest):
    def test_it_runs_as_its_user_in_its_sandbox(self):
        a = self.host_a()
        self.assertEqual("running", systemctl("is-system-running", check=False).out.strip())
        for unit in a.units:
            self.assertEqual(("active", "enabled"), (a.show("ActiveState", unit),
                                                     a.show("UnitFileState", unit)))
        with open(f"/proc/{a.pid}/status", encoding="ascii") as file:
            status = dict(line.rstrip().split(":\t", 1) for line in file if ":\t" in line)
        user = pwd.getpwnam("ipipd")
        self.assertEqual({str(user.pw_uid)}, set(status["Uid"].split()))
        self.assertEqual({str(user.pw_gid)}, set(status["Gid"].split()))
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual((1 << 12) | (1 << 13), int(status[name], 16), name)
        self.assertEqual(("1", "2"), (status["NoNewPrivs"], status["Seccomp"]))
        self.assertEqual(["ipipd"], [line.split()[-1].rsplit("/")[-1]
                                     for line in host.processes_of("ipipd")])
        made = os.stat(SOCKET)
        self.assertEqual(("srw-rw----", 0, grp.getgrnam("ipipd").gr_gid),
                         (stat.filemode(made.st_mode), made.st_uid, made.st_gid))
        self.assertTrue(os.path.isdir("/sys/module/ipip"))

    def test_its_exposure_is_low(self):
        said = run("systemd-analyze", "security", "--threshold=20", "ipipd.service")
        self.assertRegex(said, r"Overall exposure level for ipipd.service: [01]\.\d")

    def test_a_refused_system_call_would_be_seen(self):
        run("systemd-run", "--quiet", "--wait", "--property=SystemCallFilter=~setpriority",
            "--property=SystemCallErrorNumber=EPERM", "nice", "-n", "5", "true", check=False)
        self.assertTrue(self.refused.lines("nice"))


class Flow(host.PackagesTest):
    """Packets flow through the tunnel, whatever happens to the agent."""

    def setUp(self):
        super().setUp()
        self.t, self.a, self.b = self.pair()
        test_scenario.declare(self.a, self.b)
        self.before = {ns: lab.snapshot(ns) for ns in (self.t.a, self.t.b)}
        self.first, self.restarts = self.a.pid, int(self.a.show("NRestarts"))
        self.flow = self.pinger(self.t.a, INET).start(0.05)

    def assert_nothing_was_lost(self):
        sent, answered = self.flow.stop(10)
        self.assertGreater(sent, 9)
        self.assertEqual(sent, answered)
        for ns, old in self.before.items():
            self.assert_same(old, lab.snapshot(ns))

    def assert_again(self, timeout):
        """Another process serves, without anybody's doing."""
        lab.eventually(lambda: self.a.show("ActiveState") == "active"
                       and self.a.pid not in (0, self.first), timeout, "the agent to be back")
        self.assertEqual("ready", self.a.state("exit-routes/qq"))


class Life(Flow):
    """What may happen to any service."""

    def test_stopped_it_is_started_by_its_socket(self):
        systemctl("stop", "ipipd.service")
        self.assertEqual([], [line for line in host.processes_of("ipipd")
                              if line.split()[0] == str(self.first)])
        self.assertEqual("inactive", self.a.show("ActiveState"))
        self.assertEqual("active", self.a.show("ActiveState", "ipipd.socket"))
        self.assertEqual("ready", self.a.state("tunnels/tun_a"))
        self.assert_again(60)
        self.assert_nothing_was_lost()

    def test_killed_it_is_started_again(self):
        os.kill(self.first, signal.SIGKILL)
        self.assert_again(60)
        self.assertEqual(self.restarts + 1, int(self.a.show("NRestarts")))
        self.assert_nothing_was_lost()

    def test_hanging_it_is_ended_by_the_watchdog(self):
        self.assertEqual("2min", self.a.show("WatchdogUSec"))
        drop_in = OWN_UNITS / "ipipd.service.d"
        drop_in.mkdir()
        self.addCleanup(lambda: (run("rm", "-r", str(drop_in)), systemctl("daemon-reload")))
        (drop_in / "watchdog.conf").write_text("[Service]\nWatchdogSec=20s\n", encoding="ascii")
        systemctl("daemon-reload")
        systemctl("restart", "ipipd.service")
        self.first = self.a.pid
        os.kill(self.first, signal.SIGSTOP)
        self.assert_again(120)
        self.assertIn("Watchdog timeout (limit 20s)!", self.a.log())
        self.assert_nothing_was_lost()

    def test_reloaded_it_is_the_same_process(self):
        systemctl("reload", "ipipd.service")
        self.assertEqual(self.first, self.a.pid)
        self.assertEqual("active", self.a.show("ActiveState"))
        self.assert_nothing_was_lost()

    def test_upgraded_with_settings_that_do_not_hold_it_says_so_and_traffic_flows(self):
        faulty = "/etc/ipipd/ipipd.conf.d/faulty.conf"
        with open(faulty, "w", encoding="ascii") as file:
            file.write("[tcp]\nlisten = 0.0.0.0:7443\n")
        said = run("sh", "-c", f"dpkg --install {apt.ours[0]} 2>&1")
        os.unlink(faulty)
        self.assertRegex(said, f"ipipd cannot start: {faulty}:2: .* set tls.certificate")
        self.assertEqual("failed", self.a.show("ActiveState"))
        systemctl("restart", "ipipd.service")
        self.assert_again(60)
        self.assert_nothing_was_lost()


class Moves(Flow):
    """Other versions come, and it goes."""

    def test_upgraded_and_downgraded_nobody_is_refused_and_no_packet_lost(self):
        self.addCleanup(lambda: self.by("downgrade", *self.by.ours, check=False))
        since = self.a.show("ActiveEnterTimestampMonotonic", "ipipd.socket")
        over, answers = threading.Event(), []

        def ask():
            while not over.wait(0.1):
                try:
                    answers.append(self.a.request("GET", "/v1/tunnels/tun_a").status)
                except OSError as error:
                    answers.append(error)

        client = threading.Thread(target=ask)
        client.start()
        try:
            for verb, packages in (("upgrade", self.by.next), ("downgrade", self.by.ours)):
                self.by(verb, *packages)
                self.assertEqual(self.by.version_of(packages[0]), self.a.get("host")["version"])
                self.assertNotEqual(self.first, self.a.pid)
                self.first = self.a.pid
        finally:
            over.set()
            client.join()
        self.assertEqual(since, self.a.show("ActiveEnterTimestampMonotonic", "ipipd.socket"))
        self.assertEqual({200}, set(answers))
        self.assert_nothing_was_lost()

    def test_removed_it_leaves_the_kernel_and_installed_it_is_back(self):
        database = "/var/lib/ipipd/ipipd.db"
        self.b.stop()  # it runs as the user, too
        self.addCleanup(self.b.start)
        self.addCleanup(self.by, "install", *self.by.ours)
        # the worst case: it is a newer version's
        self.a.stop()
        version = self.schema(database, 1)
        self.by("remove", *host.NAMES)
        self.flow.stop(0)
        self.assertEqual([], host.processes_of("ipipd"))
        self.assertFalse(lab.has_link(self.t.a, "tun_a"))
        self.assertEqual([], lab.our_routes(self.t.a))
        self.assertEqual(3, len(lab.rule_lines(self.t.a)))
        self.assertEqual(version - 1, self.schema(database, -1))
        self.assertEqual(["ipipd.db"], [name for name in os.listdir(os.path.dirname(database))
                                        if not name.endswith(".lock")])
        # the return brings all back
        self.by("install", *self.by.ours)
        self.a.wait_state("exit-routes/qq", "ready")
        self.assert_ping(self.t.a, INET)

    @staticmethod
    def schema(database, more):
        """The new number of its schema."""
        with contextlib.closing(sqlite3.connect(database)) as connection:
            number = connection.execute("PRAGMA user_version").fetchone()[0] + more
            connection.execute(f"PRAGMA user_version = {number}")
        return number


class Udev(host.PackagesTest):
    COUNT = 20

    def made(self):
        """What udevd started for so many tunnels: systemd-sysctl, and processes of any kind."""
        a = self.host_a()
        with host.Trace() as trace:
            a.ok("PUT", "/v1/config?wait=60", {"tunnels": [
                {"name": f"t{i}", "local": A_ADDR, "remote": f"172.16.9.{i + 1}"}
                for i in range(self.COUNT)]})
            run("udevadm", "settle")
            counts = trace.started("systemd-sysctl"), trace.made_by("(udev-worker)")
        shown = run("udevadm", "info", "--query=property", "/sys/class/net/t0")
        a.clear()
        return counts, shown

    def test_nothing_is_started_for_our_tunnels(self):
        ip(None, "link add eth0 type dummy", f"address add {A_ADDR}/16 dev eth0",
           "link set eth0 up")
        self.addCleanup(ip, None, "link delete eth0")
        counts, shown = self.made()
        self.assertEqual((0, 0), counts)
        self.assertIn("ID_NET_MANAGED_BY=ipipd\n", shown)
        # the same without our rule
        os.makedirs("/run/udev/rules.d", exist_ok=True)
        os.symlink("/dev/null", "/run/udev/rules.d/10-ipipd.rules")
        self.addCleanup(lambda: (os.unlink("/run/udev/rules.d/10-ipipd.rules"),
                                 run("udevadm", "control", "--reload")))
        run("udevadm", "control", "--reload")
        counts, shown = self.made()
        self.assertEqual((self.COUNT, self.COUNT), counts)
        self.assertNotIn("ID_NET_MANAGED_BY", shown)


if __name__ == "__main__":
    lab.main()
