#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS: what is spoken, whose certificate counts, and that SIGHUP renews under open connections."""

import os
import pathlib
import socket
import ssl
import tempfile
import time
import warnings
import events
import network
import api
from network import ADMIN, READ

TICKS = os.sysconf("SC_CLK_TCK")


class TlsTest(api.ApiTest):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="ipipd-tls-")
        cls.addClassCleanup(cls.folder.cleanup)
        path = pathlib.Path(cls.folder.name)
        cls.authority = network.Authority(path / "ours")
        cls.foreign = network.Authority(path / "foreign", "ca")  # of the same name
        cls.alice = cls.authority.sign("alice")

    def setUp(self):
        self.agent = network.Agent()
        self.addCleanup(self.agent.clean)
        self.agent.with_tls(self.authority, **self.settings)
        self.agent.start()

    def trusting(self, client=None):
        return network.trusting(self.authority, client)

    def get(self, headers=None, client=None):
        return self.agent.over_tcp("GET", "/v1/status", headers, context=self.trusting(client))

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.agent.ports()[-1]), 10)


class Protocol(TlsTest):
    def versions(self, version):
        context = self.trusting()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        with self.raw() as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
            return tls.version(), tls.cipher()[0]

    def test_speaks_1_2_and_1_3_with_forward_secrecy(self):
        self.assertEqual(self.versions(ssl.TLSVersion.TLSv1_3)[0], "TLSv1.3")
        version, cipher = self.versions(ssl.TLSVersion.TLSv1_2)
        self.assertEqual(version, "TLSv1.2")
        self.assertRegex(cipher, "^ECDHE-.*(GCM|CHACHA20)")

    def test_speaks_nothing_older(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with self.subTest(version), self.assertRaises((ssl.SSLError, ConnectionError)):
                self.versions(version)

    def test_speaks_no_weak_cipher(self):
        for cipher in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "NULL", "aNULL",
                       "ECDHE-ECDSA-AES256-CCM8"):
            context = self.trusting()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(cipher + ":@SECLEVEL=0")
            with self.subTest(cipher), self.raw() as plain, self.assertRaises(
                    (ssl.SSLError, ConnectionError)):
                context.wrap_socket(plain, server_hostname="127.0.0.1")

    def test_a_token_works_over_it(self):
        self.ok(self.get(READ))
        self.problem(self.get(), 401, "unauthenticated")

    def test_without_it_there_is_no_answer(self):
        with self.raw() as plain:
            plain.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            with self.assertRaises(ConnectionError):
                while plain.recv(100):
                    pass
                raise ConnectionError
        self.assertNotIn("/livez", self.agent.log)

    def test_a_whole_answer_and_a_whole_body_go_over_it(self):
        tunnels = [{"name": f"t{i}", "remote": f"10.{i >> 8}.{i & 255}.1", "comment": "x" * 1000}
                   for i in range(1000)]
        answer = self.agent.over_tcp("PUT", "/v1/config", ADMIN,
                                     {"tunnels": tunnels, "exit_routes": [], "nat_rules": []},
                                     context=self.trusting())
        self.ok(answer)
        answer = self.agent.over_tcp("GET", "/v1/config", READ, context=self.trusting())
        self.assertEqual(len(self.ok(answer).body["tunnels"]), 1000)


class Handshakes(TlsTest):
    def setUp(self):
        super().setUp()
        self.agent.stop()
        self.agent.set("limits", header_timeout="1s")
        self.agent.start()

    def ticks(self):
        fields = pathlib.Path(f"/proc/{self.agent.process.pid}/stat").read_text().split()
        return int(fields[13]) + int(fields[14])

    def test_a_handshake_has_a_deadline_and_costs_nothing_meanwhile(self):
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        for start in (b"", b"\x16", hello):
            with self.subTest(start), self.raw() as plain:
                plain.sendall(start)
                begin, ticks = time.monotonic(), self.ticks()
                self.assertEqual(plain.recv(10), b"")
                took = time.monotonic() - begin
                self.assertGreater(took, 0.9)
                self.assertLess(took, 5)
                busy = (self.ticks() - ticks) / TICKS
                self.assertLess(busy / took, 0.25, "the loop turned without a pause")

    def test_garbage_is_hung_up_on(self):
        with self.raw() as plain:
            plain.sendall(b"\x00" * 100)
            with self.assertRaises(ConnectionError):
                while plain.recv(100):
                    pass
                raise ConnectionError
        self.ok(self.get(READ))

    def test_a_client_that_leaves_in_the_middle_hurts_nobody(self):
        for _ in range(50):
            with self.raw() as plain:
                plain.sendall(b"\x16\x03\x01")
        end = time.monotonic() + 5
        while True: # until it has seen them go, more of this address are hung up on
            try:
                self.ok(self.get(READ))
                return
            except (ssl.SSLError, ConnectionError):
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)


class Clients(TlsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings = {"client_ca": cls.authority.certificate, "admins": "alice, the boss",
                        "readers": "bob"}

    def test_a_request_with_a_token_is_judged_by_it_alone(self):
        self.ok(self.get(client=self.alice))
        self.problem(self.get({"Authorization": "Bearer wrong"}, self.alice), 401,
                     "unauthenticated")

    def test_without_a_certificate_a_token_is_enough(self):
        self.ok(self.get(READ))

    def test_whose_name_has_which_role(self):
        for name, subject, why in (
            ("boss", "/CN=the boss", None),
            ("alice2", "/SN=x/CN=alice", None),
            ("eve", "/CN=eve", "no role"),
            ("Alice", "/CN=Alice", "no role"),
            ("two", "/CN=alice/CN=bob", "not one common name"),
            ("none", "/SN=alice", "not one common name"),
        ):
            with self.subTest(name):
                answer = self.get(client=self.authority.sign(name, subject))
                if not why:
                    self.ok(answer)
                    continue
                self.problem(answer, 401, "unauthenticated")
                self.assertIn(why, answer.body["detail"])

    def test_a_write_is_told_by_the_subject_of_its_certificate(self):
        boss = self.authority.sign("boss", "/CN=the boss")
        for what, name, client in (("created", "alice", self.alice), ("updated", "the boss", boss)):
            with self.subTest(name):
                answer = self.agent.over_tcp("PUT", "/v1/tunnels/tun_a", None,
                                             {**api.TUNNEL, "comment": name},
                                             self.trusting(client))
                self.assertIn(answer.status, (200, 201))
                (event,) = events.kept(self.agent, "&type=" + what)
                self.assertEqual((event["caller"], event["address"]),
                                 (f"certificate {name}", "127.0.0.1"))
                self.assertIn(f"request {event['request_id']}: tunnel \"tun_a\" {what} "
                              f"by certificate {name} from 127.0.0.1, ", self.agent.log)

    def test_others_may_have_a_role(self):
        self.agent.set("tls", readers="*")
        self.agent.reload()
        eve = self.authority.sign("eve")
        self.ok(self.get(client=eve))
        answer = self.agent.over_tcp("POST", "/v1/reconcile", context=self.trusting(eve))
        self.problem(answer, 403, "forbidden")
        self.assertIn("certificate eve may only read", answer.body["detail"])
        self.ok(self.agent.over_tcp("POST", "/v1/reconcile", context=self.trusting(self.alice)))

    def test_a_certificate_that_does_not_verify_is_nobodys(self):
        for name, client, why in (
            ("expired", self.authority.sign("expired", "/CN=alice", (-9, -1)), "has expired"),
            ("future", self.authority.sign("future", "/CN=alice", (1, 9)), "not valid yet"),
            ("foreign", self.foreign.sign("alice"), "no authority that is known"),
            ("kind", self.authority.sign("kind", "/CN=alice", extensions=(
                "extendedKeyUsage=serverAuth",)), "not meant for clients"),
            ("of a leaf", self.of_a_leaf(self.alice), "no authority that is known"),
        ):
            with self.subTest(name):
                answer = self.problem(self.get(client=client), 401, "unauthenticated")
                self.assertIn(why, answer.body["detail"])
                self.assertIn("refused: 401 unauthenticated: the client certificate",
                              self.agent.log)

    def of_a_leaf(self, leaf):
        """Signed by a certificate that is of the authority, but none itself."""
        fake = network.Authority(pathlib.Path(self.folder.name) / "leaf", "leaf")
        fake.certificate = leaf[0]
        pathlib.Path(fake.path("leaf.key")).write_bytes(pathlib.Path(leaf[1]).read_bytes())
        chain, key = fake.sign("mallory", "/CN=alice")
        with open(chain, "ab") as file:
            file.write(pathlib.Path(leaf[0]).read_bytes())
        return chain, key


class Reload(TlsTest):
    def setUp(self):
        super().setUp()
        self.agent.set("tls", client_ca=self.authority.certificate, admins="alice")
        self.agent.reload()

    def test_certificates_are_renewed_under_open_connections(self):
        old = self.agent.connect(self.trusting())
        self.ok(self.agent.ask("GET", "/v1/status", None, READ, old))
        begun = self.raw()  # its handshake comes after
        time.sleep(0.05)
        certificate, key = network.server_certificate(self.foreign)
        self.agent.set("tls", certificate=certificate, key=key)
        self.agent.reload()
        self.ok(self.agent.ask("GET", "/v1/status", None, READ, old))
        new = self.agent.connect(network.trusting(self.foreign))
        self.ok(self.agent.ask("GET", "/v1/status", None, READ, new))
        with self.assertRaises(ssl.SSLError):
            self.get(READ)
        with self.trusting().wrap_socket(begun, server_hostname="127.0.0.1") as tls:
            self.assertEqual(tls.version(), "TLSv1.3")
        old.close()
        new.close()

    def test_an_authority_that_went_is_known_no_more_on_open_connections_too(self):
        connection = self.agent.connect(self.trusting(self.alice))
        self.ok(self.agent.ask("GET", "/v1/status", None, None, connection))
        self.agent.set("tls", client_ca=self.foreign.certificate)
        self.agent.reload()
        answer = self.agent.ask("GET", "/v1/status", None, None, connection)
        self.problem(answer, 401, "unauthenticated")
        connection.close()

    def test_a_reload_with_a_fault_keeps_what_there_was(self):
        key = pathlib.Path(self.authority.path("server.key"))
        mode, text = key.stat().st_mode, key.read_text()
        other = network.server_certificate(self.authority, "other")
        spoiled = (
            (lambda: key.chmod(0o644), "is open to others"),
            (lambda: key.write_text("nonsense"), "server.pem with the key"),
            (lambda: key.write_text(pathlib.Path(other[1]).read_text()), "does not fit"),
            (lambda: self.agent.set("tls", certificate="/nonexistent"), "/nonexistent: No such"),
            (lambda: self.agent.set("tls", certificate="", key="", client_ca="", admins=""),
             "TLS begins and ends only with the agent"),
        )
        for spoil, why in spoiled:
            with self.subTest(why):
                spoil()
                self.agent.reload()
                self.assertIn("not reloaded, all is as before: ", self.agent.log)
                self.assertIn(why, self.agent.log)
                self.ok(self.get(client=self.alice))
            key.chmod(mode)
            key.write_text(text)
            self.agent.with_tls(self.authority, client_ca=self.authority.certificate,
                                admins="alice")
            text = key.read_text()

    def test_systemd_is_told(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            path = str(self.agent.directory / "notify")
            os.unlink(path)
            notify.bind(path)
            notify.settimeout(api.READY_S)
            self.agent.reload()
            first = notify.recv(100).decode()
            self.assertRegex(first, r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
            self.assertEqual(notify.recv(100), b"READY=1")


del TlsTest
if __name__ == "__main__":
    api.main()
