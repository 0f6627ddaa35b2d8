#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each thing in our nftables table that somebody else changes is put right. Needs no tunnel, so
the running kernel will do."""
import json

import lab
from lab import nft

NAT = {"name": "exit", "sources": ["10.1.0.1/32", "10.2.0.0/24"], "in_interface": "eth1",
       "out_interface": "eth0"}
VOLATILE = ("handle", "packets", "bytes")


def settled(value):
    """Without what differs in an equal one."""
    if isinstance(value, dict):
        return {key: settled(v) for key, v in value.items() if key not in VOLATILE}
    return [settled(v) for v in value] if isinstance(value, list) else value


class Table(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.ns = self.host("veth")
        self.agent_ = self.agent(self.ns)
        self.agent_.ok("PUT", "/v1/config?wait=30", {"nat_rules": [NAT]})

    def listed(self):
        """(what, it) of all in the table."""
        text = lab.run(self.ns, "nft", "-j", "list", "table", "ip", "ipipd", check=False).out
        return [(what, it) for item in json.loads(text or '{"nftables": []}')["nftables"]
                for what, it in item.items() if what != "metainfo"]

    def whole(self):
        """Rules in their order; what has a name may have been made again."""
        return sorted(((what, it.get("chain", ""), it.get("name", ""), settled(it))
                       for what, it in self.listed()), key=lambda row: row[:3])

    def rule(self, chain, index):
        """It, as nft names it."""
        handles = [it["handle"] for what, it in self.listed()
                   if what == "rule" and it["chain"] == chain]
        return f"rule ip ipipd {chain} handle {handles[index]}"

    def set(self, kind, suffix):
        return next(it["name"] for what, it in self.listed() if what == "set"
                    and it["name"].startswith(kind) and it["name"].endswith("_n") == bool(suffix))

    def repaired(self, what, text):
        with self.subTest(what):
            want, before = self.whole(), self.agent_.get("status")["drift_repaired"]
            nft(self.ns, text)
            lab.eventually(lambda: self.whole() == want and
                           self.agent_.get("status")["drift_repaired"] > before, lab.SECOND,
                           f"{what} to be repaired")
            self.assertEqual([], self.agent_.plan())

    def test_rules_and_chains(self):
        for what, text in (
                ("a rule deleted", "delete " + self.rule("forward", 0)),
                ("the last rule deleted", "delete " + self.rule("nat", -1)),
                ("a rule put in front", "insert rule ip ipipd forward counter accept"),
                ("a rule put behind", "add rule ip ipipd nat meta mark 7 accept"),
                ("a chain flushed", "flush chain ip ipipd nat"),
                ("a chain deleted", "flush chain ip ipipd nat; delete chain ip ipipd nat"),
                ("a policy", "chain ip ipipd forward { policy drop; }"),
                ("a hook", "flush chain ip ipipd forward; delete chain ip ipipd forward; chain ip"
                 " ipipd forward { type filter hook forward priority 9; policy accept; }"),
                ("a chain added", "add chain ip ipipd theirs"),
                ("a table put to sleep", "add table ip ipipd { flags dormant; }")):
            self.repaired(what, text)
        # a handle is another by now
        self.repaired("another order", f"delete {self.rule('forward', -1)};"
                      " insert rule ip ipipd forward iifname @opened drop")

    def test_sets_and_elements(self):
        for kind in ("masq", "out", "in"):
            for suffix, one, more in (("", "10.1.0.1", "10.1.0.2"),
                                      ("_n", "10.2.0.0/24", "10.3.0.0/16")):
                name = self.set(kind + "_", suffix)
                self.repaired(f"an element of {name} deleted",
                              f"delete element ip ipipd {name} {{ {one} }}")
                self.repaired(f"an element added to {name}",
                              f"add element ip ipipd {name} {{ {more} }}")
        masq = self.set("masq", "")
        for what, text in (
                ("a device no longer opened", 'delete element ip ipipd opened { "eth1" }'),
                ("a device opened", 'add element ip ipipd opened { "eth7" }'),
                ("a set flushed", f"flush set ip ipipd {masq}"),
                ("a set deleted", f"flush chain ip ipipd nat; delete set ip ipipd {masq}"),
                ("a set of another form", f"flush chain ip ipipd nat; delete set ip ipipd {masq};"
                 f" add set ip ipipd {masq} {{ type ipv4_addr; flags interval; }}"),
                ("a set that is full", f"flush chain ip ipipd nat; delete set ip ipipd {masq};"
                 f" add set ip ipipd {masq} {{ type ipv4_addr; size 1; }}"),
                ("a set added", "add set ip ipipd theirs { type ipv4_addr; }")):
            self.repaired(what, text)


if __name__ == "__main__":
    lab.main()
