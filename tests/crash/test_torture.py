#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
The k-th call fails, for k = 1, 2, …: of SQLite's writes, truncations and syncs, of the kernel's
answers, of allocations. The agent lives (without memory: it ends with its message), says
honestly what it did, loses nothing acknowledged, and converges when the fault is over.

TORTURE_STEP: only every such k, from a random one on (1: all). CRASH_SEED as in test_crash.py.
"""

import contextlib
import functools
import json
import os
import random
import signal
import subprocess
import sys
import unittest

import fake
import model

SEED = int(os.environ.get("CRASH_SEED", str(random.randrange(1 << 32))))
STEP = int(os.environ.get("TORTURE_STEP", "1"))
FEW = min(STEP, 15)  # of what is passed a few dozen times
OWN_EACH, LIBRARY_EACH = 7, 13  # there are thousands


def exit_routes(tunnel, *destinations):
    return {"tunnel": tunnel, "destinations": list(destinations), "from": ["10.200.1.0/24"]}


# One of each way that leads to the store and to the kernel.
TUNNEL = {"remote": "172.16.1.10", "addresses": ["10.0.0.1/24"], "rp_filter": "strict"}
NAT = {"sources": ["10.0.0.0/24"], "out_interface": "eth0"}
SCRIPT = (
    ("PUT", "tunnels/t0", TUNNEL),
    ("PUT", "exit-routes/e0", exit_routes("t0", "20.0.0.0/24", "20.0.1.0/24")),
    ("PUT", "nat-rules/n0", NAT),
    ("PUT", "tunnels/t0", {**TUNNEL, "addresses": ["10.0.1.1/24", "10.0.0.1/24"], "ttl": 9}),
    ("PUT", "tunnels/t1", {"remote": "172.16.1.11", "addresses": ["10.1.0.1/24"]}),
    ("DELETE", "exit-routes/e0", None),
    ("DELETE", "nat-rules/n0", None),
    ("DELETE", "tunnels/t0", None),
)


def writes():
    for method, path, body in SCRIPT:
        kind, name = path.split("/")
        yield model.Write(method, f"/v1/{path}", body, {(kind, name): body})


@functools.lru_cache
def objects_of(text):
    return fake.fresh_objects(json.loads(text))


def begin_of(status):
    """Of the fake kernel's line for an object in a status."""
    words = status["key"].split()
    if status["kind"] == "route":  # "table 7000 20.0.0.0/24"
        words = words[1:3]
    elif status["kind"] == "rule":
        words = words[:1]
    return f"{status['kind']} {' '.join(words)} "


class Case:
    """One fault, or lasting ones, on an agent and a host that are new."""

    def __init__(self, point, k, errno, lasting=False):
        self.spec = f"{point}:{k}{'+' if lasting else ''}={errno}"
        self.lasting = lasting
        self.agent = fake.Agent()
        # glibc dies of a lack of memory while it looks for a group
        settings = self.agent.directory / "ipipd.conf"
        settings.write_text("[agent]\ngroup =\n")
        self.agent.options = ["--config", str(settings)]
        self.client = model.Client(SEED, fake.LOCAL)
        self.served = self.lived = False
        # a library without memory may lose the answer to what was stored
        self.unanswered = point == "alloc.library"

    def fail(self, why):
        raise AssertionError(f"{self.spec}: {why}\n{self.agent.tail()}")

    def write(self):
        """False: it died of it, or did not start."""
        self.served = self.agent.arm(self.spec)
        if not self.served:
            return False
        for write in writes():
            try:
                self.client.send(self.agent.request, write)
                self.agent.request("POST", "/v1/reconcile?wait=2", None)
                self.check_ready()
            except fake.Died:
                if not self.survives():
                    return False
        return True

    def survives(self):
        """An answer that did not come: a connection was lost, or it died."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.agent.process.wait(0.5)
        return self.agent.process.poll() is None

    def check_honest(self):
        """What was refused is not there, for whoever asks the agent."""
        stored = model.read_config(self.agent.request)
        faults = list(self.client.faults(stored))
        if faults or stored != self.client.acknowledged and not self.unanswered:
            self.fail(f"answers {stored}, acknowledged {self.client.acknowledged}")

    def check_end(self, code, codes):
        """With its message, or the dynamic linker's. Who serves ends only of a lack of memory of
        our own, which libc may have asked for (reallocarray). The fake kernel keeps its state in
        files, and ends where it cannot."""
        words = ["fake kernel: ", "<2>out of memory: "]
        if not self.served:
            words += ["<3>ipipd cannot start", "symbol lookup error"]
        if code not in codes or not any(word in self.agent.log for word in words):
            self.fail(f"ended with {code}")

    def check_ready(self, over=False):
        """What is called ready is there. All is ready when the fault is over."""
        objects = self.agent.objects()
        there, states = "".join(line + " \n" for line in objects), {}
        for path in ("tunnels", "exit-routes", "nat-rules"):
            listed = self.agent.request("GET", f"/v1/{path}", None)[1] or {}
            for one in listed.get("items", ()):
                states[path, one["name"]] = one["status"]["state"]
                if one["status"]["state"] != "ready":
                    continue
                missing = [o for o in one["status"]["objects"]
                           if o["state"] == "in-sync" and begin_of(o) not in there]
                if missing or not one["status"]["objects"]:
                    self.fail(f"{one['name']} is called ready: {missing} of\n{there}")
        as_declared = states == dict.fromkeys(self.client.acknowledged, "ready")
        if over and not as_declared:
            self.fail(f"after the fault: {states}")
        if as_declared and not self.client.sent:
            self.check_kernel(objects)

    def check_kernel(self, objects):
        if fake.normal(objects) != objects_of(
                json.dumps(model.document_of(self.client.acknowledged))):
            self.fail(f"the kernel is not as declared: {objects}")

    def run(self, codes):
        """How often it was hit."""
        self.lived = self.write()
        if self.lived:
            if self.agent.hits():
                self.check_honest()
                if not self.lasting:
                    fake.converged(self.agent)
                self.check_ready(over=not self.lasting and not self.client.sent)
            code = self.agent.stop()
            if code != 0:  # which may be what hits it
                self.check_end(code, codes)
        else:
            code = self.agent.process.wait(10)
            self.agent.process = None
            self.check_end(code, codes)
        hits = len(self.agent.hits())
        if not hits:
            return 0
        if not self.agent.start():
            self.fail("does not start again")
        self.client.check(self.agent.request)
        self.agent.check_events()
        fake.converged(self.agent)
        self.check_ready(over=True)
        return hits


class Torture(unittest.TestCase):
    def one(self, point, k, errno, codes, lasting):
        """Was it passed so often, had the agent started, and did it live on?"""
        with self.subTest(point, k=k, errno=errno, lasting=lasting, seed=SEED):
            case = Case(point, k, errno, lasting)
            try:
                return bool(case.run(codes)), case.served, case.lived
            finally:
                fake.clean(case.agent)
        return True, True, False

    def torture(self, point, errnos, codes, step=STEP, lasting=False):
        """k over all passings, or each so many, with each of the errnos.
        How many faults there were, of them when it had started, and how many it lived with."""
        k, unhit, faults, used, last = (
            random.Random(SEED).randint(1, step), 0, [], set(), 0)
        while unhit < (3 if step == 1 else 1):  # in a row that nobody passed: all have been
            ends = [self.one(point, k, errno, codes, lasting) for errno in errnos]
            hits = [end for end in ends if end[0]]
            used |= {errno for errno, end in zip(errnos, ends) if end[0]}
            faults += hits
            unhit, last = (0, k) if hits else (unhit + 1, last)
            k += step
        counts = [sum(column) for column in zip(*faults)] or [0, 0, 0]
        print("{}: {} faults up to passing {}, {} of them after the start, lived with {}".format(
              point, counts[0], last, *counts[1:]), file=sys.stderr)
        self.assertEqual(set(errnos), used, f"of {point}")
        return counts

    def test_writes_of_the_disk(self):
        self.torture("vfs.write", ("ENOSPC", "EIO"), (1,))

    def test_truncations_of_the_disk(self):
        # of the database, when its WAL is copied into it: here, at the end
        self.torture("vfs.truncate", ("EIO", "ENOSPC"), (1,), step=1)

    def test_syncs_of_the_disk(self):
        self.torture("vfs.sync", ("EIO", "ENOSPC"), (1,))

    def test_commits(self):
        self.torture("store.commit", ("EIO", "ENOSPC"), (1,), step=FEW)

    def test_answers_of_the_kernel(self):
        self.torture("fake.apply", ("EPERM", "ENOMEM", "EBUSY", "EEXIST", "ENODEV", "ENOBUFS",
                                    "ETIMEDOUT", "ERESTART"), (1,))

    def test_answers_that_are_always_bad(self):
        # a single one is made up for before anybody sees what the status said of it
        self.torture("fake.apply", ("EPERM", "EEXIST", "ERESTART"), (1,), step=FEW, lasting=True)

    def test_looks_at_the_kernel(self):
        self.torture("fake.observe", ("EINTR", "ENOBUFS", "ENOMEM", "ETIMEDOUT"), (1,), step=FEW)

    if not fake.api.SANITIZED:  # which have an allocator of their own
        def test_allocations_of_ours(self):
            lived = self.torture("alloc.own", ("ENOMEM",), (-signal.SIGABRT,),
                                 step=STEP * OWN_EACH)[2]
            self.assertEqual(0, lived, "ours end at the first")

        def test_allocations_of_libraries(self):
            # 127: the dynamic linker, which binds a function at its first call
            faults, served, lived = self.torture(
                "alloc.library", ("ENOMEM",), (1, 127, -signal.SIGABRT),
                step=STEP * LIBRARY_EACH)
            # measured: 38 % come after the start, and it lives with 96 % of them
            self.assertGreater(served, faults / 4)
            self.assertGreater(lived, served * 3 / 4)


if __name__ == "__main__":
    fake.api.main()
