#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages that packaging/build has made in $IPIPD_PACKAGES: made again they are the same
bytes; what is in them, what they depend on, what their scripts do. As root."""
import concurrent.futures
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
RPM_AGENT = """
-rw-r--r-- PRESETS/50-ipipd.preset
-rw-r--r-- /usr/share/doc/ipipd-VERSION/README.md
"""
RPM_CLIENT = """
-rw-r--r-- /usr/share/zsh/site-functions/_ipipctl
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


def variable(name):
    return run("pkg-config", f"--variable={name}", "systemd").strip()


def listed(*texts):
    text = "".join(texts)
    for name, value in (("UNITS", variable("systemdsystemunitdir")),
                        ("PRESETS", variable("systemdsystempresetdir")),
                        ("VERSION", deb_field("ipipd", "Version"))):
        text = text.replace(name, value)
    return sorted(line for line in text.splitlines() if line)


def package(pattern):
    found = list(PACKAGES.glob(pattern))
    if len(found) != 1:
        raise AssertionError(f"{pattern}: {found}")
    return found[0]


def deb(name):
    return package(f"{name}_*.deb")


def rpm(name):
    return package(f"{name}-[0-9]*.*64.rpm")


def deb_field(name, field):
    return run("dpkg-deb", "--field", deb(name), field).strip()


def rpm_query(name, *arguments):
    return run("rpm", "-qp", "--nosignature", *arguments, rpm(name)).splitlines()


def needed(program):
    """Names of the libraries that a program is linked to."""
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program)))


class Packages(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class Built(Packages):
    def again(self, kind, folder="again"):
        """Made again, under other circumstances; what was said."""
        environment = dict(os.environ, TZ="Asia/Tokyo", LANG="C", HOME=str(self.folder),
                           TMPDIR=str(self.folder))
        environment.pop("SOURCE_DATE_EPOCH", None)
        return run(ROOT / "packaging" / "build", kind, self.folder / folder, umask=0o077,
                   env=environment)

    def assert_same(self, *suffixes, folder="again"):
        def contents(of):
            return {path.name: path.read_bytes() for path in of.iterdir()
                    if path.name.endswith(suffixes)}
        before, again = contents(PACKAGES), contents(self.folder / folder)
        self.assertTrue(before)
        self.assertEqual(sorted(before), sorted(again))
        self.assertEqual([name for name in before if before[name] != again[name]], [])

    def test_debs_are_the_same_bytes_and_hardened(self):
        log = self.folder / "log"
        log.write_text(self.again("deb"), encoding="utf-8")
        self.assert_same(".deb", ".dsc", ".tar.xz")
        self.assertEqual(run("blhc", "--bindnow", log), "")

    def test_rpms_are_the_same_bytes_also_of_builds_at_one_time(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda folder: self.again("rpm", folder), ("again", "besides")))
        self.assert_same(".rpm")
        self.assert_same(".rpm", folder="besides")

    def test_lintian_has_nothing_to_say(self):
        self.assertEqual(run("lintian", "--allow-root", "--display-info", "--pedantic", "--fail-on",
                             "error,warning,info,pedantic", package("*.dsc"),
                             *PACKAGES.glob("*.deb")), "")

    def test_rpmlint_has_nothing_to_say(self):
        said = run("rpmlint", "--config", ROOT / "packaging/rpm/rpmlint.toml",
                   *PACKAGES.glob("*.rpm"))
        self.assertRegex(said, r"\b0 errors, 0 warnings\b")


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
            "deb-systemd-invoke start ipipd.socket",
            "systemctl --quiet is-failed ipipd.service"])

    def test_an_upgrade_restarts_the_agent_and_leaves_socket_and_kernel_alone(self):
        self.assertEqual(self.run_dpkg("--install", deb("ipipd")), [
            "udevadm control --reload",
            "deb-systemd-invoke reload systemd-networkd.service",
            "systemd-sysusers ipipd.conf",
            "deb-systemd-helper enable ipipd.service",
            "deb-systemd-invoke restart ipipd.service",
            "deb-systemd-helper enable ipipd.socket",
            "deb-systemd-invoke start ipipd.socket",
            "systemctl --quiet is-failed ipipd.service"])

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


class Rpm(Packages):
    def contents(self, name):
        query = "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\\n]"
        listing = [line.split() for line in rpm_query(name, "--queryformat", query)
                   if "/.build-id" not in line]
        self.assertEqual({owner for _, owner, _ in listing}, {"root/root"})
        return sorted(
            f"{mode} {path}" for mode, _, path in listing
            if mode[0] != "d" or not any(other.startswith(path + "/") for *_, other in listing))

    def requires(self, name):
        """Without what rpm asks of itself, and with libraries by their names alone."""
        return {re.sub(r"\(.*", "", line) for line in rpm_query(name, "--requires")
                if not line.startswith(("rpmlib(", "config(", "rtld("))}

    def test_files(self):
        self.assertEqual(self.contents("ipipd"), listed(AGENT, RPM_AGENT))
        self.assertEqual(self.contents("ipipctl"), listed(CLIENT, RPM_CLIENT))

    def test_settings_are_the_admin_s(self):
        self.assertEqual(rpm_query("ipipd", "--configfiles"), ["/etc/ipipd/ipipd.conf"])

    def test_programs_run_with_the_libraries_that_are_required(self):
        root = Root(self.folder)
        root.rpm("--install", rpm("ipipd"), rpm("ipipctl"))
        for name, program, others in (
                ("ipipd", "usr/sbin/ipipd", {"/bin/sh", "systemd", "util-linux"}),
                ("ipipctl", "usr/bin/ipipctl", set())):
            self.assertEqual(run(self.folder / program, "--version").split(),
                             [name, *rpm_query(name, "--queryformat", "%{VERSION}")])
            self.assertEqual(self.requires(name), needed(self.folder / program) | others)


class RpmScripts(Packages):
    def setUp(self):
        super().setUp()
        self.root = Root(self.folder)
        self.installing = self.root.rpm("--install", rpm("ipipd"))
        self.root.write("var/lib/ipipd/ipipd.db")
        self.root.write("run/ipipd/ipipd.sock")

    def test_installing_starts_the_agent(self):
        self.assertEqual(self.installing, [
            "systemd-sysusers ipipd.conf",
            "systemctl --no-reload preset ipipd.socket ipipd.service",
            "systemctl daemon-reload",
            "udevadm control --reload",
            "systemctl reload systemd-networkd.service",
            "systemctl start ipipd.socket ipipd.service"])

    def test_an_upgrade_restarts_the_agent_and_leaves_socket_and_kernel_alone(self):
        self.assertEqual(self.root.rpm("--upgrade", "--replacepkgs", rpm("ipipd")), [
            "systemd-sysusers ipipd.conf",
            "systemctl daemon-reload",
            "udevadm control --reload",
            "systemctl reload systemd-networkd.service",
            "systemctl daemon-reload",
            "systemctl try-restart ipipd.service"])

    def test_erasing_flushes_and_keeps_the_declaration(self):
        self.assertEqual(self.root.rpm("--erase", "ipipd"), [
            "systemctl --no-reload disable --now ipipd.socket ipipd.service", FLUSH,
            "systemctl daemon-reload"])
        self.assertTrue(self.root.exists("var/lib/ipipd/ipipd.db"))
        self.assertFalse(self.root.exists("run/ipipd"))


class RpmWithoutSystemd(Packages):
    def test_nothing_fails(self):
        root = Root(self.folder, systemd=False)
        for step in (("--install", rpm("ipipd")),
                     ("--upgrade", "--replacepkgs", rpm("ipipd")), ("--erase", "ipipd")):
            self.assertEqual(root.rpm(*step), [])
        self.assertFalse(root.exists("usr/sbin/ipipd"))


if __name__ == "__main__":
    unittest.main()
