# SPDX-License-Identifier: GPL-2.0-or-later
"""ipipctl as its tests call it: on a terminal or not, of an agent or of a stub of one."""

import contextlib
import fcntl
import http.server
import json
import os
import pathlib
import pty
import socketserver
import struct
import subprocess
import termios
import threading

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
