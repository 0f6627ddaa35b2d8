#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Our nftables table beside others: a reader at 1 kHz sees the old or the new ruleset and nothing
between, a batch that lost the race against another writer's is tried again, and what others
made stays as it is. Needs no tunnel, so the running kernel will do.

RACES_SECONDS: for each that goes on (3). RACES_SEED: random, printed.
"""
import os
import random
import sys
import time
import unittest.mock

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import lab  # noqa: E402
import others  # noqa: E402

SECONDS = float(os.environ.get("RACES_SECONDS", "3"))
SEED = int(os.environ.get("RACES_SEED", str(random.randrange(1 << 32))))
READER = os.environ.get("RACES_READER", os.path.join(lab.REPO, "build/dev/races_reader"))
RESTARTED = "the ruleset changed under a batch"


def nat(name, sources, **more):
    return {"name": name, "sources": sources, "out_interface": "eth0", **more}


def hosts(net, count):
    return [f"10.{net}.{i // 250}.{i % 250 + 1}/32" for i in range(count)]


def declarations():
    """Of which each differs from each other in elements, sets and rules of several chains."""
    snat = {"action": "snat", "to_address": lab.A_ADDR}
    return [
        [nat("n0", hosts(1, 120), **snat), nat("n1", ["10.50.0.0/16"], priority=50)],
        [nat("n0", hosts(1, 120), action="snat", to_address=lab.LAN),
         nat("n1", ["10.50.0.0/16"], priority=150)],
        [nat("n0", hosts(2, 120), **snat), nat("n1", ["10.51.0.0/17", "10.52.0.0/16"],
                                              destinations=["8.8.8.0/24"])],
        [nat("n0", hosts(1, 60)), nat("n2", hosts(3, 60), priority=60)],
    ]


class Ruleset(lab.LabTest):
    def setUp(self):
        super().setUp()
        print(f"seed {SEED}", file=sys.stderr)
        self.rng = random.Random(SEED)
        self.ns = self.host("veth")

    def declare(self, agent, rules):
        answer = agent.ok("PUT", "/v1/config?wait=30",
                          {"tunnels": [], "exit_routes": [], "nat_rules": rules})
        self.assertEqual([], answer["not_ready"], agent.log()[-2000:])

    def state(self):
        """The digest of the table, which nobody changes now."""
        return others.Program(self.ns, READER, "1").stop(end=False)["states"][0]["digest"]

    def test_a_reader_sees_the_old_or_the_new_ruleset(self):
        agent = self.agent(self.ns)
        known = []
        for rules in declarations():
            self.declare(agent, rules)
            known.append(self.state())
        self.assertEqual(len(known), len(set(known)))
        reader, moves, now = others.Program(self.ns, READER), 0, len(known) - 1
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            now = self.rng.choice([i for i in range(len(known)) if i != now])
            self.declare(agent, declarations()[now])
            moves += 1
        seen = reader.stop()
        print(f"{moves} changes, {seen['reads']} reads in {seen['seconds']} s, "
              f"{seen['torn']} thrown away", file=sys.stderr)
        self.assertGreater(moves, 10)
        self.assertGreater(seen["reads"] - seen["torn"], 10 * moves // 4)
        odd = [state for state in seen["states"] if state["digest"] not in known]
        self.assertEqual([], odd, f"of {known}")
        self.assertEqual(len(known), len(seen["states"]))

    def test_a_lost_race_is_tried_again_as_often_as_it_is_lost(self):
        with unittest.mock.patch.dict(os.environ, IPIPD_FAILPOINT="nft-batch.send:1-5=ERESTART"):
            agent = self.agent(self.ns)
        self.declare(agent, declarations()[0])
        self.assertEqual(5, agent.log().count(RESTARTED))
        self.assertEqual([], agent.plan())

    def test_a_batch_that_lost_the_race_is_tried_again(self):
        agent = self.agent(self.ns)
        writer = others.NftWriter(
            self.ns, "table ip other { set s { type ipv4_addr; }; chain c { }; }",
            "add element ip other s { 10.0.0.1 }; add rule ip other c ip saddr @s accept",
            "delete table ip other", pauses=lambda: self.rng.uniform(0, 0.01))
        self.addCleanup(writer.stop)
        writer.start()
        moves, end = 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            self.declare(agent, declarations()[moves % 4])
            moves += 1
        rounds = writer.stop()
        lost = agent.log().count(RESTARTED)
        print(f"{moves} changes beside {3 * rounds} of another ({writer.lost} tried again), "
              f"{lost} batches lost the race", file=sys.stderr)
        self.assertGreater(lost, 0)
        self.assertNotIn("ip other", lab.run(self.ns, "nft", "list", "tables"))


if __name__ == "__main__":
    lab.main()
