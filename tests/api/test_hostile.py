#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that mean harm, or are merely slow, many, or gone: over the socket, TCP and TLS."""

import contextlib
import os
import signal
import socket
import time

import api
from raw import AUTH, END, GET, HOST, JSON, LIVE, PUT, Ways, answers, length


class Slow(Ways):
    """Who does not take his answer is cut off, and what it is made of given back."""

    limits = {"stream_timeout": "1s"}

    def test_an_answer_that_nobody_takes_is_given_up(self):
        tunnels = [{"name": f"t{i}", "remote": f"10.1.{i // 250}.{i % 250 + 1}", "enabled": False,
                    "comment": "x" * 1000} for i in range(3000)]
        self.ok(self.agent.put("/v1/config", {"tunnels": tunnels}))
        for path in (b"/v1/tunnels?limit=1000", b"/v1/config"):
            with self.subTest(path):
                connections = [self.connect(b"GET " + path + b" HTTP/1.1\r\n" + HOST + AUTH + END)
                               for _ in range(8)]
                time.sleep(2)
                whole = len(self.agent.get(path.decode()).text)
                for connection in connections:
                    size = 0
                    with contextlib.suppress(ConnectionError):
                        while more := connection.recv(1 << 20):
                            size += len(more)
                    self.assertLess(size, whole)


class Crowds(Ways):
    limits = {"connections_per_address": 1000, "connections": 256}

    def test_a_pipeline_is_answered_in_its_order(self):
        body = b'{"remote":"172.16.1.62"}'
        put = PUT + HOST + AUTH + JSON + length(b"%d" % len(body)) + END + body
        get = b"GET /v1/tunnels/a HTTP/1.1\r\n" + HOST + AUTH + END
        missing = get.replace(b"/a ", b"/b ")
        lines = answers(self.connect(put + (get + missing) * 100 + put), 202)
        self.assertEqual(lines[0], "HTTP/1.1 201 Created")
        self.assertEqual(lines[1:-1], ["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"] * 100)
        self.assertEqual(lines[-1], "HTTP/1.1 200 OK")

    def test_synchronised_clients(self):
        """The library's own loop would hang at multiples of 128."""
        for count in (127, 128, 129, 256):
            connections = [self.connect() for _ in range(count)]
            for turn in range(3):
                self.agent.process.send_signal(signal.SIGSTOP)  # all in one wake-up
                for number, connection in enumerate(connections):
                    body = b'{"remote":"10.%d.%d.1"}' % (number, turn)
                    connection.sendall(b"PUT /v1/tunnels/t%d?dry_run=true HTTP/1.1\r\n" % number +
                                       HOST + AUTH + JSON + length(b"%d" % len(body)) + END + body)
                self.agent.process.send_signal(signal.SIGCONT)
                for connection in connections:
                    self.assertEqual(answers(connection, 1), ["HTTP/1.1 200 OK"])
            for connection in connections:
                connection.close()

    def test_waiting_clients_that_vanish_free_their_places(self):
        body = b'{"remote":"172.16.1.62","local":"172.16.99.99"}'  # an absent address: pending
        wait = (b"PUT /v1/tunnels/a?wait=60 HTTP/1.1\r\n" + HOST + AUTH + JSON +
                length(b"%d" % len(body)) + END + body)
        for _ in range(3):
            waiting = [self.connect(wait) for _ in range(64)]
            waiting += self.until_answered(wait, b"HTTP/1.1 429")
            for connection in waiting:
                connection.close()
        self.until_answered(wait, None)

    def until_answered(self, request, wanted):
        """Asks until it is answered so; None: until it waits. The connections of that."""
        end, asked = time.monotonic() + 20, []
        while True:
            asked.append(self.connect(request))
            asked[-1].settimeout(0.3)
            got = None
            with contextlib.suppress(TimeoutError):
                got = asked[-1].recv(12)
            if got == wanted:
                return asked
            self.assertLess(time.monotonic(), end, got)

    def test_connections_of_clients_that_vanish_are_free(self):
        self.limit(connections=4)
        body = b'{"remote":"172.16.1.62","local":"172.16.99.99"}'
        wait = (b"PUT /v1/tunnels/a?wait=60 HTTP/1.1\r\n" + HOST + AUTH + JSON +
                length(b"%d" % len(body)) + END + body)
        waiting = [self.connect(wait) for _ in range(4)]
        time.sleep(0.1)
        for connection in waiting:
            connection.close()
        self.assertEqual(answers(self.connect(LIVE), 1), ["HTTP/1.1 200 OK"])

    def test_who_leaves_in_the_middle_hurts_nobody(self):
        for begin in (b"G", GET, GET + HOST, PUT + HOST + AUTH + JSON + length(b"9") + END + b"{"):
            for _ in range(20):
                self.connect(begin).close()
        self.assertEqual(answers(self.connect(LIVE), 1), ["HTTP/1.1 200 OK"])


class Flood(Ways, api.ApiTest):
    """A thousand connections, each slow in its own way, from a process of their own."""

    way = "tls"
    count, requests, p99_ms = 1000, 1000, 50
    round_s = 0.1  # in which each says its byte
    limits = {"connections": 2000, "connections_per_address": 2000, "header_timeout": "60s",
              "body_timeout": "60s", "idle_timeout": "60s"}

    def begin(self, number):
        """One connection and the byte that it says again and again."""
        plain = socket.create_connection(("127.0.0.1", self.agent.ports()[-1]), 30)
        way = number % 5
        if way == 0:
            return plain, b""  # silent
        if way == 1:  # a handshake that never ends
            plain.sendall(b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb\x03\x03")
            return plain, b"\x00"
        tls = self.context.wrap_socket(plain, server_hostname="127.0.0.1")
        if way == 2:
            tls.sendall(GET + HOST + b"X: ")
        elif way == 3:
            tls.sendall(PUT + HOST + AUTH + JSON + length(b"100000") + END)
        else:  # asks and takes no answer
            tls.sendall((GET + HOST + AUTH + END) * 50)
            return tls, b""
        return tls, b"a"

    def attack(self, ready):
        connections = [self.begin(number) for number in range(self.count)]
        os.write(ready, b"%d" % len(connections))
        while True:
            begin = time.monotonic()
            for connection, byte in connections:
                with contextlib.suppress(OSError):
                    connection.sendall(byte)
            time.sleep(max(0, begin + self.round_s - time.monotonic()))

    def latencies(self):
        """Of a healthy client of the unix socket: reads and writes, in ms, sorted."""
        connection, took = api.Connection(self.agent.socket), []
        for number in range(self.requests):
            begin = time.monotonic()
            if number % 10:
                answer = self.agent.ask("GET", "/v1/status", None, None, connection)
            else:
                answer = self.agent.ask("PUT", "/v1/tunnels/a", {"remote": "172.16.1.62",
                                        "comment": str(number)}, None, connection)
            took.append((time.monotonic() - begin) * 1000)
            self.assertIn(answer.status, (200, 201))
        connection.close()
        return sorted(took)

    def test_a_thousand_slow_connections_do_not_slow_the_socket_down(self):
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                self.attack(theirs)
            os._exit(1)
        try:
            os.close(theirs)
            self.assertEqual(os.read(ours, 10), b"%d" % self.count)
            connections = self.agent.descriptors()
            self.assertGreater(connections, self.count)
            best = min((self.latencies() for _ in range(3)), key=lambda took: took[-10])
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(ours)
        p99 = best[self.requests * 99 // 100]
        print(f"{connections} descriptors of slow clients and others: unix socket p50 "
              f"{best[self.requests // 2]:.2f} ms, p99 {p99:.2f} ms, max {best[-1]:.2f} ms")
        self.assertLess(p99, self.p99_ms)


class AddressLimit(Ways, api.ApiTest):
    way = "tcp"

    def test_one_address_has_sixteen_connections(self):
        mine = [self.connect(LIVE) for _ in range(16)]
        for connection in mine:
            self.assertEqual(answers(connection, 1), ["HTTP/1.1 200 OK"])
        with contextlib.suppress(ConnectionError):
            self.assertEqual(self.connect(LIVE).recv(1), b"")
        other = socket.create_connection(("127.0.0.1", self.agent.ports()[-1]), 10,
                                         ("127.0.0.9", 0))
        other.sendall(LIVE)
        self.assertEqual(answers(other, 1), ["HTTP/1.1 200 OK"])
        other.close()
        mine.pop().close()
        time.sleep(0.05)
        self.assertEqual(answers(self.connect(LIVE), 1), ["HTTP/1.1 200 OK"])


class UnixSlow(Slow, api.ApiTest):
    way = "unix"


class UnixCrowds(Crowds, api.ApiTest):
    way = "unix"


class TcpCrowds(Crowds, api.ApiTest):
    way = "tcp"


class TlsCrowds(Crowds, api.ApiTest):
    way = "tls"


if __name__ == "__main__":
    api.main()
