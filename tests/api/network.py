# SPDX-License-Identifier: GPL-2.0-or-later
"""An agent that listens on TCP: certificates by openssl, tokens, and clients over TLS."""

import hashlib
import http.client
import os
import re
import signal
import ssl
import subprocess
import tempfile
import time
import api

SECRETS = {"controller": ("admin", "secret of the controller"), "grafana": ("read", "a reader's")}
ADMIN = {"Authorization": "Bearer " + SECRETS["controller"][1]}
READ = {"Authorization": "Bearer " + SECRETS["grafana"][1]}


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder of its own, and what it signs."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.name = name
        folder.mkdir(exist_ok=True)
        openssl("req", "-x509", *self._key(name), "-subj", f"/CN={name}", "-days", "30",
                "-out", self.path(name + ".pem"))
        self.certificate = self.path(name + ".pem")

    def path(self, name):
        return str(self.folder / name)

    def _key(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.path(name + ".key"))

    def sign(self, name, subject=None, days=(-1, 30), extensions=()):
        """Paths of a certificate and its key; days from now on, from and until."""
        begin, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + d * 86400))
                      for d in days)
        (self.folder / "index").write_text("")
        (self.folder / "conf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=" + self.path("index") + "\nrand_serial=yes\n"
            "new_certs_dir=" + str(self.folder) + "\ndefault_md=sha256\npolicy=p\n"
            "x509_extensions=e\n[p]\ncommonName=optional\nsurname=optional\n"
            "[e]\nbasicConstraints=CA:FALSE\n" + "\n".join(extensions) + "\n")
        openssl("req", "-new", *self._key(name), "-subj", subject or f"/CN={name}",
                "-out", self.path(name + ".csr"))
        openssl("ca", "-batch", "-config", self.path("conf"), "-cert", self.certificate,
                "-keyfile", self.path(self.name + ".key"), "-startdate", begin, "-enddate", end,
                "-preserveDN", "-in", self.path(name + ".csr"), "-out", self.path(name + ".pem"),
                "-notext")
        return self.path(name + ".pem"), self.path(name + ".key")


def server_certificate(authority, name="server", **more):
    return authority.sign(name, extensions=("subjectAltName=IP:127.0.0.1,IP:::1",), **more)


def trusting(authority, client=None):
    """A context of a client that knows the authority, and shows a certificate."""
    context = ssl.create_default_context(cafile=authority.certificate)
    if client:
        context.load_cert_chain(*client)
    return context


class Agent(api.Agent):
    """settings: {section: {name: value}}, in place of what it would have."""

    def __init__(self, *script):
        super().__init__(*script)
        self.conf = self.directory / "ipipd.conf"
        self.token_file = self.directory / "tokens"
        self.options = ["--config", str(self.conf)]
        self.settings = {"tcp": {"listen": "127.0.0.1:0", "tokens": self.token_file}}
        self.tokens(SECRETS)

    def tokens(self, secrets):
        self.token_file.touch(0o600)
        self.token_file.write_text("".join(
            f"{name} {role} {hashlib.sha256(secret.encode()).hexdigest()}\n"
            for name, (role, secret) in secrets.items()))

    def set(self, section, **settings):
        self.settings.setdefault(section, {}).update(settings)
        self.write_conf()

    def write_conf(self):
        self.conf.write_text("".join(
            f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
            for section, settings in self.settings.items()))

    def with_tls(self, authority, **more):
        certificate, key = server_certificate(authority)
        self.set("tls", certificate=certificate, key=key, **more)

    def start(self):
        self.write_conf()
        return super().start()

    def run(self, *options):
        """To its end, for what it says to the journal."""
        self.write_conf()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
            journal = os.fstat(log.fileno())
            environment = self.environment(JOURNAL_STREAM=f"{journal.st_dev}:{journal.st_ino}")
            done = subprocess.run(self.command(*options), env=environment, text=True, stderr=log,
                                  stdout=subprocess.PIPE, timeout=api.READY_S, check=False)
            log.seek(0)
            done.stderr = log.read()
        return done

    def ports(self):
        """Where it listens, in the order of the settings."""
        return [int(port) for port in re.findall(r"listening on \S+:(\d+),", self.log)]

    def descriptors(self):
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def reload(self):
        """SIGHUP, until it has said how that went."""
        words = ("reloaded settings", "not reloaded")
        before = sum(self.log.count(word) for word in words)
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + api.READY_S
        while sum(self.log.count(word) for word in words) == before:
            if time.monotonic() > end:
                raise AssertionError("SIGHUP was not heard")
            time.sleep(0.01)

    def connect(self, context=None, port=None, host="127.0.0.1"):
        port = port or self.ports()[-1]
        if context:
            return http.client.HTTPSConnection(host, port, timeout=10, context=context)
        return http.client.HTTPConnection(host, port, timeout=10)

    def over_tcp(self, method, path, headers=None, body=None, context=None):
        """One request on a connection of its own."""
        connection = self.connect(context)
        try:
            return self.ask(method, path, body, headers, connection)
        finally:
            connection.close()
