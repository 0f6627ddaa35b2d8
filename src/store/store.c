/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening and closing the store, and the few values that belong to the database as a
 * whole. Transactions are in connection.c, rows in rows.c, the ledger in ledger.c.
 */
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/failpoint.h"
#include "store/connection.h"
#include "store/migrate.h"
#include "store/migrations.h"
#include "store/rows.h"

static const char id_name[] = "database_id", revision_name[] = "revision";

/* A database without an id is one that was just made. */
static int take_id(struct store *store, bool *made, struct err *err)
{
	char hex[9] = "", *end = hex;
	int result = store_meta_get(store, id_name, hex, sizeof(hex), err);

	if (result)
		return result;
	*made = hex[0] == '\0';
	if (!*made) {
		store->database_id = (uint32_t)strtoul(hex, &end, 16);
		if (*end || strlen(hex) != 8)
			return err_set(err, -EUCLEAN, "database: its id is damaged");
		return 0;
	}
	if (getrandom(&store->database_id, sizeof(store->database_id), 0) !=
	    sizeof(store->database_id))
		return err_set(err, -EIO, "cannot get random bytes: %s", strerror(errno));
	snprintf(hex, sizeof(hex), "%08" PRIx32, store->database_id);
	failpoint("database.id");
	return store_meta_set(store, id_name, hex, err);
}

int store_open(struct store **store, const char *path, bool *created, struct err *err)
{
	struct store *opened = xcalloc(1, sizeof(*opened));
	bool made = false;
	int result = database_open(&opened->database, path, migrations_count, err);

	if (result) {
		free(opened);
		return result;
	}
	result = migrate_run(opened->database.db, migrations, migrations_count, err);
	if (!result)
		result = take_id(opened, &made, err);
	if (result) {
		store_close(opened);
		return result;
	}
	*store = opened;
	*created = made;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store_rollback(store);
	connection_finalize(store);
	database_close(&store->database);
	free(store);
}

uint32_t store_database_id(const struct store *store)
{
	return store->database_id;
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

uint64_t store_size_bytes(const struct store *store)
{
	const char *path = sqlite3_db_filename(store->database.db, "main");

	return size_of(path) + (path ? size_of(sqlite3_filename_wal(path)) : 0);
}

uint64_t store_write_failures(const struct store *store)
{
	return store->write_failures;
}

int store_meta_get(struct store *store, const char *name, char *value, size_t size, struct err *err)
{
	cleanup_reset sqlite3_stmt *get = NULL;
	int result = connection_statement(store, STATEMENT_META_GET, &get, err);

	if (result)
		return result;
	sql_bind_text(get, 1, name);
	result = sql_next(get, err);
	if (result < 0)
		return result;
	const char *found = result ? sql_text(get, 0) : "";
	if (strlen(found) >= size)
		return err_set(err, -EUCLEAN, "database: the value of %s is too long", name);
	memcpy(value, found, strlen(found) + 1);
	return 0;
}

int store_meta_set(struct store *store, const char *name, const char *value, struct err *err)
{
	sqlite3_stmt *set = NULL;
	int result = connection_statement(store, STATEMENT_META_SET, &set, err);

	if (result)
		return result;
	sql_bind_text(set, 1, name);
	sql_bind_text(set, 2, value);
	return sql_run(set, err);
}

int store_set_revision(struct store *store, uint64_t revision, struct err *err)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, revision);
	return store_meta_set(store, revision_name, number, err);
}

static int load_revision(struct store *store, uint64_t *revision, struct err *err)
{
	char number[24], *end;
	int result = store_meta_get(store, revision_name, number, sizeof(number), err);

	if (result)
		return result;
	errno = 0;
	unsigned long long value = strtoull(number, &end, 10);
	if (errno || *end)
		return err_set(err, -EUCLEAN, "database: its revision is damaged");
	*revision = value;
	return 0;
}

static uint64_t last_change(const struct resources *list, uint64_t revision)
{
	for (size_t i = 0; i < list->len; i++)
		if (list->v[i]->revision > revision)
			revision = list->v[i]->revision;
	return revision;
}

/* What refers to nobody, which a foreign key keeps others from; members of lists that do are
 * found when they are read. */
static int check_references(const struct declaration *declaration, struct err *err)
{
	const struct resources *routes = &declaration->kind[KIND_EXIT_ROUTE];

	for (size_t i = 0; i < routes->len; i++) {
		const struct exit_route *route = (const struct exit_route *)routes->v[i];

		if (!route->head.deleting &&
		    !declaration_find(declaration, KIND_TUNNEL, route->tunnel, NULL))
			return err_set(err, -EUCLEAN, "database: exit-route %s refers to no tunnel",
				       route->head.name);
	}
	return 0;
}

int store_load(struct store *store, struct declaration *declaration, struct err *err)
{
	uint64_t revision = 0;
	int result = load_revision(store, &revision, err);

	for (unsigned i = 0; i < RESOURCE_KINDS && !result; i++) {
		result = rows_load(store, kinds[i], declaration, err);
		revision = last_change(&declaration->kind[i], revision);
	}
	if (!result)
		result = check_references(declaration, err);
	if (!result)
		declaration->revision = revision;
	return result;
}
