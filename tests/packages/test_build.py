#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages that packaging/build has made in $IPIPD_PACKAGES: made again they are the same
bytes; what is in them, what they depend on, what their scripts do. As root."""
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from root import Root

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = Path(os.environ["IPIPD_PACKAGES"])
HERE = Path(__file__).resolve().parent

# Mode and path of each file, and of each folder that is empty.
AGENT = """
-rw-r--r-- /etc/ipipd/ipipd.conf
drwxr-xr-x /etc/ipipd/ipipd.conf.d
-rw-r--r-- UNITS/ipipd.service
-rw-r--r-- UNITS/ipipd.socket
-rw-r--r-- /usr/lib/modules-load.d/ipipd.conf
-rw-r--r-- /usr/lib/systemd/network/10-ipipd.network
-rw-r--r-- /usr/lib/sysusers.d/ipipd.conf
-rw-r--r-- /usr/lib/udev/rules.d/10-ipipd.rules
-rwxr-xr-x /usr/sbin/ipipd
-rw-r--r-- /usr/share/ipipd/ipipd.json
-rw-r--r-- /usr/share/ipipd/ipipd.rules.yml
-rw-r--r-- /usr/share/man/man5/ipipd.conf.5.gz
-rw-r--r-- /usr/share/man/man7/ipipd-api.7.gz
-rw-r--r-- /usr/share/man/man8/ipipd.8.gz
"""
CLIENT = """
-rwxr-xr-x /usr/bin/ipipctl
-rw-r--r-- /usr/share/bash-completion/completions/ipipctl
-rw-r--r-- /usr/share/fish/vendor_completions.d/ipipctl.fish
-rw-r--r-- /usr/share/man/man1/ipipctl.1.gz
"""
DEB_AGENT = """
-rw-r--r-- /usr/share/doc/ipipd/README.Debian
-rw-r--r-- /usr/share/doc/ipipd/README.md.gz
-rw-r--r-- /usr/share/doc/ipipd/changelog.gz
-rw-r--r-- /usr/share/doc/ipipd/copyright
-rw-r--r-- /usr/share/lintian/overrides/ipipd
"""
DEB_CLIENT = """
-rw-r--r-- /usr/share/doc/ipipctl/changelog.gz
-rw-r--r-- /usr/share/doc/ipipctl/copyright
-rw-r--r-- /usr/share/zsh/vendor-completions/_ipipctl
"""
FLUSH = ("setpriv --reuid=ipipd --regid=ipipd --init-groups --inh-caps=+net_admin"
         " --ambient-caps=+net_admin /usr/sbin/ipipd --flush")


def run(*command, **options):
    """What it says, on both streams."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}")
    return done.stdout


def listed(*texts):
    text = "".join(texts)
    units = run("pkg-config", "--variable=systemdsystemunitdir", "systemd").strip()
    return sorted(line for line in text.replace("UNITS", units).splitlines() if line)


def package(pattern):
    found = list(PACKAGES.glob(pattern))
    if len(found) != 1:
        raise AssertionError(f"{pattern}: {found}")
    return found[0]


def deb(name):
    return package(f"{name}_*.deb")


def deb_field(name, field):
    return run("dpkg-deb", "--field", deb(name), field).strip()


class Packages(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class Built(Packages):
    def again(self, kind):
        """Made again, under other circumstances; what was said."""
        environment = dict(os.environ, TZ="Asia/Tokyo", LANG="C", HOME=str(self.folder),
                           TMPDIR=str(self.folder))
        environment.pop("SOURCE_DATE_EPOCH", None)
        return run(ROOT / "packaging" / "build", kind, self.folder / "again", umask=0o077,
                   env=environment)

    def assert_same(self, *suffixes):
        def contents(folder):
            return {path.name: path.read_bytes() for path in folder.iterdir()
                    if path.name.endswith(suffixes)}
        before, again = contents(PACKAGES), contents(self.folder / "again")
        self.assertTrue(before)
        self.assertEqual(sorted(before), sorted(again))
        self.assertEqual([name for name in before if before[name] != again[name]], [])

    def test_debs_are_the_same_bytes_and_hardened(self):
        log = self.folder / "log"
        log.write_text(self.again("deb"), encoding="utf-8")
        self.assert_same(".deb", ".dsc", ".tar.xz")
        self.assertEqual(run("blhc", "--bindnow", log), "")

    def test_lintian_has_nothing_to_say(self):
        self.assertEqual(run("lintian", "--allow-root", "--display-info", "--pedantic", "--fail-on",
                             "error,warning,info,pedantic", package("*.dsc"),
                             *PACKAGES.glob("*.deb")), "")



class Deb(Packages):
    def contents(self, name):
        listing = [line.split(None, 5) for line in
                   run("dpkg-deb", "--contents", deb(name)).splitlines()]
        self.assertEqual({owner for _, owner, *_ in listing}, {"root/root"})
        found = {path[1:]: mode for mode, *_, path in listing}
        folders = {path: mode for path, mode in found.items() if path.endswith("/")}
        self.assertEqual(set(folders.values()), {"drwxr-xr-x"})
        empty = {path for path in folders if sum(p.startswith(path) for p in found) == 1}
        return sorted(f"{mode} {path.rstrip('/')}" for path, mode in found.items()
                      if path not in folders or path in empty)

    def test_files(self):
        self.assertEqual(self.contents("ipipd"), listed(AGENT, DEB_AGENT))
        self.assertEqual(self.contents("ipipctl"), listed(CLIENT, DEB_CLIENT))

    def test_settings_are_the_admin_s(self):
        self.assertEqual(run("dpkg-deb", "--info", deb("ipipd"), "conffiles"),
                         "/etc/ipipd/ipipd.conf\n")

    def test_dependencies(self):
        def names(name):
            depends = deb_field(name, "Depends").split(", ")
            return {re.sub(r" \(.*?\)", "", part) for part in depends}
        self.assertEqual(names("ipipd"), {
            "libc6", "libgnutls30", "libinih1", "libjansson4", "libmicrohttpd12", "libmnl0",
            "libnftnl11", "libnl-3-200", "libsqlite3-0",
            "systemd | systemd-standalone-sysusers | systemd-sysusers"})
        self.assertEqual(names("ipipctl") - {"libcurl3-gnutls", "libcurl4"},
                         {"libc6", "libgnutls30", "libjansson4"})

    def test_programs_run(self):
        for name, program in (("ipipd", "usr/sbin/ipipd"), ("ipipctl", "usr/bin/ipipctl")):
            run("dpkg-deb", "--extract", deb(name), self.folder)
            self.assertEqual(run(self.folder / program, "--version").split(),
                             [name, deb_field(name, "Version")])
            # which blhc does not see: the compiler's default
            self.assertRegex(run("readelf", "-d", self.folder / program), "FLAGS_1.*NOW PIE")


class DebScripts(Packages):
    def run_dpkg(self, *arguments):
        """The calls that the scripts made, without what makes debhelper's others possible."""
        return [call for call in self.root.dpkg(*arguments)
                if not re.search(" (unmask|--quiet was-enabled|--system daemon-reload)", call)]

    def setUp(self):
        super().setUp()
        self.root = Root(self.folder)
        self.before = self.root.files()
        self.installing = self.run_dpkg("--install", deb("ipipd"))
        self.root.write("etc/ipipd/tokens")
        self.root.write("etc/ipipd/ipipd.conf.d/tcp.conf")
        self.root.write("var/lib/ipipd/ipipd.db")
        self.root.write("run/ipipd/ipipd.sock")

    def test_installing_starts_the_agent(self):
        self.assertEqual(self.installing, [
            "udevadm control --reload",
            "deb-systemd-invoke reload systemd-networkd.service",
            "systemd-sysusers ipipd.conf",
            "deb-systemd-helper enable ipipd.service",
            "deb-systemd-invoke start ipipd.service",
            "deb-systemd-helper enable ipipd.socket",
            "deb-systemd-invoke start ipipd.socket"])

    def test_an_upgrade_restarts_the_agent_and_leaves_socket_and_kernel_alone(self):
        self.assertEqual(self.run_dpkg("--install", deb("ipipd")), [
            "udevadm control --reload",
            "deb-systemd-invoke reload systemd-networkd.service",
            "systemd-sysusers ipipd.conf",
            "deb-systemd-helper enable ipipd.service",
            "deb-systemd-invoke restart ipipd.service",
            "deb-systemd-helper enable ipipd.socket",
            "deb-systemd-invoke start ipipd.socket"])

    def test_removing_flushes_and_keeps_the_declaration(self):
        self.assertEqual(self.run_dpkg("--remove", "ipipd"), [
            "deb-systemd-invoke stop ipipd.socket",
            "deb-systemd-invoke stop ipipd.service", FLUSH])
        self.assertTrue(self.root.exists("var/lib/ipipd/ipipd.db"))
        self.assertTrue(self.root.exists("etc/ipipd/ipipd.conf"))
        self.assertFalse(self.root.exists("run/ipipd"))

    def test_purging_leaves_nothing(self):
        self.assertEqual(self.run_dpkg("--purge", "ipipd"), [
            "deb-systemd-invoke stop ipipd.socket",
            "deb-systemd-invoke stop ipipd.service", FLUSH,
            "deb-systemd-helper purge ipipd.socket",
            "deb-systemd-helper purge ipipd.service"])
        self.assertEqual(self.root.files() - self.before, {"calls"})


if __name__ == "__main__":
    unittest.main()
