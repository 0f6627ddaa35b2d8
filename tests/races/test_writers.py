#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
`ip` and `nft` change links, addresses, routes, rules and tables of their own in tight loops,
while the agent applies writes and repairs what befalls it. In the end what they made is as they
left it, and ours is what an agent makes of the declaration where nobody is beside it.

RACES_SECONDS: how long (5). RACES_SEED: random, printed.
"""
import contextlib
import os
import random
import sys
import time

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path += [os.path.join(TESTS, name) for name in ("lab", "property", "api", "crash")]
import fake  # noqa: E402
import lab  # noqa: E402
import model  # noqa: E402
import others  # noqa: E402
import real_kernel  # noqa: E402

SECONDS = float(os.environ.get("RACES_SECONDS", "5"))
SEED = int(os.environ.get("RACES_SEED", str(random.randrange(1 << 32))))

# What others have, the agent's numbers and names among it, and what they do to it.
THEIRS_IP = (
    "link add name theirs0 type ipip local 172.16.16.22 remote 172.16.9.9",
    "link add name theirs1 address 02:00:00:00:00:01 type dummy",
    "rule add priority 7011 from 10.66.0.0/16 lookup 66 protocol 99",
    "route add 10.78.0.0/16 dev eth0 table 7000 protocol static",
)
LINKS = (
    "link set theirs0 up mtu 1400",
    "address add 10.77.0.1/24 dev theirs0",
    "link set theirs1 up",
    "address add 10.76.0.1/24 dev theirs1",
    "address add 10.76.1.1/24 dev theirs1",
    "address del 10.76.1.1/24 dev theirs1",
    "link set theirs0 mtu 1300",
    "link del theirs0",
    "link add name theirs0 type ipip local 172.16.16.22 remote 172.16.9.9",
    "link set theirs1 down",
    "address flush dev theirs1",
)
ROUTES = (
    "route add 10.79.0.0/16 dev eth0 table 7000 protocol static",
    "rule add priority 5210 fwmark 0x77 lookup 66",
    "rule add priority 7019 from 10.67.0.0/16 lookup 66 protocol 99",
    "route add 8.8.8.8/32 via 172.16.0.1 table 66",
    "route replace 10.79.0.0/16 dev eth1 table 7000 protocol static",
    "route del 8.8.8.8/32 table 66",
    "rule del priority 7019 from 10.67.0.0/16 lookup 66 protocol 99",
    "rule del priority 5210 fwmark 0x77 lookup 66",
    "route del 10.79.0.0/16 table 7000",
)
THEIRS_NFT = """
table ip theirs { set s { type ipv4_addr; elements = { 10.0.0.1 }; };
  chain c { type filter hook forward priority 0; ip saddr @s counter accept; }; }
table inet ipipd { map m { type ipv4_addr : ipv4_addr; }; }
"""
RULESET = (
    "add element ip theirs s { 10.0.0.2, 10.0.0.3 }; add rule ip theirs c ip daddr @s accept",
    "flush chain ip theirs c; add rule ip theirs c ip saddr @s counter accept",
    "delete element ip theirs s { 10.0.0.2, 10.0.0.3 }; add table inet more",
    "add element inet ipipd m { 10.0.0.1 : 10.0.0.2 }; delete table inet more",
    "flush map inet ipipd m",
)
# what befalls ours meanwhile
DAMAGES = (
    lambda ns: lab.nft(ns, "delete table ip ipipd", check=False),
    lambda ns: lab.ip(ns, "route flush table 7000 protocol 105", check=False),
    lambda ns: lab.ip(ns, "rule del priority 9999", check=False),
    *[lambda ns, n=n: lab.ip(ns, f"link del t{n}", check=False) for n in range(3)],
)


class Writers(lab.LabTest):
    @staticmethod
    def writers(ns):
        return (others.IpWriter(ns, *LINKS), others.IpWriter(ns, *ROUTES),
                others.NftWriter(ns, *RULESET))

    def host_with_others(self):
        ns = self.host()
        lab.ip(ns, *THEIRS_IP)
        lab.nft(ns, THEIRS_NFT)
        for writer in self.writers(ns):
            writer.once()
        return ns

    @staticmethod
    def objects(ns):
        """All that is in the kernel, without what two hosts differ in."""
        return fake.normal(f"{noun} {key} {sorted(fields.items())}" for (noun, key), fields
                           in real_kernel.objects(ns).items() if ":" not in key)

    @staticmethod
    def converge(agent):
        def at_rest():
            # a guest that stands still for seconds is too late for the agent's deadlines
            with contextlib.suppress(ConnectionError):
                agent.request("POST", "/v1/reconcile?wait=30")
                return agent.plan() == []
            return False
        lab.eventually(at_rest, 60, f"{agent.name} to converge")

    def quiet_objects(self, config):
        """What an agent makes of it where nobody is beside it."""
        ns = self.host_with_others()
        agent = self.agent(ns, "quiet")
        agent.ok("PUT", "/v1/config?wait=30", model.document_of(config))
        self.converge(agent)
        return self.objects(ns)

    def write_and_repair(self, ns, client, ask):
        """How many writes and damages there were."""
        writes, damages, end = 0, 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            client.send(ask, client.write())
            writes += 1
            if writes % 5 == 0:
                client.rng.choice(DAMAGES)(ns)
                damages += 1
        return writes, damages

    def test_writers_in_parallel(self):
        print(f"seed {SEED}", file=sys.stderr)
        ns = self.host_with_others()
        before = lab.snapshot(ns)
        agent, client = self.agent(ns, "beside"), model.Client(SEED, lab.A_ADDR)

        def ask(method, path, body):
            answer = agent.request(method, path, body)
            return answer.status, answer.body

        writers = [writer.start() for writer in self.writers(ns)]
        done = self.write_and_repair(ns, client, ask)
        rounds = [writer.stop() for writer in writers]
        print(f"{done[0]} writes and {done[1]} damages beside {rounds} rounds of the others",
              file=sys.stderr)
        self.assertGreater(min(rounds), 3)
        self.converge(agent)
        client.check(ask)
        quiet, beside = self.quiet_objects(client.acknowledged), self.objects(ns)
        self.assertEqual([], sorted(set(quiet) ^ set(beside)))
        agent.clear()
        self.converge(agent)
        self.assert_same(before, lab.snapshot(ns))


if __name__ == "__main__":
    lab.main()
