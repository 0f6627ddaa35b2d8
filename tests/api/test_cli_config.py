#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ipipctl export, apply, diff, plan and reconcile: the whole of what is declared."""

import json
import os
import pty
import subprocess
import unittest

from cli import FAILED, INVALID, IPIPCTL, NOT_FOUND, OK, USAGE, Cli, read_all


class Config(Cli):
    def test_export_round_trips_through_apply(self):
        self.add_all()
        config = self.ok("export")
        self.assertEqual("nothing to do\n", self.ok("diff", "-f", "-", "--prune", text=config))
        self.ok("exit", "rm", "qq")
        changed = self.run_on("diff", "-f", "-", text=config)
        self.assertEqual(FAILED, changed.returncode)
        self.assertIn("+ add route", changed.stdout)
        out = self.ok("apply", "-f", "-", text=config)
        self.assertEqual("1 created, 0 updated, 0 deleted, 2 unchanged",
                         out.split(";", maxsplit=1)[0])
        self.assertEqual(json.loads(config), self.agent.get("/v1/config").body)

    def test_apply_prunes_only_when_told(self):
        self.add_all()
        self.ok("apply", "-f", "-", text="{}")
        self.assertEqual(1, len(self.agent.get("/v1/config").body["tunnels"]))
        self.ok("apply", "-f", "-", "--prune", "-y", text="{}")
        self.assertEqual(0, len(self.agent.get("/v1/config").body["tunnels"]))

    def answer(self, answer, *words):
        """Runs on a terminal that answers. The exit status, and what stood on the terminal."""
        terminal, other_end = pty.openpty()
        os.write(terminal, answer)
        done = subprocess.run([IPIPCTL, "-H", f"unix://{self.agent.socket}", *words],
                              stdin=other_end, stdout=subprocess.DEVNULL, stderr=other_end,
                              timeout=60, check=False)
        os.close(other_end)
        return done.returncode, read_all(terminal)

    def test_prune_asks_when_a_declaration_would_go(self):
        self.ok("tunnel", "add", "off", "--remote", "172.16.1.62", "--no-enabled")
        path = self.agent.directory / "config.json"
        apply = ("apply", "--prune", "-f", str(path))
        path.write_text('{"nat_rules":[{"name":"off","sources":["10.0.0.0/8"],'
                        '"out_interface":"eth0"}]}')
        status, asked = self.answer(b"n\n", *apply)
        self.assertEqual(FAILED, status)
        self.assertIn("  tunnel/off\r\nGo on? [y/N] ", asked)
        self.ok("tunnel", "show", "off")
        self.assertEqual(OK, self.answer(b"y\n", *apply)[0])
        self.fails(NOT_FOUND, "tunnel", "show", "off")
        status, asked = self.answer(b"n\n", *apply)
        self.assertEqual(OK, status)
        self.assertNotIn("Go on?", asked)

    def test_apply_names_kinds_as_it_takes_them(self):
        self.add_all()
        self.agent.kernel("foreign-link u ipip 172.16.16.22 172.16.1.99")
        config = {"tunnels": [{"name": "u", "remote": "172.16.1.63",
                               "addresses": ["192.168.2.1/24"]}],
                  "exit_routes": [{"name": "e", "tunnel": "u", "destinations": ["10.9.0.0/16"]}]}
        fault = self.fails(FAILED, "apply", "-f", "-", text=json.dumps(config))
        self.assertIn("ipipctl: tunnel/u is conflict", fault)
        self.assertIn("ipipctl: exit/e is ", fault)

    def test_apply_refuses_what_is_no_config(self):
        self.fails(USAGE, "apply")
        self.fails(USAGE, "apply", "-f", "/nonexistent")
        self.fails(USAGE, "apply", "-f", "-", text="")
        self.fails(INVALID, "apply", "-f", "-", text="{")
        self.fails(INVALID, "apply", "-f", "-", text='{"tunels":[]}')
        self.fails(INVALID, "diff", "-f", "-", text="{")

    def test_plan_shows_drift_as_lines_to_type(self):
        self.add_all()
        self.assertEqual("nothing to do\n", self.ok("plan"))
        self.assertEqual("", self.ok("plan", "--as-shell"))

    def test_any_plan_is_there_as_lines_to_type(self):
        self.add_all()
        config = self.ok("export")
        line = "ip link set tun_a"
        self.assertIn("ip link change tun_a", self.ok("tunnel", "set", "tun_a", "--ttl", "9",
                                                      "-n", "--as-shell"))
        self.assertIn("\nnft delete chain", self.ok("nat", "rm", "out", "-n", "--as-shell"))
        self.ok("apply", "-f", "-", "--prune", "-y", text="{}")
        for words in (("diff",), ("apply", "-n")):
            done = self.run_on(*words, "-f", "-", "--as-shell", text=config)
            self.assertIn(line, done.stdout, words)
            self.assertNotIn("+ add", done.stdout, words)
        self.assertIn("needs -n", self.fails(USAGE, "apply", "-f", "-", "--as-shell",
                                             text=config))

    def test_a_plan_names_objects_as_ip_and_nft_do(self):
        self.add_all()
        self.ok("exit", "set", "qq", "--from", "10.0.0.1/32", "--metric", "4")
        lines = self.ok("exit", "rm", "qq", "-n")
        self.assertIn("- delete route 180.163.26.39/32 table 7001 dev tun_a src 192.168.1.1 "
                      "metric 4: ", lines)
        self.assertRegex(lines, r"\n?- delete rule \d+ from 10.0.0.1 lookup 7001 "
                                r"suppress_prefixlength \d+: ")
        lines = self.ok("nat", "rm", "out", "-n")
        self.assertRegex(lines, r"\n- delete nft-element masq_\w+ { 192.168.1.0/24 }: ")
        self.assertIn("\n- delete nft-element tunnels { tun_a }: ", lines)

    def test_reconcile_answers(self):
        self.add_all()
        self.assertIn("revision", self.ok("reconcile"))
        self.fails(USAGE, "reconcile", "--orphans", "keep")

    def test_reconcile_sends_the_dry_run_and_the_wait(self):
        done = self.run_on("-v", "-n", "reconcile", "--orphans", "delete")
        self.assertEqual((OK, "nothing to do\n"), (done.returncode, done.stdout), done.stderr)
        self.assertIn("> POST /v1/reconcile?orphans=delete&dry_run=true", done.stderr)
        self.assertIn("/v1/reconcile?wait=7", self.run_on("-v", "--wait=7", "reconcile").stderr)


if __name__ == "__main__":
    unittest.main()
