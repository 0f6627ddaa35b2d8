#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ipipctl pair and unpair, against two agents on fake kernels or a stub that is stuck."""

import json
import signal
import subprocess
import threading
import unittest

import api
from cli import FAILED, IPIPCTL, NOT_FOUND, OK, UNREACHABLE, USAGE, Stub, run


class Stuck(Stub):
    """An agent that answers what it is asked, and never what it is told."""

    def __init__(self, path):
        self.told = threading.Event()
        super().__init__(path, {
            "GET /v1/host": {"id": "b", "hostname": "b", "version": "0", "addresses": [
                {"address": "172.16.16.62", "device": "eth0", "default_route": True}]},
            "GET /v1/host/route": {"device": "eth0", "source": "172.16.16.62", "mtu": 1500},
            "GET /v1/status": {"ready": True},
            "GET /v1/tunnels": {"items": [], "next": None},
        })

    def answer(self, asked):
        if asked.startswith("PUT "):
            self.told.set()
            threading.Event().wait(60)
        return super().answer(asked)


class Interrupted(unittest.TestCase):
    def check(self, number):
        agent = api.Agent()
        self.addCleanup(agent.clean)
        agent.start()
        path = str(agent.directory / "stuck")
        with Stuck(path) as stuck:
            pair = subprocess.Popen([IPIPCTL, "pair", f"unix://{agent.socket}", f"unix://{path}",
                                     "--name", "a-b"], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
            self.assertTrue(stuck.told.wait(20))
            self.assertEqual(1, len(agent.get("/v1/config").body["tunnels"]))
            pair.send_signal(number)
            out, err = pair.communicate(timeout=20)
            stuck.shutdown()
        self.assertEqual(FAILED, pair.returncode, out + err)
        self.assertIn("interrupted\nb  tunnel/a-b  removed\na  tunnel/a-b  removed\n", err)
        self.assertEqual(["DELETE /v1/tunnels/a-b?wait=5"],
                         [asked for asked in stuck.asked if asked.startswith("DELETE")])
        self.assertEqual([], agent.get("/v1/config").body["tunnels"])

    def test_ctrl_c_undoes_what_was_done_and_what_may_have_been(self):
        self.check(signal.SIGINT)

    def test_sigterm_undoes_too(self):
        self.check(signal.SIGTERM)


class Pair(unittest.TestCase):
    """The fake kernel carries no packets: the pings fail, so everything must be undone."""

    def setUp(self):
        self.a = api.Agent()
        self.b = api.Agent("delete addr eth0 172.16.16.22/24", "addr eth0 172.16.16.62/24",
                           "route default dev eth0 via 172.16.16.1")
        for agent in (self.a, self.b):
            self.addCleanup(agent.clean)
            agent.start()
        self.urls = [f"unix://{agent.socket}" for agent in (self.a, self.b)]

    def pair(self, *more):
        return run("pair", *self.urls, "--name", "a-b", *more)

    def assert_empty(self):
        for agent in (self.a, self.b):
            self.assertEqual({"tunnels": [], "exit_routes": [], "nat_rules": []},
                             agent.get("/v1/config").body)

    def test_lost_pings_undo_both_sides(self):
        done = self.pair("--exit", "b", "--to", "180.163.26.39/32")
        self.assertIn("a  tunnel/a-b  created, ready", done.stdout)
        self.assertIn("b  tunnel/a-b  created, ready", done.stdout)
        self.assertNotEqual(OK, done.returncode)
        self.assertIn("b  tunnel/a-b  removed\na  tunnel/a-b  removed\n", done.stderr)
        self.assert_empty()

    def test_a_dry_run_shows_the_choice(self):
        done = self.pair("-n", "--exit", "b", "--to", "180.163.26.39/32")
        self.assertEqual(OK, done.returncode, done.stderr)
        self.assertIn("inner 10.255.0.0/31 (a .0, b .1), mtu 1480\n", done.stdout)
        self.assertIn("b  nat/a-b  would be created\n", done.stdout)
        self.assertIn("would pair: 180.163.26.39/32 leaves a through b", done.stdout)
        self.assert_empty()

    def test_it_obeys_the_format(self):
        words = ("-n", "--exit", "b", "--to", "180.163.26.39/32")
        self.assertEqual("", self.pair("-q", *words).stdout)
        self.assertEqual(["tunnel/a-b", "exit/a-b", "tunnel/a-b", "nat/a-b"],
                         self.pair("-o", "name", *words).stdout.split())
        both = json.loads(self.pair("-j", *words).stdout)
        self.assertEqual(["exit", "tunnel"], sorted(both["a"]))
        self.assertEqual("172.16.16.62", both["b"]["tunnel"]["local"])
        self.assertEqual(["10.255.0.0/32"], both["b"]["nat"]["sources"])

    def test_a_host_that_is_gone_changes_nothing(self):
        self.b.stop()
        self.assertEqual(UNREACHABLE, self.pair().returncode)
        self.assertEqual([], self.a.get("/v1/config").body["tunnels"])

    def test_unpair_removes_from_both(self):
        for agent, inner, local, remote in (
                (self.a, "10.0.0.0/31", "172.16.16.22", "172.16.16.62"),
                (self.b, "10.0.0.1/31", "172.16.16.62", "172.16.16.22")):
            agent.put("/v1/tunnels/a-b", {"local": local, "remote": remote,
                                          "addresses": [inner]})
        self.a.put("/v1/exit-routes/a-b", {"tunnel": "a-b", "destinations": ["10.9.0.0/16"]})
        self.b.put("/v1/nat-rules/a-b", {"sources": ["10.0.0.0/32"], "out_interface": "eth0"})
        done = run("unpair", "a-b", "-n", "--on", ",".join(self.urls))
        self.assertEqual((OK, ""), (done.returncode, done.stderr))
        self.assertEqual(4, done.stdout.count("would be removed\n"))
        self.assertIn("tunnel/a-b  would be removed", done.stdout)
        self.assertEqual(1, len(self.a.get("/v1/config").body["exit_routes"]))
        done = run("unpair", "a-b", "--on", ",".join(self.urls))
        self.assertEqual(OK, done.returncode, done.stderr)
        self.assert_empty()
        self.assertEqual(NOT_FOUND, run("unpair", "a-b", "--on",
                                        ",".join(self.urls)).returncode)

    def test_wrong_words_are_usage_errors(self):
        for words in (("--exit", "c", "--to", "10.0.0.0/8"), ("--exit", "a"),
                      ("--to", "10.0.0.0/8"), ("--inner", "10.0.0.1/24"),
                      ("--exit", "a", "--to", "10.0.0.1/8"), ("more",)):
            self.assertEqual(USAGE, self.pair(*words).returncode, words)
        for words in (("--exit", "a", "--to", "10.0.0.1"), ("--inner", "10.0.0.1")):
            done = self.pair(*words)
            self.assertEqual(USAGE, done.returncode, words)
            self.assertIn("for one address 10.0.0.1/32", done.stderr)
        self.assertEqual(USAGE, run("unpair", "a-b").returncode)


if __name__ == "__main__":
    unittest.main()
