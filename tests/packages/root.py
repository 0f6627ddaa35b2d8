# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder as the root of a host, for dpkg and rpm to install into. The programs that scripts
of packages call only write down how they were called."""
import shutil
import subprocess
from pathlib import Path

RECORDED = ("deb-systemd-helper", "deb-systemd-invoke", "setpriv", "systemctl", "systemd-sysusers",
            "udevadm")
RECORDER = '#!/bin/sh\necho "${0##*/} $*" >>/calls\n'
APPLETS = ("cat", "rm", "sh")


class Root:
    def __init__(self, folder, systemd=True):
        self.folder = Path(folder)
        for name in ("bin", "usr/bin", "usr/sbin", "etc", "run", "dev", "var/lib/dpkg/info",
                     "var/lib/dpkg/updates"):
            (self.folder / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", self.folder / "bin")
        for name in APPLETS:
            (self.folder / "bin" / name).symlink_to("busybox")
        for name in ("dev/null", "var/lib/dpkg/status", "var/lib/dpkg/available"):
            self.write(name)
        if systemd:
            (self.folder / "run/systemd/system").mkdir(parents=True)
            for name in RECORDED:
                self.write("usr/bin/" + name, RECORDER).chmod(0o755)

    def write(self, name, text=""):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def exists(self, name):
        return (self.folder / name).exists()

    def files(self):
        """Whatever is there, but for the packagers' own databases."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")
                if not path.is_relative_to(self.folder / "var/lib/dpkg")
                and not path.is_relative_to(self.folder / "var/lib/rpm")}

    def run(self, *command):
        """The calls that the scripts made."""
        calls = self.folder / "calls"
        calls.unlink(missing_ok=True)
        done = subprocess.run([str(part) for part in command], text=True, check=False,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}")
        return calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []

    def dpkg(self, *arguments):
        return self.run("dpkg", f"--root={self.folder}", "--force-depends", "--force-bad-path",
                        *arguments)

    def rpm(self, *arguments):
        return self.run("rpm", "--root", self.folder, "--nodeps", *arguments)
