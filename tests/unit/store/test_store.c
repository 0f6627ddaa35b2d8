/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What belongs to the database as a whole. */
#include "unit/store/scratch.h"

#include <errno.h>
#include <string.h>

static void new_database_says_so_once_and_keeps_its_id(void **state)
{
	struct scratch *s = *state;

	scratch_open(s);
	uint32_t id = store_database_id(s->store);
	assert_true(s->created);
	scratch_reopen(s);
	assert_false(s->created);
	assert_int_equal(store_database_id(s->store), id);
}

static void two_databases_have_two_ids(void **state)
{
	struct scratch *s = *state;

	scratch_open(s);
	uint32_t id = store_database_id(s->store);
	scratch_close(s);
	assert_ok(remove(s->path));
	scratch_open(s);
	assert_true(s->created);
	assert_int_not_equal(store_database_id(s->store), id);
}

static void damaged_id_is_refused(void **state)
{
	struct scratch *s = *state;

	scratch_sql(s, "UPDATE meta SET value = 'nonsense' WHERE name = 'database_id'");
	scratch_close(s);
	assert_int_equal(store_open(&s->store, s->path, &s->created, &s->err), -EUCLEAN);
	assert_null(s->store);
}

static void size_is_that_of_its_files(void **state)
{
	struct scratch *s = *state;
	struct stat file, log;
	char path[80];

	assert_ok(store_meta_set(s->store, "host_id", "one", NULL));
	snprintf(path, sizeof(path), "%s-wal", s->path);
	assert_ok(stat(s->path, &file));
	assert_ok(stat(path, &log));
	assert_true(log.st_size > 0);
	assert_int_equal(store_size_bytes(s->store), file.st_size + log.st_size);
}

static void meta_values_come_back(void **state)
{
	struct scratch *s = *state;
	char value[8];

	assert_ok(store_meta_get(s->store, "host_id", value, sizeof(value), NULL));
	assert_string_equal(value, "");
	assert_ok(store_meta_set(s->store, "host_id", "one", NULL));
	assert_ok(store_meta_set(s->store, "host_id", "seven77", NULL));
	scratch_reopen(s);
	assert_ok(store_meta_get(s->store, "host_id", value, sizeof(value), NULL));
	assert_string_equal(value, "seven77");
	assert_int_equal(store_meta_get(s->store, "host_id", value, 7, &s->err), -EUCLEAN);
}

static void empty_database_loads_as_empty_declaration(void **state)
{
	struct scratch *s = *state;
	struct declaration d = {.revision = 7};

	assert_ok(store_load(s->store, &d, NULL));
	assert_true(d.revision == 0);
	for (unsigned i = 0; i < RESOURCE_KINDS; i++)
		assert_int_equal(d.kind[i].len, 0);
	declaration_done(&d);
}

static void damaged_revision_is_refused(void **state)
{
	struct scratch *s = *state;
	struct declaration d = {0};

	scratch_sql(s, "INSERT INTO meta VALUES ('revision', 'x')");
	assert_int_equal(store_load(s->store, &d, &s->err), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test_closed(new_database_says_so_once_and_keeps_its_id),
		scratch_test_closed(two_databases_have_two_ids),
		scratch_test(damaged_id_is_refused),
		scratch_test(size_is_that_of_its_files),
		scratch_test(meta_values_come_back),
		scratch_test(empty_database_loads_as_empty_declaration),
		scratch_test(damaged_revision_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
