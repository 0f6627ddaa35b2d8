#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ipipctl top: what it measures, what it asks, and how it leaves the terminal."""

import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

import api
from cli import FORBIDDEN, IPIPCTL, OK, UNREACHABLE, USAGE, Stub, serve_stub

LIMIT_S = 20


class Agent(Stub):
    """Tunnels whose received bytes grow by their speed, per second."""

    def __init__(self, path, speeds, states=None):
        self.speeds, self.states, self.revision = speeds, states or {}, 1
        self.path, self.is_away, self.start = path, False, time.monotonic()
        super().__init__(path, {})

    def handle_error(self, *_):
        pass  # clients that end, and is_away

    def go_away(self):
        """Nobody is there any more, nor on the connection that is open."""
        os.rename(self.path, self.path + "x")
        self.is_away = True

    def come_back(self):
        self.is_away = False
        os.rename(self.path + "x", self.path)

    def answer(self, asked):
        if self.is_away:
            raise ConnectionError
        path = asked.split("?", maxsplit=1)[0].removeprefix("GET ")
        states = [self.states.get(name, "ready") for name in self.speeds]
        if path == "/v1/status":
            return 200, {"ready": True, "revision": self.revision, "resources": {
                "tunnels": {state: states.count(state) for state in states}}}
        if path == "/v1/tunnels":
            return 200, {"next": None, "items": [
                {"name": name, "status": {"state": state}}
                for name, state in zip(self.speeds, states)]}
        name = path.split("/")[3]
        if name not in self.speeds:
            return 404, {"title": "Not found"}
        n = int(self.speeds[name] * (time.monotonic() - self.start))
        way = {"bytes": n, "packets": n // 100, "errors": 2, "dropped": 3}
        return 200, {"device": name, "rx": way, "tx": {**way, "bytes": 0}}

    def asked_for(self, path):
        return sum(asked.split("?")[0] == "GET " + path for asked in self.asked)


class TopTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ipipctl-top-")
        self.addCleanup(folder.cleanup)
        self.path = str(pathlib.Path(folder.name, "sock"))

    def agent(self, speeds, **more):
        agent = Agent(self.path, speeds, **more)
        self.addCleanup(agent.server_close)
        self.addCleanup(agent.shutdown)
        return agent

    def command(self, *words):
        return [IPIPCTL, "-H", f"unix://{self.path}", "top", "--interval", "0.1", *words]


class Plain(TopTest):
    def run_it(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)

    def blocks(self, *words):
        done = self.run_it(*words)
        self.assertEqual((OK, ""), (done.returncode, done.stderr))
        blocks = done.stdout.split("\n\n")
        self.assertEqual("", blocks.pop())
        return [block.splitlines() for block in blocks]

    def test_a_block_each_time_without_rates_at_first(self):
        self.agent({"a": 0})
        blocks = self.blocks("--count", "3")
        self.assertEqual(3, len(blocks))
        for head, titles, row in blocks:
            self.assertRegex(head, r"^unix:///\S+  \d\d:\d\d:\d\d  1 tunnel: 1 ready")
            self.assertEqual(["NAME", "STATE", "RX", "TX", "RX-PKTS", "TX-PKTS", "ERRORS",
                              "DROPS"], titles.split())
            self.assertRegex(row, "^a     ready  .*  4       6$")
        self.assertEqual(["a", "ready", "-", "-", "-", "-", "4", "6"], blocks[0][2].split())
        self.assertRegex(blocks[2][2], "^a     ready  0 b/s  0 b/s  0 /s     0 /s ")
        self.assertTrue(blocks[2][0].endswith("  rx 0 b/s  tx 0 b/s"), blocks[2][0])

    def test_rates_are_bits_per_second_and_the_busiest_is_first(self):
        self.agent({"slow": 1000, "fast": 1000000, "still": 0, "mid": 30000})
        block = self.blocks("--count", "2", "--interval", "1")[1]
        self.assertEqual(["fast", "mid", "slow", "still"], [row.split()[0] for row in block[2:]])
        rate, unit = block[2].split()[2:4]
        self.assertEqual("Mb/s", unit)
        self.assertAlmostEqual(8, float(rate), delta=1)

    def test_a_device_that_was_made_anew_has_no_rate(self):
        self.agent({"a": -1000})
        self.assertEqual(["a", "ready", "-", "-", "-", "-", "4", "6"],
                         self.blocks("--count", "2")[1][2].split())

    def test_only_what_is_shown_is_printed_and_a_foreign_device_not_asked(self):
        agent = self.agent({f"t{i:03}": i for i in range(120)},
                           states={"t007": "conflict", "t008": "disabled"})
        head, *rows = self.blocks("--count", "1", "--lines", "2")[0]
        self.assertIn("120 tunnels: 118 ready, 1 conflict, 1 disabled", head)
        self.assertEqual(["NAME", "t000", "t001", "and"], [row.split()[0] for row in rows])
        self.assertEqual("and 118 more", rows[-1])
        self.assertEqual([0, 0, 1], [agent.asked_for(f"/v1/tunnels/{name}/stats")
                                     for name in ("t007", "t008", "t009")])
        self.assertEqual(50 + 3, len(self.blocks("--count", "1")[0]))

    def test_of_many_all_have_their_turn_and_the_shown_ones_each_time(self):
        agent = self.agent({f"t{i:04}": (i == 1200) * 10 ** 9 for i in range(1300)})
        blocks = self.blocks("--count", "8", "--lines", "1", "--interval", "2")
        stats = [asked for asked in agent.asked if asked.endswith("/stats")]
        self.assertLessEqual(len(stats), 8 * 500)
        self.assertEqual(1300, len(set(stats)))
        self.assertEqual("t1200", blocks[-1][2].split()[0])
        self.assertEqual(1, agent.asked_for("/v1/tunnels"))
        self.assertEqual(8, agent.asked_for("/v1/status"))

    def test_the_list_is_read_again_when_it_changed(self):
        agent = self.agent({"a": 0})
        with subprocess.Popen(self.command(), stdout=subprocess.PIPE, text=True) as top:
            def until(words):
                for line in top.stdout:
                    if words in line:
                        return
                self.fail(words)
            until("1 tunnel:")
            agent.speeds = {"a": 0, "b": 0}
            agent.revision += 1
            until("2 tunnels:")
            agent.states = {"b": "failed"}
            until("1 ready, 1 failed")
            top.send_signal(signal.SIGINT)
            self.assertEqual(OK, top.wait(LIMIT_S))

    def test_an_agent_without_tunnels(self):
        self.agent({})
        self.assertEqual(1, len(self.blocks("--count", "1")[0]))

    def test_what_cannot_be_shown_is_told(self):
        self.assertEqual(UNREACHABLE, self.run_it().returncode)
        serve_stub(self, self.path, {"GET /v1/status": (401, {"title": "No"})})
        done = self.run_it()
        self.assertEqual((FORBIDDEN, "ipipctl: /v1/status: No\n"), (done.returncode, done.stderr))
        for words in (("--interval", "0"), ("--interval", "x"), ("--interval", "nan"),
                      ("--interval", "1s"), ("--count", "0"), ("--lines", "-1"), ("-j",),
                      ("-o", "name"), ("x",)):
            self.assertEqual(USAGE, self.run_it(*words).returncode, words)

    def test_an_agent_that_is_away_for_a_while(self):
        agent = self.agent({"a": 0})
        with subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as top:
            self.addCleanup(top.kill)
            top.stdout.readline()
            agent.go_away()
            line = top.stderr.readline()
            self.assertTrue(line.startswith("ipipctl: unix://"), line)
            agent.come_back()
            top.stdout.readline()
            for _ in range(8):
                self.assertTrue(top.stdout.readline())
            top.terminate()
            self.assertEqual(OK, top.wait(LIMIT_S))


class OnTerminal(TopTest):
    def start(self, *words, rows=10, columns=80, term="xterm"):
        self.master, self.slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.addCleanup(os.close, self.slave)
        self.size(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.shown = ""

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.top = subprocess.Popen(self.command(*words), stdin=self.slave, stdout=self.slave,
                                    stderr=self.slave, preexec_fn=take_terminal,
                                    env={**os.environ, "TERM": term})
        self.addCleanup(self.end)

    def end(self):
        self.top.kill()
        self.top.wait()

    def size(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0.02)[0]:
            self.shown += os.read(self.master, 65536).decode()

    def until(self, holds):
        end = time.monotonic() + LIMIT_S
        while not holds():
            if time.monotonic() > end:
                self.fail(f"in vain: {self.shown[-2000:]!r}")
            self.read()

    def pages(self):
        """Each as its lines, without what moves the cursor."""
        return [re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", page).splitlines()
                for page in self.shown.split("\x1b[H")[1:]]

    def ends(self, status=OK):
        self.until(lambda: self.top.poll() is not None)
        self.read()
        self.assertEqual(status, self.top.returncode)
        self.assertEqual(self.before, termios.tcgetattr(self.slave))
        self.assertEqual(1, self.shown.count("\x1b[?1049h"))
        self.assertTrue(self.shown.endswith("\x1b[?7h\x1b[?25h\x1b[?1049l"), self.shown[-60:])

    def begin(self, **more):
        self.agent({f"t{i}": i for i in range(20)})
        self.start("--color=never", **more)
        self.until(lambda: len(self.pages()) > 1)

    def test_q_ends_it_and_the_terminal_is_as_before(self):
        self.begin()
        self.assertNotEqual(self.before, termios.tcgetattr(self.slave))
        os.write(self.master, b"xq")
        self.ends()

    def test_control_c_ends_it_too(self):
        self.begin()
        os.write(self.master, b"\x03")
        self.ends()

    def test_control_z_does_not_leave_the_terminal_as_it_is(self):
        self.begin()
        os.write(self.master, b"\x1a\x1cq")
        self.ends()

    def test_a_signal_ends_it_in_the_longest_pause(self):
        self.agent({"a": 0})
        self.start("--interval", "3600")
        self.until(lambda: "t" in self.shown and self.pages())
        self.top.terminate()
        self.ends()

    def test_it_fills_the_terminal_and_no_more(self):
        self.begin(rows=10, columns=40)
        page = self.pages()[0]
        self.assertLessEqual(len(page), 10)
        self.assertEqual("and 14 more", page[-1])
        for line in page[1:]:
            self.assertLessEqual(len(line), 40, line)

    def test_it_follows_the_size_of_the_terminal(self):
        self.begin(rows=10)
        self.size(30, 80)
        self.until(lambda: len(self.pages()[-2]) == 2 + 1 + 20)

    def test_a_failure_in_between_is_shown_and_got_over(self):
        agent = self.agent({"a": 0})
        self.start()
        self.until(self.pages)
        agent.go_away()
        self.until(lambda: "No such file" in self.shown)
        agent.come_back()
        before = len(self.pages())
        self.until(lambda: len(self.pages()) > before + 2)
        self.assertEqual("", self.pages()[-2][1])
        os.write(self.master, b"q")
        self.ends()

    def test_a_dumb_terminal_gets_blocks(self):
        self.agent({"a": 0})
        self.start("--count", "1", term="dumb")
        self.until(lambda: self.top.poll() is not None)
        self.read()
        self.assertNotIn("\x1b[?1049h", self.shown)
        self.assertIn("1 tunnel:", self.shown)


if __name__ == "__main__":
    api.main()
