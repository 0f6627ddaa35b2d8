#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
The agent is killed at each failpoint in turn, while clients write at random. After the restart
nothing acknowledged is lost and nothing is there that nobody sent; then the fake kernel holds
what a fresh agent makes of the same declaration. In every second round the power goes too: what
SQLite had not synced is kept or lost by chance.

CRASH_ROUNDS: how often each failpoint (1). CRASH_SEED: of the first round (random, printed).
"""

import os
import random
import sys
import unittest

import fake
import failpoints
import model

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "1"))
SEED = int(os.environ.get("CRASH_SEED", str(random.randrange(1 << 32))))
WRITES_MAX = 150
WRITES_LAST = 10
AT_LEAST = 40

# Passed only with a database that is new; the others are, with an old one.
FIRST_START = ("database.directory", "database.file", "database.id", "migration.", "host-id.",
               "orphans.", "release.")
# Passed when the WAL is copied into the database: in so few writes, at the end.
LAST = ("vfs.truncate",)
# Of events, those that are over go once in some hundreds.
ONCE = FIRST_START + LAST + ("database.", "agent.ready", "events.sweep")


def without_unmarked(lines):
    return [line for line in lines if not line.startswith(("address ", "route 254 ", "sysctl "))]


class Round:
    def __init__(self, agent, client, name):
        self.agent, self.client, self.name = agent, client, name
        self.is_new = False
        self.rng = client.rng

    def prepare(self):
        self.is_new = self.name.startswith(FIRST_START) or self.rng.random() < 0.05
        if self.is_new:
            self.agent.new_database()
            self.client.forget()

    def provoke(self, count):
        """Writes until the agent dies of it; raises when it does not."""
        power = {"IPIPD_VFS_DROP": str(self.rng.randrange(1 << 30))}
        if not self.agent.arm(f"{self.name}:{count}", **self.rng.choice(({}, power))):
            return
        client, agent = self.client, self.agent
        is_last = self.name.startswith(LAST)
        for i in range(WRITES_LAST if is_last else WRITES_MAX):
            if self.name.startswith("release."):
                agent.request("POST", "/v1/reconcile?orphans=delete&wait=2", None)
            if self.rng.random() < 0.2:
                if fake.write_burst(client, agent, self.rng.randint(2, 8)):
                    return
            else:
                client.send(agent.request, client.write())
            if i % 4 == 3:
                agent.request("POST", "/v1/reconcile?wait=2", None)
        if not is_last:
            raise AssertionError(f"{self.name}:{count} was not passed in {WRITES_MAX} writes")
        agent.process.terminate()

    def die(self, count):
        try:
            self.provoke(count)
        except fake.Died:
            pass
        if not self.agent.was_killed() or self.agent.hits() != [self.name]:
            raise AssertionError(f"{self.name}: ended otherwise\n{self.agent.tail()}")

    def recover(self):
        agent, client = self.agent, self.client
        if not agent.start():
            raise AssertionError(f"after {self.name} it does not start\n{agent.tail()}")
        client.check(agent.request)
        agent.check_events()
        # leftovers of a database that is gone go when their owner says so
        agent.request("POST", "/v1/reconcile?orphans=delete&wait=10", None)
        objects = fake.converged(agent)
        fresh = fake.fresh_objects(model.document_of(client.acknowledged))
        if self.is_new:  # the old ledger is gone: nobody knows whose these are
            objects, fresh = without_unmarked(objects), without_unmarked(fresh)
        if objects != fresh:
            raise AssertionError(f"after {self.name}:\n" + "\n".join(
                [f"has   {line}" for line in objects if line not in fresh]
                + [f"lacks {line}" for line in fresh if line not in objects]))

    def run(self, count):
        try:
            self.prepare()
            self.die(count)
            self.recover()
        finally:
            if self.agent.process:
                self.agent.kill()


class Crash(unittest.TestCase):
    def rounds(self, number, names):
        """All names once, over one host, until a database is lost there."""
        client = model.Client(f"{SEED} {number}", fake.LOCAL)
        agent = fake.Agent()
        try:
            for name in names:
                # the first passing is hit surely, and at a start there is no other
                is_first = number == 0 or name.startswith(ONCE)
                count = 1 if is_first else client.rng.choice((1, 1, 2, 3))
                with self.subTest(name, count=count, seed=f"{SEED} {number}"):
                    if os.environ.get("CRASH_VERBOSE"):
                        print(name, count, file=sys.stderr, flush=True)
                    one = Round(agent, client, name)
                    one.run(count)
                if one.is_new:
                    fake.clean(agent)
                    agent = fake.Agent()
                    client.forget()
        finally:
            fake.clean(agent)

    def test_at_each_failpoint(self):
        names = failpoints.names(*failpoints.FAKE)
        only = os.environ.get("CRASH_ONLY")
        self.assertGreaterEqual(len(names), AT_LEAST)
        print(f"seed {SEED}, {len(names)} failpoints, {ROUNDS} rounds", file=sys.stderr)
        for number in range(ROUNDS):
            order = [name for name in names if not only or name == only]
            random.Random(f"{SEED} {number}").shuffle(order)
            self.rounds(number, order)


if __name__ == "__main__":
    fake.api.main()
