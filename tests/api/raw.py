# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests as bytes, and connections of the three sorts to send them over."""
import contextlib
import pathlib
import socket
import tempfile

import network

AUTH = b"Authorization: " + network.ADMIN["Authorization"].encode() + b"\r\n"
BODY = b'{"remote":"172.16.9.9"}'
SECOND = (b"PUT /v1/tunnels/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n" + AUTH +
          b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
GET, PUT = b"GET /v1/status HTTP/1.1\r\n", b"PUT /v1/tunnels/a HTTP/1.1\r\n"
HOST = b"Host: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\n"
END = b"\r\n"
LIVE = b"GET /livez HTTP/1.1\r\n" + HOST + END
CHUNKED, NO_CHUNKS = b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"


def length(value):
    return b"Content-Length: " + value + b"\r\n"


def in_chunk(request):
    return b"%x\r\n" % len(request) + request + b"\r\n0\r\n\r\n"


def heard(connection):
    """All that comes until the end."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def answers(connection, count):
    """So many answers of a pipeline: their first lines."""
    file, lines = connection.makefile("rb"), []
    for _ in range(count):
        lines.append(file.readline().decode().strip())
        size = 0
        while (line := file.readline().strip()) and line:
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        file.read(size)
    return lines


class Ways:
    """Tests that hold however one comes: `way` is "unix", "tcp" or "tls"."""

    way = "unix"
    limits = {}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ipipd-hostile-")
        cls.addClassCleanup(folder.cleanup)
        cls.authority = network.Authority(pathlib.Path(folder.name) / "ca")
        cls.context = network.trusting(cls.authority)

    def setUp(self):
        self.agent = network.Agent()
        self.addCleanup(self.agent.clean)
        if self.way == "tls":
            self.agent.with_tls(self.authority)
        self.agent.set("limits", **self.limits)
        self.agent.start()

    def connect(self, begin=b""):
        if self.way == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.agent.socket)  # may wait for a place in the backlog
            connection.settimeout(10)
        else:
            connection = socket.create_connection(("127.0.0.1", self.agent.ports()[-1]), 10)
        if self.way == "tls":
            connection = self.context.wrap_socket(connection, server_hostname="127.0.0.1")
        self.addCleanup(connection.close)
        if begin:
            connection.sendall(begin)
        return connection

    def limit(self, **limits):
        """From the next start on, which is now."""
        self.agent.stop()
        self.agent.set("limits", **limits)
        self.agent.start()

