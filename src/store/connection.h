/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Inside store/ only: what a struct store is. Its statements are prepared at their first
 * use and live as long as it does.
 */

#include "model/declaration.h"
#include "store/database.h"
#include "store/sql.h"
#include "store/store.h"

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_SAVEPOINT,
	STATEMENT_RELEASE,
	STATEMENT_ROLLBACK_TO,
	STATEMENT_META_GET,
	STATEMENT_META_SET,
	STATEMENT_FROM_LOAD,
	STATEMENT_FROM_PUT,
	STATEMENT_FROM_DELETE,
	STATEMENT_LEDGER_DROP,
	STATEMENT_LEDGER_LOAD,
	STATEMENT_LEDGER_PUT,
	STATEMENT_LEDGER_DELETE,
	STATEMENT_EVENTS_NEWEST,
	STATEMENT_EVENTS_OLDEST,
	STATEMENT_EVENTS_ADD,
	STATEMENT_EVENTS_SWEEP,
	STATEMENT_EVENTS_READ,
	STATEMENTS,
};

enum { CONNECTION_FIELDS_MAX = 64, CONNECTION_BOOT_ID = 64 };

/* statements of a resource kind's table, and of the child table of each list */
struct table {
	sqlite3_stmt *add, *change, *remove;
	struct list_table {
		sqlite3_stmt *put[2], *trim; /* put: of one row, and of many */
	} lists[CONNECTION_FIELDS_MAX];      /* at the index of the field */
};

/* ids of the newest event: in the transaction, at its savepoint, and of those that will last */
struct store_events {
	unsigned kept;
	uint64_t last, saved, durable;
};

struct store {
	struct database database;
	uint32_t database_id;
	bool begun; /* by store_begin; SQLite may have given it up, see connection_check */
	bool saved; /* a savepoint stands */
	struct store_events events;
	uint64_t write_failures;
	char boot_id[CONNECTION_BOOT_ID]; /* "" until the ledger is loaded */
	uint64_t namespace_cookie;
	sqlite3_stmt *statements[STATEMENTS];
	struct table tables[RESOURCE_KINDS];
};

/* Prepares it at its first use; fails as connection_check does. */
int connection_statement(struct store *store, enum statement id, sqlite3_stmt **statement,
			 struct err *err) must_check;
/* Prepares and runs one without parameters. */
int connection_run(struct store *store, enum statement id, struct err *err) must_check;
/*
 * May one write? A full or failing disk makes SQLite roll back by itself: what was written
 * since store_begin is gone, and a further write would be committed on its own. So nothing
 * is written until the owner of the transaction has ended it. -EIO. A rollback that failed
 * is done again first.
 */
int connection_check(struct store *store, struct err *err) must_check;
void connection_finalize(struct store *store);
