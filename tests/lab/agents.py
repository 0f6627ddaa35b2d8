# SPDX-License-Identifier: GPL-2.0-or-later
"""Agents in the lab, and the client."""
import collections
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from namespaces import eventually, run

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IPIPD = os.environ.get("IPIPD_BIN", os.path.join(REPO, "build/dev/ipipd"))
IPIPCTL = os.environ.get("IPIPCTL_BIN", os.path.join(os.path.dirname(IPIPD), "ipipctl"))

Answer = collections.namedtuple("Answer", "status headers body")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("ipipd", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    """An agent as its clients see it. Its log is shown when a test fails."""

    live = []

    def __init__(self, name, path):
        self.name, self.socket = name, path
        Api.live.append(self)

    def forget(self):
        with contextlib.suppress(ValueError):
            Api.live.remove(self)

    def request(self, method, path, body=None, headers=None, timeout=90):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/merge-patch+json"
                               if method == "PATCH" else "application/json")
        connection = UnixConnection(self.socket, timeout)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
            kind = response.headers.get("Content-Type", "")
            parsed = json.loads(data) if data and "json" in kind else data.decode()
            return Answer(response.status, dict(response.headers), parsed)
        finally:
            connection.close()

    def ok(self, method, path, body=None, headers=None, status=None):
        answer = self.request(method, path, body, headers)
        good = answer.status == status if status else 200 <= answer.status < 300
        assert good, f"{self.name}: {method} {path}: {answer.status} {answer.body}"
        return answer.body

    def put(self, path, body, state="ready"):
        """PUT and wait; the resource must then be in this state."""
        wait = 2 if state == "pending" else 30
        answer = self.ok("PUT", f"/v1/{path}?wait={wait}", body)
        assert answer["status"]["state"] == state, \
            f"{self.name}: {path} is {json.dumps(answer['status'])}, not {state}"
        return answer

    def delete(self, path):
        answer = self.request("DELETE", f"/v1/{path}?wait=30")
        assert answer.status == 204, f"{self.name}: DELETE {path}: {answer.status} {answer.body}"

    def get(self, path):
        return self.ok("GET", f"/v1/{path}")

    def state(self, path):
        return self.get(path)["status"]["state"]

    def wait_state(self, path, state, timeout=30):
        eventually(lambda: self.state(path) == state, timeout, f"{path} to be {state}")
        return self.get(path)["status"]

    def plan(self):
        return self.ok("POST", "/v1/plan")["ops"]

    def clear(self):
        """The whole declaration goes."""
        return self.ok("PUT", "/v1/config?wait=30",
                       {"tunnels": [], "exit_routes": [], "nat_rules": []})


class Agent(Api):
    """An ipipd in a namespace, with its folder of socket, database and log."""

    def __init__(self, ns, name=None, start=True, arguments=()):
        name = name or ns
        self.ns, self.folder = ns, tempfile.mkdtemp(prefix=f"ipipd-{name}.")
        super().__init__(name, os.path.join(self.folder, "ipipd.sock"))
        self.database = os.path.join(self.folder, "db", "ipipd.db")
        os.mkdir(os.path.dirname(self.database), 0o700)
        self.log_path = os.path.join(self.folder, "log")
        self.arguments, self.process = list(arguments), None
        if start:
            self.start()

    def command(self, *more):
        return ["ip", "netns", "exec", self.ns, IPIPD, "--socket", self.socket, "--db",
                self.database, "--log-level", "debug", *self.arguments, *more]

    def start(self, ready=True):
        assert self.process is None
        log = open(self.log_path, "ab")
        with log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        eventually(lambda: self._answers("/readyz" if ready else "/livez"), 60,
                   f"{self.name} to be ready")
        return self

    def _answers(self, path):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name}: ended with {self.process.returncode} at start")
        try:
            return self.request("GET", path, timeout=5).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _end(self, number, timeout=30):
        process, self.process = self.process, None
        if process is None:
            return None
        process.send_signal(number)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name}: still there {timeout} s after signal {number}") \
                from None

    def stop(self):
        status = self._end(signal.SIGTERM)
        assert status in (0, None), f"{self.name}: SIGTERM ended it with {status}"

    def kill9(self):
        self._end(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def flush(self):
        """`ipipd --flush`: removes everything that it owns."""
        return subprocess.run(self.command("--flush"), capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL, check=False)

    def close(self):
        self.forget()
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        with contextlib.suppress(OSError), open(self.log_path, errors="replace") as file:
            return file.read()
        return ""


def ipipctl(*arguments, host=None, check=False, env=None):
    """Runs the client where the test is; it reaches agents by their unix sockets."""
    argv = [IPIPCTL, *(["-H", f"unix://{host.socket}"] if host else []), *arguments]
    return run(None, *argv, check=check, env=env)
