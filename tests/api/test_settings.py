#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of the process: files, their order, every fault, and what is refused to be started."""

import os
import pathlib
import shutil
import socket
import tempfile
import unittest
import network
import api

CONFIG = 78


class Settings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ipipd-settings-")
        cls.addClassCleanup(folder.cleanup)
        cls.authority = network.Authority(pathlib.Path(folder.name) / "ca")
        cls.certificate, cls.key = network.server_certificate(cls.authority)
        cls.expired = network.server_certificate(cls.authority, "old", days=(-9, -1))
        cls.other = network.server_certificate(cls.authority, "other")

    def setUp(self):
        self.agent = network.Agent()
        self.addCleanup(self.agent.clean)

    def refused(self, *sentences, options=()):
        """By the check and by the start alike, with all of these at their lines."""
        for command in (("--check-config", *options), options):
            shown = self.agent.run(*command)
            self.assertEqual(shown.returncode, CONFIG, shown)
            for sentence in sentences:
                self.assertIn(sentence, shown.stderr, command)
            faults = [line for line in shown.stderr.splitlines() if line.startswith("<3>")]
            self.assertEqual(len(faults), len(sentences), shown.stderr)
        self.assertFalse(os.path.exists(self.agent.socket))
        return faults

    def tcp(self, **settings):
        self.agent.settings["tcp"].update(settings)

    def tls(self, **settings):
        self.agent.settings["tls"] = settings

    def test_what_holds_is_said_so(self):
        self.tls(certificate=self.certificate, key=self.key)
        self.tcp(listen="0.0.0.0:0, [::]:0, 127.0.0.1:0")
        shown = self.agent.run("--check-config")
        self.assertEqual((shown.returncode, shown.stderr), (0, "<5>the settings hold\n"))

    def test_without_tls_only_loopback_is_listened_on(self):
        for address in ("0.0.0.0:0", "192.0.2.1:0", "[::]:0", "[2001:db8::1]:0"):
            self.tcp(listen="127.0.0.1:0, " + address)
            with self.subTest(address):
                self.refused(f"ipipd.conf:2: {address}: only a loopback address can do without "
                             "TLS; set tls.certificate and tls.key")
        self.tcp(listen="127.0.0.1:0")
        self.refused("--listen: 10.0.0.1:1: only a loopback", options=("--listen", "10.0.0.1:1"))

    def test_somebody_must_be_able_to_prove_who_he_is(self):
        self.tcp(tokens="")
        self.refused("ipipd.conf:2: 127.0.0.1:0: TCP needs tokens (tcp.tokens) or client "
                     "certificates (tls.client_ca)")
        self.tls(certificate=self.certificate, key=self.key)
        self.refused("TCP needs tokens")
        self.tls(certificate=self.certificate, key=self.key,
                 client_ca=self.authority.certificate, readers="*")
        self.assertEqual(self.agent.run("--check-config").returncode, 0)

    def test_certificate_and_key_fit(self):
        self.tls(certificate=self.certificate, key=self.other[1])
        self.refused(f"ipipd.conf:6: {self.other[1]}: the key does not fit the certificate")
        self.tls(certificate=self.key, key=self.key)
        self.refused(f"ipipd.conf:5: {self.key} with the key {self.key}: ")
        self.tls(certificate=self.certificate)
        self.refused("tls.key: TLS needs a certificate and its key")
        self.tls(key=self.key)
        self.refused("tls.certificate: TLS needs a certificate and its key")

    def test_secrets_are_for_their_owner_and_a_group(self):
        key = shutil.copy(self.key, self.agent.directory / "key")
        self.tls(certificate=self.certificate, key=key)
        for line, secret in ((6, key), (3, self.agent.token_file)):
            os.chmod(secret, 0o604)
            self.refused(f"ipipd.conf:{line}: {secret}: is open to others (mode 0604); "
                         f"chmod o= {secret}")
            os.chmod(secret, 0o640)  # root's, for the group that the agent runs as
            self.assertEqual(self.agent.run("--check-config").returncode, 0)

    def test_files_that_are_not_there(self):
        self.tcp(tokens="/nonexistent/t")
        self.tls(certificate="/nonexistent/c", key="/nonexistent/k", client_ca="/nonexistent/a",
                 admins="a")
        self.refused(*(f"ipipd.conf:{line}: /nonexistent/{name}: No such file"
                       for line, name in ((3, "t"), (5, "c"), (6, "k"), (7, "a"))))

    def test_an_expired_certificate_is_a_warning(self):
        self.tls(certificate=self.expired[0], key=self.expired[1])
        shown = self.agent.run("--check-config")
        self.assertEqual(shown.returncode, 0)
        self.assertIn("<4>" + self.expired[0] + ": the certificate has expired", shown.stderr)
        self.agent.start()
        self.assertEqual(self.agent.get("/livez").status, 200)

    def test_authorities_and_roles_need_each_other(self):
        self.tls(certificate=self.certificate, key=self.key, admins="a")
        self.refused("ipipd.conf:7: roles of client certificates need a tls.client_ca")
        self.tls(certificate=self.certificate, key=self.key,
                 client_ca=self.authority.certificate)
        self.refused("ipipd.conf:7: no certificate has a role")
        self.tls(certificate=self.certificate, key=self.key, client_ca=self.key, admins="a")
        self.refused(f"ipipd.conf:7: {self.key}: ")

    def test_every_fault_of_the_token_file_is_told(self):
        self.agent.token_file.write_text("a b c\n#\nx admin 12\n")
        self.refused("tokens:1: the role is neither", "tokens:3: a digest has 64")

    def test_a_file_of_tokens_without_one_is_a_warning(self):
        self.agent.token_file.write_text("# none yet\n")
        shown = self.agent.run("--check-config")
        self.assertEqual(shown.returncode, 0)
        self.assertIn("there is no token in it", shown.stderr)

    def test_all_faults_of_all_files_are_told(self):
        self.agent.settings["agnet"] = {"socket": "/x"}
        self.agent.settings["limits"] = {"conections": 5, "body": "9G"}
        self.tcp(tokens="/nonexistent")
        folder = pathlib.Path(str(self.agent.conf) + ".d")
        folder.mkdir()
        (folder / "10-x.conf").write_text("nonsense\n")
        shown = self.agent.run("--check-config")
        self.assertEqual(shown.returncode, CONFIG)
        for sentence in ("ipipd.conf:4: unknown section agnet; did you mean agent?",
                         "ipipd.conf:7: unknown setting conections; did you mean connections?",
                         "ipipd.conf:8: body: must be a size from 4K to 64M",
                         "10-x.conf:1: is neither NAME = VALUE nor [SECTION]",
                         "ipipd.conf:3: /nonexistent: No such file or directory"):
            self.assertIn(sentence, shown.stderr)
        self.assertEqual(shown.stderr.count("<3>settings: "), 5, shown.stderr)

    def test_a_file_that_is_named_must_be_there(self):
        self.agent.options = ["--config", "/nonexistent/ipipd.conf"]
        shown = self.agent.run()
        self.assertEqual(shown.returncode, CONFIG)
        self.assertIn("/nonexistent/ipipd.conf: No such file", shown.stderr)

    def test_files_override_each_other_in_the_order_of_their_names(self):
        folder = pathlib.Path(str(self.agent.conf) + ".d")
        folder.mkdir()
        (folder / "20-b.conf").write_text("[limits]\nconnections = 20\nbacklog = 20\n")
        (folder / "10-a.conf").write_text("[limits]\nconnections = 10\nbacklog = 10\nbody=1M\n")
        (folder / "30-c.conf.off").write_text("nonsense\n")
        (folder / ".hidden.conf").write_text("nonsense\n")
        self.agent.settings["limits"] = {"connections": 5}
        shown = self.agent.run("--log-level", "notice", "--print", "config")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        for line in ("connections = 20", "backlog = 20", "body = 1M", "log_level = notice",
                     f"socket = {self.agent.socket}", "#patch_body = 64K"):
            self.assertIn("\n" + line + "\n", shown.stdout)

    def test_what_is_printed_is_read_the_same(self):
        self.tls(certificate=self.certificate, key=self.key)
        shown = self.agent.run("--print", "config")
        printed = self.agent.directory / "printed"
        printed.write_text(shown.stdout)
        self.agent.options = ["--config", str(printed)]
        self.assertEqual(self.agent.run("--print", "config").stdout, shown.stdout)

    def test_values_of_options_are_usage(self):
        for options in (("--listen", "localhost:1"), ("--log-level", "loud"), ("--socket", ""),
                        ("--print", "nonsense"), ("--socket", "/" + "x" * 107)):
            with self.subTest(options):
                shown = self.agent.run(*options)
                self.assertEqual(shown.returncode, 2, shown)
                self.assertIn("--help", shown.stderr)

    def test_an_address_in_use_is_said(self):
        self.agent.start()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.agent.stop()
            port = taken.getsockname()[1]
            shown = self.agent.run("--listen", f"127.0.0.1:{port}")
        self.assertEqual(shown.returncode, 1)
        self.assertIn(f"cannot start: 127.0.0.1:{port}: Address already in use", shown.stderr)

    def test_an_address_may_come_later(self):
        self.tls(certificate=self.certificate, key=self.key)
        self.tcp(listen="192.0.2.77:0")
        self.agent.start()
        self.assertEqual(self.agent.get("/livez").status, 200)

    def test_limits_are_used(self):
        self.agent.settings["limits"] = {"body": "5000", "patch_body": "4096"}
        self.agent.start()
        self.assertEqual(self.agent.put("/v1/tunnels/a", "x" * 5001).status, 413)
        self.assertEqual(self.agent.put("/v1/tunnels/a", "x" * 5000).status, 400)
        self.assertEqual(self.agent.patch("/v1/tunnels/a", "x" * 4097).status, 413)


if __name__ == "__main__":
    api.main()
