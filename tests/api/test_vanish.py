#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers over TCP that are gone without a word: no FIN comes from them, and no acknowledgement.
In a network namespace of its own, in which a rule drops what both sides say."""

import ctypes
import os
import socket
import subprocess
import time
import unittest
import api
import network
from metrics import Scrape
from network import ADMIN, READ

CLONE_NEWNET = 0x40000000
GONE_S = 65  # keepalive begins after 25 s


@unittest.skipUnless(os.geteuid() == 0, "makes a network namespace")
class Vanish(api.ApiTest):
    @classmethod
    def setUpClass(cls):
        if ctypes.CDLL(None).unshare(CLONE_NEWNET) != 0:
            raise OSError("there is no network namespace to be had")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    def setUp(self):
        self.agent = network.Agent()
        self.addCleanup(self.agent.clean)
        self.agent.set("events", keepalive="1s")
        self.agent.set("limits", stream_timeout="20s")
        self.agent.start()

    def say(self, *lines, headers=ADMIN):
        """A connection on which that was said, and no more."""
        connection = socket.create_connection(("127.0.0.1", self.agent.ports()[-1]), 10)
        self.addCleanup(connection.close)
        fields = [f"{name}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([lines[0], "Host: 127.0.0.1", *fields,
                                        *lines[1:]]).encode())
        return connection

    def connections(self):
        return Scrape(self.agent.get("/metrics").text)("ipipd_http_connections", listener="tcp")

    def test_whatever_they_wait_for_they_are_dropped(self):
        pending = '{"remote":"172.16.1.62","local":"172.16.99.99"}'
        json = "Content-Type: application/json"
        begun = [
            self.say("GET /v1/events HTTP/1.1", "", "", headers=READ),
            self.say("PUT /v1/tunnels/a?wait=60 HTTP/1.1", json,
                     f"Content-Length: {len(pending)}", "", pending),
            self.say("GET /v1/status HTTP/1.1", "", ""),
            self.say("GET /v1/status HTTP/1.1"),
            self.say("PUT /v1/tunnels/b HTTP/1.1", json, "Content-Length: 100", "", "{"),
        ]
        for connection in (begun[0], begun[2]):
            self.assertEqual(connection.recv(12), b"HTTP/1.1 200")
        self.agent.until("/v1/tunnels/a", lambda a: a.status == 200)
        self.assertEqual(self.connections(), len(begun))
        begin = time.monotonic()
        subprocess.run(["nft", "-f", "-"], text=True, check=True, input=(
            "table ip cut { chain both { type filter hook input priority 0;\n"
            f"tcp dport {self.agent.ports()[-1]} drop; tcp sport {self.agent.ports()[-1]} drop;\n"
            "}\n}\n"))
        self.agent.until("/livez", lambda _: self.connections() == 0, GONE_S)
        print(f"{len(begun)} peers that vanished were dropped within "
              f"{time.monotonic() - begin:.0f} s")
        self.assertEqual(Scrape(self.agent.get("/metrics").text)("ipipd_event_followers"), 0)


if __name__ == "__main__":
    api.main()
