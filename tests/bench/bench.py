# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rows share: hosts, agents under test, programs, and how each is timed."""
import collections
import contextlib
import itertools
import json
import mmap
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lab"))
import lab  # noqa: E402  tests/lab/lab.py
import load  # noqa: E402

BUILD = os.path.dirname(lab.IPIPD)
_serial = itertools.count(1)

# The order is that of struct counters in shim.c.
Counters = collections.namedtuple(
    "Counters", "requests modifying nft_ns receive_ns send_ns syncs sysctls events timeouts")

# What one measurement gave. cpu is None where it has no meaning.
Sample = collections.namedtuple("Sample", "value cpu", defaults=(None,))


class Broken(Exception):
    """A row did not do what it is to measure."""


def check(truth, sentence):
    if not truth:
        raise Broken(sentence)


# How long to wait for what must come, in seconds: `run` says, by the sizes.
patience = 40.0


def wait_for(predicate, what, pause=0.01):
    end = time.monotonic() + patience
    while not predicate():
        check(time.monotonic() < end,
              f"not within {patience:.0f} s: {what() if callable(what) else what}")
        time.sleep(pause)


# ---------------------------------------------------------------- programs

def children_cpu():
    """Seconds of all programs that have ended, and of those that they waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def spawned(ns, argv, **more):
    with lab.inside(ns):
        process = subprocess.Popen(argv, text=True, close_fds=False, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def timed(ns, *argv, stdin=None):
    """Runs a program in a namespace: its wall and CPU time, from spawn to exit."""
    with tempfile.TemporaryFile("w+") as text, tempfile.TemporaryFile("w+") as out:
        text.write(stdin or "")
        text.seek(0)
        cpu, begin = children_cpu(), time.monotonic()
        with spawned(ns, argv, stdin=text, stdout=out, stderr=subprocess.STDOUT) as process:
            process.wait()
        sample = Sample(time.monotonic() - begin, children_cpu() - cpu)
        out.seek(0)
        check(process.returncode == 0, f"{' '.join(argv)}: {out.read()[-2000:]}")
    return sample


def total(*samples):
    """What was done in several steps."""
    return Sample(sum(s.value for s in samples),
                  None if any(s.cpu is None for s in samples) else sum(s.cpu for s in samples))


def program(name):
    return os.path.join(BUILD, f"bench_{name}")


def raw(ns, name, *arguments):
    """One of our small programs: what it printed, with its CPU time in `cpu`."""
    cpu = children_cpu()
    out = lab.run(ns, program(name), *map(str, arguments), timeout=3600)
    return {**json.loads(out), "cpu": children_cpu() - cpu}


def raw_sample(ns, name, *arguments):
    answer = raw(ns, name, *arguments)
    return Sample(answer["wall"], answer["cpu"])


def stored(rows, group=None):
    """So many rows, as many to a durable commit; without a group all in one."""
    with folder() as into:
        return raw_sample(None, "sqlite", "commits", os.path.join(into, "raw.db"), rows,
                          group or rows)


def cpu_of(process):
    """Seconds that a process of one thread has run."""
    with open(f"/proc/{process.pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


@contextlib.contextmanager
def background(ns, name, *arguments, ready=True):
    """A program of ours that runs until the end of the block; yields a function that stops
    it and gives what it printed; its process is an attribute of that."""
    answers = []
    with spawned(ns, [program(name), *map(str, arguments)], stdin=subprocess.DEVNULL,
                  stdout=subprocess.PIPE) as process:
        def stop():
            if not answers:
                process.terminate()
                answers.append(process.communicate(timeout=120)[0])
            return json.loads(answers[0]) if answers[0].strip() else None
        stop.process = process
        if ready:
            check(process.stdout.readline(), f"{name} does not start")
        yield stop
        stop()


# ---------------------------------------------------------------- hosts and agents

@contextlib.contextmanager
def host(ipv6=True):
    """A namespace with an eth0 like that of the lab's A, and an eth1 that goes nowhere. After
    the block it is gone from the kernel, too."""
    serial = next(_serial)
    ns, peer = f"b{os.getpid()}x{serial}", f"bench{serial}"
    lab.netns_add(ns)
    try:
        if not ipv6:
            lab.sysctl(ns, "net/ipv6/conf/default/disable_ipv6", 1)
        lab.ip(None, f"link add name {peer} type veth peer name eth0 netns {ns}",
               f"link set {peer} up")
        lab.ip(ns, "link add name eth1 type veth peer name eth2", "link set eth0 up",
               f"address add {lab.A_ADDR}/16 dev eth0", f"route add default via {lab.ROUTER}")
        yield ns
    finally:
        lab.netns_del(ns)
        # the kernel takes a namespace's devices away in one go, later
        wait_for(lambda: not lab.has_link(None, peer), f"{ns} to be gone")


class Agent(lab.Agent):
    """The agent, with the shim in front of it where `counted`."""

    def __init__(self, ns, counted=False, event_buffer=None):
        super().__init__(ns, "bench", start=False)
        self.environment = dict(os.environ)
        self.map = None
        if counted or event_buffer:
            self._count(event_buffer)

    def _count(self, event_buffer):
        path = os.path.join(self.folder, "counters")
        with open(path, "w+b") as file:
            file.write(bytes(8 * len(Counters._fields)))
            file.flush()
            self.map = mmap.mmap(file.fileno(), 0)
        self.environment.update(LD_PRELOAD=os.path.join(BUILD, "bench_shim.so"),
                                BENCH_COUNTERS=path)
        if event_buffer:
            self.environment["BENCH_EVENT_BUFFER"] = str(event_buffer)

    def start(self, ready=True):
        with lab.inside(self.ns), open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [lab.IPIPD, "--socket", self.socket, "--db", self.database],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                close_fds=False, env=self.environment)
        path = "/readyz" if ready else "/livez"
        wait_for(lambda: self._answers(path), "the agent to be ready", pause=0.001)
        return self

    def counters(self):
        return Counters._make(struct.unpack(f"={len(Counters._fields)}Q", self.map[:]))

    def counted(self, before):
        """What was counted since."""
        return Counters._make(now - then for now, then in zip(self.counters(), before))

    def cpu(self):
        return cpu_of(self.process)

    def system_cpu(self):
        """Seconds in the kernel, in ticks."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            return int(file.read().rsplit(")", 1)[1].split()[12]) / os.sysconf("SC_CLK_TCK")

    def memory(self, name):
        """VmRSS or VmHWM, in MB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) / 1024
        raise Broken(f"no {name} in /proc")

    def timed(self, action):
        """Wall and CPU time of the agent while the action runs."""
        cpu, begin = self.cpu(), time.monotonic()
        action()
        return Sample(time.monotonic() - begin, self.cpu() - cpu)

    def states(self, path):
        return self.get("status")["resources"][path]

    def converge(self, document, prune=True):
        """PUT /v1/config, and wait until all of it stands in the kernel."""
        query = "" if prune else "&prune=false"
        answer = self.request("PUT", f"/v1/config?wait=60{query}", document, timeout=1800)
        check(answer.status == 200, f"PUT config: {answer.status} {answer.body}")
        if answer.body["not_ready"]:
            wait_for(self.is_ready, lambda: f"all to be ready, {self.troubles()}", pause=0.2)

    def is_ready(self):
        resources = self.get("status")["resources"].values()
        return all(count == 0 or state in ("ready", "disabled")
                   for states in resources for state, count in states.items())

    def troubles(self):
        """What is not ready, in a few words."""
        return {path: {state: n for state, n in states.items() if n and state != "ready"}
                for path, states in self.get("status")["resources"].items()}

    def reconcile(self):
        """A full pass, to its end."""
        answer = self.ok("POST", "/v1/reconcile")
        check(not answer["not_ready"], f"not ready: {answer['not_ready'][:3]}")

    def settle(self):
        """Until a pass found nothing to do."""
        def quiet():
            self.reconcile()
            return self.get("status")["last_pass"]["ops"] == 0
        wait_for(quiet, "a pass without ops")


@contextlib.contextmanager
def agent(ns, document=None, **more):
    made = Agent(ns, **more)
    try:
        made.start()
        if document:
            made.converge(document)
        yield made
    except Exception:
        print("--- end of the agent's log", *made.log().splitlines()[-20:], sep="\n")
        raise
    finally:
        made.close()


def warm_up(place):
    """What the first one pays for all: kernel modules, and programs read from the disk."""
    with host() as ns, agent(ns) as made:
        if place == "lab":
            made.converge(load.full(1))
        else:
            made.converge(load.document(rules=[load.sources(1)]))


@contextlib.contextmanager
def folder():
    """On the disk, where there is one."""
    path = tempfile.mkdtemp(prefix="ipipd-bench.")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def median(samples):
    cpus = [s.cpu for s in samples if s.cpu is not None]
    return Sample(statistics.median(s.value for s in samples),
                  statistics.median(cpus) if cpus else None)
