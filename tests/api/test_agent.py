#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The process: its options, its end, and that there is one."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import time
import unittest
import api
from api import TUNNEL


class Agent(unittest.TestCase):
    def setUp(self):
        self.agent = api.Agent()
        self.addCleanup(self.agent.clean)

    def run_agent(self, *options):
        return subprocess.run([api.BIN, *options], env=self.agent.environment(), text=True,
                              capture_output=True, timeout=api.READY_S, check=False)

    def beside(self, *options):
        return self.run_agent("--db", str(self.agent.db), "--socket", self.agent.socket, *options)

    def test_help_and_version(self):
        shown = self.run_agent("--help")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        for option in ("--socket", "--db", "--log-level", "--flush", "--version"):
            self.assertIn(option, shown.stdout)
        self.assertEqual(self.run_agent("-h").stdout, shown.stdout)
        self.assertRegex(self.run_agent("--version").stdout, r"^ipipd \d+\.\d+")

    def test_usage_errors_end_with_2_and_a_hint(self):
        for options, words in ((("--nonsense",), "there is no option --nonsense"),
                               (("--socket",), "--socket needs a value"),
                               (("--flush=yes",), "--flush=yes takes no value"),
                               (("-x",), "there is no option -x"),
                               (("word",), "unexpected argument: word"),
                               (("--log-level", "loud"), "--log-level loud: ")):
            with self.subTest(options):
                shown = self.run_agent(*options)
                self.assertEqual(shown.returncode, 2, shown)
                self.assertEqual(shown.stderr.find("ipipd: " + words), 0, shown.stderr)
                self.assertEqual(shown.stderr.splitlines()[1:], ["Try 'ipipd --help'."])

    def test_who_is_not_the_journal_reads_no_priorities(self):
        shown = self.beside("--check-config")
        self.assertEqual((shown.returncode, shown.stderr), (0, "the settings hold\n"))

    def test_a_mistyped_option_starts_nothing(self):
        for option, meant in (("--sock", "--socket"), ("--flsh", "--flush"),
                              ("--log-levl=debug", "--log-level")):
            with self.subTest(option):
                shown = self.beside(option)
                self.assertEqual(shown.returncode, 2, shown)
                self.assertIn(f"did you mean {meant}?", shown.stderr)
                self.assertFalse(os.path.exists(self.agent.socket))

    def test_a_second_agent_refuses_to_start(self):
        self.agent.start()
        for more in ((), ("--flush",)):
            shown = self.beside(*more)
            self.assertEqual(shown.returncode, 1, shown)
            self.assertIn("another ipipd", shown.stderr)
        self.assertEqual(self.agent.get("/livez").status, 200)

    def test_sigterm_leaves_the_kernel_alone(self):
        self.agent.start()
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        before = self.agent.objects()
        self.assertEqual(self.agent.stop(), 0)
        self.assertEqual(self.agent.objects(), before)
        self.assertFalse(os.path.exists(self.agent.socket))

    def test_flush_takes_everything_out(self):
        self.agent.start()
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        self.agent.stop()
        shown = self.beside("--flush")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertRegex(shown.stderr, "flushed: [1-9][0-9]* objects removed")
        self.assertNotIn("cannot", shown.stderr)
        self.assertEqual(self.agent.objects("link tun_a"), [])

    def test_flush_needs_no_more_of_the_settings_than_where_the_database_is(self):
        self.agent.start()
        self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        self.agent.stop()
        settings = self.agent.directory / "faulty.conf"
        settings.write_text(f"[agent]\nsockt = x\ndatabase = {self.agent.db}\n"
                            "[tcp]\nlisten = everywhere\n")
        self.assertEqual(self.run_agent("--config", str(settings)).returncode, 78)
        shown = self.run_agent("--config", str(settings), "--flush")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn(f"flushing in spite of settings: {settings}:2: unknown setting sockt",
                      shown.stderr)
        self.assertRegex(shown.stderr, "flushed: [1-9][0-9]* objects removed")
        self.assertNotIn("there was no database", shown.stderr)
        self.assertEqual(self.agent.objects("link tun_a"), [])

    def test_its_own_pause_drops_no_client(self):
        self.agent.start()
        connection = api.Connection(self.agent.socket)
        connection.connect()
        self.assertEqual(self.agent.get("/livez").status, 200)  # so it has accepted the first
        self.agent.process.send_signal(signal.SIGSTOP)
        connection.request("GET", "/livez")
        time.sleep(5.3)  # past the deadline for headers, which have been there all the time
        self.agent.process.send_signal(signal.SIGCONT)
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def test_a_hangup_does_not_end_it(self):
        self.agent.start()
        self.agent.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.agent.get("/livez").status, 200)
        self.assertIsNone(self.agent.process.poll())

    def test_a_stale_socket_is_replaced(self):
        self.agent.start()
        self.agent.kill()
        self.assertTrue(os.path.exists(self.agent.socket))
        self.agent.start()
        self.assertEqual(self.agent.get("/livez").status, 200)

    def test_the_revision_outlives_what_was_changed_last(self):
        self.agent.start()
        self.agent.put("/v1/tunnels/tun_a", api.TUNNEL)
        self.assertEqual(self.agent.delete("/v1/tunnels/tun_a").status, 204)
        self.agent.kill()
        self.agent.start()
        self.assertEqual(self.agent.get("/v1/status").body["revision"], 2)

    def test_files_are_private(self):
        self.agent.start()
        for path, mode in ((self.agent.db.parent, 0o700), (self.agent.db, 0o600),
                           (os.path.dirname(self.agent.socket), 0o755)):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), mode, path)
        self.assertEqual(os.stat(self.agent.socket).st_mode & 0o007, 0)

    def test_a_newer_database_ends_with_78(self):
        self.agent.start()
        self.agent.stop()
        with sqlite3.connect(self.agent.db) as database:
            database.execute("PRAGMA user_version = 999")
        database.close()
        self.assertEqual(self.beside().returncode, 78)

    def test_a_damaged_database_is_refused_with_its_name(self):
        self.agent.db.parent.mkdir()
        self.agent.db.write_bytes(b"not a database " * 1000)
        shown = self.beside()
        self.assertEqual(shown.returncode, 1, shown)
        self.assertRegex(shown.stderr, f"cannot start: {self.agent.db}: .*not a database")

    def test_log_lines_carry_their_priority(self):
        self.agent.start()
        self.agent.get("/v1/none")
        for line in self.agent.log.splitlines():
            self.assertRegex(line, r"^<[3-7]>")

    def test_a_missing_parent_directory_is_said(self):
        shutil.rmtree(self.agent.directory / "db", ignore_errors=True)
        shown = self.run_agent("--socket", self.agent.socket, "--db", "/nonexistent/a/b.db")
        self.assertEqual(shown.returncode, 1)
        self.assertIn("/nonexistent/a", shown.stderr)


if __name__ == "__main__":
    api.main()
