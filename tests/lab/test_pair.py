#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`ipipctl pair` does the whole in one command, or nothing."""
import json

import lab
from lab import INET, ipipctl, nft

BLOCK = ("table ip block { chain in { type filter hook input priority -300; policy accept;"
         " ip protocol 4 drop; }; }")


class Pair(lab.LabTest):
    def urls(self, a, b):
        return f"unix://{a.socket}", f"unix://{b.socket}"

    def pair_command(self, a, b, *more):
        return ipipctl("pair", *self.urls(a, b), "--name", "a-b", "--exit", "b",
                       "--to", f"{INET}/32", *more)

    def test_pair_again_and_unpair(self):
        t, a, b = self.pair()
        before = {ns: lab.snapshot(ns) for ns in (t.a, t.b)}
        done = self.pair_command(a, b)
        self.assertEqual(0, done.status, done.out + done.err)
        self.assertIn(f"paired: {INET}/32 leaves a through b", done.out)
        wire = self.capture(t.b, "eth0")
        self.tcp_server(t.inet)
        self.assert_ping(t.a, INET)
        self.assertTrue(lab.tcp_ok(t.a, INET))
        self.assert_seen(wire, f"{t.a_addr} > {t.b_addr}: 10[.]255[.].* > {INET}: ")
        self.assert_seen(wire, f"{t.b_addr} > {INET}: ", outgoing=True)
        self.assert_not_seen(wire, "10[.]255", outgoing=True)

        after = {ns: lab.snapshot(ns) for ns in (t.a, t.b)}
        revisions = [agent.get("status")["revision"] for agent in (a, b)]
        again = self.pair_command(a, b)
        self.assertEqual(0, again.status, again.out + again.err)
        self.assertEqual(revisions, [agent.get("status")["revision"] for agent in (a, b)])
        for ns, old in after.items():
            self.assert_same(old, lab.snapshot(ns))

        gone = ipipctl("unpair", "a-b", "--on", ",".join(self.urls(a, b)), "-y")
        self.assertEqual(0, gone.status, gone.out + gone.err)
        for ns, old in before.items():
            self.assert_same(old, lab.snapshot(ns))

    def test_off_link_and_strict(self):
        t, a, b = self.pair(off_link=True, rp_filter=1)
        done = self.pair_command(a, b)
        self.assertEqual(0, done.status, done.out + done.err)
        self.assert_ping(t.a, INET)

    def undone(self, t, a, b, before, done):
        self.assertNotEqual(0, done.status, done.out)
        for agent in (a, b):
            self.assertEqual({"tunnels": [], "exit_routes": [], "nat_rules": []},
                             agent.get("config"))
        for ns, old in before.items():
            self.assert_same(old, lab.snapshot(ns))

    def test_outer_packets_dropped_on_b_undoes_both_sides(self):
        t, a, b = self.pair()
        nft(t.b, BLOCK)
        before = {ns: lab.snapshot(ns) for ns in (t.a, t.b)}
        self.undone(t, a, b, before, self.pair_command(a, b))

    def test_a_refusing_side_undoes_the_other(self):
        t, a, b = self.pair()
        lab.ip(t.b, "link add name a-b type dummy")
        before = {ns: lab.snapshot(ns) for ns in (t.a, t.b)}
        self.undone(t, a, b, before, self.pair_command(a, b))

    def test_a_silent_side_changes_nothing(self):
        t, a, b = self.pair()
        before = lab.snapshot(t.a)
        b.stop()
        done = self.pair_command(a, b)
        self.assertEqual(4, done.status, done.err)
        self.assert_same(before, lab.snapshot(t.a))


class Commands(lab.LabTest):
    def test_a_round_with_the_client(self):
        t, a, b = self.pair()
        for host, *words in (
                (b, "tunnel", "add", "tun_b", "--local", t.b_addr, "--remote", t.a_addr,
                 "--addresses", "192.168.1.2/24", "--wait"),
                (a, "tunnel", "add", "tun_a", "--local", t.a_addr, "--remote", t.b_addr,
                 "--addresses", "192.168.1.1/24", "--wait"),
                (b, "nat", "add", "exit", "--sources", "192.168.1.0/24", "--out-interface",
                 "eth0", "--wait"),
                (a, "exit", "add", "qq", "--tunnel", "tun_a", "--destinations", f"{INET}/32",
                 "--wait")):
            done = ipipctl(*words, host=host)
            self.assertEqual(0, done.status, f"{words}: {done.out}{done.err}")
        self.assert_ping(t.a, INET)
        listing = ipipctl("tunnel", "list", host=a)
        self.assertRegex(listing.out, r"tun_a\s+ready\s+172.16.16.22\s+172.16.1.62")
        document = json.loads(ipipctl("-j", "tunnel", "show", "tun_a", host=a).out)
        self.assertEqual("ready", document["status"]["state"])
        self.assertEqual(6, ipipctl("tunnel", "show", "nothing", host=a).status)
        exported = ipipctl("export", host=a).out
        path = f"{a.folder}/config.json"
        with open(path, "w", encoding="utf-8") as file:
            file.write(exported)
        self.assertEqual(0, ipipctl("diff", "-f", path, "--prune", host=a).status)
        self.assertEqual(0, ipipctl("exit", "rm", "qq", "-y", host=a).status)
        self.assertEqual(1, ipipctl("diff", "-f", path, "--prune", host=a).status)
        self.assertEqual(0, ipipctl("apply", "-f", path, "--wait", host=a).status)
        self.assert_ping(t.a, INET)


if __name__ == "__main__":
    lab.main()
