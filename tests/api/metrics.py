# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of /metrics read it with: each scrape is checked by promtool."""

import pathlib
import subprocess

from prometheus_client.parser import text_string_to_metric_families

import api

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Scrape:
    """The samples of one answer, by an independent parser."""

    def __init__(self, text):
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.samples = {(s.name, frozenset(s.labels.items())): s.value
                        for f in self.families for s in f.samples}

    def __call__(self, name, **labels):
        return self.samples[name, frozenset(labels.items())]

    def get(self, name, **labels):
        return self.samples.get((name, frozenset(labels.items())))

    def labelled(self, name):
        """Label sets and values of that name which are not 0."""
        return {tuple(sorted(dict(labels).items())): value
                for (n, labels), value in self.samples.items() if n == name and value}

    def total(self, name):
        return sum(value for (n, _), value in self.samples.items() if n == name)


class MetricsTest(api.ApiTest):
    @classmethod
    def setUpClass(cls):
        cls.promtool = subprocess.run([ROOT / "tests" / "deps", "promtool"], text=True,
                                      stdout=subprocess.PIPE, check=True).stdout.strip()

    def scrape(self):
        answer = self.ok(self.agent.get("/metrics"))
        self.assertEqual(answer.headers["Content-Type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        check = subprocess.run([self.promtool, "check", "metrics"], input=answer.text, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual((check.returncode, check.stdout), (0, ""))
        return Scrape(answer.text)

    def settle(self, *script):
        """The script happens, and what it disturbed is put right."""
        if script:
            self.agent.kernel(*script)
        self.ok(self.agent.post("/v1/reconcile"))

    def element(self, set_prefix="out_"):
        """The set and the prefix of an element that counts."""
        return next(line for line in self.agent.objects("nft-element " + set_prefix)).split()[1:3]
