/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The turn's transaction and the statements that are not made from field tables. Who
 * writes what in it is for the daemon to say, what a row looks like for rows.c and ledger.c.
 */
#include "store/connection.h"

#include "base/failpoint.h"

#include <errno.h>
#include <string.h>

/* clang-format off */
static const char *const texts[STATEMENTS] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_SAVEPOINT] = "SAVEPOINT one_write",
	[STATEMENT_RELEASE] = "RELEASE one_write",
	[STATEMENT_ROLLBACK_TO] = "ROLLBACK TO one_write",
	[STATEMENT_META_GET] = "SELECT value FROM meta WHERE name = ?1",
	[STATEMENT_META_SET] =
		"INSERT INTO meta (name, value) VALUES (?1, ?2)"
		" ON CONFLICT (name) DO UPDATE SET value = excluded.value",
	[STATEMENT_FROM_LOAD] = "SELECT \"from\", \"table\" FROM from_numbers ORDER BY \"table\"",
	[STATEMENT_FROM_PUT] =
		"INSERT INTO from_numbers (\"from\", \"table\") VALUES (?1, ?2)"
		" ON CONFLICT (\"from\") DO UPDATE SET \"table\" = excluded.\"table\"",
	[STATEMENT_FROM_DELETE] = "DELETE FROM from_numbers WHERE \"from\" = ?1",
	[STATEMENT_LEDGER_DROP] = "DELETE FROM ledger WHERE boot_id <> ?1 OR namespace <> ?2",
	[STATEMENT_LEDGER_LOAD] = "SELECT kind, object, marks FROM ledger",
	[STATEMENT_LEDGER_PUT] =
		"INSERT INTO ledger (kind, key, object, marks, boot_id, namespace)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (kind, key) DO UPDATE SET"
		" object = excluded.object, marks = excluded.marks,"
		" boot_id = excluded.boot_id, namespace = excluded.namespace",
	[STATEMENT_LEDGER_DELETE] = "DELETE FROM ledger WHERE kind = ?1 AND key = ?2",
	[STATEMENT_EVENTS_NEWEST] = "SELECT id FROM events ORDER BY id DESC LIMIT 1",
	[STATEMENT_EVENTS_OLDEST] = "SELECT id FROM events ORDER BY id LIMIT 1",
	[STATEMENT_EVENTS_ADD] =
		"INSERT INTO events (id, time_ms, type, kind, name, names, document)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[STATEMENT_EVENTS_SWEEP] = "DELETE FROM events WHERE id <= ?1",
	[STATEMENT_EVENTS_READ] =
		"SELECT id, time_ms, type, kind, name, names, document FROM events"
		" WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
};
/* clang-format on */

int connection_statement(struct store *store, enum statement id, sqlite3_stmt **statement,
			 struct err *err)
{
	int result = connection_check(store, err);

	if (!result)
		result = sql_prepare(store->database.db, texts[id], &store->statements[id], err);
	if (!result)
		*statement = store->statements[id];
	return result;
}

int connection_run(struct store *store, enum statement id, struct err *err)
{
	int result = sql_prepare(store->database.db, texts[id], &store->statements[id], err);

	return result ? result : sql_run(store->statements[id], err);
}

int connection_check(struct store *store, struct err *err)
{
	bool is_open = !sqlite3_get_autocommit(store->database.db);

	if (store->begun && !is_open)
		return err_set(err, -EIO, "database: the transaction failed earlier");
	/* a rollback takes memory, too: what one left open is neither read nor added to */
	if (!store->begun && is_open)
		return connection_run(store, STATEMENT_ROLLBACK, err);
	return 0;
}

void connection_finalize(struct store *store)
{
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(store->statements[i]);
	for (size_t k = 0; k < RESOURCE_KINDS; k++) {
		struct table *table = &store->tables[k];

		sqlite3_finalize(table->add);
		sqlite3_finalize(table->change);
		sqlite3_finalize(table->remove);
		for (size_t i = 0; i < CONNECTION_FIELDS_MAX; i++) {
			sqlite3_finalize(table->lists[i].put[0]);
			sqlite3_finalize(table->lists[i].put[1]);
			sqlite3_finalize(table->lists[i].trim);
		}
	}
}

int store_begin(struct store *store, struct err *err)
{
	int result = connection_check(store, err);

	if (result || store->begun)
		return result;
	failpoint("store.begin");
	result = connection_run(store, STATEMENT_BEGIN, err);
	store->begun = result == 0;
	store->write_failures += result != 0;
	failpoint("store.begun");
	return result;
}

bool store_in_transaction(const struct store *store)
{
	return store->begun;
}

int store_commit(struct store *store, struct err *err)
{
	if (!store->begun)
		return 0;
	int result = connection_check(store, err);
	int fault = failpoint_error("store.commit");
	if (!result && fault)
		result = err_set(err, fault, "database: %s", strerror(-fault));
	if (!result)
		result = connection_run(store, STATEMENT_COMMIT, err);
	failpoint("store.committed");
	if (result && !sqlite3_get_autocommit(store->database.db))
		store->write_failures++; /* else it is counted when it is ended */
	if (result)
		store_rollback(store);
	store->begun = store->saved = false;
	store->events.durable = store->events.last;
	return result;
}

void store_rollback(struct store *store)
{
	bool given_up = store->begun && sqlite3_get_autocommit(store->database.db);

	store->write_failures += given_up;
	/* where it fails, connection_check makes up for it */
	if (store->begun && !given_up)
		(void)!connection_run(store, STATEMENT_ROLLBACK, NULL);
	store->begun = store->saved = false;
	store->events.last = store->events.durable;
}

int store_savepoint(struct store *store, struct err *err)
{
	if (!store->begun || store->saved)
		return err_set(err, -EINVAL, "database: a savepoint needs a transaction, once");
	int result = connection_check(store, err);
	if (!result)
		result = connection_run(store, STATEMENT_SAVEPOINT, err);
	store->saved = result == 0;
	store->events.saved = store->events.last;
	failpoint("store.saved");
	return result;
}

/* A broken reference would otherwise fail the commit, and every writer of the turn. */
static int check_references(const struct store *store, struct err *err)
{
	int broken = 0, high = 0;

	sqlite3_db_status(store->database.db, SQLITE_DBSTATUS_DEFERRED_FKS, &broken, &high, 0);
	if (broken)
		return err_set(err, -EINVAL, "database: a reference to a tunnel does not hold");
	return 0;
}

int store_release(struct store *store, struct err *err)
{
	if (!store->saved)
		return err_set(err, -EINVAL, "database: there is no savepoint");
	int result = connection_check(store, err);
	if (!result)
		result = check_references(store, err);
	if (!result)
		result = connection_run(store, STATEMENT_RELEASE, err);
	failpoint("store.released");
	if (result)
		store_rollback_to(store);
	store->saved = false;
	return result;
}

void store_rollback_to(struct store *store)
{
	bool stands = store->saved && !sqlite3_get_autocommit(store->database.db);

	store->write_failures += stands;
	if (stands && (connection_run(store, STATEMENT_ROLLBACK_TO, NULL) ||
		       connection_run(store, STATEMENT_RELEASE, NULL)))
		/* half of a write must not be committed with the rest: give up the turn */
		(void)!connection_run(store, STATEMENT_ROLLBACK, NULL);
	if (store->saved)
		store->events.last = store->events.saved;
	store->saved = false;
}
