#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Databases of every schema that was released, opened by this version: nothing is lost, a backup is
there before anything is changed, and neither a kill nor a full disk leaves something in between.
Back goes who puts the backup in its place.

tests/upgrade/schema-N.dump is what `sqlite3 DATABASE .dump` tells of a database in which an agent
of that schema keeps declaration.json, with the two pragmas that it leaves out.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import sqlite3
import stat
import subprocess
import unittest
import unittest.mock

import api

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/upgrade"
DECLARATION = json.loads((FIXTURES / "declaration.json").read_text(encoding="utf-8"))
SCHEMAS = sorted(int(path.name[:4]) for path in (ROOT / "db").glob("[0-9]*.sql"))
NEWEST = SCHEMAS[-1]
KINDS = {"tunnels": "tunnels", "exit_routes": "exit-routes", "nat_rules": "nat-rules"}
FAILPOINT = re.compile(r'failpoint(?:_error)?\("((?:backup|migration)\.\w+)"\)')


def failpoints():
    return [name for path in sorted((ROOT / "src/store").glob("*.c"))
            for name in FAILPOINT.findall(path.read_text(encoding="utf-8"))]


def query(path, text):
    database = sqlite3.connect(path)
    try:
        return database.execute(text).fetchall()
    finally:
        database.close()


def schema_of(path):
    return query(path, "PRAGMA user_version")[0][0]


def dump(path):
    database = sqlite3.connect(path)
    try:
        return [schema_of(path), *database.iterdump()]
    finally:
        database.close()


class Upgrade(unittest.TestCase):
    def setUp(self):
        self.agent = api.Agent()
        self.addCleanup(self.agent.clean)
        self.agent.db.parent.mkdir(mode=0o700)

    def fixture(self, schema):
        """In place of what is there."""
        for path in self.agent.db.parent.iterdir():
            path.unlink()
        database = sqlite3.connect(self.agent.db)
        database.executescript((FIXTURES / f"schema-{schema}.dump").read_text(encoding="utf-8"))
        database.close()
        self.before = dump(self.agent.db)

    def backup(self, schema):
        return self.agent.db.with_name(f"ipipd.db.schema-{schema}")

    def names(self):
        return sorted(path.name for path in self.agent.db.parent.iterdir())

    def refused(self, *options, **environment):
        """A start that is: what it says, and how it ends."""
        return subprocess.run(self.agent.command(*options), text=True, capture_output=True,
                              timeout=api.READY_S, check=False,
                              env=self.agent.environment(**environment))

    def ends(self, **environment):
        """The exit status of a start that comes to no good; None: it serves."""
        log = self.agent.directory / "log"
        log.write_text("")
        with unittest.mock.patch.dict(os.environ, environment), \
                contextlib.suppress(RuntimeError):
            self.agent.start()
        status = self.agent.process.poll()
        if status is None:
            self.agent.process.kill()
            self.agent.process.wait()
        self.agent.process = None
        return None if " serves " in self.agent.log else status

    def check_declaration(self):
        """All of it, as the same resources as before."""
        config = self.agent.get("/v1/config").body
        self.assertEqual({kind: config[kind] for kind in KINDS}, DECLARATION)
        for table, kind in KINDS.items():
            for name, uid, generation in query(
                    self.original, f"SELECT name, uid, generation FROM {table}"):
                resource = self.agent.get(f"/v1/{kind}/{name}").body
                self.assertEqual((resource["uid"], resource["generation"]), (uid, generation))
        self.assertEqual(self.agent.get("/v1/status").body["revision"], 2)

    def upgrade(self):
        """From what is there now to the end."""
        self.agent.start()
        self.check_declaration()
        self.assertEqual(self.agent.stop(), 0)
        self.assertEqual(schema_of(self.agent.db), NEWEST)

    def keep_original(self):
        self.original = self.agent.directory / "original.db"
        self.original.write_bytes(self.agent.db.read_bytes())

    def old(self, schema):
        self.fixture(schema)
        self.keep_original()

    def test_every_schema_has_a_fixture(self):
        self.assertEqual(SCHEMAS, list(range(1, NEWEST + 1)))
        for schema in SCHEMAS:
            with self.subTest(schema):
                self.fixture(schema)
                self.assertEqual(schema_of(self.agent.db), schema)

    def test_databases_of_every_schema_are_opened_and_backed_up(self):
        for schema in SCHEMAS:
            with self.subTest(schema):
                self.old(schema)
                self.upgrade()
                old = [path for path in self.names() if ".schema-" in path]
                if schema == NEWEST:
                    self.assertEqual(old, [])
                    continue
                self.assertEqual(old, [f"ipipd.db.schema-{schema}"])
                self.assertEqual(dump(self.backup(schema)), self.before)
                mode = os.stat(self.backup(schema)).st_mode
                self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_a_new_database_has_no_backup(self):
        self.agent.start()
        self.agent.stop()
        self.assertEqual(self.names(), ["ipipd.db", "ipipd.db.lock"])

    def test_an_older_backup_of_that_schema_is_replaced(self):
        self.old(1)
        self.backup(1).write_text("older")
        self.backup(1).with_name("ipipd.db.schema-1.new").write_text("cut short")
        self.upgrade()
        self.assertEqual(dump(self.backup(1)), self.before)
        self.assertNotIn("ipipd.db.schema-1.new", self.names())

    def leave_in_log(self, *statements):
        """As a kill would: the file itself does not know of them."""
        log = self.agent.db.with_name("ipipd.db-wal")
        database = sqlite3.connect(self.agent.db)
        database.execute("PRAGMA journal_mode = wal")
        for statement in statements:
            database.execute(statement)
        database.commit()
        kept = self.agent.db.read_bytes(), log.read_bytes()
        database.close()  # which puts them there
        self.agent.db.write_bytes(kept[0])
        log.write_bytes(kept[1])

    def test_what_only_the_log_holds_is_in_the_backup(self):
        self.fixture(1)
        self.leave_in_log("UPDATE tunnels SET comment = 'last words' WHERE name = 'few'")
        self.agent.start()
        self.assertEqual(self.agent.get("/v1/tunnels/few").body["comment"], "last words")
        self.assertEqual(query(self.backup(1), "SELECT comment FROM tunnels WHERE name = 'few'"),
                         [("last words",)])

    def test_a_kill_at_each_step_loses_nothing(self):
        names = failpoints()
        self.assertGreaterEqual(len(names), 7)
        for name in names:
            with self.subTest(name):
                self.old(1)
                self.assertEqual(self.ends(IPIPD_FAILPOINT=name), -signal.SIGKILL)
                if name.startswith("migration."):
                    self.assertEqual(dump(self.backup(1)), self.before)
                self.upgrade()
                self.assertEqual(dump(self.backup(1)), self.before)

    def faults(self, point, action="", **environment):
        """Starts that end at the first passing of that point, the second, …, before it serves."""
        for k in range(1, 1000):
            self.old(1)
            with self.subTest(point, k=k):
                status = self.ends(IPIPD_FAILPOINT=f"{point}:{k}{action}", **environment)
                if status is None:
                    self.assertGreater(k, 3)
                    return
                yield status
                self.upgrade()

    def test_a_loss_of_power_at_each_write_and_sync_loses_nothing(self):
        for point in ("vfs.written", "vfs.synced"):
            for status in self.faults(point, IPIPD_VFS_DROP="1"):
                self.assertEqual(status, -signal.SIGKILL)

    def test_a_full_disk_leaves_all_as_it_was(self):
        refused = 0
        for status in self.faults("vfs.write", "+=ENOSPC"):
            self.assertEqual(status, 1)
            self.assertNotIn("ipipd.db.schema-1.new", self.names())
            if "is not migrated: its backup" in self.agent.log:
                refused += 1
                self.assertIn("disk is full", self.agent.log)
                self.assertNotIn("ipipd.db.schema-1", self.names())
                self.assertEqual(dump(self.agent.db), self.before)
        self.assertGreater(refused, 1)

    def test_a_backup_that_is_not_durable_is_none(self):
        self.old(1)
        shown = self.refused(IPIPD_FAILPOINT="backup.sync=EIO")
        self.assertEqual(shown.returncode, 1)
        self.assertIn("is not migrated: its backup", shown.stderr)
        self.assertEqual(dump(self.agent.db), self.before)
        self.assertEqual([name for name in self.names() if "schema" in name], [])

    def newer(self):
        """As a later version would leave it, after a kill."""
        self.old(NEWEST)
        self.agent.start()
        self.agent.post("/v1/reconcile?wait=10")
        self.agent.stop()
        self.backup(NEWEST).write_bytes(self.agent.db.read_bytes())
        self.leave_in_log("UPDATE tunnels SET comment = 'later'",
                          f"PRAGMA user_version = {NEWEST + 1}")

    def test_a_newer_schema_is_refused_and_the_kernel_left_alone(self):
        self.newer()
        kernel = self.agent.objects()
        before = {path: path.read_bytes() for path in self.agent.db.parent.glob("ipipd.db*")}
        for options in ((), ("--flush",)):
            shown = self.refused(*options)
            self.assertEqual(shown.returncode, 78, shown)
            self.assertIn(f"has schema {NEWEST + 1}, this version knows up to {NEWEST}: "
                          "start the newer version again, or", shown.stderr)
        self.assertTrue(kernel)
        self.assertEqual(self.agent.objects(), kernel)
        self.assertEqual(before, {path: path.read_bytes() for path in before})
        self.backup(NEWEST).unlink()
        self.assertRegex(self.refused().stderr, "start the newer version again\n")

    def test_the_advice_leads_back(self):
        self.newer()
        self.agent.db.parent.with_name("link").symlink_to(self.agent.db)
        self.agent.db, real = self.agent.db.parent.with_name("link"), self.agent.db
        advice = re.search("rm -f .*", self.refused().stderr)[0]
        subprocess.run(advice, shell=True, check=True)
        self.assertFalse(real.is_symlink())
        self.agent.start()
        self.check_declaration()
        self.assertEqual(self.agent.post("/v1/plan").body["ops"], [])


if __name__ == "__main__":
    api.main()
