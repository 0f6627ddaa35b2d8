#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`ipipctl why`: how it walks over two agents, what it makes of their answers, and its words."""

import json
import tempfile
import time
import unittest

import api
from cli import FAILED, OK, UNREACHABLE, USAGE, Stub, on_terminal
from test_cli_tls import run

A_ADDR, B_ADDR, TO = "172.16.16.22", "172.16.1.62", "180.163.26.39"
NEAR_OUT = ("route", "tunnel", "underlay", "send")
NEAR_BACK = ("reply-arrival", "reply")
FAR_OUT = ("arrival", "tunnel", "input", "nat")
FAR_BACK = ("reply", "return")


def check(leg, name, verdict="ok", **more):
    return {"leg": leg, "check": name, "verdict": verdict, "evidence": f"{name} seen",
            "resource": None, "object": None, "fix": None, **more}


def answer(role, out, back, broken=None, **more):
    """As an agent gives it; broken: {name: members} of its checks."""
    checks = [check(leg, name, **(broken or {}).get(name, {}))
              for leg, names in (("out", out), ("back", back)) for name in names]
    verdicts = {c["verdict"] for c in checks}
    verdict = next((v for v in ("broken", "unknown", "warn") if v in verdicts), "ok")
    return {"role": role, "to": TO, "from": "192.168.1.1", "protocol": "icmp", "port": None,
            "id": 4711, "probe": True, "tunnel": "tun_a", "device": "tun_a", "local": A_ADDR,
            "remote": B_ADDR, "verdict": verdict, "checks": checks, "took_ms": 1000, **more}


class Agent(Stub):
    """An agent whose answers are canned; it keeps when it was asked what."""

    def __init__(self, folder, name, answers, slow=0):
        self.url = f"unix://{folder}/{name}"
        self.slow = slow
        self.times = {}
        super().__init__(f"{folder}/{name}", answers)

    def answer(self, asked):
        self.times.setdefault("probe" if "probe=true" in asked else asked, time.monotonic())
        return super().answer(asked)


class Why(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ipipd-why-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def agent(self, name, why, **answers):
        stub = Agent(self.folder, name, {"GET /v1/why": why, **answers})
        self.addCleanup(stub.server_close)
        self.addCleanup(stub.shutdown)
        return stub

    def pair(self, near=None, far=None, **more):
        """Both, with those broken checks."""
        a = self.agent("a", answer("client", NEAR_OUT, NEAR_BACK, near))
        b = self.agent("b", answer("exit", FAR_OUT, FAR_BACK, far),
                       **{"GET /v1/host": {"addresses": [{"address": B_ADDR}]}, **more})
        return a, b

    def why(self, a, *words, status=OK, **environment):
        done = run("-H", a.url, "why", TO, *words, **environment)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def walk(self, a, b, *words, status=OK):
        return json.loads(self.why(a, "--peer", b.url, "-j", *words, status=status))

    def test_a_healthy_path_is_called_so(self):
        a, b = self.pair()
        out = self.why(a, "--peer", b.url)
        self.assertIn(f"healthy: {TO} answers through tun_a and {b.url}, reply seen", out)
        walked = self.walk(a, b)
        self.assertEqual([(c["host"], c["check"]) for c in walked["checks"]],
                         [(a.url, name) for name in NEAR_OUT] +
                         [(b.url, name) for name in FAR_OUT + FAR_BACK] +
                         [(a.url, name) for name in NEAR_BACK])
        self.assertEqual([c["step"] for c in walked["checks"]], list(range(1, 13)))
        self.assertEqual((walked["verdict"], walked["broken_at"], walked["fix"]),
                         ("ok", None, None))

    def test_resources_are_called_as_the_commands_call_them(self):
        a, b = self.pair(near={"route": {"resource": "exit-route/qq"},
                               "tunnel": {"resource": "tunnel/t", "object": "x"},
                               "send": {"object": "link exit-route/x"}},
                         far={"nat": {"resource": "nat-rule/out"}})
        lines = self.why(a, "--peer", b.url).splitlines()
        shown = {line.split()[2]: line for line in lines if len(line.split()) > 2}
        for check, words in (("route", " exit/qq "), ("tunnel", " tunnel/t "),
                             ("send", " link exit-route/x "), ("nat", " nat/out ")):
            self.assertTrue(any(words in line and f" {check} " in line for line in lines), shown)
        self.assertEqual("exit-route/qq", self.walk(a, b)["checks"][0]["resource"])

    def test_a_terminal_of_80_columns_has_room_for_each_verdict(self):
        a, b = self.pair(near={"route": {"evidence": "a long sentence " * 10}})
        table = on_terminal(80, a.url, "why", TO, "--peer", b.url)[:13]
        self.assertEqual("VERDICT", table[0].split()[-1])
        self.assertLessEqual(max(map(len, table)), 80, table)
        self.assertEqual({"ok"}, {line.split()[-1] for line in table[1:]})

    def test_a_peer_that_is_the_same_agent_is_none(self):
        about = {"id": "1d", "addresses": [{"address": A_ADDR}]}
        a = self.agent("a", answer("client", NEAR_OUT, NEAR_BACK), **{"GET /v1/host": about})
        again = self.agent("again", answer("exit", FAR_OUT, FAR_BACK, {"tunnel": {
            "verdict": "broken", "fix": "ipipctl tunnel set"}}), **{"GET /v1/host": about})
        out = self.why(a, "--peer", again.url)
        self.assertIn(f"{again.url} is the agent that is asked already\n", out)
        self.assertNotIn("ipipctl tunnel set", out)

    def test_far_is_asked_first_and_near_sends_while_it_watches(self):
        a, b = self.pair()
        self.walk(a, b)
        self.assertLess(b.times["probe"], a.times["probe"])
        asked = next(asked for asked in b.asked if "/v1/why" in asked)
        for part in (f"to={TO}", f"peer={A_ADDR}", f"local={B_ADDR}", "from=192.168.1.1",
                     "id=4711", "probe=true"):
            self.assertIn(part, asked)
        self.assertTrue(any("id=4711" in asked and "probe=true" in asked for asked in a.asked))

    def test_far_is_told_that_no_more_comes_unless_all_came_back(self):
        a, b = self.pair()
        for near, told, protocol in (
                (None, False, "icmp"), ({"reply": {"verdict": "warn"}}, True, "icmp"),
                ({"send": {"verdict": "unknown"}, "reply": {"verdict": "unknown"}}, True, "tcp"),
                (None, False, "tcp"), (None, True, "udp")):
            a.answers["GET /v1/why"] = answer("client", NEAR_OUT, NEAR_BACK, near,
                                              protocol=protocol)
            b.asked.clear()
            self.walk(a, b)
            self.assertEqual(told, any("sent=true" in asked and "id=4711" in asked
                                       for asked in b.asked), b.asked)

    def test_what_near_tells_of_its_device_far_is_told(self):
        a, b = self.pair()
        self.walk(a, b)
        self.assertFalse(any("mtu=" in asked for asked in b.asked))
        a.answers["GET /v1/why"]["mtu"] = 1400
        self.walk(a, b)
        self.assertTrue(any("&mtu=1400" in asked for asked in b.asked))

    def test_the_first_break_counts_and_what_is_behind_it_is_not_reached(self):
        fix = {"verdict": "broken", "evidence": "forwarding is off on tun_b",
               "fix": "ipipctl nat add x --sources 192.168.1.0/24 --out-interface eth0"}
        a, b = self.pair(near={"reply": {"verdict": "broken"}}, far={"input": fix})
        out = self.why(a, "--peer", b.url, status=FAILED)
        self.assertIn(f"the packet dies at 7, on {b.url}: forwarding is off on tun_b\n", out)
        self.assertIn(f"fix: ipipctl -H {b.url} nat add x --sources", out)
        self.assertIn("not reached", out)
        walked = self.walk(a, b, status=FAILED)
        self.assertEqual((walked["broken_at"], walked["fix_host"]), (7, b.url))
        self.assertEqual({(c["verdict"], c["evidence"]) for c in walked["checks"][7:]},
                         {("not-reached", "not reached")})

    def test_a_break_on_the_way_back_is_the_replys(self):
        a, b = self.pair(near={"reply-arrival": {"verdict": "broken", "fix": "nft insert x"}})
        out = self.why(a, "--peer", b.url, status=FAILED)
        self.assertIn(f"the reply dies at 11, on {a.url}: reply-arrival seen", out)
        self.assertIn(f"fix on {a.url}: nft insert x", out)

    def test_a_size_that_vanishes_is_no_death(self):
        a, b = self.pair()
        a.answers["GET /v1/why"] = answer("client", NEAR_OUT, (*NEAR_BACK, "mtu"),
                                          {"mtu": {"verdict": "broken"}})
        self.assertIn(f"long packets vanish, by 13, on {a.url}: mtu seen",
                      self.why(a, "--peer", b.url, status=FAILED))

    def test_a_way_that_loses_what_is_long_is_mended_where_it_begins(self):
        def mtu(verdict, fix, **more):
            return {"mtu": {"verdict": verdict, "fix": f"ipipctl tunnel set {fix}", **more}}
        for here, at in (({"resource": "tunnel/t"}, "b"), ({"object": "the way from a"}, "a")):
            a = self.agent(f"a{at}", answer("client", NEAR_OUT, (*NEAR_BACK, "mtu"),
                                            mtu("warn", "tun_a")))
            b = self.agent(f"b{at}", answer("exit", FAR_OUT, (*FAR_BACK, "mtu"),
                                            mtu("broken", "tun_b", **here)),
                           **{"GET /v1/host": {"addresses": [{"address": B_ADDR}]}})
            url = {"a": a, "b": b}[at].url
            fix = f"ipipctl -H {url} tunnel set tun_{at}"
            walked = self.walk(a, b, status=FAILED)
            self.assertEqual((fix, url), (walked["fix"], walked["fix_host"]))
            self.assertIn(f"fix: {fix}\n", self.why(a, "--peer", b.url, status=FAILED))

    def test_every_ipipctl_of_a_fix_names_the_host(self):
        fix = {"verdict": "broken", "fix": "ipipctl tunnel rm x && ipipctl tunnel add ipipctl"}
        a, b = self.pair(far={"tunnel": fix})
        self.assertEqual(f"ipipctl -H {b.url} tunnel rm x && "
                         f"ipipctl -H {b.url} tunnel add ipipctl",
                         self.walk(a, b, status=FAILED)["fix"])

    def test_what_near_knows_without_a_probe_sends_none(self):
        a, b = self.pair(near={"route": {"verdict": "broken"}})
        self.walk(a, b, status=FAILED)
        self.assertEqual([], b.asked)
        self.assertNotIn("probe", a.times)

    def test_without_probes_nothing_is_sent(self):
        a, b = self.pair()
        out = self.why(a, "--peer", b.url, "--no-probe", "--protocol", "tcp", "--port", "22",
                       "--in", "lan0", "--from", "10.5.0.9")
        self.assertIn("without --no-probe", out)
        self.assertNotIn("probe", {**a.times, **b.times})
        self.assertIn("from=10.5.0.9&protocol=tcp&port=22&in=lan0", a.asked[0])
        self.assertNotIn("in=", b.asked[-1].replace("/v1/hazards", ""))

    def test_the_peer_is_found_among_the_remotes(self):
        a, b = self.pair()
        c = self.agent("c", {}, **{"GET /v1/host": {"addresses": [{"address": "10.9.9.9"}]},
                                   "GET /v1/tunnels": {"items": []}})
        natted = self.agent("d", answer("exit", FAR_OUT, FAR_BACK), **{
            "GET /v1/host": {"addresses": []}, "GET /v1/tunnels": {"items": [
                {"name": "t", "remote": A_ADDR, "status": {"effective": {"local": B_ADDR}}}]}})
        for far in (b, natted):
            home = tempfile.mkdtemp(dir=self.folder)
            for name, stub in (("aa", c), ("zz", far)):
                self.assertEqual(OK, run("remote", "add", name, stub.url,
                                         XDG_CONFIG_HOME=home).returncode)
            self.assertIn("through tun_a and zz", self.why(a, XDG_CONFIG_HOME=home))
        self.assertFalse([asked for asked in c.asked if "why" in asked])

    def test_without_a_peer_it_says_what_it_would_need(self):
        a, _ = self.pair(near={"reply-arrival": {"verdict": "broken"}})
        out = self.why(a, status=FAILED, XDG_CONFIG_HOME=self.folder)
        self.assertIn(f"no agent is known at {B_ADDR}, which could tell its part: "
                      "`ipipctl remote add NAME URL`, or --peer", out)

    def test_a_peer_that_is_away_is_a_note(self):
        a, _ = self.pair()
        out = self.why(a, "--peer", f"unix://{self.folder}/nobody")
        self.assertEqual(out.count("nobody: "), 1, out)
        self.assertIn("healthy", out)

    def test_a_peer_that_may_not_watch_is_asked_without(self):
        a, b = self.pair()
        canned = b.answer

        def refuse(asked):
            if "probe=true" in asked:
                return 403, {"title": "No", "detail": "token t may not send probes", "code": "x"}
            return canned(asked)
        b.answer = refuse
        out = self.why(a, "--peer", b.url)
        self.assertIn(f"{b.url} does not watch for probes: token t may not send probes", out)
        self.assertIn("arrival", out)
        self.assertIn("probe", a.times)

    def not_arrived(self, near=None):
        """Far sees nothing arrive, and finds nothing else when it is asked without a probe."""
        a, b = self.pair(near=near, far={"arrival": {"verdict": "broken"}})
        canned = b.answer

        def simulate(asked):
            if "probe=true" in asked or "why" not in asked:
                return canned(asked)
            return 200, answer("exit", FAR_OUT, FAR_BACK)
        b.answer = simulate
        return a, b

    def test_what_was_sent_and_did_not_arrive_is_the_break(self):
        self.assertEqual(5, self.walk(*self.not_arrived(), status=FAILED)["broken_at"])

    def test_what_may_not_be_sent_did_not_fail_to_arrive(self):
        a, b = self.not_arrived()

        def refuse(asked):
            if "probe=true" in asked:
                return 429, {"title": "Too many requests", "detail": "they must wait"}
            return 200, answer("client", NEAR_OUT, NEAR_BACK, probe=False)
        a.answer = refuse
        walked = self.walk(a, b)
        self.assertEqual("ok", walked["verdict"])
        self.assertIn(f"{a.url}: Too many requests: they must wait", walked["notes"])

    def test_what_could_not_be_sent_did_not_fail_to_arrive(self):
        a, b = self.not_arrived(near={"send": {"verdict": "unknown"},
                                      "reply": {"verdict": "unknown"}})
        self.assertEqual("unknown", self.walk(a, b)["verdict"])
        out = self.why(a, "--peer", b.url)
        self.assertNotIn("is reached", out)
        self.assertIn("what is unknown may hide one\n", out)

    def test_what_was_sent_too_late_did_not_fail_to_arrive(self):
        a, b = self.not_arrived()
        b.answers["GET /v1/why"]["took_ms"] = 1
        canned = a.answer

        def dawdle(asked):
            if "probe=true" in asked:
                time.sleep(0.4)
            return canned(asked)
        a.answer = dawdle
        walked = self.walk(a, b)
        self.assertEqual("ok", walked["verdict"])
        self.assertRegex(walked["notes"][0], f"{b.url} watched for 1 ms, and {a.url} took 4.. ms")

    def test_what_is_not_known_does_not_matter_when_the_reply_came(self):
        a, b = self.pair(far={"reply": {"verdict": "unknown"}})
        self.assertEqual("ok", self.walk(a, b)["verdict"])

    def test_warnings_and_hazards_are_told(self):
        a, b = self.pair(far={"nat": {"verdict": "warn", "fix": "nft x"}})
        b.answers["GET /v1/hazards"] = {"hazards": [
            {"severity": severity, "hazard": "ForwardDrop", "message": f"it {severity}s",
             "fix": None} for severity in ("critical", "info")]}
        out = self.why(a, "--peer", b.url)
        self.assertIn(f"also: 8, on {b.url}: nat seen", out)
        self.assertIn(f"hazard on {b.url}: critical ForwardDrop: it criticals", out)
        self.assertNotIn("it infos", out)

    def test_what_near_says_is_a_value_to_far(self):
        a, b = self.pair()
        a.answers["GET /v1/why"]["local"] = "1.2.3.4&probe=false&x=# HTTP/1.1"
        self.walk(a, b)
        self.assertIn("&peer=1.2.3.4%26probe%3Dfalse%26x%3D%23%20HTTP%2F1.1&local=",
                      next(asked for asked in b.asked if "/v1/why" in asked))

    def test_no_control_character_of_an_agent_reaches_the_terminal(self):
        dirty = {"evidence": "a\x1b[2Jb", "fix": "c\x1b[2Jd\nreboot"}
        hazards = {"hazards": [{"severity": "critical", "hazard": "a\x1b[2Jb", "message": "m\x07",
                                "fix": "x\r"}]}
        a, b = self.pair(**{"GET /v1/hazards": hazards})
        for verdict, status in (("broken", FAILED), ("warn", OK)):
            b.answers["GET /v1/why"] = answer("exit", FAR_OUT, FAR_BACK,
                                              {"nat": {"verdict": verdict, **dirty}})
            out = self.why(a, "--peer", b.url, status=status)
            self.assertIn("c?[2Jd?reboot", out)
            self.assertIn("hazard on", out)
            self.assertNotRegex(out, "[\x00-\x09\x0b-\x1f]")
        a.answers["GET /v1/why"]["to"] = "\x1b[2J"
        b.answers["GET /v1/why"] = (403, {"title": "No", "detail": "\x1b[2J"})
        self.assertNotIn("\x1b", self.why(a, "--peer", b.url))

    def test_an_answer_of_other_types_is_no_end_of_it(self):
        a, b = self.pair()
        for bad in ({}, {"checks": 1}, {"to": 1, "from": None, "id": "x", "remote": B_ADDR,
                                        "local": [], "checks": [1, None, {"leg": 2}]},
                    {"remote": B_ADDR, "checks": [{"leg": "out", "check": None, "fix": {}}]}):
            for one in (a, b):
                one.answers["GET /v1/why"] = bad
            walked = self.walk(a, b)
            self.assertEqual(walked["hosts"][0]["answer"], bad)
            self.why(a, "--peer", b.url)
        a.answers["GET /v1/why"] = []
        self.assertEqual("", self.why(a, status=FAILED))

    def test_a_time_that_no_clock_tells_is_no_fault_of_near(self):
        a, b = self.pair(far={"arrival": {"verdict": "broken"}})
        b.answers["GET /v1/why"]["took_ms"] = 2 ** 63 - 1
        self.assertEqual([], self.walk(a, b, status=FAILED)["notes"])

    def test_an_answer_without_end_is_none(self):
        a, b = self.pair()
        canned = b.answer

        def flood(asked):
            status, document = canned(asked)
            return status, {**document, "more": "x" * (2 << 20 if "probe=true" in asked else 1)}
        b.answer = flood
        b.handle_error = lambda *_: None
        walked = self.walk(a, b)
        self.assertEqual([a.url], [host["name"] for host in walked["hosts"]])
        self.assertEqual([f"{b.url}: Failure writing output to destination"],
                         [note.split(",")[0] for note in walked["notes"]])

    def test_a_peer_that_is_no_other_is_told_before_anything_is_sent(self):
        a, b = self.pair()
        for peers, fault in (((a.url,), "is the host that is asked already"),
                             ((b.url, "nobody"), "unknown remote nobody")):
            done = run("-H", a.url, "why", TO, *(w for p in peers for w in ("--peer", p)),
                       XDG_CONFIG_HOME=self.folder)
            self.assertEqual(USAGE, done.returncode, done)
            self.assertIn(fault, done.stderr)
        self.assertEqual([], a.asked + b.asked)

    def test_a_dry_run_sends_no_probe(self):
        a, b = self.pair()
        self.assertIn("no firewall was tried", self.why(a, "--peer", b.url, "-n"))
        self.assertNotIn("probe", {**a.times, **b.times})

    def test_nonsense_asks_nobody(self):
        a, _ = self.pair()
        for words, fault in ((("x",), "an address a.b.c.d"), (("--from", "y"), "--from y"),
                             (("--port", "22"), "--port goes with"), ((), "DST"),
                             (("--in", "eth1"), "--in needs --from"),
                             (("--protocol", "gre"), "icmp, tcp or udp")):
            done = run("-H", a.url, "why", *([TO] if words[:1] not in ((), ("x",)) else []),
                       *words)
            self.assertEqual(USAGE, done.returncode, done)
            self.assertIn(fault, done.stderr)
        self.assertEqual([], a.asked)
        self.assertEqual(UNREACHABLE, run("-H", f"unix://{self.folder}/no", "why", TO).returncode)


class Real(api.ApiTest):
    """With what an agent really answers."""

    def test_it_names_the_command_that_lets_a_destination_leave(self):
        self.three()
        url = f"unix://{self.agent.socket}"
        environment = {"IPIPCTL_HOST": url}
        done = run("why", "8.8.8.8", "--no-probe", "-j", **environment)
        self.assertEqual(FAILED, done.returncode, done.stdout + done.stderr)
        walked = json.loads(done.stdout)
        self.assertEqual(walked["checks"][walked["broken_at"] - 1]["check"], "route")
        self.assertEqual(OK, run(*walked["fix"].split()[1:], "--wait").returncode)
        self.assertEqual(OK, run("why", "8.8.8.8", "--no-probe", **environment).returncode)


if __name__ == "__main__":
    api.main()
