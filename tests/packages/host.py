# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's guest as a host of the packages: it is A, and its agent systemd's."""
import collections
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import lab  # noqa: E402

UNITS = Path("/lib/systemd/system")
OWN_UNITS = Path("/run/systemd/system")
NAMES = ("ipipd", "ipipctl")


def run(*argv, **more):
    return lab.run(None, *argv, **more)


def systemctl(*arguments, **more):
    return run("systemctl", *arguments, **more)


class Packager(collections.namedtuple("Packager", "files command verbs version installed")):
    """Who brings packages and takes them away: the names of his files, and his words; then how
    to ask a file for its version, and whether a package is there."""

    def __call__(self, verb, *names, **more):
        return run(*f"{self.command} {self.verbs.get(verb, verb)}".split(), *names,
                   env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"), timeout=300, **more)

    def packages(self, variable):
        """Of the build whose folder the environment names."""
        folder = Path(os.environ[variable])
        return [str(next(folder.glob(self.files.format(name)))) for name in NAMES]

    @property
    def ours(self):
        return self.packages("IPIPD_PACKAGES")

    @property
    def next(self):
        return self.packages("IPIPD_NEXT")

    def version_of(self, package):
        return run(*self.version.split(), package).strip()

    def has_ours(self):
        return run(*self.installed.split(), NAMES[0], check=False).out == "installed"


apt = Packager(
    "{}_*.deb", "apt-get --quiet --yes",
    {"upgrade": "install", "downgrade": "install --allow-downgrades"},
    "dpkg-deb --show --showformat=${Version}", "dpkg-query --show --showformat=${db:Status-Status}")
# As Debian installs it, it knows of no repository.
dnf = Packager(
    "{}-[0-9]*64.rpm", "dnf --assumeyes", {},
    "rpm --query --queryformat %{VERSION} --package", "rpm --query --queryformat installed")


class Unit(lab.Api):
    """The agent of ipipd.service, or of units like it."""

    def __init__(self, name="ipipd"):
        self.units = (f"{name}.socket", f"{name}.service")
        super().__init__(name, f"/run/{name}/ipipd.sock")

    def show(self, name, unit=None):
        return systemctl("show", "--value", f"--property={name}", unit or self.units[1]).strip()

    @property
    def pid(self):
        return int(self.show("MainPID"))

    def start(self):
        systemctl("start", *self.units)
        return self

    def stop(self):
        """Nobody who connects starts it again."""
        systemctl("stop", *self.units)

    def close(self):
        self.forget()
        self.clear()

    def log(self):
        return run("journalctl", "--boot", "--output=cat", *(f"--unit={u}" for u in self.units))


class Second(Unit):
    """Of the packaged units once more, as the host B in a namespace."""

    def __init__(self, ns):
        super().__init__("ipipd-b")
        self.path = f"/run/netns/{ns}"
        for unit in self.units:
            text = (UNITS / unit.replace(self.name, "ipipd")).read_text(encoding="utf-8")
            (OWN_UNITS / unit).write_text(self.adapted(text), encoding="utf-8")
        systemctl("daemon-reload")

    def adapted(self, text):
        for pattern, replacement in (
                (r"\bipipd[.]socket\b", f"{self.name}.socket"),
                (r"^(ListenStream=).*", rf"\g<1>{self.socket}"),
                (r"^(StateDirectory=).*", rf"\g<1>{self.name}"),
                (r"^(ExecStart=.*)", rf"\1 --db /var/lib/{self.name}/ipipd.db\n"
                                     f"NetworkNamespacePath={self.path}")):
            text = re.sub(pattern, replacement, text, flags=re.M)
        return text

    def close(self):
        try:
            super().close()
        finally:
            self.stop()


class Refused:
    """System calls that the sandbox refused from now on: $SYSTEMD_LOG_SECCOMP has them logged."""

    def __init__(self):
        self.before = self._all()

    @staticmethod
    def _all():
        return [line for line in run("dmesg").splitlines() if "type=1326" in line]

    def lines(self, command="ipipd"):
        return [line for line in self._all()[len(self.before):] if f'comm="{command}"' in line]


class Trace:
    """What programs are started, and processes made, from now on, as the kernel tells."""

    FOLDER = Path("/sys/kernel/tracing/instances/ipipd")
    EVENTS = ("sched_process_exec", "sched_process_fork")

    def __enter__(self):
        self.FOLDER.mkdir()
        for event in self.EVENTS:
            (self.FOLDER / "events/sched" / event / "enable").write_text("1", encoding="ascii")
        return self

    def __exit__(self, *_):
        self.FOLDER.rmdir()

    def text(self):
        return (self.FOLDER / "trace").read_text(encoding="utf-8", errors="replace")

    def started(self, program):
        return len(re.findall(rf"sched_process_exec: filename=\S*/{program} ", self.text()))

    def made_by(self, command):
        return len(re.findall(rf"sched_process_fork: comm={re.escape(command)} ", self.text()))


class PackagesTest(lab.LabTest):
    """On a host with the packages installed."""
    by = apt

    def setUp(self):
        if not self.by.has_ours():
            self.by("install", *self.by.ours)
        self.refused = Refused()

    def tearDown(self):
        self.assertEqual([], self.refused.lines())

    def host_a(self):
        agent = Unit().start()
        self.addCleanup(agent.close)
        return agent

    def pair(self, **more):
        self.doCleanups()  # there is but one A: an earlier pair goes
        t = self.topology(own_a=True, **more)
        run("udevadm", "settle")  # it gives the devices their addresses
        b = Second(t.b)
        self.addCleanup(b.close)
        return t, self.host_a(), b.start()


def processes_of(user):
    return run("pgrep", "--uid", user, "--list-full", check=False).out.splitlines()
