#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the agent tells systemd, and when."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time
import unittest

import api


class Service(api.Agent):
    """An agent whose notifications are kept to be read."""

    def start(self, **environment):
        path = str(self.directory / "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        self.notify.settimeout(api.READY_S)
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stderr=log,
                env=self.environment(NOTIFY_SOCKET=path, **environment))

    def told(self):
        return self.notify.recv(1000).decode()

    def tells_nothing(self):
        self.notify.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            raise AssertionError(f"told: {self.told()}")
        self.notify.settimeout(api.READY_S)

    def clean(self):
        super().clean()
        self.notify.close()

    def wait_for_stop(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat")
        end = time.monotonic() + api.READY_S
        while ") T " not in stat.read_text():
            if time.monotonic() > end:
                raise AssertionError(self.log)
            time.sleep(0.01)


class Systemd(unittest.TestCase):
    def setUp(self):
        self.agent = Service()
        self.addCleanup(self.agent.clean)

    def hears(self, *messages):
        for message in messages:
            self.assertEqual(self.agent.told(), message, self.agent.log)

    def test_it_is_ready_when_the_first_pass_is_over(self):
        self.agent.start(IPIPD_FAILPOINT="pass.judged=stop")
        self.agent.wait_for_stop()
        self.agent.tells_nothing()
        self.agent.process.send_signal(signal.SIGCONT)
        self.hears("STATUS=nothing is declared", "READY=1")

    def test_it_is_ready_after_a_first_pass_that_sees_nothing_and_says_so(self):
        self.agent.start(IPIPD_FAILPOINT="fake.observe:1-2=ENOBUFS")
        self.assertRegex(self.agent.told(), "^STATUS=the kernel could not be observed: .+")
        self.hears("READY=1")
        self.assertEqual(self.agent.get("/livez").status, 200)
        self.hears("STATUS=nothing is declared")

    def test_status_tells_what_a_pass_has_changed(self):
        self.agent.start()
        self.hears("STATUS=nothing is declared", "READY=1")
        self.agent.put("/v1/tunnels/tun_a?wait=10", api.TUNNEL)
        self.hears("STATUS=1 tunnel: 1 ready")
        self.agent.post("/v1/reconcile?wait=10")
        self.agent.tells_nothing()
        self.agent.put("/v1/exit-routes/qq?wait=10", api.EXIT)
        self.hears("STATUS=1 tunnel, 1 exit-route: 2 ready")
        self.agent.put("/v1/tunnels/far", {"remote": "172.16.1.63", "local": "172.16.16.99"})
        self.hears("STATUS=2 tunnels, 1 exit-route: 1 pending, 2 ready")
        for path in ("tunnels/far", "exit-routes/qq"):
            self.assertEqual(self.agent.delete(f"/v1/{path}?wait=10").status, 204)
        self.agent.delete("/v1/tunnels/tun_a?wait=10")
        while self.agent.told() != "STATUS=nothing is declared":
            pass

    def test_the_watchdog_is_fed_until_the_end(self):
        self.agent.start(WATCHDOG_USEC="100000")
        told = [self.agent.told() for _ in range(6)]
        self.assertEqual(told.count("WATCHDOG=1"), 4, told)
        self.agent.process.send_signal(signal.SIGTERM)
        while told[-1] != "STOPPING=1":
            told.append(self.agent.told())
        self.assertEqual(self.agent.stop(), 0)

    def test_a_status_that_nobody_hears_is_said_once(self):
        self.agent.start()
        self.hears("STATUS=nothing is declared", "READY=1")
        os.unlink(self.agent.directory / "notify")
        self.agent.put("/v1/tunnels/tun_a?wait=10", api.TUNNEL)
        self.agent.stop()
        self.assertEqual(self.agent.log.count("systemd cannot be notified"), 1)


if __name__ == "__main__":
    api.main()
