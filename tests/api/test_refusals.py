#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is no request, or could be read in two ways: over the socket, TCP and TLS."""

import contextlib
import http.client
import json
import signal
import socket
import struct
import time

import api
from raw import (AUTH, BODY, CHUNKED, END, GET, HOST, JSON, LIVE, NO_CHUNKS, PUT, SECOND, Ways,
                 answers, heard, in_chunk, length)

# what, the bytes (each followed by a whole request that must not be run), the answer
SMUGGLING = (
    ("CL.TE", PUT + HOST + length(b"4") + CHUNKED + END + in_chunk(SECOND), 400),
    ("TE.CL", PUT + HOST + CHUNKED + length(b"4") + END + in_chunk(SECOND), 400),
    ("TE.CL in a GET", GET + HOST + CHUNKED + length(b"0") + END + NO_CHUNKS, 400),
    ("CL.CL, shorter first", PUT + HOST + length(b"3") + length(b"300") + END + b"abc", 400),
    ("CL.CL, longer first", PUT + HOST + length(b"300") + length(b"3") + END + b"abc", 400),
    ("CL.CL, equal", PUT + HOST + length(b"3") + length(b"3") + END + b"abc", 400),
    ("CL list", PUT + HOST + length(b"3, 3") + END + b"abc", 400),
    ("CL with a sign", PUT + HOST + length(b"+3") + END + b"abc", 400),
    ("CL negative", PUT + HOST + length(b"-1") + END, 400),
    ("CL hexadecimal", PUT + HOST + length(b"0x3") + END + b"abc", 400),
    ("CL octal-like with text", PUT + HOST + length(b"3a") + END + b"abc", 400),
    ("CL empty", PUT + HOST + length(b"") + END + b"abc", 400),
    ("CL of 20 digits", PUT + HOST + length(b"18446744073709551616") + END + b"abc", (400, 413)),
    ("CL with a blank before the colon", PUT + HOST + b"Content-Length : 3\r\n" + END + b"abc",
     400),
    ("CL after a vertical tab", PUT + HOST + b"Content-Length: \x0b3\r\n" + END + b"abc", 400),
    ("TE gzip, chunked", PUT + HOST + b"Transfer-Encoding: gzip, chunked\r\n" + END + NO_CHUNKS,
     400),
    ("TE chunked, identity", PUT + HOST + b"Transfer-Encoding: chunked, identity\r\n" + END +
     NO_CHUNKS, 400),
    ("TE identity", PUT + HOST + b"Transfer-Encoding: identity\r\n" + END + NO_CHUNKS, 400),
    ("TE xchunked", PUT + HOST + b"Transfer-Encoding: xchunked\r\n" + END + NO_CHUNKS, 400),
    ("TE quoted", PUT + HOST + b'Transfer-Encoding: "chunked"\r\n' + END + NO_CHUNKS, 400),
    ("TE with a parameter", PUT + HOST + b"Transfer-Encoding: chunked;a=b\r\n" + END + NO_CHUNKS,
     400),
    ("TE after a vertical tab", PUT + HOST + b"Transfer-Encoding: \x0bchunked\r\n" + END +
     NO_CHUNKS, 400),
    ("TE with a blank before the colon", PUT + HOST + b"Transfer-Encoding : chunked\r\n" + END +
     NO_CHUNKS, 400),
    ("If-Match twice", PUT + HOST + AUTH + JSON + b'If-Match: "a"\r\nIf-Match: *\r\n' +
     length(b"%d" % len(BODY)) + END + BODY, 400),
    ("If-None-Match twice", PUT + HOST + AUTH + JSON +
     b'If-None-Match: "a"\r\nIf-None-Match: *\r\n' + length(b"%d" % len(BODY)) + END + BODY, 400),
    ("TE twice", PUT + HOST + CHUNKED + CHUNKED + END + NO_CHUNKS, 400),
    ("TE twice, the second another", PUT + HOST + CHUNKED + b"Transfer-Encoding: x\r\n" + END +
     NO_CHUNKS, 400),
    ("TE empty", PUT + HOST + b"Transfer-Encoding:\r\n" + END + NO_CHUNKS, 400),
    ("TE in HTTP/1.0", b"PUT /v1/tunnels/a HTTP/1.0\r\n" + HOST + CHUNKED + END + NO_CHUNKS, 400),
    ("TE hidden behind a CR", PUT + HOST + b"X: y\rTransfer-Encoding: chunked\r\n" + END +
     NO_CHUNKS, 400),
    ("a chunk's size is no number", PUT + HOST + AUTH + JSON + CHUNKED + END + b"xyz\r\n", 400),
    ("a chunk's size is too large", PUT + HOST + AUTH + JSON + CHUNKED + END +
     b"fffffffffffffffff\r\n", (400, 413)),
    ("a chunk's size is negative", PUT + HOST + AUTH + JSON + CHUNKED + END + b"-1\r\n", 400),
    ("a chunk longer than it says", PUT + HOST + AUTH + JSON + CHUNKED + END + b"1\r\nabc\r\n",
     400),
    ("Host twice", GET + HOST + HOST + AUTH + END, 400),
    ("Host twice, another", GET + HOST + b"Host: evil\r\n" + AUTH + END, 400),
    ("no Host", GET + AUTH + END, 400),
    ("Authorization twice", GET + HOST + AUTH + b"Authorization: Bearer x\r\n" + END, 400),
    ("NUL in a header", GET + HOST + AUTH + b"X: a\x00b\r\n" + END, 400),
    ("NUL in the last header", GET + HOST + AUTH + b"X: a\x00\r\n" + END, 400),
    ("NUL in the first header", GET + b"X: a\x00b\r\n" + HOST + AUTH + END, 400),
    ("NUL in a length", PUT + HOST + length(b"3\x003") + END + b"abc", 400),
    ("NUL in an encoding", PUT + HOST + b"Transfer-Encoding: chunked\x00x\r\n" + END + NO_CHUNKS,
     400),
    ("NUL in the target", b"GET /v1/status\x00x HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("NUL in the version", b"GET /v1/status HTTP/1.1\x00x\r\n" + HOST + AUTH + END, (400, 505)),
    ("NUL in front of a line", GET + HOST + AUTH + b"\x00X: a\r\n", 400),
    ("NUL for a line", GET + HOST + AUTH + b"\x00\r\n", 400),
    ("NUL in a name", GET + HOST + AUTH + b"X\x00: a\r\n" + END, 400),
    ("control character in a header", GET + HOST + AUTH + b"X: a\x01\r\n" + END, 400),
    ("DEL in a header", GET + HOST + AUTH + b"X: a\x7f\r\n" + END, 400),
    ("a name that is no token", GET + HOST + AUTH + b"X(: a\r\n" + END, 400),
    ("a header without a colon", GET + HOST + AUTH + b"nothing\r\n" + END, 400),
    ("a header without a name", GET + HOST + AUTH + b": a\r\n" + END, 400),
    ("a header without a name for the last", GET + HOST + AUTH + b": a\r\n", 400),
    ("a header without a name and a value", GET + HOST + AUTH + b":\r\n", 400),
    ("a header without a name for the first", GET + b": a\r\n", 400),
    ("a folded header", GET + HOST + b"X: a\r\n b\r\n" + AUTH + END, 400),
    ("a folded header for the last", GET + HOST + AUTH + b"X: a\r\n\tb\r\n" + END, 400),
    ("a blank in the target", b"GET /v1/status b HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("two blanks before the target", b"GET  /v1/status HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("two blanks before the version", b"GET /v1/status  HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("a blank behind the version", b"GET /v1/status HTTP/1.1 \r\n" + HOST + AUTH + END, 400),
    ("the first header begins with a blank", GET + b" X: a\r\n" + HOST + AUTH + END, 400),
    ("encoded NUL", b"GET /v1/status%00 HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("encoded slash", b"GET /v1%2fstatus HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("dot segment", b"GET /v1/../v1/status HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("encoded dot segment", b"GET /v1/%2E%2e/status HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("empty segment", b"GET //v1/status HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("absolute form", b"GET http://127.0.0.1/v1/status HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("authority form", b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("asterisk form", b"OPTIONS * HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("a byte above 127 in the target", b"GET /v1/\xff HTTP/1.1\r\n" + HOST + AUTH + END, 400),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    ("HTTP/0.9", b"GET /v1/status\r\n\r\n", (400, 505)),
    ("HTTP/1.2", b"GET /v1/status HTTP/1.2\r\n" + HOST + AUTH + END, (400, 505)),
    ("a version of another case", b"GET /v1/status http/1.1\r\n" + HOST + AUTH + END,
     (400, 505)),
)

# Of these: what is refused when the next line is there.
ONLY_BEGUN = "a header without a name for the first"

# What is no request at all, on which the library closes without a word.
NO_REQUESTS = (b"HELLO\r\n\r\n", b"GET\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1\r\n",
               b"GET\t/livez\tHTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\n")
TLS_HELLO = b"\x16\x03\x01\x02"  # it waits for more

# Unusual, but of one meaning (RFC 9112): both requests are answered.
TOLERATED = (
    ("LF alone", b"GET /livez HTTP/1.1\nHost: 127.0.0.1\n\n"),
    ("an empty line before", b"\r\nGET /livez HTTP/1.1\r\n" + HOST + END),
    ("LF alone, in headers", b"GET /livez HTTP/1.1\nHost: 127.0.0.1\r\nX: a\nY: b\n\r\n"),
    ("blanks around a value", b"GET /livez HTTP/1.1\r\n" + HOST + b"X: \t a \t \r\nY:\r\n\r\n"),
)


class Refusals(Ways):
    limits = {"idle_timeout": "1s", "header_timeout": "1s", "body_timeout": "1s"}

    def test_nothing_is_smuggled(self):
        revision = self.revision()
        for what, request, statuses in SMUGGLING:
            with self.subTest(what):
                connection = self.connect()
                with contextlib.suppress(ConnectionError):
                    connection.sendall(request + SECOND)
                answer = heard(connection)  # to the end: else this runs into the timeout
                status = int(answer.split()[1])
                self.assertIn(status, statuses if isinstance(statuses, tuple) else (statuses,),
                              answer)
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)
                self.assertIn(b"application/problem+json", answer)
                self.assertEqual(self.revision(), revision)
        self.assertGreaterEqual(len(SMUGGLING), 30)

    def say(self, request, connection=None):
        """As far as it is taken: of a long one the agent may have heard enough."""
        connection = connection or self.connect()
        with contextlib.suppress(OSError):
            connection.sendall(request)
        return connection

    def refused(self, request, status, code, connection=None):
        """The request gets that problem, whole, and the connection its end."""
        connection = self.say(request, connection)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        self.assertEqual((answer.status, answer.headers["Connection"]), (status, "close"))
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertTrue(answer.headers["Date"].endswith(" GMT"))
        problem = json.loads(answer.read())
        self.assertEqual((problem["status"], problem["code"]), (status, code))
        self.assertIn(f" {problem['request_id']}: ", self.agent.log)
        with contextlib.suppress(ConnectionError):
            self.assertEqual(connection.recv(1), b"")

    def test_a_problem_is_his_whose_fault_it_is(self):
        """Also one that the library finds, which does not say whose it is."""
        self.limit(header_timeout="30s", body_timeout="30s", idle_timeout="30s")
        idle, half = self.connect(LIVE), self.connect(GET + HOST + AUTH)
        line = self.connect(LIVE[:9])
        self.assertEqual(answers(idle, 1), ["HTTP/1.1 200 OK"])
        self.refused(b"GET /" + b"a" * 100000, 431, "headers-too-large")
        self.refused(b"GET /livez" + END, 400, "bad-request")
        chunked = PUT.replace(b"/a ", b"/%d ") + HOST + AUTH + JSON + CHUNKED + END
        one, bad = self.connect(chunked % 1 + in_chunk(BODY)[:9]), chunked % 2 + b"xyz\r\n"
        self.refused(PUT + HOST + length(b"3a") + END, 400, "bad-request")
        self.refused(PUT + HOST + length(b"9" * 20) + END, 413, "body-too-large")
        self.refused(GET + HOST + b"Cookie: " + b"a=;" * 2000 + b"\r\n" + END, 431,
                     "headers-too-large")
        many = GET + HOST + b"a:\r\n" * 2000 + END
        self.refused(many, 431, "headers-too-large")
        self.agent.until("/metrics", lambda _: True)  # by now the one's body has begun
        self.refused(bad, 400, "bad-request")
        one.sendall(in_chunk(BODY)[9:] + PUT + HOST + length(b"-1") + END)
        self.assertEqual(answers(one, 2), ["HTTP/1.1 201 Created", "HTTP/1.1 400 Bad Request"])
        self.refused(bad, 400, "bad-request")
        self.refused(chunked % 3 + b"f" * 17 + b"\r\n", 413, "body-too-large")
        half.sendall(END)
        line.sendall(LIVE[9:])
        idle.sendall(LIVE)
        for connection in (half, line, idle):
            self.assertEqual(answers(connection, 1), ["HTTP/1.1 200 OK"])
        for request in (many, GET + HOST + b"a: " + b"b" * 100000 + b"\r\n" + END):
            self.refused(request, 431, "headers-too-large")

    def test_what_is_no_request_is_refused_as_well(self):
        """Wherever on a connection, and in however many pieces."""
        for what in NO_REQUESTS:
            with self.subTest(what):
                self.refused(what, 400, "bad-request")
                for first, rest in ((b"", what), (what[:1], what[1:]), (LIVE, what),
                                    (LIVE + what, b""), (LIVE + what[:3], what[3:])):
                    connection = self.connect(first)
                    time.sleep(0.02)
                    answer = heard(self.say(rest, connection))
                    self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), len(first) > 5, answer)
                    self.assertEqual(answer.count(b'"code":"bad-request"'), 1, answer)
        self.ok(self.agent.get("/livez"))

    def test_the_protocol_of_another_port_is_told_so(self):
        """In the clear; as long as it is not known what comes it is not said."""
        for begin in (b"", LIVE[:1]) if self.way == "tls" else (b"", TLS_HELLO[:1]):
            plain = socket.socket(socket.AF_UNIX) if self.way == "unix" else socket.socket()
            plain.settimeout(10)
            plain.connect(self.agent.socket if self.way == "unix" else
                          ("127.0.0.1", self.agent.ports()[-1]))
            self.addCleanup(plain.close)
            whole = LIVE if self.way == "tls" else TLS_HELLO
            self.say(begin, plain)
            time.sleep(0.02 if begin else 0)
            self.refused(whole[len(begin):], 400, "bad-request", plain)
            self.assertIn(" refused: 400 bad-request: this is ", self.agent.log)
        self.ok(self.agent.get("/livez"))

    def test_silence_is_no_refusal(self):
        """Who only closes, in whatever state, is told nothing, and nothing is said of him."""
        told = self.agent.log.count(" refused: ")
        for begin, count in ((b"", 0), (LIVE, 1), (LIVE[:9], 0), (LIVE * 2, 2),
                             (LIVE + LIVE[:9], 1), (b"\r\n", 0),
                             (LIVE[:-2] + b"Connection: close\r\n" + END, 1),
                             (LIVE.replace(b"/1.1", b"/1.0"), 1)):
            for is_late in (True, False):
                connection = self.connect(begin)
                if is_late:
                    time.sleep(0.02)
                if self.way != "tls":
                    connection.shutdown(socket.SHUT_WR)
                    self.assertEqual(heard(connection).count(b"HTTP/1."), count, begin)
                connection.close()
        self.ok(self.agent.get("/livez"))
        self.assertEqual(self.agent.log.count(" refused: "), told)

    def test_what_follows_an_answer_is_refused_however_the_connection_was_kept(self):
        head = LIVE[:-len(END)]
        for what, first, counts in (
                ("keep-alive", head + b"Connection: keep-alive\r\n" + END, (1, 1)),
                ("1.0", head.replace(b"/1.1", b"/1.0") + b"Connection: Keep-Alive\r\n" + END,
                 (1, 1)),
                ("another word", head + b"Connection: x\r\n" + END, (1, 1)),
                ("HEAD", LIVE.replace(b"GET", b"HEAD"), (1, 1)),
                ("a list with close", head + b"Connection: x, close\r\n" + END, (1, 0)),
                ("1.0 alone", LIVE.replace(b"/1.1", b"/1.0"), (1, 0))):
            with self.subTest(what):
                answer = heard(self.say(first + b"HELLO\r\n\r\n"))
                self.assertEqual((answer.count(b" 200 OK"),
                                  answer.count(b'"code":"bad-request"')), counts, answer)

    def test_what_follows_a_refusal_is_not_refused_again(self):
        if self.way == "tls":
            self.skipTest("TLS is TLS there")
        for rest in (b" / HTTP/1.1\r\nnothing\r\n\r\n", b" / \r\n\r\n", b"a" * 70000):
            with self.subTest(rest[:20]):
                told = self.agent.log.count(" refused")
                self.refused(b"\x16\x03\x01" + rest, 400, "bad-request")
                self.assertEqual(self.agent.log.count(" refused") - told, 1, self.agent.log)

    def test_who_resets_his_connection_is_not_refused(self):
        """He has said more than is read at one time: the library drops what it read last."""
        told = self.agent.log.count(" refused: ")
        connection = self.connect(LIVE)
        self.agent.until("/metrics", lambda _: True)  # its answer is not read
        self.agent.process.send_signal(signal.SIGSTOP)
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.sendall(LIVE * 1500)
        if self.way != "unix":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        self.agent.process.send_signal(signal.SIGCONT)
        self.ok(self.agent.get("/livez"))
        self.assertEqual(self.agent.log.count(" refused: "), told, self.agent.log)

    def test_who_asks_when_it_is_too_late_is_not_refused(self):
        """An answer that nobody reads holds up the agent's end."""
        idle, slow = [self.connect(LIVE) for _ in range(8)], self.connect()
        for connection in idle:
            self.assertEqual(answers(connection, 1), ["HTTP/1.1 200 OK"])
        slow.setblocking(False)
        with contextlib.suppress(OSError):
            slow.sendall((b"GET /v1/openapi.json HTTP/1.1\r\n" + HOST + AUTH + END) * 50)
        self.agent.until("/metrics", lambda _: True)
        self.agent.process.send_signal(signal.SIGTERM)
        for connection in idle:
            self.say(LIVE, connection)
            time.sleep(0.12)
        for connection in idle:
            self.assertIn(heard(connection)[:15], (b"", b"HTTP/1.1 200 OK"))
        self.agent.process.wait(10)
        self.assertNotIn(" refused: ", self.agent.log)
        self.agent.start()

    def test_a_problem_has_room_behind_answers_that_are_not_read(self):
        """Also when these have just filled the socket's buffer: how many do, is the kernel's."""
        if self.way == "tls":
            self.skipTest("as over TCP")
        for count in range(265, 295) if self.way == "unix" else (3000,):
            told = self.agent.log.count(" refused: ")
            connection = self.say(LIVE * count + b"HELLO\r\n\r\n")
            end = time.monotonic() + 0.1  # with more, it is refused only when they are read
            while self.agent.log.count(" refused: ") == told and time.monotonic() < end:
                time.sleep(0.002)
            answer = heard(connection)
            self.assertEqual((answer.count(b" 200 OK"), answer.count(b'"code":"bad-request"')),
                             (count, 1))

    def test_a_body_without_an_end_is_refused_before_it_is_cut_off(self):
        connection = self.connect(PUT.replace(b"PUT", b"PATCH") + HOST + AUTH + JSON + CHUNKED +
                                  END)
        for _ in range(17):
            self.say(b"2000\r\n" + b" " * 8192 + b"\r\n", connection)
        self.refused(b"", 413, "body-too-large", connection)

    def test_what_comes_in_any_two_pieces_is_a_request(self):
        for at in range(1, len(LIVE) - 1):
            connection = self.connect(LIVE[:at])
            time.sleep(0.002)
            connection.sendall(LIVE[at:])
            self.assertEqual(answers(connection, 1), ["HTTP/1.1 200 OK"], LIVE[:at])
            connection.close()

    def test_of_several_that_come_at_one_time_only_the_bad_are_refused(self):
        self.limit(header_timeout="30s")
        for bad in (b"GET /livez" + END, GET + HOST + b"nothing" + END, GET + b"a:\r\n" * 2000):
            idle, begun, other = self.connect(LIVE), self.connect(LIVE[:9]), self.connect()
            self.assertEqual(answers(idle, 1), ["HTTP/1.1 200 OK"])
            wrong = [self.connect() for _ in range(4)]
            self.agent.process.send_signal(signal.SIGSTOP)
            begun.sendall(LIVE[9:20])
            idle.sendall(LIVE[:20])
            other.sendall(LIVE + LIVE[:20])
            for connection in wrong:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(bad)
            self.agent.process.send_signal(signal.SIGCONT)
            for connection in wrong:
                answer = heard(connection)
                self.assertRegex(answer, rb"^HTTP/1.1 4\d\d ")
                self.assertIn(b"application/problem+json", answer)
            for connection in (begun, idle, other):
                connection.sendall(LIVE[20:])
            for connection, count in ((begun, 1), (idle, 1), (other, 2)):
                self.assertEqual(answers(connection, count), ["HTTP/1.1 200 OK"] * count)

    def test_what_is_unusual_but_clear_is_answered(self):
        for what, request in TOLERATED:
            with self.subTest(what):
                connection = self.connect(request + LIVE)
                self.assertEqual(answers(connection, 2), ["HTTP/1.1 200 OK"] * 2)

    def test_every_refusal_is_logged_once_and_changes_nothing(self):
        revision = self.revision()
        head = HOST + AUTH + b"Connection: close\r\n"
        requests = [request for what, request, _ in SMUGGLING if what != ONLY_BEGUN] + [
            GET.replace(b"status", b"none") + head + END,
            GET.replace(b"status", b"status?x=1") + head + END,
            PUT.replace(b"tunnels/a", b"status") + head + END,
            PUT + head + length(b"2") + END + b"{}",
            PUT + head + JSON + length(b"2") + END + b"{}",
            PUT + head + JSON + length(b"1") + END + b"{",
            PUT + head + JSON + length(b"999999999") + END,
            b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n" + head + END,
            GET + HOST + b"Connection: close\r\nX(: y\r\n" + END,
        ]
        ids = []
        for request in requests:
            connection = self.connect()
            with contextlib.suppress(ConnectionError):
                connection.sendall(request)
            answer = heard(connection)
            ids += [line.split(b'"')[0].decode() for line in answer.split(b'"request_id":"')[1:]]
        self.assertEqual(len(set(ids)), len(requests))
        lines = self.agent.log.splitlines()
        for request_id in ids:
            told = [line for line in lines if f" {request_id}: " in line]
            self.assertEqual(len(told), 1, told)
            self.assertIn(" refused: ", told[0])
        self.assertEqual(self.revision(), revision)


class Endless(Ways, api.ApiTest):
    """What the library has no room for, and waits for the end of."""

    limits = {"body_timeout": "2s"}

    def cpu_s(self):
        with open(f"/proc/{self.agent.process.pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e9

    def test_a_line_without_an_end_has_its_time_and_none_of_the_processor(self):
        connection = self.connect(PUT + HOST + AUTH + JSON + CHUNKED + END)
        time.sleep(0.05)
        connection.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            connection.sendall(b"5;" + b"x" * 1000000)
        begin = self.cpu_s()
        time.sleep(1)
        self.assertLess(self.cpu_s() - begin, 0.2)
        connection.settimeout(5)
        self.assertIn(b'"code":"request-timeout"', heard(connection))
        self.ok(self.agent.get("/livez"))


class Late(Ways):
    """Who begins to ask, and does not end in time, is told so; who is only there is not."""

    limits = {"header_timeout": "500ms", "body_timeout": "500ms", "idle_timeout": "1s"}

    def test_what_is_not_whole_in_time_is_refused(self):
        revision = self.revision()
        before = PUT + HOST + AUTH + JSON
        begun = {"a first line": PUT[:8], "headers": PUT + HOST + b"X: ",
                 "a body": before + length(b"100") + END + BODY,
                 "chunks": before + CHUNKED + END + b"5\r\n{",
                 "the second": LIVE + PUT + HOST}
        connections = {what: self.connect(request) for what, request in begun.items()}
        for what, connection in connections.items():
            with self.subTest(what):
                answer = heard(connection)
                head, body = answer.split(b"\r\n\r\n")[-2:]
                self.assertRegex(head, rb"(^|\n)HTTP/1.1 408 Request Timeout\r\n")
                self.assertIn(b"\r\nConnection: close\r\n", head + b"\r\n")
                problem = json.loads(body)
                self.assertEqual((problem["status"], problem["code"]), (408, "request-timeout"))
                self.assertEqual(self.agent.log.count(f" {problem['request_id']}: "), 1)
        self.assertEqual(self.revision(), revision)

    def test_a_body_that_is_too_large_is_told_that_rather_than_late(self):
        connection = self.connect(PUT.replace(b"PUT", b"PATCH") + HOST + AUTH + JSON +
                                  length(b"70000") + END + BODY)
        self.assertIn(b'"code":"body-too-large"', heard(connection))

    def test_who_asks_nothing_is_told_nothing(self):
        silent, done = self.connect(), self.connect(LIVE)
        self.assertEqual(answers(done, 1), ["HTTP/1.1 200 OK"])
        self.assertEqual((heard(silent), heard(done)), (b"", b""))

    def test_the_connection_ends_though_its_client_goes_on(self):
        connection = self.connect(PUT + HOST)
        self.assertIn(b"408", heard(connection))
        with self.assertRaises(OSError):
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)


class TlsPending(Ways, api.ApiTest):
    """Of a record that was taken from the socket only a part was read: the rest, and whose fault
    it has, is read in the next run, of which no epoll tells."""

    way = "tls"
    limits = {"header_timeout": "30s", "body_timeout": "30s", "idle_timeout": "30s"}

    def test_it_is_not_laid_at_the_door_of_who_trickles_his_request(self):
        request = (PUT.replace(b"/a ", b"/victim ") + HOST + AUTH + JSON +
                   length(b"%d" % len(BODY)) + END + BODY)
        fault = b"\r\nnothing here\r\n"
        for _ in range(3):
            bad, innocent = self.connect(GET + HOST + b"a: " + b"x" * 10000), self.connect()
            time.sleep(0.05)
            bad.sendall(b"x" * 10000)  # and the buffer for a request is nearly full
            innocent.sendall(request[:12])
            time.sleep(0.05)
            self.agent.process.send_signal(signal.SIGSTOP)
            bad.sendall(b"x" * (16000 - len(fault)) + fault)  # one record
            for i in range(12, 20):
                innocent.sendall(request[i:i + 1])  # one each
            self.agent.process.send_signal(signal.SIGCONT)
            answer = heard(bad)
            self.assertRegex(answer, rb"^HTTP/1.1 4\d\d ")
            self.assertIn(b"application/problem+json", answer)
            innocent.sendall(request[20:])
            self.assertIn(answers(innocent, 1)[0], ("HTTP/1.1 201 Created", "HTTP/1.1 200 OK"))

    def test_what_waits_for_100_continue_is_his_also_when_that_had_to_wait(self):
        """It is sent when there is room for it, and what came before that is read then."""
        bad = socket.socket()
        bad.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        bad.settimeout(10)
        bad.connect(("127.0.0.1", self.agent.ports()[-1]))
        bad = self.context.wrap_socket(bad, server_hostname="127.0.0.1")
        self.addCleanup(bad.close)
        innocent = self.connect(LIVE[:-len(END)] + b"X: ")
        bad.sendall(b"GET /v1/openapi.json HTTP/1.1\r\n" + HOST + AUTH + END +
                    PUT + HOST + AUTH + JSON + CHUNKED + b"Expect: 100-continue\r\n" + END +
                    b"xyz\r\n")
        answer = b""
        while not answer.endswith(b"}\n") or b"100 Continue" not in answer:
            self.agent.process.send_signal(signal.SIGSTOP)
            bad.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                piece = bad.recv(8192)
                self.assertTrue(piece, answer[-500:])
                answer += piece
            innocent.sendall(b"a")
            self.agent.process.send_signal(signal.SIGCONT)
            time.sleep(0.003)
        self.assertIn(b'"code":"bad-request"', answer[-300:])
        innocent.sendall(END + END)
        self.assertEqual(answers(innocent, 1), ["HTTP/1.1 200 OK"])


class UnixRefusals(Refusals, api.ApiTest):
    way = "unix"

    def test_who_has_finished_sending_gets_his_answer_also_when_it_had_to_wait(self):
        """Of writers that come at one time all but one wait."""
        for count in (1, 2, 5):
            writers = [self.connect() for _ in range(count)]
            self.agent.process.send_signal(signal.SIGSTOP)
            for i, writer in enumerate(writers):
                writer.sendall(PUT.replace(b"/a ", b"/w%d%d " % (count, i)) + HOST + AUTH + JSON +
                               length(b"24") + END + b'{"remote":"172.16.9.%d%d"}' % (count, i))
                if i == 1:
                    writer.sendall(LIVE)
                writer.shutdown(socket.SHUT_WR)
            self.agent.process.send_signal(signal.SIGCONT)
            for i, writer in enumerate(writers):
                answer = heard(writer)
                self.assertEqual((answer.count(b" 201 Created"), answer.count(b" 200 OK")),
                                 (1, int(i == 1)), answer)


class TcpRefusals(Refusals, api.ApiTest):
    way = "tcp"


class TlsRefusals(Refusals, api.ApiTest):
    way = "tls"


class UnixLate(Late, api.ApiTest):
    way = "unix"


class TcpLate(Late, api.ApiTest):
    way = "tcp"


class TlsLate(Late, api.ApiTest):
    way = "tls"


if __name__ == "__main__":
    api.main()
