/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Inside store/ only: running prepared statements. A statement is prepared once, at its
 * first use, and kept; between uses it is reset and has no bindings.
 */

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/cleanup.h"
#include "base/err.h"

/* What the connection's last error means: a negative errno, and SQLite's words in err. */
int sql_failure(sqlite3 *db, struct err *err);

/* Prepares text into *statement, unless that is prepared already. */
int sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **statement,
		struct err *err) must_check;
/* 1: a row is there; 0: no more; negative errno. Reset it when done: cleanup_reset. */
int sql_next(sqlite3_stmt *statement, struct err *err) must_check;
/* Runs it to its end and resets it. */
int sql_run(sqlite3_stmt *statement, struct err *err) must_check;
/* Prepares, runs and finalizes a text: for what is done once. */
int sql_once(sqlite3 *db, const char *text, struct err *err) must_check;
/* The integer in the first column of the first row of a text that is run once. */
int sql_integer(sqlite3 *db, const char *text, int64_t *value, struct err *err) must_check;

/* Where that fails, the next step does. s must live until the statement is reset; of sql_bind_copy
 * it need not. */
void sql_bind_text(sqlite3_stmt *statement, int parameter, const char *s);
void sql_bind_copy(sqlite3_stmt *statement, int parameter, const char *s);
/* "" for NULL; valid until the next step */
const char *sql_text(sqlite3_stmt *statement, int column);
bool sql_is_null(sqlite3_stmt *statement, int column);

static inline void sql_reset_(sqlite3_stmt **statement)
{
	if (*statement) {
		sqlite3_reset(*statement);
		sqlite3_clear_bindings(*statement);
	}
}

static inline void sql_finalize_(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

#define cleanup_reset    cleanup_(sql_reset_)
#define cleanup_finalize cleanup_(sql_finalize_)
