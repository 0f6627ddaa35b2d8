# SPDX-License-Identifier: GPL-2.0-or-later
"""All of a host that a package could leave something in, as lines to be compared: files, users,
processes, units, and what is in the kernel."""
import collections
import filecmp
import glob
import hashlib
import os
import re

import lab
from host import run

# /dev, /run and control groups are others' file systems.
ROOTS = ("/", "/dev", "/dev/shm", "/run", "/sys/fs/cgroup")
# Packagers' own records, logs, and what systemd and udevd keep of any unit and device.
OTHERS = re.compile(
    r"/(var/lib/(dpkg|apt|dnf)/|root/[.]rpmdb/|var/cache/(apt|dnf|ldconfig|man)/|var/log/"
    r"|run/log/|run/udev/|proc/|run/systemd/(units|journal|propagate|incoming)/"
    r"|etc/(passwd|group|g?shadow)-$"
    r"|sys/fs/cgroup/.*[.](service|slice|scope|socket|mount)/)")
USERS = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")
# Of a file that is another than in the image of the host, its contents as well.
IMAGE, WRITTEN = "/run/image", "/run/changes/upper"


def _contents(path):
    if not os.path.isfile(WRITTEN + path) or os.path.islink(path):
        return ""
    if os.path.isfile(IMAGE + path) and filecmp.cmp(IMAGE + path, path, shallow=False):
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def files():
    """Type, mode, owner, size and target of each. A folder's size is its file system's affair."""
    found = run("find", *ROOTS, "-xdev", "-printf", "%p\\t%y %m %U:%G %s %l\\n")
    lines = {}
    for path, what in (line.split("\t") for line in found.splitlines()):
        if OTHERS.search(path) or path in USERS:
            continue
        if what[0] == "d":
            what = what.rsplit(" ", 2)[0]
        lines[path] = f"{path} {what} {_contents(path)}"
    return [lines[path] for path in sorted(lines)]


def users():
    """But for whom Debian keeps: his number will not become somebody else's."""
    lines = []
    for path in USERS:
        with open(path, encoding="utf-8") as file:
            lines += [path + " " + line.rstrip() for line in file if not line.startswith("ipipd:")]
    return lines


def processes():
    """Of programs: the kernel's threads have no parent but the second process."""
    shown = run("ps", "-e", "-o", "ppid=,pid=,user=,args=").splitlines()
    lines = [line.split(None, 3) for line in shown]
    return sorted(f"{user} {args}" for parent, pid, user, args in lines
                  if "2" not in (parent, pid) and not args.startswith(("ps ", "(udev-worker)")))


def units():
    return (run("systemctl", "list-units", "--all", "--plain", "--no-legend", "ipipd*")
            + run("systemctl", "list-unit-files", "--no-legend", "ipipd*", check=False).out
            ).splitlines()


def settings():
    """All of /proc/sys/net that says the same when it is asked twice."""
    found = {}
    for path in glob.glob("/proc/sys/net/**", recursive=True):
        if os.path.isfile(path) and not re.search("_count$|stable_secret|/tunl0/", path):
            try:
                with open(path, encoding="ascii", errors="replace") as file:
                    found[path] = file.read().strip()
            except OSError:
                continue
    return found


class Footprint:
    def __init__(self, ns):
        run("udevadm", "settle")
        self.kernel, self.settings = lab.snapshot(ns), settings()
        self.lines = collections.Counter(files() + users() + processes() + units())

    def gone_and_new(self, later):
        """Lines of this one, and of the later one, that the other has not. Settings that modules
        have brought meanwhile are not new."""
        settings_of = [collections.Counter(f"{path} = {found[path]}" for path in self.settings
                                           if path in found)
                       for found in (self.settings, later.settings)]
        before, after = self.lines + settings_of[0], later.lines + settings_of[1]
        return sorted(before - after), sorted(after - before)
