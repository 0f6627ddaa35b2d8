# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's guest as a host of the packages: it is A, and its agent systemd's."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import lab  # noqa: E402

UNITS = Path("/lib/systemd/system")
OWN_UNITS = Path("/run/systemd/system")
NAMES = ("ipipd", "ipipctl")


def packages(folder):
    """Of a build, for apt."""
    return [str(next(Path(folder).glob(f"{name}_*.deb"))) for name in NAMES]


OURS, NEXT = packages(os.environ["IPIPD_PACKAGES"]), packages(os.environ["IPIPD_NEXT"])


def run(*argv, **more):
    return lab.run(None, *argv, **more)


def systemctl(*arguments, **more):
    return run("systemctl", *arguments, **more)


def apt(verb, *names):
    return run("apt-get", "--quiet", "--yes", verb, *names,
               env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"), timeout=300)


def version(package):
    return run("dpkg-deb", "--field", package, "Version").strip()


def is_installed():
    return run("dpkg-query", "--show", "--showformat=${db:Status-Status}", NAMES[0],
               check=False).out == "installed"


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

    def setUp(self):
        if not is_installed():
            apt("install", *OURS)
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
