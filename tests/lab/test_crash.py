#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
The agent on the real kernel (ipipd_failing) is killed at its failpoints while a client writes,
and its netlink fails, each k-th call in turn. Nothing acknowledged is lost, the kernel becomes
what is declared, and in the end nothing is left behind.

LAB_CRASH_S: seconds for each of the two (25); LAB_CRASH_SEED: random, printed.
"""
import http.client
import os
import random
import sys
import time

import lab

sys.path.insert(0, os.path.join(lab.REPO, "tests", "crash"))
import failpoints  # noqa: E402
import model  # noqa: E402

SECONDS = float(os.environ.get("LAB_CRASH_S", "25"))
SEED = int(os.environ.get("LAB_CRASH_SEED", str(random.randrange(1 << 32))))
WRITES_MAX = 200
ERRNOS = ("EPERM", "ENOMEM", "EBUSY", "EEXIST", "ENODEV", "ENOBUFS", "ETIMEDOUT", "ERESTART")
POINTS = ("*.send", "*.receive", "*.interrupted", "sysctl.write")
K_MAX = 80

# those of a start with a new database, and of an end, are the fake kernel's
NAMES = [name for name in failpoints.names(*failpoints.REAL) if not name.startswith(
    ("database.", "migration.", "host-id.", "orphans.", "release.", "vfs.truncate"))]
OFTEN = ("dump.", "batch.", "netlink.", "nft.")  # passed in each look at the kernel


class Died(OSError):
    pass


class Crash(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.ns = self.host()
        self.before = lab.snapshot(self.ns)
        self.agent = lab.Agent(self.ns, "crash", start=False)
        self.addCleanup(self.agent.close)
        self.client = model.Client(SEED, lab.A_ADDR)
        print(f"seed {SEED}", file=sys.stderr)

    def ask(self, method, path, body):
        try:
            answer = self.agent.request(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            raise Died(str(error)) from error
        return answer.status, answer.body

    def start(self, failpoint=""):
        """False: it ended on its way."""
        os.environ["IPIPD_FAILPOINT"] = failpoint
        try:
            self.agent.start()
        except AssertionError:
            if self.agent.process.poll() is None:
                raise
            return False
        finally:
            del os.environ["IPIPD_FAILPOINT"]
        return True

    def end_code(self):
        code = self.agent.process.wait(30)
        self.agent.process = None
        return code

    def write(self, n):
        for i in range(n):
            self.client.send(self.ask, self.client.write())
            if i % 4 == 3:
                self.ask("POST", "/v1/reconcile?wait=5", None)

    def converge(self):
        for _ in range(30):
            status = self.ask("POST", "/v1/reconcile?wait=10", None)[0]
            plan = self.ask("POST", "/v1/plan", None)[1]
            if status == 200 and plan.get("ops") == []:
                return
        self.fail(f"no convergence: {plan}")

    def recover(self):
        self.assertTrue(self.start(), self.agent.log()[-3000:])
        self.client.check(self.ask)
        self.converge()
        self.agent.kill9()

    def leaves_nothing(self):
        self.start()
        self.assertEqual(200, self.ask("PUT", "/v1/config", {})[0])
        self.converge()
        self.agent.stop()
        self.assert_same(self.before, lab.snapshot(self.ns))

    def kill_at(self, name, count):
        died = not self.start(f"{name}:{count}")
        try:
            if not died:
                self.write(WRITES_MAX * count)
        except Died:
            died = True
        self.assertTrue(died, f"{name}:{count} was not passed in {WRITES_MAX * count} writes")
        self.assertEqual(-9, self.end_code(), self.agent.log()[-3000:])

    def test_killed_at_failpoints(self):
        end, rounds = time.monotonic() + SECONDS, 0
        names = list(NAMES)
        self.client.rng.shuffle(names)
        # what only the real kernel passes comes first
        kernel = set(failpoints.names("src/kernel"))
        names.sort(key=lambda name: name not in kernel)
        while time.monotonic() < end:
            name = names[rounds % len(names)]
            count = self.client.rng.choice((1, 3, 8, 20) if name.startswith(OFTEN) else (1,))
            with self.subTest(name, count=count):
                self.kill_at(name, count)
                self.recover()
            if self.agent.process:
                self.agent.kill9()
            rounds += 1
        print(f"{rounds} rounds, {len(names)} failpoints", file=sys.stderr)
        self.leaves_nothing()

    def fail_at(self, spec):
        """The k-th call fails; it lives, or says at its start why not."""
        if self.start(spec):
            self.write(6)
            self.converge()
            self.assertEqual(self.client.acknowledged, model.read_config(self.ask))
            self.agent.kill9()
        else:
            self.assertEqual(1, self.end_code(), self.agent.log()[-3000:])
            self.assertIn("cannot start", self.agent.log())

    def test_netlink_fails(self):
        end, rounds = time.monotonic() + SECONDS, 0
        rng = self.client.rng
        first = rng.randrange(K_MAX)
        while time.monotonic() < end:
            k = (first + rounds // len(POINTS)) % K_MAX + 1
            spec = f"{POINTS[rounds % len(POINTS)]}:{k}={rng.choice(ERRNOS)}"
            with self.subTest(spec):
                self.fail_at(spec)
            if self.agent.process:
                self.agent.kill9()
            rounds += 1
        print(f"{rounds} faults", file=sys.stderr)
        self.leaves_nothing()


if __name__ == "__main__":
    lab.main()
