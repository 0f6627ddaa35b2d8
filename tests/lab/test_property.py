#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random declarations and disturbances on a real kernel, against the oracle of tests/property.

PROPERTY_SECONDS (60) and PROPERTY_SEED, in the environment. The seed is printed.
"""
import json
import os
import random
import sys
import time

import lab

sys.path += [os.path.join(lab.REPO, "tests", name) for name in ("property", "api")]

import generate  # noqa: E402
import player  # noqa: E402
import real_kernel  # noqa: E402

SECONDS = float(os.environ.get("PROPERTY_SECONDS", "60"))
SEED = os.environ.get("PROPERTY_SEED")
EPISODE_S = 30
# Names, hooks and sets of ours in tables that are not: none of them is the agent's.
FOREIGN = (("inet", "ipipd"), ("ip6", "ipipd"), ("ip", "ipipd_other"))
FOREIGN_TABLES = "".join("""table %s %s {
	set tunnels { type ifname; elements = { "t0", "t1" }; }
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname @tunnels ct state established,related accept
	}
	chain nat { type nat hook postrouting priority 95; policy accept; }
}
""" % table for table in FOREIGN)


class LabAgent(lab.Agent):
    """An agent of the lab with the manners of one of the API tests."""

    def ask(self, method, path, body=None):
        return self.request(method, path, body)

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body=None):
        return self.request("POST", path, body)

    def put(self, path, body):
        return self.request("PUT", path, body)

    def kernel(self, *lines):
        for line in lines:
            real_kernel.do(self.ns, line)

    def kill(self):
        self.kill9()


class LabPlayer(player.Player):
    world_class = real_kernel.RealWorld
    patience_s = 40
    ns = None

    def make_agent(self):
        return LabAgent(self.ns, start=False)

    def objects(self):
        return real_kernel.objects(self.ns)

    def lines_of(self, lines):
        return super().lines_of([line for line in lines if real_kernel.can(line)])

    def script_is_done(self):
        pass

    def play_trouble(self, lines, inner):
        """No call fails here by order."""

    def normal(self, expected, objects, diff):
        have = super().normal(expected, objects, diff)
        for (noun, key), fields in have.items():
            if noun == "route" and fields["protocol"] != "105":
                have[noun, key] = {**fields, "scope": "0"}
            if noun == "link" and key in self.world.links and fields["driver"] != "ipip":
                have[noun, key] = {**fields, **{n: v for n, v in self.world.links[key].items()
                                                if n not in ("mtu", "up")}}
        return have

    @staticmethod
    def is_left_out(key, fields, expected):
        """The kernel's own routes are its own matter."""
        return (key[0] == "route" and fields != player.WILD and fields["protocol"] == "2") or \
            player.Player.is_left_out(key, fields, expected)


class Property(lab.LabTest):
    def host(self):
        ns = super().host()
        lab.ip(ns, "link delete eth0", "link delete eth1")
        for path in ("ip_forward", "conf/default/rp_filter", "conf/lo/rp_filter"):
            lab.sysctl(ns, f"net/ipv4/{path}", 0)
        return ns

    def test_what_is_declared_is_what_there_is(self):
        seed = SEED or random.SystemRandom().randrange(1 << 31)
        print(f"seed {seed}", flush=True)
        if "/" in str(seed):  # of one episode, as a failure gives it
            self.episode(seed, time.monotonic() + SECONDS)
            return
        end, episode = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            self.episode(f"{seed}/{episode}", min(end, time.monotonic() + EPISODE_S))
            episode += 1

    @staticmethod
    def foreign_tables(ns):
        """To the byte, with their handles, which a table that was made anew does not have."""
        return [lab.run(ns, "nft", "-a", "list", "table", *table) for table in FOREIGN]

    def episode(self, seed, end):
        LabPlayer.ns = ns = self.host()
        lab.nft(ns, FOREIGN_TABLES)
        foreign = self.foreign_tables(ns)
        generator, one, done = generate.Generator(random.Random(seed)), None, []
        try:
            one = LabPlayer()
            while time.monotonic() < end:
                done.append(generator.action(one.declaration))
                one.play(done[-1])
                if generator.chance(0.6):
                    one.play(["rest"])
            one.finish()
            self.assertEqual(foreign, self.foreign_tables(ns), seed)
            print(f"{seed}: {one.steps} steps, {one.late} took a second look", flush=True)
        except (player.Failure, lab.CommandFailed, OSError) as failure:
            last = "\n".join(json.dumps(action) for action in done[-6:])
            self.fail(f"PROPERTY_SEED={seed} after {len(done)} actions:\n{last}\n{failure}")
        finally:
            if one:
                one.agent.close()


if __name__ == "__main__":
    lab.main()
