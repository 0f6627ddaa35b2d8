#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The alerts that are delivered with the agent ask for what it really tells, and are raised when
they must be, and not otherwise."""

import os
import pathlib
import re
import subprocess

from prometheus_client.parser import text_string_to_metric_families
import yaml

import api
import promql
from api import TUNNEL

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RULES = ROOT / "packaging" / "prometheus" / "ipipd.rules.yml"
RULE_TESTS = HERE / "ipipd.rules.test.yml"
IPIPCTL = pathlib.Path(api.BIN).with_name("ipipctl")

# What Prometheus itself adds: to every series of a target, and one that is not the agent's.
TARGET = {"job", "instance"}
UP = {"up": ("gauge", set())}
RATES = {"rate", "irate", "increase"}


def promtool(*arguments):
    """Whether it was content, and what it said."""
    path = subprocess.run([ROOT / "tests" / "deps", "promtool"], text=True,
                          stdout=subprocess.PIPE, check=True).stdout.strip()
    done = subprocess.run([path, *arguments], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode == 0, done.stdout


def faults_of(expression, known):
    """What an expression asks of these metrics ({name: (type, labels)}) that they do not have."""
    read = promql.Reader(expression)
    has = TARGET | read.made
    for metric, labels, is_range, functions in read.uses:
        kind, own = known.get(metric, (None, set()))
        has |= own
        if not kind:
            yield f"no metric {metric}"
            continue
        for label in labels - own - TARGET:
            yield f"{metric} has no label {label}"
        is_rate = is_range and bool(RATES & set(functions[-1:]))
        if is_rate != (kind != "gauge"):
            yield f"{metric} is a {kind}: " + ("no rate" if is_rate else "only as a rate")
        if "histogram_quantile" in functions and not metric.endswith("_bucket"):
            yield f"{metric} is no _bucket of a histogram"
        if metric.endswith("_bucket") and "le" not in read.groupings:
            yield f"{metric} is summed over its buckets"
    for label in read.groupings - has:
        yield f"nothing has the label {label}"


class Observed(api.ApiTest):
    """An agent that has something to show of everything, and what it tells."""

    def setUp(self):
        super().setUp()
        self.three()
        self.agent.kernel("fail link add broken EPERM")
        self.agent.put("/v1/tunnels/broken", {**TUNNEL, "remote": "172.16.1.63", "addresses": []})
        self.agent.until("/v1/tunnels/broken", lambda a: a.state == "failed")
        self.agent.kernel("refuse-observe EIO")
        self.problem(self.agent.post("/v1/reconcile"), 503, "not-ready")
        text = self.ok(self.agent.get("/metrics")).text
        self.known = {**UP}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                _, labels = self.known.setdefault(sample.name, (family.type, set()))
                labels.update(sample.labels)

    def assertNoFaults(self, expressions):
        faults = {expression: found for expression in expressions
                  if (found := list(faults_of(expression, self.known)))}
        self.assertEqual(faults, {})


class Rules(Observed):
    def setUp(self):
        super().setUp()
        (group,) = yaml.safe_load(RULES.read_text())["groups"]
        self.alerts = group["rules"]

    def test_promtool_takes_them(self):
        for arguments in (("check", "rules", RULES), ("test", "rules", RULE_TESTS)):
            content, said = promtool(*arguments)
            self.assertTrue(content, said)

    def test_they_ask_for_what_the_agent_tells(self):
        self.assertNoFaults(alert["expr"] for alert in self.alerts)

    def test_each_is_tested_both_ways(self):
        """On a host that has it; before that, and on one that does not quite have it, not."""
        groups = yaml.safe_load(RULE_TESTS.read_text())["tests"]
        for alert in self.alerts:
            metrics = {use.metric for use in promql.Reader(alert["expr"]).uses}
            seen = set()
            for group in groups:
                there = {(name, host) for name in metrics for host in ("sick", "well")
                         if any(re.match(f"{name}{{.*instance=\"{host}\"", series["series"])
                                for series in group["input_series"])}
                if len(there) == 2 * len(metrics):
                    seen |= {bool(test["exp_alerts"]) for test in group["alert_rule_test"]
                             if test["alertname"] == alert["alert"]}
            self.assertEqual(seen, {True, False}, alert["alert"])

    def test_each_says_what_how_bad_and_what_to_do(self):
        for alert in self.alerts:
            with self.subTest(alert["alert"]):
                self.assertRegex(alert["alert"], r"^Ipipd[A-Z][A-Za-z]+$")
                self.assertIn(alert["labels"]["severity"], ("critical", "warning"))
                self.assertEqual(list(alert["annotations"]), ["summary", "description", "runbook"])
                for text in list(alert["annotations"].values())[:2]:
                    self.assertIn("{{ $labels.instance }}", text)

    def test_the_commands_that_they_name_exist(self):
        """Each is run; what an alert fills in is of this agent."""
        environment = {**os.environ, "IPIPCTL_HOST": "unix://" + self.agent.socket}
        labels = {"tunnel": "tun_a", "kind": "tunnel", "state": "ready"}
        ran = set()
        for alert in self.alerts:
            text = re.sub(r"{{ \$labels\.(\w+) }}", lambda m: labels.get(m[1], ""),
                          alert["annotations"]["runbook"])
            commands = re.findall(r"`(ipipctl [^`]*)`", text)
            self.assertTrue(commands, alert["alert"])
            for command in commands:
                done = subprocess.run([IPIPCTL, *command.split()[1:]], env=environment, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      check=False)
                # usage, no agent there, not found
                self.assertNotIn(done.returncode, (2, 4, 6), f"{command}: {done.stdout}")
                ran.add(command)
        self.assertGreater(len(ran), 8)


if __name__ == "__main__":
    api.main()
