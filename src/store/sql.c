/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running prepared statements, and what SQLite's result codes mean as errno. Which
 * statements there are is the business of the other files.
 */
#include "store/sql.h"

#include <errno.h>
#include <string.h>

static int code_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
		return -EINVAL;
	default:
		return -EIO;
	}
}

int sql_failure(sqlite3 *db, struct err *err)
{
	int code = sqlite3_extended_errcode(db), primary = code & 0xff;
	/* an older failure's, unless this one is of the system */
	int system = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN
			     ? sqlite3_system_errno(db)
			     : 0;

	return err_set(err, code_errno(code), "database: %s%s%s", sqlite3_errmsg(db),
		       system ? ": " : "", system ? strerror(system) : "");
}

int sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **statement, struct err *err)
{
	if (*statement)
		return 0;
	if (sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL))
		return sql_failure(db, err);
	return 0;
}

/* What could not be bound, for want of memory: SQLite would run with NULL in its place. */
static struct {
	const sqlite3_stmt *statement;
	int code;
} unbound;

static int take_unbound(struct err *err)
{
	unbound.statement = NULL;
	return err_set(err, code_errno(unbound.code), "database: %s", sqlite3_errstr(unbound.code));
}

int sql_next(sqlite3_stmt *statement, struct err *err)
{
	if (statement == unbound.statement)
		return take_unbound(err);
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return sql_failure(sqlite3_db_handle(statement), err);
	}
}

int sql_run(sqlite3_stmt *statement, struct err *err)
{
	cleanup_reset sqlite3_stmt *running = statement;
	int result;

	while ((result = sql_next(running, err)) > 0)
		;
	return result;
}

int sql_once(sqlite3 *db, const char *text, struct err *err)
{
	cleanup_finalize sqlite3_stmt *statement = NULL;
	int result = sql_prepare(db, text, &statement, err);

	return result ? result : sql_run(statement, err);
}

int sql_integer(sqlite3 *db, const char *text, int64_t *value, struct err *err)
{
	cleanup_finalize sqlite3_stmt *statement = NULL;
	int result = sql_prepare(db, text, &statement, err);

	if (result)
		return result;
	result = sql_next(statement, err);
	if (result < 0)
		return result;
	if (result == 0)
		return err_set(err, -EUCLEAN, "database: no answer to %s", text);
	*value = sqlite3_column_int64(statement, 0);
	return 0;
}

static void bind(sqlite3_stmt *statement, int parameter, const char *s,
		 sqlite3_destructor_type destructor)
{
	int code = sqlite3_bind_text(statement, parameter, s, -1, destructor);

	if (code) {
		unbound.statement = statement;
		unbound.code = code;
	}
}

void sql_bind_text(sqlite3_stmt *statement, int parameter, const char *s)
{
	bind(statement, parameter, s, SQLITE_STATIC);
}

void sql_bind_copy(sqlite3_stmt *statement, int parameter, const char *s)
{
	bind(statement, parameter, s, SQLITE_TRANSIENT);
}

const char *sql_text(sqlite3_stmt *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	return text ? (const char *)text : "";
}

bool sql_is_null(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL;
}
