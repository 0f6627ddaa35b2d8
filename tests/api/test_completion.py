#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion, as bash, zsh and fish do it with what `ipipctl completion` prints."""

import os
import pathlib
import pty
import re
import select
import subprocess
import tempfile
import time

import api
from cli import IPIPCTL, serve_stub

LIMIT_S = 20


class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self, words, environment):
        master, slave = pty.openpty()
        self.master = master
        self.shown = ""
        self.process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, start_new_session=True)
        os.close(slave)

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, holds):
        end = time.monotonic() + LIMIT_S
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"in vain; the terminal shows {self.shown!r}")
            if select.select([self.master], [], [], 0.02)[0]:
                self.shown += os.read(self.master, 4096).decode(errors="replace")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


class Fish:
    """complete -C says what fish would offer."""

    words = ["fish", "--no-config", "--private", "-c"]

    def __init__(self, environment):
        self.environment = environment

    def candidates(self, line):
        done = subprocess.run([*self.words, "ipipctl completion fish | source\n"
                               "complete -C $argv[1]", line], env=self.environment,
                              capture_output=True, text=True, timeout=LIMIT_S, check=True)
        return [found.split("\t")[0] for found in done.stdout.splitlines()]

    def close(self):
        pass


class Interactive:
    """The shell's own line editor splits what is typed; what our function offers is caught."""

    def __init__(self, environment):
        self.folder = pathlib.Path(environment["HOME"])
        self.terminal = Terminal(self.words, environment)
        self.round = 0
        self.run(self.setup)

    def run(self, line):
        """What the shell has printed when the line is done."""
        self.round += 1
        done = self.folder / f"done{self.round}"
        before = len(self.terminal.shown)
        self.terminal.type(f"{line}\n: >{done}\n")
        self.terminal.until(done.exists)
        return self.terminal.shown[before:]

    def candidates(self, line):
        caught = self.folder / "caught"
        caught.unlink(missing_ok=True)
        self.terminal.type(line + "\t")
        self.terminal.until(lambda: caught.exists() and caught.read_text().endswith("END\n"))
        self.terminal.type("\x15")  # the line goes
        return caught.read_text().splitlines()[:-1]

    def close(self):
        self.terminal.close()


class Bash(Interactive):
    words = ["bash", "--norc", "--noprofile", "-i"]
    catch = ('caught() { _ipipctl; printf "%s\\n" "${COMPREPLY[@]}" END >~/caught; COMPREPLY=(); '
             '}; complete -F caught ipipctl')
    setup = "source <(ipipctl completion bash)"


class Zsh(Interactive):
    words = ["zsh", "-f", "-i"]
    setup = ("autoload -U compinit; compinit -u -D; source <(ipipctl completion zsh); "
             "unsetopt zle_bracketed_paste prompt_sp")
    catch = ('_describe() { print -l -- ${${(P)2}%%:*} END >~/caught }; '
             '_files() { print -l files END >~/caught }')


class CompletionTest(api.ApiTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="ipipctl-completion-")
        self.addCleanup(folder.cleanup)
        self.environment = {
            "HOME": folder.name, "PATH": f"{pathlib.Path(IPIPCTL).parent}:{os.environ['PATH']}",
            "IPIPCTL_HOST": f"unix://{self.agent.socket}", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self.three()
        for name, url in (("a", "unix:///run/a.sock"), ("b", "https://b.example")):
            self.run_it("remote", "add", name, url)

    def run_it(self, *words):
        return subprocess.run([IPIPCTL, *words], env=self.environment, capture_output=True,
                              text=True, timeout=LIMIT_S, check=True).stdout

    def shell(self, kind):
        shell = kind(self.environment)
        self.addCleanup(shell.close)
        return shell

    def compare(self, shell):
        """Each line gives these and no others; with an "=", the shells differ in what they call
        the word."""
        for line, expected in (
                ("ipipctl tunn", "tunnel"), ("ipipctl tunnel sh", "show"),
                ("ipipctl tunnel ", "list show add set rm ping"),
                ("ipipctl nat ", "list show add set rm"),
                ("ipipctl remote ", "add list rm"), ("ipipctl token ", "new"),
                ("ipipctl compl", "completion"), ("ipipctl completion ", "bash zsh fish"),
                ("ipipctl -o ", "table wide json name"),
                ("ipipctl --output=j", "json"),
                ("ipipctl tunnel list --output=", "table wide json name"),
                ("ipipctl tunnel add x --rp", "--rp-filter"),
                ("ipipctl tunnel add x --rp-filter ", "keep off strict loose"),
                ("ipipctl tunnel add x --rp-filter=o", "off"),
                ("ipipctl tunnel set x --enabled=", "true false"),
                ("ipipctl exit add x --tun", "--tunnel"),
                ("ipipctl exit add x --tunnel ", "tun_a"),
                ("ipipctl tunnel show ", "tun_a"), ("ipipctl tunnel add ", ""),
                ("ipipctl exit rm ", "qq"), ("ipipctl exit rm qq ", ""),
                ("ipipctl nat set ex", "exit"),
                ("ipipctl wait ", "tunnel/tun_a exit/qq nat/exit"),
                ("ipipctl wait exit/", "exit/qq"),
                ("ipipctl wait tunnel/tun_a --for ", "ready deleted"),
                ("ipipctl events --type drift", "drift-detected drift-repaired"),
                ("ipipctl events --kind e", "exit"),
                ("ipipctl -H ", "a b"), ("ipipctl -H a tunnel show ", ""),
                ("ipipctl -H unix:///nonexistent tunnel show ", ""),
                ("ipipctl pair a ", "a b"), ("ipipctl unpair x --on a,", "a,a a,b"),
                ("ipipctl remote rm ", "a b"),
                ("ipipctl help tunnel pi", "ping"), ("ipipctl tunel ", ""),
                ("ipipctl tunnel list --nonsense ", "")):
            found = [re.sub("^--[a-z-]+=", "", word) for word in shell.candidates(line) if word]
            self.assertEqual(sorted(expected.split()), sorted(found), line)

    def fields(self):
        """The options of `tunnel add` by its help."""
        text = self.run_it("help", "tunnel", "add")
        return set(re.findall(r"^  --(?:\[no-\])?([a-z-]+)", text.split("Fields:")[1], re.M))

    def complete(self, *words):
        return [line.split("\t")[0] for line in self.run_it("complete", "--", *words).splitlines()]

    def test_bash(self):
        shell = self.shell(Bash)
        self.assertIn("tunnel/tun_a", shell.run("ipipctl --output=na\ttun\tlis\t"))
        shell.run(shell.catch)
        self.compare(shell)

    def test_bash_completes_addresses_and_files(self):
        pathlib.Path(self.environment["HOME"], "declared.json").write_text("{}")
        shell = self.shell(Bash)
        shell.run("cd")
        self.assertIn("nothing to do", shell.run("ipipctl diff -f decl\t"))
        self.assertIn("nothing to do", shell.run("ipipctl diff --file=decl\t"))
        shell.run(shell.catch)
        self.assertEqual(["show"], shell.candidates(
            f"ipipctl -H unix://{self.agent.socket} tunnel sh"))
        self.assertEqual(["tun_a"], shell.candidates(
            "ipipctl -H http://127.0.0.1:1 -H unix://" + self.agent.socket + " tunnel show "))

    def test_zsh(self):
        shell = self.shell(Zsh)
        self.assertIn("tunnel/tun_a", shell.run("ipipctl --output=na\ttun\tlis\t"))
        shell.run(shell.catch)
        self.compare(shell)
        for line in ("ipipctl apply -f ", "ipipctl apply --file=", "ipipctl --cacert "):
            self.assertEqual(["files"], shell.candidates(line))

    def test_fish(self):
        shell = self.shell(Fish)
        self.compare(shell)
        home = self.environment["HOME"]
        pathlib.Path(home, "declared.json").write_text("{}")
        self.assertEqual([f"{home}/declared.json"],
                         shell.candidates(f"ipipctl apply -f {home}/decl"))
        self.assertEqual([f"--file={home}/declared.json"],
                         shell.candidates(f"ipipctl apply --file={home}/decl"))

    def test_all_that_the_help_tells_is_offered(self):
        options = self.complete("tunnel", "add", "x", "--")
        self.assertGreater(len(self.fields()), 10)
        for name in self.fields():
            self.assertIn("--" + name, options)
        told = set(re.findall(r"^  ([a-z]+)", self.run_it("help").split("Global")[0], re.M))
        self.assertEqual(told, set(self.complete("")))

    def test_a_name_that_is_none_is_not_offered(self):
        hostile = {"items": [{"name": name, "status": {"state": "x\ty\nz"}} for name in (
            "$(reboot)", "a b", "x\ny", "`id`", "ok", "\x1b[2J")]}
        self.agent.stop()
        serve_stub(self, self.agent.socket, {"GET /v1/tunnels": hostile})
        self.assertEqual("ok\tx?y?z\n", self.run_it("complete", "--", "tunnel", "show", ""))

    def test_other_shells_have_none(self):
        done = subprocess.run([IPIPCTL, "completion", "csh"], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)
        self.assertEqual((2, ""), (done.returncode, done.stdout))


if __name__ == "__main__":
    api.main()
