#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the agent tells systemd, and when; and how it runs as a user of its own, on systemd's
socket."""

import collections
import contextlib
import errno
import grp
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import api


class Service(api.Agent):
    """An agent whose notifications are kept to be read."""

    notify = None

    def listen(self):
        """The path where it is heard."""
        path = self.directory / "notify"
        if self.notify:
            self.notify.close()
            path.unlink()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        path.chmod(0o666)
        self.notify.settimeout(api.READY_S)
        return str(path)

    def start(self, **environment):
        path = self.listen()
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stderr=log,
                env=self.environment(NOTIFY_SOCKET=path, **environment))

    def told(self):
        return self.notify.recv(1000).decode()

    def tells_nothing(self):
        self.notify.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            raise AssertionError(f"told: {self.told()}")
        self.notify.settimeout(api.READY_S)

    def clean(self):
        super().clean()
        if self.notify:
            self.notify.close()


class Systemd(unittest.TestCase):
    def setUp(self):
        self.agent = Service()
        self.addCleanup(self.agent.clean)

    def hears(self, *messages):
        for message in messages:
            self.assertEqual(self.agent.told(), message, self.agent.log)

    def test_it_is_ready_when_the_first_pass_is_over(self):
        self.agent.start(IPIPD_FAILPOINT="pass.judged=stop")
        self.agent.wait_for_stop()
        self.agent.tells_nothing()
        self.agent.process.send_signal(signal.SIGCONT)
        self.hears("STATUS=nothing is declared", "READY=1")

    def test_it_is_ready_after_a_first_pass_that_sees_nothing_and_says_so(self):
        self.agent.start(IPIPD_FAILPOINT="fake.observe:1-2=ENOBUFS")
        self.assertRegex(self.agent.told(), "^STATUS=the kernel could not be observed: .+")
        self.hears("READY=1")
        self.assertEqual(self.agent.get("/livez").status, 200)
        self.hears("STATUS=nothing is declared")

    def test_status_tells_what_a_pass_has_changed(self):
        self.agent.start()
        self.hears("STATUS=nothing is declared", "READY=1")
        self.agent.put("/v1/tunnels/tun_a?wait=10", api.TUNNEL)
        self.hears("STATUS=1 tunnel: 1 ready")
        self.agent.post("/v1/reconcile?wait=10")
        self.agent.tells_nothing()
        self.agent.put("/v1/exit-routes/qq?wait=10", api.EXIT)
        self.hears("STATUS=1 tunnel, 1 exit-route: 2 ready")
        self.agent.put("/v1/tunnels/far", {"remote": "172.16.1.63", "local": "172.16.16.99"})
        self.hears("STATUS=2 tunnels, 1 exit-route: 1 pending, 2 ready")
        for path in ("tunnels/far", "exit-routes/qq"):
            self.assertEqual(self.agent.delete(f"/v1/{path}?wait=10").status, 204)
        self.agent.delete("/v1/tunnels/tun_a?wait=10")
        while self.agent.told() != "STATUS=nothing is declared":
            pass

    def test_the_watchdog_is_fed_until_the_end(self):
        self.agent.start(WATCHDOG_USEC="100000")
        told = [self.agent.told() for _ in range(6)]
        self.assertEqual(told.count("WATCHDOG=1"), 4, told)
        self.agent.process.send_signal(signal.SIGTERM)
        while told[-1] != "STOPPING=1":
            told.append(self.agent.told())
        self.assertEqual(self.agent.stop(), 0)

    def test_a_status_that_nobody_hears_is_said_once(self):
        self.agent.start()
        self.hears("STATUS=nothing is declared", "READY=1")
        os.unlink(self.agent.directory / "notify")
        self.agent.put("/v1/tunnels/tun_a?wait=10", api.TUNNEL)
        self.agent.stop()
        self.assertEqual(self.agent.log.count("systemd cannot be notified"), 1)


USER, OTHER = 54321, 54322
# Its own process id is what systemd puts there.
AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


class Stopping(api.ApiTest):
    """Who comes as it ends cannot know that: he is answered, by it or by the next one."""

    def connect(self, sent=b""):
        """A connection of which it has heard that there is one."""
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(api.READY_S)
        client.connect(str(self.agent.socket))
        client.sendall(sent)
        self.ok(self.agent.get("/livez"))
        return client

    def ends(self, client, *after):
        """It is told to stop, and the client says the rest. How long it took, and the answer."""
        began = time.monotonic()
        self.agent.process.send_signal(signal.SIGTERM)
        end = began + api.READY_S
        while "stopping on signal" not in self.agent.log and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(0.05)
        for piece in after:
            client.sendall(piece)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
        self.assertEqual(self.agent.stop(), 0)
        return time.monotonic() - began, answer

    def test_who_has_said_nothing_yet_is_answered(self):
        answer = self.ends(self.connect(), b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")[1]
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        self.assertIn(b"\r\nConnection: close\r\n", answer)

    def test_who_is_in_the_middle_of_a_write_is_answered_and_nothing_lost(self):
        body = json.dumps(api.TUNNEL).encode()
        head = (f"PUT /v1/tunnels/tun_a?wait=10 HTTP/1.1\r\nHost: x\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
        answer = self.ends(self.connect(head.encode() + body[:9]), body[9:])[1]
        self.assertTrue(answer.startswith(b"HTTP/1.1 201 "), answer)
        self.assertIn(b'"ready"', answer)
        self.agent.start()
        self.ok(self.agent.get("/v1/tunnels/tun_a"))

    def test_who_has_knocked_in_time_is_answered(self):
        self.agent.process.send_signal(signal.SIGSTOP)
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(api.READY_S)
        client.connect(str(self.agent.socket))  # into the backlog
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        self.agent.process.send_signal(signal.SIGTERM)
        self.agent.process.send_signal(signal.SIGCONT)
        self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 200 "))
        self.assertEqual(self.agent.stop(), 0)

    def test_nobody_who_finds_it_is_refused(self):
        """Its own socket, which goes first: who comes later finds none, or nobody there yet."""
        over, heard = threading.Event(), collections.Counter()

        def ask():
            while not over.is_set():
                try:
                    heard[self.agent.get("/livez").status] += 1
                except OSError as fault:
                    heard[fault.errno] += 1
                    over.wait(0.001)

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        for _ in range(5):
            time.sleep(0.1)
            self.assertEqual(self.agent.stop(), 0)
            self.agent.start()
        over.set()
        for client in clients:
            client.join()
        self.assertGreater(heard[200], 0)
        self.assertLessEqual(set(heard), {200, errno.ENOENT, errno.ECONNREFUSED}, heard)

    def test_who_says_nothing_at_all_does_not_hold_it_up(self):
        took, answer = self.ends(self.connect())
        self.assertEqual(answer, b"")
        self.assertTrue(0.4 < took < 5, took)

    def closed_after(self, connection, signals):
        """The shortest of three times from the first signal to the end of the connection."""
        took = []
        for _ in range(3):
            client = connection()
            began = time.monotonic()
            for n in range(signals):
                self.agent.process.send_signal(signal.SIGTERM)
                while "stopping on signal" not in self.agent.log.rpartition("serves")[2]:
                    time.sleep(0.002)
            self.assertEqual(client.recv(10), b"")
            took.append(time.monotonic() - began)
            self.assertEqual(self.agent.stop(), 0)
            self.agent.start()
        return min(took)

    def idle(self):
        """A connection that has had its answer."""
        client = self.connect(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        while not client.recv(65536).endswith(b"\n"):
            pass
        return client

    def test_a_second_signal_does_not_wait(self):
        self.assertLess(self.closed_after(self.connect, 2), 0.4)

    def test_who_is_idle_is_not_waited_for(self):
        self.assertLess(self.closed_after(self.idle, 1), 0.4)


class Packaged(Service):
    """As the unit starts it: a user that owns the database's directory, and a socket of root's
    for a group."""

    def __init__(self):
        super().__init__()
        self.group = next(group for group in grp.getgrall() if group.gr_gid)
        # where that user can come
        self.directory.chmod(0o711)
        self.binary = shutil.copy(api.BIN, self.directory / "ipipd")
        for path in (self.directory / "kernel", *(self.directory / "kernel").iterdir()):
            os.chown(path, USER, USER)
        self.db.parent.mkdir(mode=0o700)
        os.chown(self.db.parent, USER, USER)
        os.mkdir(os.path.dirname(self.socket), 0o755)
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.socket)
        self.listening.listen()
        os.chown(self.socket, 0, self.group.gr_gid)
        os.chmod(self.socket, 0o660)
        self.settings = self.directory / "ipipd.conf"
        self.settings.write_text(f"[agent]\ngroup = {self.group.gr_name}\n")
        self.options = ["--config", str(self.settings)]

    def command(self, *options):
        return [str(self.binary), *super().command(*options)[1:]]

    def start(self):
        path, listening = self.listen(), self.listening.fileno()
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", AS_SYSTEMD, str(listening), *self.command()],
                stderr=log, pass_fds=(listening,), user=USER, group=USER, extra_groups=[],
                umask=0o077, env=self.environment(NOTIFY_SOCKET=path))
        while self.told() != "READY=1":
            pass

    def flush(self):
        """By root, as who removes the package does it."""
        subprocess.run(self.command("--flush"), env=self.environment(), check=True,
                       stderr=subprocess.PIPE, timeout=api.READY_S)
        for path in (self.directory / "kernel").iterdir():  # the fake kernel's own files
            os.chown(path, USER, USER)

    def status_for(self, user, group):
        """What the API answers a client of that user and group; 000: it cannot connect."""
        return subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", self.socket,
             "http://ipipd/v1/status"], user=user, group=group, extra_groups=[], text=True,
            stdout=subprocess.PIPE, check=False, timeout=api.READY_S).stdout

    def clean(self):
        super().clean()
        self.listening.close()


@unittest.skipUnless(os.geteuid() == 0, "other users take root")
class UserOfItsOwn(unittest.TestCase):
    def setUp(self):
        self.agent = Packaged()
        self.addCleanup(self.agent.clean)

    def files(self):
        return sorted(self.agent.db.parent.iterdir())

    def test_root_and_the_group_may_use_its_socket(self):
        self.agent.start()
        self.assertEqual(self.agent.status_for(0, 0), "200")
        self.assertEqual(self.agent.status_for(OTHER, self.agent.group.gr_gid), "200")
        self.assertEqual(self.agent.status_for(OTHER, OTHER), "000")
        os.chmod(self.agent.socket, 0o666)  # systemd's default
        self.assertEqual(self.agent.status_for(OTHER, OTHER), "403")

    def test_the_socket_outlives_it_and_a_client_waits_for_the_next(self):
        self.agent.start()
        self.agent.stop()
        with contextlib.closing(api.Connection(self.agent.socket)) as connection:
            connection.request("GET", "/livez")
            self.agent.start()
            self.assertEqual(connection.getresponse().status, 200)

    def test_it_serves_the_socket_that_it_got_wherever_its_own_would_be(self):
        self.agent.options += ["--socket", "/proc/nowhere/ipipd.sock"]
        self.agent.start()
        self.assertEqual(self.agent.status_for(0, 0), "200")
        self.assertIn(f" serves {self.agent.socket}\n", self.agent.log)

    def test_what_root_flushes_it_can_go_on_with(self):
        self.agent.start()
        answer = self.agent.put("/v1/tunnels/tun_a?wait=10", api.TUNNEL)
        self.assertEqual((answer.status, answer.state), (201, "ready"))
        for end in (self.agent.stop, self.agent.kill):  # the second leaves a log behind
            end()
            self.agent.flush()
            self.assertEqual(self.agent.objects("link tun_a"), [])
            self.assertEqual({path.stat().st_uid for path in self.files()}, {USER})
            self.agent.start()
            self.assertEqual(self.agent.get("/v1/tunnels/tun_a").state, "ready")

    def test_a_database_that_roots_flush_has_made_is_its(self):
        self.agent.flush()
        self.assertTrue(self.files())
        self.agent.start()
        self.assertEqual(self.agent.put("/v1/tunnels/tun_a", api.TUNNEL).status, 201)

    def test_it_reads_tokens_of_root_for_its_group(self):
        tokens = self.agent.directory / "tokens"
        tokens.write_text(f"ci admin {'0' * 64}\n")
        tokens.chmod(0o640)
        os.chown(tokens, 0, USER)
        with self.agent.settings.open("a") as settings:
            settings.write(f"[tcp]\nlisten = 127.0.0.1:0\ntokens = {tokens}\n")
        self.agent.start()
        self.assertEqual(self.agent.get("/livez").status, 200)


if __name__ == "__main__":
    api.main()
