#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Packets flow through the tunnel and the NAT of the main job, each a flow of its own, while the
agents are ended, killed, and killed while they end. None is lost.

RACES_RESTARTS: how often (20). RACES_SEED: random, printed.
"""
import os
import random
import signal
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import lab  # noqa: E402
import others  # noqa: E402
from test_scenario import declare  # noqa: E402

RESTARTS = int(os.environ.get("RACES_RESTARTS", "20"))
SEED = int(os.environ.get("RACES_SEED", str(random.randrange(1 << 32))))
TRAFFIC = os.environ.get("RACES_TRAFFIC", os.path.join(lab.REPO, "build/dev/races_traffic"))
PERIOD_US = 2000


class Restart(lab.LabTest):
    def write(self, agent, n):
        """What has nothing to do with the traffic, and yet goes into the same chains and tables.
        It may still be under way when the agent ends."""
        agent.ok("PUT", "/v1/nat-rules/other", {"sources": [f"10.9.{n % 250}.0/24"],
                                                "out_interface": "eth0"})
        if agent.name == "a":
            agent.ok("PUT", "/v1/exit-routes/other", {
                "tunnel": "tun_a", "destinations": [f"20.0.{n % 250}.0/24"]})

    @staticmethod
    def end(agent, how, rng):
        if how == "term":
            agent.stop()
            return
        if how == "term, kill":
            agent.process.send_signal(signal.SIGTERM)
            time.sleep(rng.uniform(0, 0.02))
        agent.kill9()

    def test_none_is_lost(self):
        print(f"seed {SEED}", file=sys.stderr)
        rng = random.Random(SEED)
        t, a, b = self.pair()
        declare(a, b)
        # each request is a flow that B has to remember
        lab.sysctl(t.b, "net/netfilter/nf_conntrack_icmp_timeout", 3)
        self.assert_ping(t.a, lab.INET)
        traffic, begin = others.Program(t.a, TRAFFIC, lab.INET, str(PERIOD_US)), time.monotonic()
        for n in range(RESTARTS):
            agent, how = (a, b)[n % 2], ("term", "kill", "term, kill")[n % 3]
            if rng.random() < 0.5:
                self.write(agent, n)
            self.end(agent, how, rng)
            agent.start()
        took, flow = time.monotonic() - begin, traffic.stop()
        print(f"{RESTARTS} restarts in {took:.0f} s, {flow}", file=sys.stderr)
        self.assertGreater(flow["sent"], took * 1e6 / PERIOD_US / 10)
        self.assertEqual(0, flow["lost"], flow)
        for agent in (a, b):
            agent.ok("POST", "/v1/reconcile?wait=30")
            self.assertEqual([], agent.plan())


if __name__ == "__main__":
    lab.main()
