#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ipipctl over TCP: tokens, certificates, and what it refuses to do with them."""

import contextlib
import http.server
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
import warnings

import api
import network
from cli import FORBIDDEN, FAILED, IPIPCTL, OK, UNREACHABLE, USAGE

SECRETS = {"controller": ("admin", "ipipd_admin"), "grafana": ("read", "ipipd_read")}


def run(*words, **environment):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("IPIPCTL_") and not name.lower().endswith("_proxy")}
    return subprocess.run([IPIPCTL, *words], capture_output=True, text=True, timeout=60,
                          check=False, env={**kept, **environment})


class Server(http.server.ThreadingHTTPServer):
    """An HTTP server that is no agent; it keeps what it was asked."""

    daemon_threads = True

    def __init__(self, context=None, status=200, headers=(), body=b"{}"):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.status, self.headers, self.body, self.asked = status, headers, body, []
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True,
                                              do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # clients that do not trust it are what it is for

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.server.asked.append((self.path, self.headers["Authorization"]))
            self.send_response(self.server.status)
            for name, value in self.server.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(self.server.body)))
            self.end_headers()
            self.wfile.write(self.server.body)


class NetworkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ipipctl-tls-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.authority = network.Authority(cls.folder / "ours")
        cls.foreign = network.Authority(cls.folder / "foreign", "ca")  # of the same name
        cls.good = network.server_certificate(cls.authority)
        cls.alice = cls.authority.sign("alice")
        cls.mallory = cls.foreign.sign("mallory")
        cls.trust = ("--cacert", cls.authority.certificate)

    def file(self, text, mode=0o600):
        descriptor, path = tempfile.mkstemp(dir=self.folder)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def serve(self, certificate=None, client_ca=None, **more):
        """The server, and its URL."""
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            if client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(client_ca)
        server = Server(context, **more)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        scheme = "https" if certificate else "http"
        return server, f"{scheme}://127.0.0.1:{server.server_port}"

    def get(self, url, *options, **environment):
        return run("-H", url, *options, "api", "GET", "/v1/status", **environment)

    def fails(self, status, sentence, url, *options, **environment):
        done = self.get(url, *options, **environment)
        self.assertEqual((status, ""), (done.returncode, done.stdout), done.stderr)
        self.assertRegex(done.stderr, "^ipipctl: ")
        self.assertIn(sentence, done.stderr)
        return done.stderr


class Certificates(NetworkTest):
    """Of an agent: whom ipipctl talks to."""

    def test_an_authority_that_was_named_is_trusted(self):
        server, url = self.serve(self.good)
        self.assertEqual(OK, self.get(url, *self.trust).returncode)
        self.assertEqual([("/v1/status", None)], server.asked)

    def test_no_other_is(self):
        hint = "hint: --cacert names the file of the authority that signed it\n"
        token = ("--token-file", self.file("ipipd_x"))
        server, url = self.serve(self.good)
        self.assertIn(hint, self.fails(UNREACHABLE, "issuer", url, *token))
        self.assertIn(hint, self.fails(UNREACHABLE, "issuer", url, *token,
                                       "--cacert", self.foreign.certificate))
        self.assertEqual([], server.asked)

    def test_time_and_name_must_be_right(self):
        past = network.server_certificate(self.authority, "past", days=(-5, -1))
        future = network.server_certificate(self.authority, "future", days=(1, 5))
        other = self.authority.sign("other", extensions=("subjectAltName=DNS:b.example",))
        for certificate, sentence, hint in (
                (past, "expired", "hint: the agent's certificate is over"),
                (future, "not yet valid", "hint: the agent's certificate is of the future"),
                (other, "match", "hint: the address must have a name")):
            server, url = self.serve(certificate)
            stderr = self.fails(UNREACHABLE, sentence, url, *self.trust)
            self.assertIn(hint, stderr)
            self.assertEqual([], server.asked)

    def test_an_old_tls_is_not_spoken(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(*self.good)
        server = Server(context)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.fails(UNREACHABLE, "", f"https://127.0.0.1:{server.server_port}", *self.trust)
        self.assertEqual([], server.asked)

    def test_who_does_not_speak_tls_is_no_agent(self):
        _, url = self.serve()
        self.fails(UNREACHABLE, "https://127.0.0.1", url.replace("http:", "https:"))

    def test_who_refuses_without_a_problem_document_is_no_agent(self):
        _, url = self.serve(status=404, body=b"<h1>nothing</h1>")
        self.assertIn("hint: `-H`", self.fails(UNREACHABLE, f"answers at {url} is no ipipd", url))

    def test_plain_http_is_told_that_tls_is_spoken(self):
        _, url = self.serve(self.good)
        self.assertIn("https://", self.fails(UNREACHABLE, "http://127.0.0.1",
                                             url.replace("https:", "http:")))

    def test_a_redirect_is_not_followed(self):
        elsewhere, there = self.serve()
        server, url = self.serve(self.good, status=307, headers=[("Location", there + "/x")])
        token = ("--token-file", self.file("ipipd_x"))
        self.fails(FAILED, "HTTP status 307", url, *self.trust, *token)
        self.assertEqual(([("/v1/status", "Bearer ipipd_x")], []),
                         (server.asked, elsewhere.asked))


class ClientCertificates(NetworkTest):
    def setUp(self):
        self.server, self.url = self.serve(self.good, client_ca=self.authority.certificate)

    def test_one_is_shown(self):
        cert, key = self.alice
        self.assertEqual(OK, self.get(self.url, *self.trust, "--cert", cert, "--key",
                                      key).returncode)

    def test_its_key_may_stand_in_its_file(self):
        both = self.file("".join(pathlib.Path(path).read_text() for path in self.alice))
        self.assertEqual(OK, self.get(self.url, *self.trust, "--cert", both).returncode)

    def test_without_one_or_with_a_foreign_one_we_are_not_authorised(self):
        stderr = self.fails(FORBIDDEN, "no certificate of ours", self.url, *self.trust)
        self.assertIn("hint: --cert and --key", stderr)
        cert, key = self.mallory
        stderr = self.fails(FORBIDDEN, "this certificate of ours", self.url, *self.trust,
                            "--cert", cert, "--key", key)
        self.assertIn("hint: was it signed by", stderr)
        self.assertEqual([], self.server.asked)

    def test_files_are_looked_at_first(self):
        cert, key = self.alice
        junk = self.file("junk")
        for words, sentence in (
                (("--cert", cert, "--key", self.good[1]), "do not match"),
                (("--cert", cert), f"--cert {cert}, without --key: "),
                (("--cert", junk), f"--cert {junk}"),
                (("--key", key), "give --cert too"),
                (("--cert", "/nonexistent"), "--cert /nonexistent: No such file"),
                (("--cacert", "/nonexistent"), "--cacert /nonexistent: No such file"),
                (("--cacert", junk), f"--cacert {junk}: there is no certificate in it")):
            with self.subTest(words):
                self.fails(USAGE, sentence, self.url, *words)


class Tokens(NetworkTest):
    def setUp(self):
        self.server, self.url = self.serve(self.good)
        self.http, self.clear = self.serve()

    def sent(self):
        return [authorization for _, authorization in self.server.asked + self.http.asked]

    def test_it_is_sent_without_the_end_of_its_line(self):
        for text in ("ipipd_x", "ipipd_x\n", "ipipd_x\r\n"):
            self.get(self.url, *self.trust, "--token-file", self.file(text))
        self.assertEqual(["Bearer ipipd_x"] * 3, self.sent())

    def test_it_is_never_shown(self):
        done = self.get(self.url, *self.trust, "-v", "--token-file", self.file("ipipd_x\n"))
        self.assertIn("> Authorization: Bearer ***\n", done.stderr)
        self.assertNotIn("ipipd_x", done.stderr + done.stdout)
        for text in ("ipipd_x y\n", "ipipd_x\ny\n", "ipipd_x\n\n", "ipipd_\xe4\n", " ipipd_x"):
            stderr = self.fails(USAGE, "one line of visible", self.url, "-v", "--token-file",
                                self.file(text))
            self.assertNotIn("ipipd_", stderr)

    def test_files_without_one_are_refused(self):
        for path, sentence in ((self.file(""), "no token in it"), (self.file("\n"), "no token"),
                               (self.file("x" * 5000), "more than 4096 bytes"),
                               ("/nonexistent", "No such file"), ("/dev", "no regular file")):
            self.fails(USAGE, sentence, self.url, *self.trust, "--token-file", path)
        self.assertEqual([], self.sent())

    def test_a_file_that_others_may_read_is_warned_of(self):
        for mode, warned in ((0o600, False), (0o400, False), (0o640, True), (0o604, True)):
            path = self.file("ipipd_x", mode)
            done = self.get(self.url, *self.trust, "--token-file", path)
            warning = f"ipipctl: warning: others may read the token in {path}; chmod go= {path}\n"
            self.assertEqual((OK, warning if warned else ""), (done.returncode, done.stderr))

    def test_the_environment_names_a_file_too(self):
        path, other = self.file("ipipd_x"), self.file("ipipd_y")
        self.get(self.url, *self.trust, IPIPCTL_TOKEN_FILE=path)
        self.get(self.url, *self.trust, "--token-file", other, IPIPCTL_TOKEN_FILE=path)
        self.get(self.url, *self.trust, IPIPCTL_TOKEN_FILE="")
        self.assertEqual(["Bearer ipipd_x", "Bearer ipipd_y", None], self.sent())

    def test_in_the_clear_it_stays_on_this_host(self):
        path = self.file("ipipd_x")
        port = self.http.server_port
        for host in ("127.0.0.1", "localhost"):
            self.assertEqual(OK, self.get(f"http://{host}:{port}", "--token-file",
                                          path).returncode)
        self.assertEqual(["Bearer ipipd_x"] * 2, self.sent())
        for host in ("b.example", "10.0.0.1", "127.0.0.1.example", "128.0.0.1", "[::2]",
                     "localhost.example"):
            self.fails(USAGE, "not sent in the clear", f"http://{host}:{port}", "--token-file",
                       path)

    def test_a_proxy_does_not_see_what_stays_on_this_host(self):
        proxy, where = self.serve()
        self.get(self.clear, "--token-file", self.file("ipipd_x"), http_proxy=where,
                 all_proxy=where)
        self.assertEqual((["Bearer ipipd_x"], []), (self.sent(), proxy.asked))

    def test_the_one_of_the_environment_is_not_sent_in_the_clear_either(self):
        proxy, where = self.serve()
        done = self.get("http://b.example", IPIPCTL_TOKEN_FILE=self.file("ipipd_x"),
                        http_proxy=where)
        self.assertEqual((OK, [("http://b.example/v1/status", None)]),
                         (done.returncode, proxy.asked))

    def test_credentials_that_cannot_count_are_refused(self):
        path = self.file("ipipd_x")
        self.fails(USAGE, "over a unix socket", "unix:///x", "--token-file", path)
        self.fails(USAGE, "--cacert is for https://", self.clear, *self.trust)
        self.fails(USAGE, "is not sent; --token-file", "https://me:secret@b.example")
        self.fails(USAGE, "has no ? and no #", "https://b.example/?x=1")


class Agents(NetworkTest):
    """The agent itself, over TLS."""

    def setUp(self):
        self.agent = network.Agent()
        self.addCleanup(self.agent.clean)
        self.agent.tokens(SECRETS)
        self.agent.with_tls(self.authority, client_ca=self.authority.certificate,
                            readers="alice")
        self.agent.start()
        self.url = f"https://127.0.0.1:{self.agent.ports()[-1]}"

    def ask(self, *words):
        return run("-H", self.url, *self.trust, *words)

    def token(self, name):
        return ("--token-file", self.file(SECRETS[name][1] + "\n"))

    def test_roles_are_told_in_the_exit_status(self):
        add = ("tunnel", "add", "t", "--remote", "172.16.1.62")
        done = self.ask("status")
        self.assertEqual(FORBIDDEN, done.returncode)
        self.assertIn("hint: --token-file or IPIPCTL_TOKEN_FILE gives a token", done.stderr)
        done = self.ask(*self.token("grafana"), *add)
        self.assertEqual(FORBIDDEN, done.returncode)
        self.assertIn("hint: writes want an admin: ", done.stderr)
        done = self.ask("--token-file", self.file("ipipd_other"), "status")
        self.assertEqual(FORBIDDEN, done.returncode)
        self.assertIn("the token is not known here", done.stderr)
        self.assertEqual(OK, self.ask(*self.token("grafana"), "status").returncode)
        self.assertEqual(OK, self.ask(*self.token("controller"), *add).returncode)
        cert, key = self.alice
        self.assertEqual(OK, self.ask("--cert", cert, "--key", key, "status").returncode)

    def new_token(self, *words):
        done = run("token", "new", *words)
        self.assertEqual((OK, True), (done.returncode, "shown only now" in done.stderr))
        return done.stdout

    def test_a_new_token_works_with_its_line(self):
        token, line = self.new_token("ci", "--role", "admin").splitlines()
        self.assertRegex(token, "^ipipd_[A-Za-z0-9_-]{43}$")
        made = json.loads(self.new_token("reader", "--role", "read", "-o", "json"))
        self.assertEqual(["line", "name", "role", "token"], sorted(made))
        self.assertNotEqual(token, made["token"])
        self.agent.token_file.write_text(f"{line}\n{made['line']}\n")
        self.agent.reload()
        add = ("tunnel", "add", "t", "--remote", "172.16.1.62")
        for secret, status in ((token, OK), (made["token"], FORBIDDEN)):
            path = self.file(secret + "\n")
            self.assertEqual(OK, self.ask("--token-file", path, "status").returncode)
            done = self.ask("--token-file", path, *add)
            self.assertEqual(status, done.returncode, done.stderr)

    def test_a_new_token_needs_a_name_and_a_role(self):
        for words in (("ci",), ("ci", "--role", "root"), ("c i", "--role", "read"),
                      ("--role", "read"), ("ci", "--role", "read", "-o", "name"),
                      ("ci", "--role", "read", "-n")):
            done = run("token", "new", *words)
            self.assertEqual((USAGE, ""), (done.returncode, done.stdout), words)
        self.assertEqual("", run("token", "new", "ci", "--role", "read", "-q").stderr)

    def test_pair_takes_credentials_where_they_can_count(self):
        done = run("pair", f"unix://{self.agent.socket}", self.url, *self.trust,
                   *self.token("controller"))
        self.assertNotIn("--token-file is for", done.stderr)
        self.assertNotEqual(FORBIDDEN, done.returncode)
        done = run("unpair", "x", "--on", f"unix://{self.agent.socket},{self.url}", *self.trust,
                   *self.token("grafana"))
        self.assertEqual(FORBIDDEN, done.returncode, done.stderr)

    def test_pair_hints_too(self):
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        done = run("pair", f"unix://{self.agent.socket}", f"http://127.0.0.1:{port}")
        self.assertEqual(UNREACHABLE, done.returncode)
        self.assertRegex(done.stderr, "^ipipctl: b: http://127.*\nhint: is ipipd running")


if __name__ == "__main__":
    api.main()
