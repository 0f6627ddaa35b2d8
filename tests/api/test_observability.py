#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The alerts and the dashboard that are delivered with the agent ask for what it really tells, and
an alert is raised when it must be, and not otherwise."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

from prometheus_client.parser import text_string_to_metric_families
import yaml

import api
import network
import promql
from api import TUNNEL

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RULES = ROOT / "packaging" / "prometheus" / "ipipd.rules.yml"
RULE_TESTS = HERE / "ipipd.rules.test.yml"
DASHBOARD = ROOT / "packaging" / "grafana" / "ipipd.json"
IPIPCTL = pathlib.Path(api.BIN).with_name("ipipctl")

# What Prometheus itself adds: to every series of a target, and one that is not the agent's.
TARGET = {"job", "instance"}
UP = {"up": ("gauge", set())}
RATES = {"rate", "irate", "increase"}
# Of Grafana, as it would fill them in.
VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$job": ".*", "$instance": ".*",
             "$tunnel": ".*"}


def promtool(*arguments):
    """Whether it was content, and what it said."""
    path = subprocess.run([ROOT / "tests" / "deps", "promtool"], text=True,
                          stdout=subprocess.PIPE, check=True).stdout.strip()
    done = subprocess.run([path, *arguments], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode == 0, done.stdout


def write(path, document):
    path.write_text(json.dumps(document))  # which is YAML, too
    return path


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
        self.agent = network.Agent()
        self.addCleanup(self.agent.clean)
        self.agent.with_tls(network.Authority(self.agent.directory / "ca"))
        self.agent.start()
        self.three()
        self.agent.kernel("fail link add broken EPERM")
        self.agent.put("/v1/tunnels/broken", {**TUNNEL, "remote": "172.16.1.63", "addresses": []})
        self.agent.until("/v1/tunnels/broken", lambda a: a.state == "failed")
        self.agent.kernel("refuse-observe EIO")
        self.problem(self.agent.post("/v1/reconcile"), 503, "not-ready")
        text = self.ok(self.agent.get("/metrics")).text
        self.samples = [line for line in text.splitlines() if line[0] != "#"]
        self.known = {**UP}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                _, labels = self.known.setdefault(sample.name, (family.type, set()))
                labels.update(sample.labels)
        folder = tempfile.TemporaryDirectory(prefix="ipipd-observability-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def series(self, minutes=60):
        """What two such agents tell in an hour, as promtool takes it. Counters and times go on."""
        for instance in ("a:7443", "b:7443"):
            target = f'job="ipipd",instance="{instance}"'
            yield f"up{{{target}}}", f"1x{minutes}"
            for sample in self.samples:
                name, labels, value = re.fullmatch(r"(\w+)(?:{(.*)})? (\S+)", sample).groups()
                step = int(self.known[name][0] != "gauge" or name.endswith("_seconds"))
                yield (f"{name}{{{','.join(filter(None, (target, labels)))}}}",
                       f"{value}+{step}x{minutes}")

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


class Dashboard(Observed):
    def setUp(self):
        super().setUp()
        self.dashboard = json.loads(DASHBOARD.read_text())
        self.panels = [p for p in self.dashboard["panels"] if p["type"] != "row"]
        self.targets = [target for panel in self.panels for target in panel["targets"]]
        self.marks = self.dashboard["annotations"]["list"]
        self.variables = {v["name"]: v for v in self.dashboard["templating"]["list"]}

    def filled(self, expression):
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)
        self.assertNotIn("$", expression)
        return expression

    def expressions(self):
        """Each with the labels that its legend names."""
        for target in self.targets + self.marks:
            legend = target.get("legendFormat", target.get("textFormat"))
            yield self.filled(target["expr"]), re.findall(r"{{(\w+)}}", legend)
        for variable in self.variables.values():
            if variable["type"] == "query":
                yield re.fullmatch(r"label_values\((.*), (\w+)\)",
                                   self.filled(variable["query"]["query"])).groups()

    def test_it_can_be_imported(self):
        """Into any Grafana, for any source of Prometheus; nothing lies over anything."""
        self.assertEqual(self.dashboard["uid"], "ipipd")
        self.assertNotIn("id", self.dashboard)
        self.assertEqual(self.variables["datasource"]["type"], "datasource")
        self.assertEqual(self.variables["datasource"]["query"], "prometheus")
        for asks in (*self.panels, *self.targets, *self.marks,
                     *(v for v in self.variables.values() if v["type"] == "query")):
            self.assertEqual(asks["datasource"], {"type": "prometheus", "uid": "${datasource}"})
        panels = self.dashboard["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        taken = set()
        for panel in panels:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}
            self.assertLessEqual(at["x"] + at["w"], 24)
            self.assertFalse(taken & cells, panel["title"])
            taken |= cells
        needed = {need["id"] for need in self.dashboard["__requires"] if need["type"] == "panel"}
        self.assertEqual(needed, {panel["type"] for panel in self.panels})

    def test_each_expression_is_of_the_hosts_that_were_chosen(self):
        for target in self.targets + self.marks:
            uses = promql.Reader(target["expr"].replace("$__", "")).uses
            chosen = target["expr"].count('{job=~"$job",instance=~"$instance"')
            self.assertEqual(chosen, len(uses), target["expr"])

    def test_it_asks_for_what_the_agent_tells(self):
        self.assertNoFaults(self.with_legend(e, labels) for e, labels in self.expressions())

    @staticmethod
    def with_legend(expression, labels):
        names = labels if isinstance(labels, list) else [labels]
        return f"count by ({', '.join(names)}) ({expression})"

    def test_it_shows_all_that_the_agent_tells(self):
        shown = {use.metric for e, _ in self.expressions() for use in promql.Reader(e).uses}
        buckets = {name.removesuffix("_bucket") for name in shown if name.endswith("_bucket")}
        self.assertEqual({name for name in set(self.known) - shown
                          if name.removesuffix("_count").removesuffix("_sum") not in buckets},
                         set())

    def test_each_expression_has_a_value_by_a_legend_of_its_own(self):
        """As Prometheus evaluates it over what two agents tell."""
        rules, tests = [], []
        for number, (expression, labels) in enumerate(self.expressions()):
            rules.append({"record": f"expression{number}", "expr": expression})
            legends = f"count({self.with_legend(expression, labels)})"
            distinct = f"{legends} == bool count({expression})"
            tests.append({"expr": distinct if isinstance(labels, list) else f"{legends} > bool 0",
                          "eval_time": "59m", "exp_samples": [{"labels": "{}", "value": 1}]})
        self.assertGreater(len(tests), 40)
        path = write(self.folder / "rules.yml", {"groups": [{"name": "all", "rules": rules}]})
        content, said = promtool("check", "rules", path)
        self.assertTrue(content, said)
        series = [{"series": name, "values": values} for name, values in self.series()]
        path = write(self.folder / "tests.yml", {"evaluation_interval": "1m", "tests": [
            {"interval": "1m", "input_series": series, "promql_expr_test": tests}]})
        content, said = promtool("test", "rules", path)
        self.assertTrue(content, said)


if __name__ == "__main__":
    api.main()
