#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ipipctl status and wait."""

import json
import os
import tempfile
import unittest

from cli import FAILED, NOT_FOUND, TIMEOUT, USAGE, Cli, run, serve_stub


class Status(Cli):
    def test_status_names_what_is_amiss(self):
        self.add_all()
        out = self.ok("status")
        self.assertRegex(out, r"tunnels +1: 1 ready")
        self.ok("--wait=0", "tunnel", "add", "v", "--remote", "172.16.1.64", "--local",
                "10.9.9.9")
        self.run_on("wait", "tunnel/v", "--timeout", "1")
        done = self.run_on("status")
        self.assertEqual(FAILED, done.returncode)
        self.assertRegex(done.stdout, r"tunnel/v +pending +LocalAddressMissing")

    def test_status_names_hazards_and_what_helps(self):
        self.add_all()
        self.assertNotIn("hazards", self.ok("status"))
        self.agent.kernel("foreign-chain ip filter FORWARD forward 0 drop",
                          "link tunl0 driver ipip up")
        self.agent.until("/v1/hazards", lambda answer: answer.body["hazards_total"] == 2)
        lines = self.ok("status").splitlines()
        lines = lines[lines.index("hazards      2"):]
        self.assertRegex(lines[1], "^  critical  ForwardDrop: nft ip filter FORWARD drops ")
        self.assertRegex(lines[2], r"^    fix: nft 'insert rule ip filter FORWARD .* accept'$")
        self.assertRegex(lines[3], "^  warning  FallbackDeviceUp: tunl0 is up: ")
        self.assertEqual(lines[4:], ["    fix: ip link set tunl0 down"])
        told = json.loads(self.ok("-j", "status"))
        self.assertTrue(told["ready"])
        self.assertEqual([hazard["hazard"] for hazard in told["hazards"]],
                         ["ForwardDrop", "FallbackDeviceUp"])

    def test_no_control_character_of_an_agent_is_in_its_status(self):
        bad = "a\x1b[2Jb\x07"
        folder = tempfile.TemporaryDirectory(prefix="ipipd-cli-")
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "dirty")
        url = serve_stub(self, path, {
            "GET /v1/status": {"ready": True, "resources": {"tunnels": {bad: 1}},
                               "last_pass": {"message": bad, "finished_at": bad},
                               "orphans": [{"kind": bad, "key": bad}]},
            "GET /v1/host": {"version": bad, "hostname": bad}})
        done = run("-H", url, "status")
        self.assertEqual(done.stdout.count("a?[2Jb?"), 6, done)
        self.assertNotRegex(done.stdout, "[\x00-\x09\x0b-\x1f]")

    def test_wait_ends_when_ready_or_deleted_or_over(self):
        self.add_all()
        self.ok("wait", "tunnel/tun_a", "exit/qq", "nat-rule/out")
        fault = self.fails(TIMEOUT, "wait", "tunnel/tun_a", "--for", "deleted", "--timeout", "0")
        self.assertTrue(fault.endswith("it is ready\n"), fault)
        self.ok("tunnel", "add", "off", "--remote", "172.16.1.63", "--no-enabled")
        fault = self.fails(TIMEOUT, "wait", "tunnel/off", "--timeout", "0")
        self.assertTrue(fault.endswith("it is disabled\n"), fault)
        self.ok("wait", "tunnel/no", "--for", "deleted")
        self.fails(NOT_FOUND, "wait", "tunnel/no")
        self.fails(TIMEOUT, "wait", "tunnel/off", "--wait", "0")  # as of any other command
        self.fails(USAGE, "wait", "tun_a")
        self.assertIn("exit/qq", self.fails(USAGE, "wait", "exit"))
        self.assertIn("there are tunnel, exit, nat", self.fails(USAGE, "wait", "foo/bar"))
        self.assertEqual("exit/qq  ready\n", self.ok("wait", "exit-routes/qq"))

    def test_wait_obeys_the_format(self):
        self.add_all()
        self.assertEqual("exit/qq\nnat/out\n", self.ok("wait", "exit/qq", "nat/out", "-o", "name"))
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").body,
                         json.loads(self.ok("wait", "tunnel/tun_a", "-j")))
        self.assertEqual("", self.ok("wait", "tunnel/no", "--for", "deleted", "-j"))

    def test_control_characters_of_a_hazard_stay_off_the_terminal(self):
        hazard = {"hazard": "X\033", "severity": "a\033[2J", "object": "b\033", "message": "c\033",
                  "fix": "d\033"}
        url = self.stub({"GET /v1/status": {"ready": True}, "GET /v1/host": {},
                         "GET /v1/hazards": {"hazards": [hazard], "hazards_total": 1}})
        out = run("-H", url, "status").stdout
        self.assertIn("  a?[2J  X?: b?: c?\n    fix: d?\n", out)
        self.assertNotIn("\033", out)


if __name__ == "__main__":
    unittest.main()
