#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Foreign clients drive the life of a tunnel over TCP, with a validating proxy between.

    clients.py MODULES          MODULES: node_modules, as tests/deps has them
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "api" / "openapi.json"
sys.path.insert(0, str(HERE.parent / "api"))
import api  # pylint: disable=wrong-import-position
import network  # pylint: disable=wrong-import-position
import replay  # pylint: disable=wrong-import-position

MODULES = pathlib.Path(sys.argv.pop())
TOKEN = network.SECRETS["controller"][1]


class Clients(unittest.TestCase):
    """One agent and one prism for all: each client leaves nothing behind."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ipipd-client-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        agent = network.Agent()
        cls.addClassCleanup(agent.clean)
        agent.start()
        cls.log = open(cls.folder / "log", "w+b")
        cls.addClassCleanup(cls.log.close)
        prism = replay.Prism(MODULES / ".bin" / "prism", DOCUMENT, agent.ports()[0], cls.log, True)
        cls.addClassCleanup(prism.stop)
        prism.wait()
        cls.urls = [f"http://127.0.0.1:{port}" for port in (agent.ports()[0], prism.port)]

    def succeeds(self, *command):
        done = subprocess.run(command, cwd=self.folder, text=True, capture_output=True, timeout=120,
                              check=False)
        self.log.seek(0)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + self.log.read().decode())

    def test_python_with_requests(self):
        for url in self.urls:
            self.succeeds("/usr/bin/python3", HERE / "client.py", url, TOKEN)

    def test_typescript_from_the_document(self):
        (self.folder / "node_modules").symlink_to(MODULES)
        (self.folder / "package.json").write_text('{"type": "module"}')
        (self.folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": {
            "strict": True, "noUncheckedIndexedAccess": True, "module": "nodenext",
            "target": "es2022", "lib": ["es2022", "dom", "dom.iterable"], "types": []}}))
        shutil.copy(HERE / "client.ts", self.folder)
        binaries = MODULES / ".bin"
        # a member that has a default need not be given
        self.succeeds(binaries / "openapi-typescript", DOCUMENT, "-o", "openapi.d.ts",
                      "--default-non-nullable", "false")
        self.succeeds(binaries / "tsc", "--project", ".")
        for url in self.urls:
            self.succeeds("node", "client.js", url, TOKEN)


if __name__ == "__main__":
    api.main()
