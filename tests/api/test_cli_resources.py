#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ipipctl tunnel, exit and nat: add, set, list, show and rm, as words and as documents."""

import json
import unittest

from cli import CONFLICT, FAILED, INVALID, NOT_FOUND, OK, TIMEOUT, Cli, on_terminal, run


class Resources(Cli):
    def test_add_prints_the_state_and_stores_what_was_given(self):
        out = self.ok("tunnel", "add", "tun_a", "--remote", "172.16.1.62", "--mtu", "1400",
                      "--addresses", "192.168.1.1/24,192.168.1.2/24", "--no-mss-clamp",
                      "--local=172.16.16.22", "--comment", "", "--label", "x=")
        self.assertEqual("tunnel/tun_a  created, ready\n", out)
        self.assertEqual({"name": "tun_a", "remote": "172.16.1.62", "local": "172.16.16.22",
                          "mtu": 1400, "mss_clamp": False, "labels": {"x": ""},
                          "addresses": ["192.168.1.1/24", "192.168.1.2/24"]},
                         self.agent.get("/v1/config").body["tunnels"][0])

    def test_add_refuses_a_name_that_exists(self):
        self.add_all()
        fault = self.fails(CONFLICT, "tunnel", "add", "tun_a", "--remote", "10.0.0.1")
        self.assertIn("hint: `set`", fault)

    def test_set_changes_only_what_is_given_and_resets_what_is_empty(self):
        self.add_all()
        change = ("tunnel", "set", "tun_a", "--ttl", "9", "--label", "b=c")
        self.assertEqual("tunnel/tun_a  set, ready\n", self.ok(*change))
        self.assertEqual("tunnel/tun_a  unchanged, ready\n", self.ok(*change))
        self.fails(NOT_FOUND, "tunnel", "set", "no", "--ttl", "9")
        document = self.agent.get("/v1/tunnels/tun_a").body
        self.assertEqual((9, {"site": "x", "b": "c"}), (document["ttl"], document["labels"]))
        self.ok("tunnel", "set", "tun_a", "--ttl", "", "--label", "site=")
        document = self.agent.get("/v1/tunnels/tun_a").body
        self.assertNotIn("ttl", document)
        self.assertEqual({"b": "c"}, document["labels"])
        self.assertEqual("172.16.16.22", document["local"])

    def test_list_is_a_table_of_words(self):
        self.add_all()
        lines = self.ok("tunnel", "list").splitlines()
        self.assertEqual(["NAME", "STATE", "LOCAL", "REMOTE", "DEVICE", "ADDRESS", "MTU", "RX",
                          "TX", "AGE"], lines[0].split())
        self.assertRegex(lines[1], r"^tun_a  ready  172.16.16.22  172.16.1.62  tun_a   "
                                   r"192.168.1.1/24  1480  840 B  1.7 kB  \d+s$")
        self.assertEqual("exit/qq\n", self.ok("exit", "list", "-o", "name"))
        self.assertNotIn("NAME", self.ok("nat", "list", "--no-headers"))
        self.assertEqual("", self.ok("tunnel", "list", "--state", "failed", "-q"))

    def test_list_has_no_counters_of_a_foreign_device(self):
        self.agent.kernel("foreign-link u ipip 172.16.16.22 172.16.1.99")
        self.fails(FAILED, "tunnel", "add", "u", "--remote", "172.16.1.63")
        self.assertRegex(self.ok("tunnel", "list", "--no-headers"), r"^u  conflict .*-  -  \d+s$")

    def test_list_takes_all_labels(self):
        for name, remote, *labels in (("a", "172.16.1.61", "--label=x=1"),
                                      ("b", "172.16.1.62", "--label=x=1", "--label=y=2")):
            self.ok("tunnel", "add", name, "--remote", remote, "--no-enabled", *labels)
        self.assertEqual("tunnel/b\n", self.ok("tunnel", "list", "--label", "y=2", "--label",
                                               "x=1", "-o", "name"))

    def test_json_is_the_document_of_the_api(self):
        self.add_all()
        shown = json.loads(self.ok("-j", "tunnel", "show", "tun_a"))
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").body, shown)
        listed = json.loads(self.ok("tunnel", "list", "-o", "json"))
        self.assertEqual(self.agent.get("/v1/tunnels").body, listed)

    def test_long_lists_are_whole(self):
        tunnels = [{"name": f"t{i}", "remote": f"10.1.{i // 250}.{i % 250 + 1}",
                    "enabled": False} for i in range(1100)]
        self.agent.put("/v1/config", {"tunnels": tunnels, "exit_routes": [], "nat_rules": []})
        self.assertEqual(1100, len(self.ok("tunnel", "list", "-o", "name").splitlines()))
        whole = json.loads(self.ok("-j", "tunnel", "list"))
        self.assertEqual((1100, None), (len(whole["items"]), whole["next"]))

    def test_show_tells_what_was_chosen_and_the_objects(self):
        self.add_all()
        shown = self.ok("tunnel", "show", "tun_a")
        self.assertRegex(shown, r"tunnel/tun_a  ready for \d+s\n")
        self.assertRegex(shown, r"\nmtu +1480 +\(chosen by the agent\)\n")
        self.assertRegex(shown, r"\nlink +tun_a +in-sync")

    def test_show_tells_a_default_from_a_choice(self):
        self.add_all()
        for noun, name, chosen, defaults in (
                ("tunnel", "tun_a", {"device", "mtu"}, {"ttl", "tos", "mss_clamp", "rp_filter"}),
                ("exit", "qq", {"source"}, set()), ("nat", "out", set(), {"priority", "action"})):
            lines = [line.split(maxsplit=2) for line in self.ok(noun, "show", name).splitlines()]
            notes = {line[0]: line[2] for line in lines if len(line) == 3}
            self.assertLessEqual(chosen, {field for field, note in notes.items()
                                          if note == "(chosen by the agent)"})
            self.assertLessEqual(defaults, {field for field, note in notes.items()
                                            if note == "(default)"})
        self.ok("tunnel", "set", "tun_a", "--mtu", "auto")
        self.assertRegex(self.ok("tunnel", "show", "tun_a"), r"\nmtu +1480 +\(auto\)\n")

    def test_show_counts_what_a_long_list_has_more(self):
        self.add_all()
        many = ",".join(f"10.{i // 256}.{i % 256}.0/24" for i in range(300))
        self.ok("exit", "set", "qq", "--destinations", many)
        shown = self.ok("exit", "show", "qq")
        self.assertRegex(shown, r"\ndestinations +10.0.0.0/24,10.0.1.0/24,10.0.2.0/24 \+297\n")
        self.assertEqual([], [line for line in shown.splitlines() if line.endswith(" ")])
        self.assertIn(f" {many}\n", self.ok("exit", "show", "qq", "-o", "wide"))

    def test_rm_removes(self):
        self.add_all()
        self.assertIn("qq", self.fails(CONFLICT, "tunnel", "rm", "tun_a"))
        self.assertEqual("exit/qq  removed\n", self.ok("exit", "rm", "qq"))
        self.ok("tunnel", "rm", "tun_a")
        self.fails(NOT_FOUND, "tunnel", "show", "tun_a")
        self.fails(NOT_FOUND, "tunnel", "rm", "tun_a")

    def test_rm_obeys_the_format(self):
        self.add_all()
        self.assertEqual("", self.ok("exit", "rm", "qq", "-j"))
        self.assertEqual("nat/out\n", self.ok("nat", "rm", "out", "-o", "name"))
        self.assertEqual("", self.ok("tunnel", "rm", "tun_a", "-q"))

    def test_rm_fails_when_objects_still_stand(self):
        def answer(reason, message):
            return 202, {"name": reason, "status": {"state": "deleting", "reason": reason,
                                                    "message": message}}
        url = self.stub({"DELETE /v1/tunnels/slow": answer("Deleting", "they go"),
                         "DELETE /v1/tunnels/kept": answer("PermissionDenied", "link: EPERM")})
        for name, status, words in (("slow", TIMEOUT, ": they go\n"),
                                    ("kept", FAILED, ": PermissionDenied: link: EPERM\n")):
            done = run("-H", url, "tunnel", "rm", name)
            self.assertEqual((status, ""), (done.returncode, done.stdout), name)
            self.assertIn("objects still stand" + words, done.stderr)
            done = run("-H", url, "tunnel", "rm", name, "--wait=0")
            self.assertEqual((OK, f"tunnel/{name}  removing\n", ""),
                             (done.returncode, done.stdout, done.stderr))
        self.assertEqual("deleting", json.loads(run("-H", url, "tunnel", "rm", "kept",
                                                    "-j").stdout)["status"]["state"])

    def test_all_faults_are_printed_with_their_place(self):
        fault = self.fails(INVALID, "tunnel", "add", "t", "--remote", "x", "--ttl", "300",
                           "--mtu", "12")
        for pointer in ("/remote: ", "/ttl: ", "/mtu: "):
            self.assertIn(f"\n  {pointer}", fault)
        fault = self.fails(INVALID, "exit", "add", "e", "--tunnel", "no", "--destinations",
                           "10.0.0.0/8")
        self.assertIn("hint: ", fault)

    def test_a_dry_run_prints_the_plan_and_stores_nothing(self):
        out = self.ok("-n", "tunnel", "add", "t", "--remote", "172.16.1.62", "--local",
                      "172.16.16.22")
        self.assertIn("+ add link t", out)
        self.fails(NOT_FOUND, "tunnel", "show", "t")

    def test_not_ready_is_told_in_the_exit_status(self):
        fault = self.fails(TIMEOUT, "--wait=1", "tunnel", "add", "t", "--remote", "172.16.1.62",
                           "--local", "10.9.9.9")
        self.assertIn("LocalAddressMissing", fault)
        self.agent.kernel("foreign-link u ipip 172.16.16.22 172.16.1.99")
        fault = self.fails(FAILED, "tunnel", "add", "u", "--remote", "172.16.1.63")
        self.assertIn("conflict", fault)
        self.ok("--wait=0", "tunnel", "add", "v", "--remote", "172.16.1.64", "--local",
                "10.9.9.9")

    def test_list_tells_what_is_amiss_on_lines_of_their_own(self):
        self.ok("--wait=0", "tunnel", "add", "v", "--remote", "172.16.1.64", "--local",
                "10.9.9.9")
        self.run_on("wait", "tunnel/v", "--timeout", "1")
        head, row, trouble = self.ok("tunnel", "list").splitlines()
        self.assertNotIn("REASON", head)
        self.assertNotIn("LocalAddressMissing", row)
        self.assertRegex(trouble, "^  tunnel/v  pending  LocalAddressMissing: ")
        self.assertEqual(1, len(self.ok("tunnel", "list", "--no-headers").splitlines()))
        head, row = self.ok("tunnel", "list", "-o", "wide").splitlines()
        self.assertIn("REASON", head)
        self.assertIn("LocalAddressMissing: ", row)

    def on_terminal(self, columns, *words):
        return on_terminal(columns, f"unix://{self.agent.socket}", *words)

    def test_a_narrow_terminal_drops_columns_and_folds_sentences(self):
        self.add_all()
        self.ok("--wait=0", "tunnel", "add", "a-long-name", "--remote", "172.16.1.64", "--local",
                "10.9.9.9", "--device", "t2")
        self.run_on("wait", "tunnel/a-long-name", "--timeout", "1")
        for words in (("tunnel", "list"), ("tunnel", "show", "a-long-name"), ("status",),
                      ("nat", "show", "out")):
            lines = self.on_terminal(50, *words)
            self.assertLessEqual(max(map(len, lines)), 50, lines)
            self.assertEqual([], [line for line in lines if line.endswith(" ")])
        lines = self.on_terminal(50, "tunnel", "list")
        self.assertEqual(["NAME", "STATE", "LOCAL"], lines[0].split()[:3])
        self.assertRegex(lines[1], "^a-long-name  pending  ")
        self.assertGreater(max(map(len, self.on_terminal(50, "tunnel", "list", "-o", "wide"))), 50)


if __name__ == "__main__":
    unittest.main()
