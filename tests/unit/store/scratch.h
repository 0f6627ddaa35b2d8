/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* For the tests of store/: a folder of its own with a database in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/connection.h"

#define assert_ok(call) assert_int_equal((call), 0)

struct scratch {
	char folder[32];
	char path[64]; /* FOLDER/state/ipipd.db; state is not there yet */
	struct store *store;
	bool created;
	struct err err;
};

static inline int scratch_remove_one(const char *path, const struct stat *st, int type,
				     struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void scratch_open(struct scratch *s)
{
	int result = store_open(&s->store, s->path, &s->created, &s->err);

	if (result)
		fail_msg("store_open: %d %s", result, s->err.sentence);
}

static inline void scratch_close(struct scratch *s)
{
	store_close(s->store);
	s->store = NULL;
}

static inline void scratch_reopen(struct scratch *s)
{
	scratch_close(s);
	scratch_open(s);
}

/* A statement on the store's own connection; with NULL, on one that is made for it. */
static inline void scratch_sql(const struct scratch *s, const char *text)
{
	sqlite3 *db = s->store ? s->store->database.db : NULL;

	if (!db)
		assert_ok(sqlite3_open(s->path, &db));
	if (sqlite3_exec(db, text, NULL, NULL, NULL))
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	if (!s->store)
		sqlite3_close(db);
}

static inline int64_t scratch_number(const struct scratch *s, const char *text)
{
	int64_t number = -1;

	assert_ok(sql_integer(s->store->database.db, text, &number, NULL));
	return number;
}

static inline int scratch_setup_closed(void **state)
{
	struct scratch *s = xcalloc(1, sizeof(*s));

	snprintf(s->folder, sizeof(s->folder), "/tmp/ipipd-store-XXXXXX");
	if (!mkdtemp(s->folder))
		return -1;
	snprintf(s->path, sizeof(s->path), "%s/state/ipipd.db", s->folder);
	*state = s;
	return 0;
}

static inline int scratch_setup(void **state)
{
	int result = scratch_setup_closed(state);

	if (!result)
		scratch_open(*state);
	return result;
}

static inline int scratch_teardown(void **state)
{
	struct scratch *s = *state;

	scratch_close(s);
	nftw(s->folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(s);
	return 0;
}

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
#define scratch_test_closed(name)                                                                  \
	cmocka_unit_test_setup_teardown(name, scratch_setup_closed, scratch_teardown)
