#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""redocly and spectral find nothing in the document, and something in a worse one.

    lint.py BINARIES          BINARIES: node_modules/.bin, as tests/deps has them
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

API = pathlib.Path(__file__).resolve().parents[2] / "api"
BINARIES = pathlib.Path(sys.argv.pop())

# What is made worse, and the rules of redocly and spectral that say so (None: it
# looks not there).
FAULTS = {
    "no id": (lambda d: d["paths"]["/v1/config"]["get"].pop("operationId"),
              "operation-operationId ", "operation-operationId "),
    "an id twice": (lambda d: d["paths"]["/v1/status"]["get"].update(operationId="getHost"),
                    "operation-operationId-unique ", "operation-operationId-unique "),
    "an example that is none": (
        lambda d: d["components"]["responses"]["Problem404"]["content"]
        ["application/problem+json"]["examples"]["not-found"]["value"].update(status="404"),
        "no-invalid-media-type-examples ", "oas3-valid-media-example "),
    "a default that is none": (
        lambda d: d["components"]["schemas"]["TunnelPut"]["properties"]["ttl"].update(default="x"),
        None, "oas3-valid-schema-example "),
    "a declaration that is none": (
        lambda d: d["components"]["schemas"]["TunnelDeclaration"]["examples"][0].update(ttl=300),
        "no-invalid-schema-examples ", None),
    "a schema that nothing uses": (
        lambda d: d["components"]["schemas"].update(Unused={"type": "string"}),
        "no-unused-components ", "oas3-unused-component "),
}


class Lint(unittest.TestCase):
    """A copy of api/, so that the rulesets see the file that they name."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ipipd-lint-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "api"
        shutil.copytree(API, self.folder)

    def run_linter(self, name, *words):
        """What it says, None when it has nothing to say."""
        done = subprocess.run([BINARIES / name, "lint", *words, "openapi.json"], cwd=self.folder,
                              text=True, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return done.stdout if done.returncode else None

    def lint(self):
        return (self.run_linter("redocly", "--config", "redocly.yaml"),
                self.run_linter("spectral", "--fail-severity", "hint", "--ruleset",
                                "spectral.yaml"))

    def test_nothing_is_found(self):
        for program, said in zip(("redocly", "spectral"), self.lint()):
            self.assertIsNone(said, f"{program}:\n{said}")

    def test_faults_are_found(self):
        document = json.loads((API / "openapi.json").read_text(encoding="utf-8"))
        for spoil, *_ in FAULTS.values():
            spoil(document)
        (self.folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
        redocly, spectral = self.lint()
        for name, (_, rule_of_redocly, rule_of_spectral) in FAULTS.items():
            with self.subTest(name):
                self.assertIn(rule_of_redocly or "", redocly or "")
                self.assertIn(rule_of_spectral or "", spectral or "")


if __name__ == "__main__":
    unittest.main()
