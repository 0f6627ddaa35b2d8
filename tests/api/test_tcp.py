#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP on loopback without TLS: tokens, Host and Origin; what is read anew on SIGHUP."""

import network
import api
from api import TUNNEL
from network import ADMIN, READ


class TcpTest(api.ApiTest):
    def setUp(self):
        self.agent = network.Agent()
        self.addCleanup(self.agent.clean)
        self.agent.start()

    def tcp(self, method, path, headers=None, body=None):
        return self.agent.over_tcp(method, path, headers, body)


class Tokens(TcpTest):
    def test_a_token_says_what_its_bearer_may(self):
        self.ok(self.tcp("GET", "/v1/status", READ))
        self.ok(self.tcp("PUT", "/v1/tunnels/tun_a", ADMIN, TUNNEL), 201)
        answer = self.problem(self.tcp("PUT", "/v1/tunnels/tun_a", READ, {}), 403, "forbidden")
        self.assertIn("token grafana may only read", answer.body["detail"])
        self.assertIn('tunnel "tun_a" created by token controller', self.agent.log)

    def test_without_a_good_token_there_is_only_health(self):
        for headers, why in (
            ({}, "needs a token"),
            ({"Authorization": "Bearer wrong"}, "not known"),
            ({"Authorization": "Bearer "}, "not known"),
            ({"Authorization": "Bearer"}, "no Bearer token"),
            ({"Authorization": ADMIN["Authorization"].replace("Bearer", "Basic")}, "no Bearer"),
            ({"Authorization": ADMIN["Authorization"][:-1]}, "not known"),
            ({"Authorization": ADMIN["Authorization"] + "x"}, "not known"),
            ({"Cookie": ADMIN["Authorization"]}, "needs a token"),
        ):
            with self.subTest(headers):
                answer = self.tcp("GET", "/v1/status", headers)
                self.problem(answer, 401, "unauthenticated")
                self.assertIn(why, answer.body["detail"])
                self.assertEqual(answer.headers["WWW-Authenticate"], 'Bearer realm="ipipd"')
                for path in ("/livez", "/readyz"):
                    self.assertIn(self.tcp("GET", path, headers).status, (200, 503))

    def test_what_there_is_is_not_told_to_everybody(self):
        for method, path in (("GET", "/"), ("GET", "/v1/nothing"), ("DELETE", "/v1/status"),
                             ("POST", "/livez"), ("GET", "/v1/tunnels?nonsense")):
            with self.subTest(f"{method} {path}"):
                self.problem(self.tcp(method, path), 401, "unauthenticated")

    def test_the_scheme_is_of_either_case_and_blanks_are_nothing(self):
        token = network.SECRETS["grafana"][1]
        self.ok(self.tcp("GET", "/v1/status", {"Authorization": "bearer  " + token + " \t "}))

    def test_a_token_is_in_no_log(self):
        for headers in (ADMIN, READ, {"Authorization": "Bearer hunter2"}):
            self.tcp("GET", "/v1/status", headers)
        for secret in ("hunter2", *(secret for _, secret in network.SECRETS.values())):
            self.assertNotIn(secret, self.agent.log)

    def test_the_address_of_the_caller_is_known(self):
        host = self.ok(self.tcp("GET", "/v1/host", READ))
        self.assertEqual(host.body["observed_address"], "127.0.0.1")
        self.tcp("GET", "/v1/none", READ)
        self.assertRegex(self.agent.log, r"by token grafana \(127\.0\.0\.1\) refused: 404")

    def test_of_an_unknown_caller_no_body_is_kept(self):
        for size in (10, 100_000, 8 << 20):
            with self.subTest(size):
                try:
                    answer = self.tcp("PUT", "/v1/tunnels/tun_a", {}, "x" * size)
                except ConnectionError:
                    self.assertGreater(size, 128 << 10)  # it may be cut off while it talks
                    continue
                self.problem(answer, 401, "unauthenticated")
        self.problem(self.agent.get("/v1/tunnels/tun_a"), 404, "not-found")


class Names(TcpTest):
    def test_web_pages_are_refused(self):
        for origin in ("http://evil.example", "null", "", "http://127.0.0.1"):
            for path in ("/v1/status", "/livez"):
                answer = self.tcp("GET", path, {**ADMIN, "Origin": origin})
                self.problem(answer, 403, "forbidden")
                self.assertIn("Origin", answer.body["detail"])
        answer = self.tcp("OPTIONS", "/v1/status", {"Origin": "http://evil.example"})
        self.problem(answer, 403, "forbidden")
        self.assertFalse([name for name in answer.headers if name.startswith("Access-Control")])

    def test_the_host_is_ours(self):
        port = self.agent.ports()[0]
        for host, status in (
            ("127.0.0.1", 200), (f"127.0.0.1:{port}", 200), ("localhost", 200),
            ("LocalHost:1", 200), ("127.0.0.2", 403), ("evil.example", 403),
            ("127.0.0.1.evil.example", 403), ("127.0.0.1:x", 403), ("", 403), ("[::1]", 403),
            ("localhost.", 403),
        ):
            with self.subTest(host):
                answer = self.tcp("GET", "/v1/status", {**ADMIN, "Host": host})
                self.assertEqual(answer.status, status, answer)
                if status == 403:
                    self.problem(answer, 403, "forbidden")

    def test_names_are_settings(self):
        self.agent.set("tcp", host_names="b1.example, b2")
        self.agent.reload()
        for host, status in (("b1.example", 200), ("b2:80", 200), ("localhost", 403)):
            answer = self.tcp("GET", "/v1/status", {**ADMIN, "Host": host})
            self.assertEqual(answer.status, status, host)

    def test_the_unix_socket_asks_for_neither(self):
        self.ok(self.agent.get("/v1/status", Host="evil.example", Origin="http://evil.example"))


class Reload(TcpTest):
    def test_tokens_are_read_anew(self):
        connection = self.agent.connect()
        ask = lambda headers: self.agent.ask("GET", "/v1/status", None, headers, connection)
        self.ok(ask(ADMIN))
        self.agent.tokens({"other": ("read", "another")})
        self.agent.reload()
        self.problem(ask(ADMIN), 401, "unauthenticated")  # on the same connection
        self.ok(ask({"Authorization": "Bearer another"}))
        connection.close()

    def test_a_reload_with_a_fault_changes_nothing(self):
        for spoil in (lambda: self.agent.token_file.write_text("x admin y\n"),
                      lambda: self.agent.token_file.chmod(0o644),
                      self.agent.token_file.unlink,
                      lambda: self.agent.set("tcp", tokens=""),
                      lambda: self.agent.set("tcp", tokns="/x")):
            spoil()
            self.agent.set("agent", log_level="error")
            self.agent.reload()
            self.ok(self.tcp("GET", "/v1/status", ADMIN))
        self.assertEqual(self.agent.log.count("not reloaded, all is as before: "), 5)

    def test_what_counts_from_the_next_start_on_is_said(self):
        self.agent.set("limits", connections=3)
        self.agent.reload()
        self.assertIn("limits.connections is another now", self.agent.log)
        self.assertNotIn("agent.socket is another now", self.agent.log)


class Addresses(TcpTest):
    def test_several_addresses_and_both_families(self):
        self.agent.stop()
        self.agent.options += ["--listen", "127.0.0.1:0", "--listen", "[::1]:0"]
        self.agent.set("tcp", listen="127.0.0.5:0")  # overridden
        self.agent.start()
        first, second = self.agent.ports()[-2:]
        for host, port in (("127.0.0.1", first), ("::1", second)):
            connection = self.agent.connect(port=port, host=host)
            self.ok(self.agent.ask("GET", "/v1/status", None, ADMIN, connection))
            connection.close()
        self.assertNotIn("127.0.0.5", self.agent.log)


del TcpTest
if __name__ == "__main__":
    api.main()
