#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ipipctl against agents on fake kernels: words, documents, exit statuses."""

import contextlib
import fcntl
import http.server
import json
import os
import pathlib
import pty
import select
import signal
import socket
import socketserver
import struct
import subprocess
import tempfile
import termios
import threading
import unittest

import api

IPIPCTL = os.environ.get("IPIPCTL_BIN", str(pathlib.Path(api.BIN).with_name("ipipctl")))
OK, FAILED, USAGE, TIMEOUT, UNREACHABLE, FORBIDDEN, NOT_FOUND, CONFLICT, INVALID = range(9)


def run(*words, text=None):
    environment = {name: value for name, value in os.environ.items() if name != "IPIPCTL_HOST"}
    return subprocess.run([IPIPCTL, *words], input=text, capture_output=True, text=True,
                          timeout=60, check=False, env=environment)


def read_all(terminal):
    """All that was printed on a terminal whose other end is closed."""
    shown = b""
    with open(terminal, "rb", buffering=0) as file, contextlib.suppress(OSError):
        while piece := file.read(4096):  # EIO: that was all
            shown += piece
    return shown.decode()


def on_terminal(columns, url, *words):
    """Runs with stdout on a terminal of that width. The lines."""
    terminal, other_end = pty.openpty()
    fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    subprocess.run([IPIPCTL, "-H", url, "--color=never", *words], stdout=other_end, timeout=60,
                   check=False)
    os.close(other_end)
    return read_all(terminal).splitlines()


class Stub(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """An agent that answers "METHOD /path" with a document, or a status and one; else 404."""

    daemon_threads = True

    def __init__(self, path, answers):
        self.answers = answers
        self.asked = []
        super().__init__(path, self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, asked):
        answer = self.answers.get(asked.split("?", maxsplit=1)[0], (404, {"title": "Not found"}))
        return answer if isinstance(answer, tuple) else (200, answer)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def address_string(self):
            return "unix"

        def log_message(self, *_):
            pass

        def respond(self):
            asked = f"{self.command} {self.path}"
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.server.asked.append(asked)
            status, document = self.server.answer(asked)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = respond


def serve_stub(case, path, answers):
    """A stub agent there, for as long as the test takes. Its URL."""
    stub = Stub(path, answers)
    case.addCleanup(stub.server_close)
    case.addCleanup(stub.shutdown)
    return f"unix://{path}"


class NoHttp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(4096)
        self.request.sendall(b"220 mail\r\n")


class Cli(api.ApiTest):
    def run_on(self, *words, text=None):
        return run("-H", f"unix://{self.agent.socket}", *words, text=text)

    def ok(self, *words, text=None):
        done = self.run_on(*words, text=text)
        self.assertEqual(OK, done.returncode, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def fails(self, status, *words, text=None):
        done = self.run_on(*words, text=text)
        self.assertEqual(status, done.returncode, f"{words}: {done.stdout}{done.stderr}")
        self.assertEqual("ipipctl: ", done.stderr[:9])
        return done.stderr

    def stub(self, answers):
        """A stub agent with these answers. Its URL."""
        return serve_stub(self, str(self.agent.directory / "stub"), answers)

    def add_all(self):
        self.ok("tunnel", "add", "tun_a", "--local", "172.16.16.22", "--remote", "172.16.1.62",
                "--address", "192.168.1.1/24", "--label", "site=x")
        self.ok("exit", "add", "qq", "--tunnel", "tun_a", "--destinations", "180.163.26.39/32")
        self.ok("nat", "add", "out", "--sources", "192.168.1.0/24", "--out-interface", "eth0")


class Resources(Cli):
    def test_add_prints_the_state_and_stores_what_was_given(self):
        out = self.ok("tunnel", "add", "tun_a", "--remote", "172.16.1.62", "--mtu", "1400",
                      "--addresses", "192.168.1.1/24,192.168.1.2/24", "--no-mss-clamp",
                      "--local=172.16.16.22", "--comment", "", "--label", "x=")
        self.assertEqual("tunnel/tun_a  created, ready\n", out)
        self.assertEqual({"name": "tun_a", "remote": "172.16.1.62", "local": "172.16.16.22",
                          "mtu": 1400, "mss_clamp": False, "labels": {"x": ""},
                          "addresses": ["192.168.1.1/24", "192.168.1.2/24"]},
                         self.agent.get("/v1/config").body["tunnels"][0])

    def test_add_refuses_a_name_that_exists(self):
        self.add_all()
        fault = self.fails(CONFLICT, "tunnel", "add", "tun_a", "--remote", "10.0.0.1")
        self.assertIn("hint: `set`", fault)

    def test_set_changes_only_what_is_given_and_resets_what_is_empty(self):
        self.add_all()
        change = ("tunnel", "set", "tun_a", "--ttl", "9", "--label", "b=c")
        self.assertEqual("tunnel/tun_a  set, ready\n", self.ok(*change))
        self.assertEqual("tunnel/tun_a  unchanged, ready\n", self.ok(*change))
        self.fails(NOT_FOUND, "tunnel", "set", "no", "--ttl", "9")
        document = self.agent.get("/v1/tunnels/tun_a").body
        self.assertEqual((9, {"site": "x", "b": "c"}), (document["ttl"], document["labels"]))
        self.ok("tunnel", "set", "tun_a", "--ttl", "", "--label", "site=")
        document = self.agent.get("/v1/tunnels/tun_a").body
        self.assertNotIn("ttl", document)
        self.assertEqual({"b": "c"}, document["labels"])
        self.assertEqual("172.16.16.22", document["local"])

    def test_list_is_a_table_of_words(self):
        self.add_all()
        lines = self.ok("tunnel", "list").splitlines()
        self.assertEqual(["NAME", "STATE", "LOCAL", "REMOTE", "DEVICE", "ADDRESS", "MTU", "RX",
                          "TX", "AGE"], lines[0].split())
        self.assertRegex(lines[1], r"^tun_a  ready  172.16.16.22  172.16.1.62  tun_a   "
                                   r"192.168.1.1/24  1480  840 B  1.7 kB  \d+s$")
        self.assertEqual("exit/qq\n", self.ok("exit", "list", "-o", "name"))
        self.assertNotIn("NAME", self.ok("nat", "list", "--no-headers"))
        self.assertEqual("", self.ok("tunnel", "list", "--state", "failed", "-q"))

    def test_list_has_no_counters_of_a_foreign_device(self):
        self.agent.kernel("foreign-link u ipip 172.16.16.22 172.16.1.99")
        self.fails(FAILED, "tunnel", "add", "u", "--remote", "172.16.1.63")
        self.assertRegex(self.ok("tunnel", "list", "--no-headers"), r"^u  conflict .*-  -  \d+s$")

    def test_list_takes_all_labels(self):
        for name, remote, *labels in (("a", "172.16.1.61", "--label=x=1"),
                                      ("b", "172.16.1.62", "--label=x=1", "--label=y=2")):
            self.ok("tunnel", "add", name, "--remote", remote, "--no-enabled", *labels)
        self.assertEqual("tunnel/b\n", self.ok("tunnel", "list", "--label", "y=2", "--label",
                                               "x=1", "-o", "name"))

    def test_json_is_the_document_of_the_api(self):
        self.add_all()
        shown = json.loads(self.ok("-j", "tunnel", "show", "tun_a"))
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").body, shown)
        listed = json.loads(self.ok("tunnel", "list", "-o", "json"))
        self.assertEqual(self.agent.get("/v1/tunnels").body, listed)

    def test_long_lists_are_whole(self):
        tunnels = [{"name": f"t{i}", "remote": f"10.1.{i // 250}.{i % 250 + 1}",
                    "enabled": False} for i in range(1100)]
        self.agent.put("/v1/config", {"tunnels": tunnels, "exit_routes": [], "nat_rules": []})
        self.assertEqual(1100, len(self.ok("tunnel", "list", "-o", "name").splitlines()))
        whole = json.loads(self.ok("-j", "tunnel", "list"))
        self.assertEqual((1100, None), (len(whole["items"]), whole["next"]))

    def test_show_tells_what_was_chosen_and_the_objects(self):
        self.add_all()
        shown = self.ok("tunnel", "show", "tun_a")
        self.assertRegex(shown, r"tunnel/tun_a  ready for \d+s\n")
        self.assertRegex(shown, r"\nmtu +1480 +\(chosen by the agent\)\n")
        self.assertRegex(shown, r"\nlink +tun_a +in-sync")

    def test_show_tells_a_default_from_a_choice(self):
        self.add_all()
        for noun, name, chosen, defaults in (
                ("tunnel", "tun_a", {"device", "mtu"}, {"ttl", "tos", "mss_clamp", "rp_filter"}),
                ("exit", "qq", {"source"}, set()), ("nat", "out", set(), {"priority", "action"})):
            lines = [line.split(maxsplit=2) for line in self.ok(noun, "show", name).splitlines()]
            notes = {line[0]: line[2] for line in lines if len(line) == 3}
            self.assertLessEqual(chosen, {field for field, note in notes.items()
                                          if note == "(chosen by the agent)"})
            self.assertLessEqual(defaults, {field for field, note in notes.items()
                                            if note == "(default)"})
        self.ok("tunnel", "set", "tun_a", "--mtu", "auto")
        self.assertRegex(self.ok("tunnel", "show", "tun_a"), r"\nmtu +1480 +\(auto\)\n")

    def test_show_counts_what_a_long_list_has_more(self):
        self.add_all()
        many = ",".join(f"10.{i // 256}.{i % 256}.0/24" for i in range(300))
        self.ok("exit", "set", "qq", "--destinations", many)
        shown = self.ok("exit", "show", "qq")
        self.assertRegex(shown, r"\ndestinations +10.0.0.0/24,10.0.1.0/24,10.0.2.0/24 \+297\n")
        self.assertEqual([], [line for line in shown.splitlines() if line.endswith(" ")])
        self.assertIn(f" {many}\n", self.ok("exit", "show", "qq", "-o", "wide"))

    def test_rm_removes(self):
        self.add_all()
        self.assertIn("qq", self.fails(CONFLICT, "tunnel", "rm", "tun_a"))
        self.assertEqual("exit/qq  removed\n", self.ok("exit", "rm", "qq"))
        self.ok("tunnel", "rm", "tun_a")
        self.fails(NOT_FOUND, "tunnel", "show", "tun_a")
        self.fails(NOT_FOUND, "tunnel", "rm", "tun_a")

    def test_rm_obeys_the_format(self):
        self.add_all()
        self.assertEqual("", self.ok("exit", "rm", "qq", "-j"))
        self.assertEqual("nat/out\n", self.ok("nat", "rm", "out", "-o", "name"))
        self.assertEqual("", self.ok("tunnel", "rm", "tun_a", "-q"))

    def test_rm_fails_when_objects_still_stand(self):
        def answer(reason, message):
            return 202, {"name": reason, "status": {"state": "deleting", "reason": reason,
                                                    "message": message}}
        url = self.stub({"DELETE /v1/tunnels/slow": answer("Deleting", "they go"),
                         "DELETE /v1/tunnels/kept": answer("PermissionDenied", "link: EPERM")})
        for name, status, words in (("slow", TIMEOUT, ": they go\n"),
                                    ("kept", FAILED, ": PermissionDenied: link: EPERM\n")):
            done = run("-H", url, "tunnel", "rm", name)
            self.assertEqual((status, ""), (done.returncode, done.stdout), name)
            self.assertIn("objects still stand" + words, done.stderr)
            done = run("-H", url, "tunnel", "rm", name, "--wait=0")
            self.assertEqual((OK, f"tunnel/{name}  removing\n", ""),
                             (done.returncode, done.stdout, done.stderr))
        self.assertEqual("deleting", json.loads(run("-H", url, "tunnel", "rm", "kept",
                                                    "-j").stdout)["status"]["state"])

    def test_all_faults_are_printed_with_their_place(self):
        fault = self.fails(INVALID, "tunnel", "add", "t", "--remote", "x", "--ttl", "300",
                           "--mtu", "12")
        for pointer in ("/remote: ", "/ttl: ", "/mtu: "):
            self.assertIn(f"\n  {pointer}", fault)
        fault = self.fails(INVALID, "exit", "add", "e", "--tunnel", "no", "--destinations",
                           "10.0.0.0/8")
        self.assertIn("hint: ", fault)

    def test_a_dry_run_prints_the_plan_and_stores_nothing(self):
        out = self.ok("-n", "tunnel", "add", "t", "--remote", "172.16.1.62", "--local",
                      "172.16.16.22")
        self.assertIn("+ add link t", out)
        self.fails(NOT_FOUND, "tunnel", "show", "t")

    def test_not_ready_is_told_in_the_exit_status(self):
        fault = self.fails(TIMEOUT, "--wait=1", "tunnel", "add", "t", "--remote", "172.16.1.62",
                           "--local", "10.9.9.9")
        self.assertIn("LocalAddressMissing", fault)
        self.agent.kernel("foreign-link u ipip 172.16.16.22 172.16.1.99")
        fault = self.fails(FAILED, "tunnel", "add", "u", "--remote", "172.16.1.63")
        self.assertIn("conflict", fault)
        self.ok("--wait=0", "tunnel", "add", "v", "--remote", "172.16.1.64", "--local",
                "10.9.9.9")

    def test_list_tells_what_is_amiss_on_lines_of_their_own(self):
        self.ok("--wait=0", "tunnel", "add", "v", "--remote", "172.16.1.64", "--local",
                "10.9.9.9")
        self.run_on("wait", "tunnel/v", "--timeout", "1")
        head, row, trouble = self.ok("tunnel", "list").splitlines()
        self.assertNotIn("REASON", head)
        self.assertNotIn("LocalAddressMissing", row)
        self.assertRegex(trouble, "^  tunnel/v  pending  LocalAddressMissing: ")
        self.assertEqual(1, len(self.ok("tunnel", "list", "--no-headers").splitlines()))
        head, row = self.ok("tunnel", "list", "-o", "wide").splitlines()
        self.assertIn("REASON", head)
        self.assertIn("LocalAddressMissing: ", row)

    def on_terminal(self, columns, *words):
        return on_terminal(columns, f"unix://{self.agent.socket}", *words)

    def test_a_narrow_terminal_drops_columns_and_folds_sentences(self):
        self.add_all()
        self.ok("--wait=0", "tunnel", "add", "a-long-name", "--remote", "172.16.1.64", "--local",
                "10.9.9.9", "--device", "t2")
        self.run_on("wait", "tunnel/a-long-name", "--timeout", "1")
        for words in (("tunnel", "list"), ("tunnel", "show", "a-long-name"), ("status",),
                      ("nat", "show", "out")):
            lines = self.on_terminal(50, *words)
            self.assertLessEqual(max(map(len, lines)), 50, lines)
            self.assertEqual([], [line for line in lines if line.endswith(" ")])
        lines = self.on_terminal(50, "tunnel", "list")
        self.assertEqual(["NAME", "STATE", "LOCAL"], lines[0].split()[:3])
        self.assertRegex(lines[1], "^a-long-name  pending  ")
        self.assertGreater(max(map(len, self.on_terminal(50, "tunnel", "list", "-o", "wide"))), 50)


class Flow(Cli):
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

    def test_plan_shows_drift_as_lines_to_type(self):
        self.add_all()
        self.assertEqual("nothing to do\n", self.ok("plan"))
        self.assertEqual("", self.ok("plan", "--as-shell"))

    def test_wait_obeys_the_format(self):
        self.add_all()
        self.assertEqual("exit/qq\nnat/out\n", self.ok("wait", "exit/qq", "nat/out", "-o", "name"))
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").body,
                         json.loads(self.ok("wait", "tunnel/tun_a", "-j")))
        self.assertEqual("", self.ok("wait", "tunnel/no", "--for", "deleted", "-j"))

    def test_a_format_that_is_not_there_is_refused(self):
        self.add_all()
        for words in (("status",), ("plan",), ("export",), ("api", "GET", "/v1/host"),
                      ("tunnel", "rm", "tun_a", "-n"), ("tunnel", "ping", "tun_a")):
            self.assertIn("has no names to print", self.fails(USAGE, *words, "-o", "name"))
        self.assertEqual(self.ok("status").splitlines()[0],
                         self.ok("status", "-o", "wide").splitlines()[0])

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

    def test_control_characters_of_a_hazard_stay_off_the_terminal(self):
        hazard = {"hazard": "X\033", "severity": "a\033[2J", "object": "b\033", "message": "c\033",
                  "fix": "d\033"}
        url = self.stub({"GET /v1/status": {"ready": True}, "GET /v1/host": {},
                         "GET /v1/hazards": {"hazards": [hazard], "hazards_total": 1}})
        out = run("-H", url, "status").stdout
        self.assertIn("  a?[2J  X?: b?: c?\n    fix: d?\n", out)
        self.assertNotIn("\033", out)


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
