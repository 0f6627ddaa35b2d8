# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lab's tests share: a test case with namespaces, agents and captures of its own, and what
runs it. All that its neighbours here offer to tests has its name here, too.
"""
import os
import sys
import time
import traceback
import unittest

from agents import IPIPCTL, IPIPD, REPO, Agent, Api, UnixConnection, ipipctl
from namespaces import (CommandFailed, eventually, has_link, inside, ip, ip_json, netns_add,
                        netns_del, nft, run, serial, sysctl)
from snapshots import our_routes, route_get, rule_lines, snapshot
from topology import (A_ADDR, B_ADDR, INET, INET_OTHERS, LAN, LAN_HOST, ROUTER, THIRD,
                      THIRD_HOST, Topology)
from traffic import Capture, Pinger, TcpServer, ping, ping_none, tcp_ok

# "Within a second" of real time; emulation stretches it, and two guests share two cores.
SECOND = 6.0


class LabTest(unittest.TestCase):
    """Fresh namespaces and agents for each test, gone after it."""

    maxDiff = None

    def topology(self, **more):
        topology = Topology(**more)
        self.addCleanup(topology.close)
        return topology

    def host(self, driver="dummy"):
        """One namespace like A, its wires going nowhere: cheap. (A veth will do for them, where
        the kernel has no dummy.)"""
        ns = f"l{os.getpid()}x{next(serial)}-host"
        netns_add(ns)
        self.addCleanup(netns_del, ns)
        sysctl(ns, "net/ipv6/conf/default/accept_dad", 0)
        ip(ns, f"link add name eth0 type {driver}", f"link add name eth1 type {driver}",
           "link set eth0 up", "link set eth1 up", f"address add {A_ADDR}/16 dev eth0",
           f"address add {LAN}/24 dev eth1", f"route add default via {ROUTER}")
        return ns

    def agent(self, ns, name=None, **more):
        agent = Agent(ns, name, start=False)
        self.addCleanup(agent.close)
        return agent.start(**more)

    def pair(self, **more):
        """A topology with an agent on each host."""
        topology = self.topology(**more)
        return topology, self.agent(topology.a, "a"), self.agent(topology.b, "b")

    def capture(self, ns, device):
        capture = Capture(ns, device)
        self.addCleanup(capture.sock.close)
        return capture

    def tcp_server(self, ns, port=7777):
        server = TcpServer(ns, port)
        self.addCleanup(server.close)
        return server

    def pinger(self, ns, dst, **more):
        pinger = Pinger(ns, dst, **more)
        self.addCleanup(pinger.stop, 0)
        return pinger

    def assert_ping(self, ns, dst, **more):
        self.assertTrue(ping(ns, dst, **more), f"{ns}: no answer from {dst}")

    def assert_no_ping(self, ns, dst, **more):
        self.assertTrue(ping_none(ns, dst, **more), f"{ns}: an answer from {dst}")

    def assert_seen(self, capture, pattern, outgoing=None):
        self.assertTrue(capture.has(pattern, outgoing),
                        f"{capture.name}: no {pattern} in:\n" + "\n".join(capture.lines()[:40]))

    def assert_not_seen(self, capture, pattern, outgoing=None):
        seen = capture.has(pattern, outgoing)
        self.assertFalse(seen, f"{capture.name}: {len(seen)} of {pattern}, first {seen[:1]}: "
                         + "\n".join(map(str, seen[:10])))

    def assert_same(self, before, after):
        self.assertMultiLineEqual(before, after)


class _Runner:
    def __init__(self, tests):
        self.tests, self.passed, self.failed, self.skipped = tests, 0, 0, 0

    def one(self, test):
        name = f"{type(test).__name__}.{test._testMethodName}"
        result = unittest.TestResult()
        begin = time.monotonic()
        method = getattr(test, test._testMethodName)

        def with_logs():
            try:
                method()
            except unittest.SkipTest:
                raise
            except BaseException:
                self.show_agents()
                raise

        setattr(test, test._testMethodName, with_logs)
        test(result)
        took = f"({time.monotonic() - begin:.1f} s)"
        faults = result.failures + result.errors
        if faults:
            self.failed += 1
            print(f"FAIL {name} {took}")
            for _, text in faults:
                print(text)
        elif result.skipped:
            self.skipped += 1
            print(f"skip {name}: {result.skipped[0][1]}")
        else:
            self.passed += 1
            print(f"ok {name} {took}")
        sys.stdout.flush()

    @staticmethod
    def show_agents():
        for agent in Api.live:
            print(f"--- log of {agent.name}, its end")
            print("\n".join(agent.log().splitlines()[-60:]))

    def run(self):
        for test in self.tests:
            try:
                self.one(test)
            except Exception:  # a test that broke the runner is a failed test
                self.failed += 1
                traceback.print_exc(file=sys.stdout)
        print(f"# cases {self.passed} {self.failed} {self.skipped}", flush=True)
        return 0 if self.passed and not self.failed else 1


def main():
    """Runs the test cases of the calling file; arguments choose by a part of the name."""
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    wanted = sys.argv[1:] or os.environ.get("LAB_TESTS", "").split()
    tests = []

    def flatten(suite):
        for test in suite:
            if isinstance(test, unittest.TestSuite):
                flatten(test)
            elif not wanted or any(part in test.id() for part in wanted):
                tests.append(test)

    flatten(suite)
    status = _Runner(tests).run()
    sys.stdout.flush()
    # threads that wait in a dead namespace must not keep the guest alive
    os._exit(status)
