/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Migrations: in order, each whole or not at all; and db/ against the field tables. */
#include "unit/store/scratch.h"

#include <errno.h>
#include <string.h>

#include "store/migrate.h"
#include "store/rows.h"
#include "store/value.h"

static const char *const steps[] = {
	"CREATE TABLE one (a INTEGER) STRICT;\n-- a comment at the end\n",
	"INSERT INTO one VALUES (1); INSERT INTO one VALUES (2);",
	"INSERT INTO one VALUES (3); INSERT INTO nowhere VALUES (4);",
};

static int64_t number(sqlite3 *db, const char *text)
{
	int64_t value = -1;

	assert_ok(sql_integer(db, text, &value, NULL));
	return value;
}

static void failed_step_leaves_the_version_before_it(void **state)
{
	struct err err = {0};
	sqlite3 *db;

	(void)state;
	assert_ok(sqlite3_open(":memory:", &db));
	assert_int_equal(migrate_run(db, steps, 3, &err), -EIO);
	assert_non_null(strstr(err.sentence, "nowhere"));
	assert_int_equal(number(db, "PRAGMA user_version"), 2);
	assert_int_equal(number(db, "SELECT count(*) FROM one"), 2);
	assert_true(sqlite3_get_autocommit(db));
	sqlite3_close(db);
}

static void open_beside(struct scratch *s, sqlite3 **db)
{
	snprintf(s->path, sizeof(s->path), "%s/one.db", s->folder);
	assert_ok(sqlite3_open(s->path, db));
}

static void runs_only_the_steps_that_are_missing(void **state)
{
	sqlite3 *db;

	open_beside(*state, &db);
	assert_ok(migrate_run(db, steps, 1, NULL));
	assert_int_equal(number(db, "SELECT count(*) FROM one"), 0);
	assert_ok(migrate_run(db, steps, 2, NULL));
	assert_ok(migrate_run(db, steps, 2, NULL));
	assert_int_equal(number(db, "SELECT count(*) FROM one"), 2);
	sqlite3_close(db);
}

static void backs_up_what_it_is_about_to_change(void **state)
{
	struct scratch *s = *state;
	struct err err = {0};
	char path[80];
	sqlite3 *db;

	open_beside(s, &db);
	snprintf(path, sizeof(path), "%s.schema-1", s->path);
	assert_ok(migrate_run(db, steps, 1, NULL));
	assert_int_equal(access(path, F_OK), -1);
	/* the one step does, the next one fails */
	assert_int_equal(migrate_run(db, steps, 3, &err), -EIO);
	assert_int_equal(number(db, "PRAGMA user_version"), 2);
	sqlite3_close(db);
	assert_ok(sqlite3_open(path, &db));
	assert_int_equal(number(db, "PRAGMA user_version"), 1);
	assert_int_equal(number(db, "SELECT count(*) FROM one"), 0);
	sqlite3_close(db);
}

static void changes_nothing_without_a_backup(void **state)
{
	struct scratch *s = *state;
	struct err err = {0};
	char path[80];
	sqlite3 *db;

	open_beside(s, &db);
	assert_ok(migrate_run(db, steps, 1, NULL));
	snprintf(path, sizeof(path), "%s.schema-1", s->path);
	assert_ok(mkdir(path, 0700)); /* which no file replaces */
	assert_int_equal(migrate_run(db, steps, 2, &err), -EISDIR);
	assert_non_null(strstr(err.sentence, "is not migrated: its backup"));
	assert_int_equal(number(db, "PRAGMA user_version"), 1);
	assert_int_equal(number(db, "SELECT count(*) FROM one"), 0);
	snprintf(path, sizeof(path), "%s.schema-1.new", s->path);
	assert_int_equal(access(path, F_OK), -1);
	sqlite3_close(db);
}

static bool is_integer(const struct field *field)
{
	switch (field->type) {
	case FIELD_BOOL:
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
	case FIELD_PREFIXES:
	case FIELD_LABELS:
		return true;
	case FIELD_NAME:
	case FIELD_STRING:
	case FIELD_CHOICE:
	case FIELD_ADDR:
	case FIELD_PREFIX:
	case FIELD_ROWS:
		break;
	}
	return false;
}

static void assert_child_table(const struct scratch *s, const struct kind *kind,
			       const struct field *field)
{
	const char *columns = field->type == FIELD_LABELS ? "resource,position,key,value"
							  : "resource,position,prefix";
	char text[512];

	snprintf(text, sizeof(text),
		 "SELECT group_concat(name) = '%s' FROM pragma_table_info('%s_%s')", columns,
		 kind->member, field->name);
	if (scratch_number(s, text) != 1)
		fail_msg("%s_%s is missing or has other columns", kind->member, field->name);
	snprintf(text, sizeof(text),
		 "SELECT count(*) FROM pragma_foreign_key_list('%s_%s')"
		 " WHERE \"table\" = '%s' AND \"from\" = 'resource' AND on_delete = 'CASCADE'",
		 kind->member, field->name, kind->member);
	assert_int_equal(scratch_number(s, text), 1);
}

/* column i is there, of that name and type, and NOT NULL exactly when it must be given */
static void assert_column(const struct scratch *s, const struct kind *kind, unsigned i,
			  const struct field *field)
{
	const char *name = field ? field->name : rows_agent_columns[i - kind->n_fields];
	bool integer = field ? is_integer(field) : i - kind->n_fields != ROWS_UID;
	bool always = !field || field->flags & (FIELD_KEY | FIELD_REQUIRED);
	char text[512];

	snprintf(text, sizeof(text),
		 "SELECT count(*) FROM pragma_table_info('%s') WHERE cid = %u AND name = '%s'"
		 " AND type = '%s' AND \"notnull\" = %d",
		 kind->member, i, name, integer ? "INTEGER" : "TEXT", always);
	if (scratch_number(s, text) != 1)
		fail_msg("column %u of %s is not %s", i, kind->member, name);
}

static void tables_equal_the_field_tables(void **state)
{
	struct scratch *s = *state;
	int64_t tables = 4; /* meta, from_numbers, ledger, events */
	char text[256];

	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		const struct kind *kind = kinds[k];

		tables++;
		for (unsigned i = 0; i < kind->n_fields; i++) {
			assert_column(s, kind, i, &kind->fields[i]);
			if (value_is_list(&kind->fields[i])) {
				assert_child_table(s, kind, &kind->fields[i]);
				tables++;
			}
		}
		for (unsigned i = 0; i < ROWS_AGENT_COLUMNS; i++)
			assert_column(s, kind, kind->n_fields + i, NULL);
		snprintf(text, sizeof(text), "SELECT count(*) FROM pragma_table_info('%s')",
			 kind->member);
		assert_int_equal(scratch_number(s, text), kind->n_fields + ROWS_AGENT_COLUMNS);
	}
	assert_int_equal(scratch_number(s, "SELECT count(*) FROM pragma_table_list"
					   " WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'"),
			 tables);
	assert_int_equal(scratch_number(s, "SELECT count(*) FROM pragma_table_list"
					   " WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'"
					   " AND NOT strict"),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failed_step_leaves_the_version_before_it),
		scratch_test_closed(runs_only_the_steps_that_are_missing),
		scratch_test_closed(backs_up_what_it_is_about_to_change),
		scratch_test_closed(changes_nothing_without_a_backup),
		scratch_test(tables_equal_the_field_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
