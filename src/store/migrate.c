/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bringing a database to the schema of this version. The texts are those of db/; what was before
 * is kept by backup.c.
 */
#include "store/migrate.h"

#include <stdio.h>

#include "base/failpoint.h"
#include "store/backup.h"
#include "store/sql.h"

/* A text has many statements; comments and blanks behind the last one prepare to NULL. */
static int run_all(sqlite3 *db, const char *text, struct err *err)
{
	int result = 0;

	while (*text && !result) {
		cleanup_finalize sqlite3_stmt *statement = NULL;

		if (sqlite3_prepare_v2(db, text, -1, &statement, &text))
			return sql_failure(db, err);
		if (statement)
			result = sql_run(statement, err);
	}
	return result;
}

static int step(sqlite3 *db, const char *text, unsigned version, struct err *err)
{
	char number[48];
	int result = sql_once(db, "BEGIN IMMEDIATE", err);

	if (result)
		return result;
	failpoint("migration.begun");
	snprintf(number, sizeof(number), "PRAGMA user_version = %u", version);
	result = run_all(db, text, err);
	if (!result)
		result = sql_once(db, number, err);
	failpoint("migration.commit");
	if (!result)
		result = sql_once(db, "COMMIT", err);
	failpoint("migration.committed");
	/* some failures roll back by themselves, then there is nothing left to do */
	if (result && !sqlite3_get_autocommit(db))
		(void)!sql_once(db, "ROLLBACK", NULL);
	return result;
}

int migrate_run(sqlite3 *db, const char *const *texts, unsigned count, struct err *err)
{
	int64_t version;
	int result = sql_integer(db, "PRAGMA user_version", &version, err);

	if (!result && version > 0 && version < count)
		result = backup_make(db, (unsigned)version, err);
	for (unsigned i = result ? count : (unsigned)version; i < count && !result; i++)
		result = step(db, texts[i], i + 1, err);
	return result;
}
