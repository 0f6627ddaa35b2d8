#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of $IPIPD_PACKAGES on a host, as dnf brings them: installed, at work, upgraded to
those of $IPIPD_NEXT, removed. In the lab's guest with systemd."""
import os
import re
import tempfile
from pathlib import Path

import host
import lab
import test_install
from host import dnf, run

SETTINGS = Path("/etc/ipipd/ipipd.conf")


def provided():
    """What this host has of all that an rpm may require: libraries that the loader finds, with
    their versions, by rpm's own look into them; dpkg's packages; the shell."""
    libraries = re.sub(".* => |^[^\t].*\n", "", run("ldconfig", "--print-cache"), flags=re.M)
    return {"rtld(GNU_HASH)", *filter(os.path.exists, ["/bin/sh"]),
            *run("/usr/lib/rpm/elfdeps", "--provides", stdin=libraries).splitlines(),
            *run("dpkg-query", "--show", "--showformat=${Package}\\n").splitlines()}


def tell(provides):
    """What our packages need was put there by dpkg, and rpm's database, by which dnf resolves,
    knows nothing of it. So a package that holds no files tells it."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "debian.spec")
        spec.write_text("Name: debian\nVersion: 12\nRelease: 1\nLicense: none\n"
                        "BuildArch: noarch\nSummary: What dpkg has installed\n"
                        + "".join(f"Provides: {name}\n" for name in sorted(provides))
                        + "%description\nOf this host.\n%files\n", encoding="ascii")
        run("rpmbuild", "--quiet", "--define", f"_topdir {folder}", "-bb", str(spec))
        run("rpm", "--install", *map(str, Path(folder).glob("RPMS/*/*.rpm")))


class Ours(host.PackagesTest):
    by = dnf

    def setUp(self):
        if run("rpm", "--query", "debian", check=False).status:
            tell(provided())
        super().setUp()


class Dependencies(host.PackagesTest):
    """The first to run: rpm's database is empty."""

    def setUp(self):
        self.refused = host.Refused()

    def missing(self):
        done = dnf("install", *dnf.ours, check=False)
        self.assertEqual((1, False), (done.status, dnf.has_ours()))
        return set(re.findall("nothing provides (.*) needed by", done.out + done.err))

    def test_dnf_names_what_is_missing(self):
        needed = run("rpm", "--query", "--package", "--requires", *dnf.ours).splitlines()
        self.assertEqual({name for name in needed if not re.match(r"rpmlib\(|config\(", name)},
                         self.missing())
        one = "libmicrohttpd.so.12()(64bit)"
        tell(provided() - {one})
        self.addCleanup(run, "rpm", "--erase", "debian")
        self.assertEqual({one}, self.missing())


class Forgotten(Ours, test_install.Forgotten):
    def forget(self):
        """What rpm leaves is removed by hand, as documented."""
        dnf("remove", *host.NAMES)
        run("rm", "-r", "/etc/ipipd", "/var/lib/ipipd")


class Installed(Ours):
    test_it_runs_as_its_user_in_its_sandbox = \
        test_install.Service.test_it_runs_as_its_user_in_its_sandbox

    def test_every_file_is_as_it_was_packed(self):
        self.assertEqual("", run("rpm", "--verify", *host.NAMES))

    def test_the_client_shows_the_agent(self):
        self.assertRegex(run("ipipctl", "status"),
                         rf"^ipipd {dnf.version_of(dnf.ours[0])} on \S+  ready, ")


class Moves(Ours, test_install.Moves):
    """The settings are edited, and stay that."""

    def setUp(self):
        super().setUp()
        self.packed = SETTINGS.read_text(encoding="ascii")
        self.mine = self.packed + "# mine\n"
        SETTINGS.write_text(self.mine, encoding="ascii")
        self.addCleanup(self.set_back)

    def set_back(self):
        SETTINGS.write_text(self.packed, encoding="ascii")
        for suffix in ("rpmnew", "rpmsave"):
            Path(f"{SETTINGS}.{suffix}").unlink(missing_ok=True)

    def assert_settings(self, **texts):
        """Of the files, by their suffixes."""
        self.assertEqual(texts, {path.suffix[1:]: path.read_text(encoding="ascii")
                                 for path in SETTINGS.parent.glob("ipipd.conf*")
                                 if path.is_file()})

    def test_upgraded_and_downgraded_nobody_is_refused_and_no_packet_lost(self):
        super().test_upgraded_and_downgraded_nobody_is_refused_and_no_packet_lost()
        self.assert_settings(conf=self.mine, rpmnew=self.packed)

    def test_removed_it_leaves_the_kernel_and_installed_it_is_back(self):
        super().test_removed_it_leaves_the_kernel_and_installed_it_is_back()
        self.assert_settings(conf=self.packed, rpmsave=self.mine)


if __name__ == "__main__":
    lab.main()
