#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`ipipctl events`: lines as they come, over restarts of the agent and gaps."""

import json
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time
import unittest
import network
import api
from api import NAT, TUNNEL

IPIPCTL = os.environ.get("IPIPCTL_BIN", str(pathlib.Path(api.BIN).with_name("ipipctl")))
OK, USAGE, UNREACHABLE = 0, 2, 4


class Running:
    """ipipctl in the background; each read waits for its line."""

    def __init__(self, agent, *words):
        self.process = subprocess.Popen(
            [IPIPCTL, "-H", "unix://" + agent.socket, "events", *words], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TZ": "UTC"})
        self.lines, self.complaints = queue.Queue(), queue.Queue()
        self.threads = [threading.Thread(target=self.read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines),
                                     (self.process.stderr, self.complaints))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def read(pipe, lines):
        with pipe:
            for line in pipe:
                lines.put(line.rstrip("\n"))

    def line(self):
        return self.lines.get(timeout=20)

    def complaint(self):
        return self.complaints.get(timeout=20)

    def end(self, number=signal.SIGINT):
        """Its exit status."""
        self.process.send_signal(number)
        return self.process.wait(20)

    def clean(self):
        self.process.kill()
        self.process.wait()
        for thread in self.threads:
            thread.join()


class CliEvents(unittest.TestCase):
    def setUp(self):
        self.agent = network.Agent()
        self.agent.settings = {"events": {"kept": "100"}}
        self.addCleanup(self.agent.clean)
        self.agent.start()

    def events(self, *words):
        running = Running(self.agent, *words)
        self.addCleanup(running.clean)
        return running

    def shown(self, *words):
        """All of it, to its end."""
        return subprocess.run([IPIPCTL, "-H", "unix://" + self.agent.socket, "events", *words],
                              capture_output=True, text=True, timeout=30, check=False,
                              env={**os.environ, "TZ": "UTC"})

    def test_lines_for_people(self):
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        self.agent.patch("/v1/tunnels/tun_a?wait=10", {"ttl": 9})
        self.agent.patch("/v1/tunnels/tun_a?wait=10", {"ttl": 8})
        self.agent.put("/v1/exit-routes/qq?wait=10", api.EXIT)
        self.agent.kernel("by 77 evil", "link tun_a ttl 200")
        self.agent.until("/v1/events?since=0&type=drift-repaired&follow=false&limit=1",
                         lambda a: "evil" in a.text)
        many = [f"10.0.{i}.0/24" for i in range(40)]
        for destinations in (many, ["10.1.0.0/24", *many[1:]]):
            self.agent.put("/v1/exit-routes/qq", {**api.EXIT, "destinations": destinations})
        self.agent.delete("/v1/exit-routes/qq")
        shown = self.shown("--no-follow")
        self.assertIn("destinations (40) -> (40) (1 added, 1 removed), by", shown.stdout)
        self.assertRegex(shown.stdout, r"deleted          exit/qq +by uid \d+\n")
        self.assertEqual((shown.returncode, shown.stderr), (OK, ""))
        who = f"by uid {os.geteuid()}"
        lines = shown.stdout.splitlines()
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S")
        self.assertEqual([line[21:] for line in lines][:4], [
            "started          agent                 ipipd 0.1.0",
            f"created          tunnel/tun_a          remote {TUNNEL['remote']}, "
            f"local {TUNNEL['local']}, addresses 192.168.1.1/24, {who}",
            "state-changed    tunnel/tun_a          ready",
            f"updated          tunnel/tun_a          ttl unset -> 9, {who}",
        ])
        self.assertIn(f"updated          tunnel/tun_a          ttl 9 -> 8, {who}", shown.stdout)
        self.assertIn("created          exit/qq   ", shown.stdout)
        self.assertRegex(shown.stdout, r"drift-repaired   link/tun_a +ttl 200 instead of 8, "
                                       r"because of pid 77 \(evil\)\n")

    def test_json_lines_are_the_apis_own(self):
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        shown = self.shown("--since", "0", "--no-follow", "-o", "json")
        self.assertEqual(shown.returncode, OK)
        self.assertEqual([json.loads(line)["type"] for line in shown.stdout.splitlines()],
                         ["started", "created", "state-changed"])

    def test_filters(self):
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        self.agent.put("/v1/exit-routes/qq?wait=10", api.EXIT)
        shown = self.shown("--no-follow", "--kind", "exit", "--type", "created", "--name", "qq")
        self.assertEqual(len(shown.stdout.splitlines()), 1)
        self.assertIn("exit/qq", shown.stdout)
        refused = self.shown("--no-follow", "--type", "nonsense")
        self.assertEqual(refused.returncode, USAGE)
        self.assertIn('"type" must be', refused.stderr)

    def test_it_goes_on_when_the_agent_comes_back(self):
        running = self.events("--since", "0", "-j")
        types = [json.loads(running.line())["type"]]
        self.assertEqual(self.agent.stop(), 0)
        types.append(json.loads(running.line())["type"])
        self.agent.start()
        self.agent.put("/v1/nat-rules/n", {**NAT, "enabled": False})
        types += [json.loads(running.line())["type"] for _ in range(2)]
        self.agent.kill()
        self.agent.start()
        while json.loads(running.line())["type"] != "started":
            continue
        self.assertEqual(types, ["started", "stopping", "started", "created"])
        self.assertIn("asking again", running.complaint())
        self.assertEqual(running.end(), OK)

    def test_who_follows_from_now_on_misses_nothing_over_a_restart(self):
        self.agent.stop()
        self.agent.set("events", followers="1")
        self.agent.start()
        running = self.events("-j")
        self.agent.until("/v1/events?follow=false", lambda a: a.status == 429)
        self.agent.kill()
        self.agent.start()
        self.agent.put("/v1/nat-rules/n", {**NAT, "enabled": False})
        self.assertEqual(json.loads(running.line())["type"], "started")
        self.assertEqual(json.loads(running.line())["type"], "created")
        self.assertEqual(running.end(signal.SIGTERM), OK)

    def test_what_the_filter_passes_over_is_no_gap(self):
        self.agent.stop()
        self.agent.set("events", kept="100", keepalive="100ms", followers="1")
        self.agent.start()
        running = self.events("-j", "--type", "deleted")
        self.agent.until("/v1/events?follow=false", lambda a: a.status == 429)
        self.agent.put("/v1/nat-rules/n", {**NAT, "enabled": False})
        for i in range(600):
            self.agent.patch("/v1/nat-rules/n", {"comment": str(i)})
        time.sleep(0.5)
        self.agent.kill()
        self.agent.start()
        self.agent.delete("/v1/nat-rules/n")
        self.assertEqual(json.loads(running.line())["type"], "deleted")
        self.assertIn("asking again", running.complaint())
        self.assertEqual(running.end(), OK)
        self.assertTrue(running.complaints.empty())

    def test_a_gap_is_told_and_it_goes_on(self):
        first = json.loads(self.shown("--no-follow", "-j").stdout.splitlines()[0])["id"]
        self.agent.put("/v1/nat-rules/n", {**NAT, "enabled": False})
        connection = api.Connection(self.agent.socket)
        for i in range(600):
            self.agent.ask("PATCH", "/v1/nat-rules/n", {"comment": str(i)}, connection=connection)
        connection.close()
        shown = self.shown("--no-follow", "--since", str(first), "-j")
        self.assertEqual(shown.returncode, OK)
        ids = [json.loads(line)["id"] for line in shown.stdout.splitlines()]
        gap = (f"ipipctl: what came next behind event {first} is no longer kept; from here on "
               "all are there\n")
        self.assertEqual(shown.stderr, gap)
        none = self.shown("--no-follow", "--since", str(first), "--type", "deleted")
        self.assertEqual((none.returncode, none.stdout, none.stderr), (OK, "", gap))
        self.assertEqual(ids, list(range(ids[0], ids[0] + len(ids))))
        other = self.shown("--no-follow", "--since", "999999999999999999", "-j")
        self.assertIn("another database", other.stderr)
        self.assertEqual(len(other.stdout.splitlines()), len(ids))

    def test_what_is_refused(self):
        for since in ("x", "", "-1", "12345678901234567890"):
            self.assertEqual(self.shown("--since", since).returncode, USAGE, since)
        self.assertEqual(self.shown("-o", "name").returncode, USAGE)
        self.agent.stop()
        shown = self.shown()
        self.assertEqual(shown.returncode, UNREACHABLE)
        self.assertEqual(len(shown.stderr.splitlines()), 1, shown.stderr)


if __name__ == "__main__":
    api.main()
