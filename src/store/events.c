/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events as rows of a ring. What they say is the daemon's; here they get their ids, are read
 * again from an id on, and the oldest go.
 */
#include <errno.h>
#include <string.h>

#include "base/failpoint.h"
#include "store/connection.h"

enum {
	/* so many go at a time: a deletion costs one statement in as many events */
	SWEEP = 256,
	READ_MAX = 256,
};

static int newest_row(struct store *store, uint64_t *id, struct err *err)
{
	cleanup_reset sqlite3_stmt *newest = NULL;
	int result = connection_statement(store, STATEMENT_EVENTS_NEWEST, &newest, err);

	if (!result)
		result = sql_next(newest, err);
	if (result < 0)
		return result;
	*id = result ? (uint64_t)sqlite3_column_int64(newest, 0) : 0;
	return 0;
}

int store_events_load(struct store *store, unsigned kept, struct err *err)
{
	uint64_t newest = 0;
	int result = newest_row(store, &newest, err);

	if (result)
		return result;
	store->events = (struct store_events){.kept = kept, .last = newest, .durable = newest};
	return 0;
}

static int sweep(struct store *store, uint64_t newest, struct err *err)
{
	sqlite3_stmt *statement = NULL;
	int result = connection_statement(store, STATEMENT_EVENTS_SWEEP, &statement, err);

	if (result)
		return result;
	failpoint("events.sweep");
	sqlite3_bind_int64(statement, 1, (int64_t)(newest - store->events.kept));
	return sql_run(statement, err);
}

int store_event_add(struct store *store, const struct store_event *event, struct err *err)
{
	sqlite3_stmt *add = NULL;

	if (!store->begun)
		return err_set(err, -EINVAL, "database: an event needs a transaction");
	int result = connection_statement(store, STATEMENT_EVENTS_ADD, &add, err);
	if (result)
		return result;
	/* the first id is the time: those of another database are older than the oldest here,
	 * or newer than the newest, and not taken for ours */
	uint64_t last = store->events.last, id = last ? last + 1 : (uint64_t)event->time_ms;
	sqlite3_bind_int64(add, 1, (int64_t)id);
	sqlite3_bind_int64(add, 2, event->time_ms);
	sql_bind_text(add, 3, event->type);
	sql_bind_text(add, 4, event->kind);
	sql_bind_text(add, 5, event->name);
	sql_bind_text(add, 6, event->names);
	sql_bind_text(add, 7, event->document);
	result = sql_run(add, err);
	if (result)
		return result;
	store->events.last = id;
	return id % SWEEP ? 0 : sweep(store, id, err);
}

uint64_t store_events_newest(const struct store *store)
{
	return store->events.durable;
}

int store_events_oldest(struct store *store, uint64_t *id, struct err *err)
{
	cleanup_reset sqlite3_stmt *oldest = NULL;
	int result = connection_statement(store, STATEMENT_EVENTS_OLDEST, &oldest, err);

	if (!result)
		result = sql_next(oldest, err);
	if (result < 0)
		return result;
	*id = result ? (uint64_t)sqlite3_column_int64(oldest, 0) : 0;
	return 0;
}

static const char *text_or_null(sqlite3_stmt *statement, int column)
{
	return sql_is_null(statement, column) ? NULL : sql_text(statement, column);
}

int store_events_read(struct store *store, uint64_t after,
		      bool (*each)(void *user, const struct store_event *event), void *user,
		      struct err *err)
{
	cleanup_reset sqlite3_stmt *read = NULL;
	int result = connection_statement(store, STATEMENT_EVENTS_READ, &read, err), count = 0;

	if (result)
		return result;
	sqlite3_bind_int64(read, 1, (int64_t)after);
	sqlite3_bind_int64(read, 2, (int64_t)store->events.durable);
	sqlite3_bind_int64(read, 3, READ_MAX);
	while ((result = sql_next(read, err)) > 0) {
		const struct store_event event = {
			.id = (uint64_t)sqlite3_column_int64(read, 0),
			.time_ms = sqlite3_column_int64(read, 1),
			.type = sql_text(read, 2),
			.kind = text_or_null(read, 3),
			.name = text_or_null(read, 4),
			.names = text_or_null(read, 5),
			.document = sql_text(read, 6),
		};

		count++;
		if (!each(user, &event))
			return count;
	}
	return result ? result : count;
}
