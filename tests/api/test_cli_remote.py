#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ipipctl's remotes: kept, listed, forgotten, and taken wherever a host is."""

import contextlib
import json
import os
import pathlib
import stat
import subprocess
import tempfile
import unittest

import api
import network
from cli import CONFLICT, FAILED, FORBIDDEN, IPIPCTL, NOT_FOUND, OK, UNREACHABLE, USAGE

B = "https://b.example:7443"


class RemoteTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ipipctl-remote-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        self.path = self.home / ".config" / "ipipctl" / "remotes.json"

    def run_in(self, *words, **environment):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("IPIPCTL_", "XDG_"))}
        return subprocess.run([IPIPCTL, *words], capture_output=True, text=True, timeout=60,
                              check=False, cwd=self.home,
                              env={**kept, "HOME": str(self.home), **environment})

    def ok(self, *words, **environment):
        done = self.run_in(*words, **environment)
        self.assertEqual(OK, done.returncode, f"{words}: {done.stderr}")
        return done.stdout

    def fails(self, status, sentence, *words, **environment):
        done = self.run_in(*words, **environment)
        self.assertEqual((status, ""), (done.returncode, done.stdout), done.stderr)
        self.assertRegex(done.stderr, "^ipipctl: ")
        self.assertIn(sentence, done.stderr)
        return done.stderr

    def file(self, name, text, mode=0o600):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return str(path)


class Keeping(RemoteTest):
    def test_what_is_added_is_listed_until_it_is_removed(self):
        self.assertEqual("remote/b  added\n", self.ok("remote", "add", "b", B))
        self.assertEqual("", self.ok("remote", "add", "a", "unix:///run/a.sock", "-q"))
        self.assertEqual("a\nb\n", self.ok("remote", "list", "-o", "name"))
        head, a, b = self.ok("remote", "list").splitlines()
        self.assertEqual(["NAME", "URL", "TOKEN-FILE", "CACERT", "CERT", "KEY"], head.split())
        self.assertEqual(["a", "unix:///run/a.sock", "-", "-", "-", "-"], a.split())
        self.assertEqual(["b", B, "-", "-", "-", "-"], b.split())
        self.assertEqual([a.split(), b.split()], [line.split() for line in self.ok(
            "remote", "list", "--no-headers", "-o", "wide").splitlines()])
        self.assertEqual({"a": {"url": "unix:///run/a.sock"}, "b": {"url": B}},
                         json.loads(self.ok("remote", "list", "-j")))
        self.assertEqual("remote/a  removed\nremote/b  removed\n",
                         self.ok("remote", "rm", "a", "b"))
        self.assertEqual("", self.ok("remote", "list"))

    def test_the_file_is_its_users_alone(self):
        self.ok("remote", "add", "b", B)
        self.assertEqual([0o600, 0o700, 0o700], [
            stat.S_IMODE(path.stat().st_mode)
            for path in (self.path, self.path.parent, self.path.parent.parent)])
        self.assertEqual([self.path], list(self.path.parent.iterdir()))
        self.ok("remote", "add", "b", B, XDG_CONFIG_HOME=str(self.home / "xdg"))
        self.assertTrue((self.home / "xdg" / "ipipctl" / "remotes.json").exists())

    def test_paths_hold_from_any_folder(self):
        self.file("sub/token", "ipipd_x")
        self.ok("remote", "add", "b", B, "--token-file", "sub/token")
        self.assertEqual(str(self.home / "sub" / "token"),
                         json.loads(self.path.read_text())["b"]["token_file"])

    def test_a_name_is_taken_once(self):
        self.ok("remote", "add", "b", B)
        stderr = self.fails(CONFLICT, "a remote named b already", "remote", "add", "b", B + "/x")
        self.assertIn("hint: `ipipctl remote rm b`", stderr)
        self.assertEqual(B, json.loads(self.path.read_text())["b"]["url"])

    def test_what_could_not_be_used_is_not_kept(self):
        token = self.file("token", "ipipd_x")
        for words, sentence in (
                (("b", "b.example"), "is not the address of an agent"),
                (("b", "a"), "is not the address of an agent"),
                (("https://x", B), "a name has only"), (("unix:x", B), "a name has only"),
                (("a/b", B), "a name has only"), (("", B), "name"),
                (("b", "http://b.example", "--token-file", token), "not sent in the clear"),
                (("b", "unix:///x", "--token-file", token), "over a unix socket"),
                (("b", "https://me:pw@b.example"), "is not sent"),
                (("b", B, "--token-file", "/nonexistent"), "No such file"),
                (("b", B, "--token-file", self.file("two", "x\ny")), "one line of visible"),
                (("b", B, "--cacert", token), "no certificate in it"),
                (("b", B, "-n"), "has no dry run"),
                (("b",), "needs NAME URL"), (("b", B, "c"), "one word too many: c")):
            with self.subTest(words):
                self.fails(USAGE, sentence, "remote", "add", *words)
        self.assertFalse(self.path.exists())

    def test_an_open_token_is_warned_of(self):
        done = self.run_in("remote", "add", "b", B, "--token-file",
                           self.file("token", "ipipd_x", 0o644))
        self.assertEqual(OK, done.returncode)
        self.assertIn("warning: others may read the token", done.stderr)

    def test_rm_of_one_that_is_not_there_removes_none(self):
        self.ok("remote", "add", "b", B)
        self.fails(NOT_FOUND, "no remote named c", "remote", "rm", "b", "c")
        self.assertEqual("b\n", self.ok("remote", "list", "-o", "name"))

    def test_a_file_that_is_wrong_is_told_and_left(self):
        self.file(".config/ipipctl/remotes.json", '{"b":{"ulr":"https://b"}}')
        for words in (("remote", "list"), ("remote", "add", "c", B), ("remote", "rm", "b")):
            self.fails(FAILED, "remotes.json: b: unknown member ulr; did you mean url?", *words)
        self.fails(USAGE, "remotes.json: b: unknown member ulr", "-H", "b", "status")
        self.assertEqual('{"b":{"ulr":"https://b"}}', self.path.read_text())

    def test_a_file_that_others_may_write_is_not_believed(self):
        self.file(".config/ipipctl/remotes.json", "{}", 0o622)
        self.fails(FAILED, "is open to others", "remote", "list")

    def test_a_folder_that_cannot_be_made_is_told(self):
        self.file(".config", "")
        self.fails(FAILED, f"{self.home}/.config", "remote", "add", "b", B)
        self.assertEqual("", self.ok("remote", "list"))
        self.fails(FAILED, "neither XDG_CONFIG_HOME nor HOME", "remote", "add", "b", B, HOME="")

    def test_many_at_a_time_all_count(self):
        names = [f"r{i}" for i in range(20)]
        started = [subprocess.Popen([IPIPCTL, "-q", "remote", "add", name, B],
                                    env={**os.environ, "HOME": str(self.home),
                                         "XDG_CONFIG_HOME": ""}) for name in names]
        self.assertEqual({OK}, {process.wait(30) for process in started})
        self.assertEqual(sorted(names), self.ok("remote", "list", "-o", "name").split())


class Use(RemoteTest):
    def setUp(self):
        super().setUp()
        self.authority = network.Authority(self.home / "ca")
        self.agents = {}
        for name, secret in (("a", "ipipd_a"), ("b", "ipipd_b")):
            agent = self.agents[name] = network.Agent()
            self.addCleanup(agent.clean)
            agent.tokens({name: ("admin", secret)})
            agent.with_tls(self.authority)
            agent.start()
            url = f"https://127.0.0.1:{agent.ports()[-1]}"
            self.ok("remote", "add", name, url, "--cacert", self.authority.certificate,
                    "--token-file", self.file(name, secret))

    def test_a_name_stands_where_a_host_does(self):
        self.ok("-H", "a", "status")
        self.ok("status", IPIPCTL_HOST="b")
        self.fails(USAGE, "unknown remote c (`ipipctl remote list` shows all); an address is ",
                   "-H", "c", "status")
        self.ok("remote", "add", "controller", B)
        self.fails(USAGE, "did you mean controller?", "-H", "controler", "status")

    def test_each_has_its_own_token_and_an_option_is_before_it(self):
        other = str(self.home / "b")
        self.fails(FORBIDDEN, "the token is not known here", "-H", "a", "--token-file", other,
                   "status")
        self.ok("-H", "a", "status", IPIPCTL_TOKEN_FILE=other)

    def test_pair_and_unpair_take_names(self):
        done = self.run_in("unpair", "a-b", "--on", "a,b")
        self.assertEqual(NOT_FOUND, done.returncode, done.stderr)
        done = self.run_in("pair", "a", "b", "-n")
        self.assertNotIn(done.returncode, (USAGE, UNREACHABLE, FORBIDDEN), done.stderr)

    def test_exit_names_a_side_and_no_remote(self):
        self.fails(USAGE, "give them in that order", "pair", "b", "a", "--exit", "a", "--to",
                   "10.0.0.0/8")
        done = self.run_in("pair", "a", "b", "--exit", "a", "--to", "10.0.0.0/8", "-n")
        self.assertNotEqual(USAGE, done.returncode, done.stderr)

    def test_a_failure_tells_name_and_address(self):
        port = self.agents["b"].ports()[-1]
        self.agents["b"].stop()
        self.fails(UNREACHABLE, f"b (https://127.0.0.1:{port}): ", "-H", "b", "status")

    def test_a_file_that_went_is_told_when_it_is_needed(self):
        (self.home / "b").unlink()
        self.ok("-H", "a", "status")
        self.fails(USAGE, f"--token-file {self.home}/b: No such file", "-H", "b", "status")
        with contextlib.suppress(FileNotFoundError):
            (self.home / "ca" / "ca.pem").rename(self.home / "gone")
        self.fails(USAGE, "--cacert", "-H", "a", "status")


if __name__ == "__main__":
    api.main()
