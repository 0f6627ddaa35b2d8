# SPDX-License-Identifier: GPL-2.0-or-later
"""An agent on a fake kernel, and a client of its unix socket: what the API tests share."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

BIN = os.environ.get("IPIPD_FAKE_BIN", "ipipd_fake")
COVERAGE = "coverage" in os.path.realpath(BIN).split(os.sep)
SANITIZED = "asan" in os.path.realpath(BIN).split(os.sep)
SANITIZERS = "Sanitizer: ", "runtime error: "
READY_S = 60
# Where to keep the answers for tests/openapi, which holds them against the document.
RECORD = os.environ.get("IPIPD_RECORD")

# What every agent of these tests finds: one device with an address and the default route.
HOST = (
    "link eth0",
    "addr eth0 172.16.16.22/24",
    "route default dev eth0 via 172.16.16.1",
)

TUNNEL = {"remote": "172.16.1.62", "local": "172.16.16.22", "addresses": ["192.168.1.1/24"]}
EXIT = {"tunnel": "tun_a", "destinations": ["180.163.26.39/32"]}
NAT = {"sources": ["192.168.1.0/24"], "out_interface": "eth0"}


class Answer:
    """One response: status, headers and the parsed body."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()
        is_json = "json" in (self.headers["Content-Type"] or "")
        self.body = json.loads(self.text) if is_json and self.text.strip() else None

    @property
    def etag(self):
        return self.headers["ETag"]

    @property
    def state(self):
        return self.body["status"]["state"]

    @property
    def reason(self):
        return self.body["status"]["reason"]

    @property
    def code(self):
        return self.body["code"]

    @property
    def pointers(self):
        return [error["pointer"] for error in self.body["errors"]]

    def __repr__(self):
        return f"{self.status} {self.text}"


class Recorder:
    """A line for each kind of request and answer: those alike differ in their digits only. The
    body of what was refused is not kept."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / (pathlib.Path(sys.argv[0]).stem + ".jsonl")
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text("")
        self.seen = set()

    def keep(self, method, path, body, answer):
        served = answer.status < 300
        asked = body.decode() if isinstance(body, bytes) and served else served and body or ""
        line = [method, path, asked, answer.status, answer.headers.items(), answer.text]
        kind = hash(re.sub(r"[0-9][0-9a-f]*|[a-f]+[0-9][0-9a-f]*", "0", json.dumps(line)))
        if kind not in self.seen:
            self.seen.add(kind)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


RECORDER = Recorder(RECORD) if RECORD else None


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("ipipd", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Agent:
    """Runs in a directory of its own; start, stop and kill may be repeated."""

    def __init__(self, *script):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ipipd-api-"))
        (self.directory / "kernel").mkdir()
        self.socket = str(self.directory / "run" / "ipipd.sock")
        self.db = self.directory / "db" / "ipipd.db"
        self.process = None
        self.options = []  # more of its command line
        self.kernel(*HOST, *script)

    def kernel(self, *lines):
        """Lets the fake kernel do these lines (tests/fake_kernel.h), in place of the last ones."""
        new = self.directory / "kernel" / "new"
        new.write_text("".join(line + "\n" for line in lines), errors="surrogateescape")
        new.rename(self.directory / "kernel" / "script")

    def objects(self, noun=""):
        """What the fake kernel holds, one line an object."""
        path = self.directory / "kernel" / "state"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.startswith(noun)]

    def command(self, *options):
        return [BIN, "--socket", self.socket, "--db", str(self.db), "--log-level", "debug",
                *self.options, *options]

    def environment(self, **more):
        """Its log stands for the journal."""
        with contextlib.suppress(FileNotFoundError):
            log = os.stat(self.directory / "log")
            more = {"JOURNAL_STREAM": f"{log.st_dev}:{log.st_ino}", **more}
        return {**os.environ, "IPIPD_FAKE_KERNEL": str(self.directory / "kernel"), **more}

    def start(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            path = str(self.directory / "notify")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            ready.bind(path)
            ready.settimeout(0.1)
            with open(self.directory / "log", "ab") as log:
                self.process = subprocess.Popen(self.command(), stderr=log,
                                                env=self.environment(NOTIFY_SOCKET=path))
            end = time.monotonic() + READY_S
            while True:
                try:
                    if ready.recv(1000) == b"READY=1":
                        return self
                except TimeoutError:
                    if self.process.poll() is not None or time.monotonic() > end:
                        raise RuntimeError("the agent did not start:\n" + self.log) from None

    def wait_for_stop(self):
        """Until a failpoint has stopped it."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat")
        end = time.monotonic() + READY_S
        while ") T " not in stat.read_text():
            if time.monotonic() > end:
                raise AssertionError(self.log)
            time.sleep(0.01)

    @property
    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def stop(self):
        """Ends it as systemd does. The exit code."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.send_signal(signal.SIGTERM)
        return process.wait(READY_S)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def clean(self):
        died = self.process and self.process.poll()
        # coverage is written down, and leaks are looked for, at the end
        if self.process and (COVERAGE or SANITIZED):
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(READY_S)
        if self.process:
            self.process.kill()
            self.process.wait()
        log = self.log if (self.directory / "log").exists() else ""
        shutil.rmtree(self.directory)
        if died is not None:
            raise RuntimeError(f"the agent ended by itself ({died}):\n{log[-8000:]}")
        if any(words in log for words in SANITIZERS):
            raise RuntimeError(f"a sanitizer has something to say:\n{log[-8000:]}")

    def ask(self, method, path, body=None, headers=None, connection=None):
        """One request. A body that is no text or bytes goes as JSON."""
        headers = dict(headers or {})
        if body is not None:
            kind = "merge-patch+json" if method == "PATCH" else "json"
            headers.setdefault("Content-Type", "application/" + kind)
            if not isinstance(body, (str, bytes)):
                body = json.dumps(body)
        connection_ = connection or Connection(self.socket)
        try:
            connection_.request(method, path, body, headers)
            answer = Answer(connection_.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self._explain(error)
            raise
        finally:
            if not connection:
                connection_.close()
        if RECORDER:
            RECORDER.keep(method, path, body, answer)
        return answer

    def _explain(self, error):
        """Did the agent end? Its last words belong to the failure."""
        with contextlib.suppress(AttributeError, subprocess.TimeoutExpired):
            code = self.process.wait(1)
            error.add_note(f"the agent ended ({code}):\n{self.log[-8000:]}")

    def get(self, path, **headers):
        return self.ask("GET", path, headers=headers)

    def put(self, path, body, headers=None):
        return self.ask("PUT", path, body, headers)

    def post(self, path, body=None, headers=None):
        return self.ask("POST", path, body, headers)

    def patch(self, path, body, headers=None):
        return self.ask("PATCH", path, body, headers)

    def delete(self, path, headers=None):
        return self.ask("DELETE", path, headers=headers)

    def until(self, path, holds, seconds=READY_S):
        """Asks until the answer is as wanted. The answer."""
        end = time.monotonic() + seconds
        while True:
            answer = self.get(path)
            if holds(answer):
                return answer
            if time.monotonic() > end:
                raise AssertionError(f"{path} stayed {answer}")
            time.sleep(0.02)


class ApiTest(unittest.TestCase):
    """One running agent for each test."""

    script = ()

    def setUp(self):
        self.agent = Agent(*self.script)
        self.addCleanup(self.agent.clean)
        self.agent.start()

    def with_failpoint(self, text):
        """The agent anew, with that failpoint (tests/failpoint.h)."""
        self.agent.stop()
        with unittest.mock.patch.dict(os.environ, IPIPD_FAILPOINT=text):
            self.agent.start()

    def ok(self, answer, status=200):
        self.assertEqual(answer.status, status, answer)
        return answer

    def problem(self, answer, status, code, *pointers):
        """The answer is that problem, whole, and points at those members."""
        self.assertEqual((answer.status, answer.code), (status, code), answer)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        for member in ("type", "title", "detail", "instance", "request_id", "errors"):
            self.assertIn(member, answer.body)
        self.assertEqual(answer.body["status"], status)
        self.assertTrue(answer.body["title"] and answer.body["detail"])
        for pointer in pointers:
            self.assertIn(pointer, answer.pointers)
        return answer

    def revision(self):
        return self.agent.get("/v1/status").body["revision"]

    def three(self):
        """One ready resource of each kind."""
        for path, body in (("tunnels/tun_a", TUNNEL), ("exit-routes/qq", EXIT),
                           ("nat-rules/exit", NAT)):
            answer = self.ok(self.agent.put(f"/v1/{path}?wait=10", body), 201)
            self.assertEqual(answer.state, "ready", answer)


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=1)
    result = program.result
    # a test may fail in several of its subtests
    failed = len({getattr(test, "test_case", test).id()
                  for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed")
    sys.exit(1 if failed or not result.testsRun else 0)
