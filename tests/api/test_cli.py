#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How ipipctl is called: words, help and hints, hosts that do not answer, raw requests."""

import contextlib
import json
import select
import signal
import socket
import socketserver
import subprocess
import threading
import unittest

from cli import FAILED, INVALID, IPIPCTL, NOT_FOUND, OK, UNREACHABLE, USAGE, Cli, run


class NoHttp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(4096)
        self.request.sendall(b"220 mail\r\n")


class Calling(Cli):
    def test_an_absent_agent_is_unreachable(self):
        done = run("-H", "unix:///nonexistent/ipipd.sock", "status")
        self.assertEqual(UNREACHABLE, done.returncode)
        self.assertIn("hint: ", done.stderr)
        self.assertEqual(USAGE, run("-H", "nohost", "status").returncode)

    def test_one_who_is_no_agent_is_unreachable_without_a_hint(self):
        path = str(self.agent.directory / "other")
        with socketserver.UnixStreamServer(path, NoHttp) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            done = run("-H", f"unix://{path}", "status")
            server.shutdown()
        self.assertEqual(UNREACHABLE, done.returncode, done.stderr)
        self.assertNotIn("is ipipd running", done.stderr)

    def test_a_silent_agent_is_unreachable(self):
        self.agent.process.send_signal(signal.SIGSTOP)
        try:
            self.fails(UNREACHABLE, "--request-timeout", "1", "status")
        finally:
            self.agent.process.send_signal(signal.SIGCONT)

    def test_a_socket_whose_agent_does_not_start(self):
        path = str(self.agent.directory / "given-up")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind(path)
            listening.listen()
            caller = subprocess.Popen([IPIPCTL, "-H", f"unix://{path}", "status"], text=True,
                                      stderr=subprocess.PIPE)
            select.select([listening], [], [], 30)  # as systemd does after its last try
        said = caller.communicate(timeout=30)[1]
        self.assertEqual(UNREACHABLE, caller.returncode, said)
        self.assertIn("hint: `systemctl status ipipd` there says why", said)

    def test_verbose_prints_requests_on_stderr(self):
        done = self.run_on("-v", "tunnel", "list")
        self.assertIn("> GET /v1/tunnels?", done.stderr)
        self.assertNotIn("GET", done.stdout)

    def test_unknown_commands_are_usage_errors(self):
        for words in (("tunel", "list"), ("whi", "1.1.1.1"), ("tunnel",), (),
                      ("-o", "yaml", "status"), ("--wait=x", "status")):
            self.assertEqual(USAGE, run(*words).returncode, words)

    def test_a_usage_error_points_at_the_help_of_what_was_typed(self):
        for words, hint in ((("tunnel", "add"), "`ipipctl help tunnel add` explains it"),
                            (("tunnel", "ad"), "`ipipctl help tunnel` lists the verbs"),
                            (("wait",), "`ipipctl help wait` explains it"),
                            (("tunel",), "`ipipctl help` lists commands and options"),
                            (("-x", "status"), "`ipipctl help` lists commands and options")):
            self.assertIn(f"\nhint: {hint}\n", self.fails(USAGE, *words))
        done = run()
        self.assertEqual((USAGE, ""), (done.returncode, done.stdout))
        self.assertIn("usage: ipipctl tunnel list|show|add|set|rm|ping NAME…\n", done.stderr)
        self.assertIn("ipipctl status|pair|", done.stderr)

    def test_hints_fit_what_was_asked(self):
        self.add_all()
        self.assertIn("hint: `ipipctl exit list` shows the names\n",
                      self.fails(NOT_FOUND, "exit", "show", "no"))
        self.assertIn("hint: `ipipctl tunnel list` shows the names\n",
                      self.fails(NOT_FOUND, "tunnel", "ping", "no"))
        self.assertNotIn("hint", self.fails(NOT_FOUND, "api", "GET", "/v1/nothing"))
        fault = self.fails(INVALID, "exit", "add", "e", "--tunnel", "tun_a", "--destinations",
                           "10.0.0.0/8", "--source", "10.9.9.9")
        self.assertIn("a --source must be one that a declared tunnel has", fault)

    def test_typos_get_a_suggestion_wherever_they_are(self):
        for words, meant in ((("help", "statsu"), "did you mean status?"),
                             (("help", "tunnel", "lst"), "did you mean list?"),
                             (("help", "tunnel", "ad"), "did you mean add?"),
                             (("wait", "tunel/x"), "did you mean tunnel?"),
                             (("help", "status", "x"), "one word too many: x"),
                             (("help", "nope"), "unknown command nope")):
            self.assertIn(meant, self.fails(USAGE, *words))

    def test_choices_are_told(self):
        for words, choices in (
                (("-o", "yaml", "status"), "--output must be table, wide, json or name, not yaml"),
                (("tunnel", "list", "--state", "up"), '"state" must be "pending", "ready"'),
                (("tunnel", "list", "--state", "redy"), 'not "redy"; did you mean "ready"?'),
                (("exit", "list", "--rates"), "of the table of tunnels: there are none here"),
                (("tunnel", "list", "--rates", "-j"), "-o name and -j are not for it"),
                (("help", "nope"), "hint: `ipipctl help` lists what there is")):
            self.assertIn(choices, self.fails(USAGE, *words))

    def test_a_refused_file_is_named(self):
        path = self.agent.directory / "bad.json"
        path.write_text("{,}")
        for verb in ("apply", "diff"):
            self.assertIn(f"{path} was refused: nothing is changed",
                          self.fails(INVALID, verb, "-f", str(path)))

    def test_numbers_have_bounds(self):
        for words, bounds in ((("--request-timeout", "0", "status"), "from 1 to 3600"),
                              (("tunnel", "ping", "t", "-c", "0"), "from 1 to 10"),
                              (("tunnel", "ping", "t", "-c", "11"), "from 1 to 10")):
            self.assertIn(bounds, self.fails(USAGE, *words))

    def test_output_that_cannot_be_written_is_told(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([IPIPCTL, "help"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=60, check=False)
        self.assertEqual(FAILED, done.returncode)
        self.assertIn("No space left on device", done.stderr)

    def test_help_is_on_stdout(self):
        for words in (("help",), ("--help",), ("help", "tunnel", "add"), ("nat", "--help"),
                      ("help", "status"), ("help", "nat"), ("help", "export"),
                      ("tunnel", "add", "-h"), ("help", "pair")):
            done = run(*words)
            self.assertEqual((OK, ""), (done.returncode, done.stderr), words)
            self.assertIn("ipipctl", done.stdout)
            self.assertEqual([], [line for line in done.stdout.splitlines() if line[-1:] == " "])
        self.assertIn("--allowed-sources", run("help", "tunnel", "set").stdout)
        self.assertIn("Usage: ipipctl status\n", run("help", "status").stdout)
        self.assertNotIn("--request-timeout", run("help", "tunnel", "set").stdout)
        for words in (("help", "options"), ("help",)):
            self.assertIn("\n  --request-timeout", run(*words).stdout)
        for words in (("version",), ("--version",)):
            self.assertRegex(run(*words).stdout, r"^ipipctl \d+\.\d+\.\d+\n$")
            shown = json.loads(run(*words, "-j").stdout)
            self.assertRegex(shown["version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(USAGE, run("version", "-o", "name").returncode)

    def test_a_format_that_is_not_there_is_refused(self):
        self.add_all()
        for words in (("status",), ("plan",), ("export",), ("api", "GET", "/v1/host"),
                      ("tunnel", "rm", "tun_a", "-n"), ("tunnel", "ping", "tun_a")):
            self.assertIn("has no names to print", self.fails(USAGE, *words, "-o", "name"))
        self.assertEqual(self.ok("status").splitlines()[0],
                         self.ok("status", "-o", "wide").splitlines()[0])


class Api(Cli):
    def test_api_is_raw(self):
        body = json.loads(self.ok("api", "get", "/v1/host"))
        self.assertEqual(("172.16.16.22", ""), (body["addresses"][0]["address"],
                                                body["addresses"][0]["driver"]))
        self.ok("api", "PUT", "v1/tunnels/t", "-d", '{"remote":"172.16.1.62"}')
        self.ok("api", "PATCH", "/v1/tunnels/t", "-d", "@-", text='{"ttl":3}')
        self.ok("api", "DELETE", "/v1/tunnels/t")
        self.fails(NOT_FOUND, "api", "GET", "/v1/tunnels/t")
        self.fails(USAGE, "api", "G T", "/")

    def test_api_with_n_sends_nothing(self):
        fault = self.fails(USAGE, "api", "PUT", "/v1/tunnels/t", "-d", '{"remote":"1.2.3.4"}',
                           "-n")
        self.assertIn("dry_run=true", fault)
        self.fails(NOT_FOUND, "tunnel", "show", "t")

    def test_api_sends_the_path_as_it_is_or_not_at_all(self):
        self.assertIn("URL", self.fails(USAGE, "api", "GET", "/v1/a b"))
        self.fails(INVALID, "api", "GET", "/v1/tunnels/../host")

    def test_control_characters_of_a_fault_stay_off_the_terminal(self):
        fault = {"title": "a\033[2J", "errors": [{"pointer": "/b\033", "detail": "c\033"}]}
        url = self.stub({"GET /v1/host": (400, fault)})
        self.assertEqual("ipipctl: a?[2J\n  /b?: c?\n",
                         run("-H", url, "api", "GET", "/v1/host").stderr)


if __name__ == "__main__":
    unittest.main()
