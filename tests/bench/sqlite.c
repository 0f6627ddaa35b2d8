/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor of durability: rows like a tunnel's, with the settings of src/store.
 *
 *   bench_sqlite commits PATH COUNT GROUP     so many rows, GROUP to a commit
 *   bench_sqlite check PATH                   quick_check of a database
 */
#include "common.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static const char *const settings[] = {
	"PRAGMA locking_mode = exclusive",  "PRAGMA mmap_size = 0",      "PRAGMA temp_store = 2",
	"PRAGMA foreign_keys = 1",          "PRAGMA journal_mode = wal", "PRAGMA synchronous = 2",
	"PRAGMA wal_autocheckpoint = 1000",
};

static const char schema[] =
	"CREATE TABLE tunnels (name TEXT NOT NULL PRIMARY KEY, remote TEXT NOT NULL,"
	" enabled INTEGER, uid TEXT NOT NULL, generation INTEGER NOT NULL,"
	" revision INTEGER NOT NULL,"
	" created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID";

static const char insert[] = "INSERT INTO tunnels VALUES (?1, '198.18.0.1', 0,"
			     " '00000000-0000-4000-8000-000000000000', 1, ?2, 1, 1)";

static void run(sqlite3 *db, const char *text)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		die("%s: %s", text, sqlite3_errmsg(db));
}

static void commits(sqlite3 *db, unsigned long count, unsigned long group)
{
	struct times times = {0};
	sqlite3_stmt *row = NULL;

	run(db, schema);
	if (sqlite3_prepare_v2(db, insert, -1, &row, NULL) != SQLITE_OK)
		die("%s", sqlite3_errmsg(db));
	for (unsigned long done = 0; done < count;) {
		uint64_t start = now_ns();

		run(db, "BEGIN IMMEDIATE");
		for (unsigned long i = 0; i < group && done < count; i++, done++) {
			char name[32];

			snprintf(name, sizeof(name), "p%06lu", done);
			sqlite3_bind_text(row, 1, name, -1, SQLITE_TRANSIENT);
			sqlite3_bind_int64(row, 2, (sqlite3_int64)done);
			if (sqlite3_step(row) != SQLITE_DONE)
				die("insert: %s", sqlite3_errmsg(db));
			sqlite3_reset(row);
		}
		run(db, "COMMIT");
		times_add(&times, now_ns() - start);
	}
	sqlite3_finalize(row);
	times_print(&times, 0);
}

static void check(sqlite3 *db)
{
	struct times times = {0};
	uint64_t start = now_ns();

	run(db, "PRAGMA quick_check(1)");
	times_add(&times, now_ns() - start);
	times_print(&times, 0);
}

int main(int argc, char **argv)
{
	sqlite3 *db = NULL;

	if (argc < 3 || (argc != 5 && strcmp(argv[1], "check") != 0))
		die("usage: bench_sqlite commits PATH COUNT GROUP | check PATH");
	if (sqlite3_open(argv[2], &db) != SQLITE_OK)
		die("%s: %s", argv[2], sqlite3_errmsg(db));
	for (size_t i = 0; i < BENCH_LEN(settings); i++)
		run(db, settings[i]);
	if (argc == 3)
		check(db);
	else
		commits(db, number(argv[3]), number(argv[4]));
	sqlite3_close(db);
	return 0;
}
