/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The database file: who may open it, and what is refused and left as it was. */
#include "unit/store/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "store/backup.h"
#include "store/migrations.h"

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_ok(stat(path, &st));
	return st.st_mode & 07777;
}

struct content {
	char *v;
	size_t len;
};

static struct content read_all(const char *path)
{
	struct content content = {0};
	struct stat st;
	int fd = open(path, O_RDONLY);

	assert_ok(fstat(fd, &st));
	content.len = (size_t)st.st_size;
	content.v = xmalloc(content.len);
	assert_int_equal(read(fd, content.v, content.len), st.st_size);
	close(fd);
	return content;
}

static void assert_refused(struct scratch *s, int number)
{
	struct content before = read_all(s->path), after;

	assert_int_equal(store_open(&s->store, s->path, &s->created, &s->err), number);
	assert_int_equal(s->err.number, number);
	assert_true(s->err.sentence[0]);
	assert_null(s->store);
	after = read_all(s->path);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.v, after.v, before.len);
	free(before.v);
	free(after.v);
}

static void makes_directory_and_file_for_the_owner_only(void **state)
{
	struct scratch *s = *state;
	mode_t old = umask(0);
	char path[80];

	scratch_open(s);
	umask(old);
	assert_ok(store_begin(s->store, NULL));
	assert_ok(store_meta_set(s->store, "x", "y", NULL));
	assert_ok(store_commit(s->store, NULL));
	snprintf(path, sizeof(path), "%s/state", s->folder);
	assert_int_equal(mode_of(path), 0700);
	assert_int_equal(mode_of(s->path), 0600);
	snprintf(path, sizeof(path), "%s-wal", s->path);
	assert_int_equal(mode_of(path), 0600);
	snprintf(path, sizeof(path), "%s.lock", s->path);
	assert_int_equal(mode_of(path), 0600);
}

/* A root's ipipd --flush leaves files behind that the agent's user can open. */
static void what_root_makes_belongs_to_the_owner_of_the_directory(void **state)
{
	enum { SOME_USER = 54321, SOME_GROUP = 54322 };
	static const char *const files[] = {"", "-wal", ".lock", ".schema-1"};
	struct scratch *s = *state;
	char path[80];
	struct stat st;

	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof(path), "%s/state", s->folder);
	assert_ok(mkdir(path, 0700));
	assert_ok(chown(path, SOME_USER, SOME_GROUP));
	scratch_open(s);
	assert_ok(backup_make(s->store->database.db, 1, &s->err));
	scratch_sql(s, "INSERT INTO meta VALUES ('a', 'b')");
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s%s", s->path, files[i]);
		assert_ok(stat(path, &st));
		assert_int_equal(st.st_uid, SOME_USER);
		assert_int_equal(st.st_gid, SOME_GROUP);
	}
}

static void closes_a_file_that_others_could_read(void **state)
{
	struct scratch *s = *state;

	scratch_close(s);
	assert_ok(chmod(s->path, 0644));
	scratch_open(s);
	assert_int_equal(mode_of(s->path), 0600);
}

static void makes_one_level_of_directory_only(void **state)
{
	struct scratch *s = *state;

	snprintf(s->path, sizeof(s->path), "%s/state/deeper/ipipd.db", s->folder);
	assert_int_equal(store_open(&s->store, s->path, &s->created, &s->err), -ENOENT);
}

static void second_opener_is_told_that_it_is_busy(void **state)
{
	struct scratch *s = *state;
	struct store *second = NULL;
	bool created;

	assert_int_equal(store_open(&second, s->path, &created, &s->err), -EBUSY);
	assert_null(second);
	scratch_reopen(s);
}

static void lock_beside_the_file_keeps_a_second_agent_out(void **state)
{
	struct scratch *s = *state;
	char path[80];

	scratch_close(s);
	snprintf(path, sizeof(path), "%s.lock", s->path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_ok(flock(fd, LOCK_EX | LOCK_NB));
	assert_int_equal(store_open(&s->store, s->path, &s->created, &s->err), -EBUSY);
	assert_non_null(strstr(s->err.sentence, "in use by another process"));
	close(fd);
	scratch_open(s);
}

static void no_other_program_reads_it_meanwhile(void **state)
{
	struct scratch *s = *state;
	int status;

	/* another process, since POSIX locks do not hold between connections of one */
	pid_t child = fork();
	if (child == 0) {
		sqlite3 *db;
		int code = sqlite3_open(s->path, &db);

		if (!code)
			code = sqlite3_exec(db, "SELECT * FROM meta", NULL, NULL, NULL);
		_exit(code == SQLITE_BUSY ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void settings_of_the_connection_are_in_force(void **state)
{
	struct scratch *s = *state;
	sqlite3 *db = s->store->database.db;
	int defensive = 0, extensions = 1;

	assert_int_equal(scratch_number(s, "PRAGMA synchronous"), 2);
	assert_int_equal(scratch_number(s, "PRAGMA foreign_keys"), 1);
	assert_int_equal(scratch_number(s, "PRAGMA trusted_schema"), 0);
	assert_int_equal(scratch_number(s, "PRAGMA mmap_size"), 0);
	assert_int_equal(scratch_number(s, "PRAGMA application_id"), DATABASE_APPLICATION_ID);
	assert_int_equal(scratch_number(s, "PRAGMA user_version"), migrations_count);
	assert_int_equal(scratch_number(s, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"),
			 1);
	assert_int_equal(sqlite3_memory_used(), 0); /* as of one thread: nothing is counted */
	assert_ok(sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, -1, &defensive));
	assert_int_equal(defensive, 1);
	assert_ok(sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, -1, &extensions));
	assert_int_equal(extensions, 0);
}

static void refuses_newer_schema_and_leaves_the_file(void **state)
{
	struct scratch *s = *state;

	scratch_close(s);
	scratch_sql(s, "PRAGMA user_version = 4711");
	assert_refused(s, -ENOTSUP);
}

/* The version may still be in the WAL, when its writer was killed. */
static void refuses_newer_schema_that_only_the_wal_tells(void **state)
{
	struct scratch *s = *state;

	scratch_close(s);
	pid_t child = fork();
	if (child == 0) {
		sqlite3 *db;

		if (sqlite3_open(s->path, &db) == 0)
			sqlite3_exec(db, "PRAGMA user_version = 4711", NULL, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_refused(s, -ENOTSUP);
}

static void refuses_database_of_another_program(void **state)
{
	struct scratch *s = *state;

	scratch_close(s);
	scratch_sql(s, "PRAGMA application_id = 1");
	assert_refused(s, -EUCLEAN);
	scratch_sql(s, "PRAGMA application_id = 0");
	assert_refused(s, -EUCLEAN);
}

static void overwrite(const char *path, long from, size_t len)
{
	char garbage[256];
	FILE *f = fopen(path, "r+");

	memset(garbage, 0xa5, sizeof(garbage));
	assert_non_null(f);
	assert_ok(fseek(f, from, SEEK_SET));
	for (; len; len -= sizeof(garbage))
		assert_int_equal(fwrite(garbage, sizeof(garbage), 1, f), 1);
	assert_ok(fclose(f));
}

static void refuses_file_that_is_no_database(void **state)
{
	struct scratch *s = *state;

	scratch_close(s);
	overwrite(s->path, 0, 4096);
	assert_refused(s, -EUCLEAN);
}

static void refuses_database_with_a_damaged_page(void **state)
{
	struct scratch *s = *state;
	int64_t page = scratch_number(s, "SELECT rootpage FROM sqlite_schema WHERE name='meta'");
	int64_t size = scratch_number(s, "PRAGMA page_size");

	scratch_close(s);
	overwrite(s->path, (long)((page - 1) * size), (size_t)size);
	assert_refused(s, -EUCLEAN);
}

static void takes_an_empty_file_as_new(void **state)
{
	struct scratch *s = *state;
	char folder[64];

	snprintf(folder, sizeof(folder), "%s/state", s->folder);
	assert_ok(mkdir(folder, 0700));
	close(open(s->path, O_CREAT | O_WRONLY, 0600));
	scratch_open(s);
	assert_true(s->created);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test_closed(makes_directory_and_file_for_the_owner_only),
		scratch_test_closed(what_root_makes_belongs_to_the_owner_of_the_directory),
		scratch_test(closes_a_file_that_others_could_read),
		scratch_test_closed(makes_one_level_of_directory_only),
		scratch_test(second_opener_is_told_that_it_is_busy),
		scratch_test(lock_beside_the_file_keeps_a_second_agent_out),
		scratch_test(no_other_program_reads_it_meanwhile),
		scratch_test(settings_of_the_connection_are_in_force),
		scratch_test(refuses_newer_schema_and_leaves_the_file),
		scratch_test(refuses_newer_schema_that_only_the_wal_tells),
		scratch_test(refuses_database_of_another_program),
		scratch_test(refuses_file_that_is_no_database),
		scratch_test(refuses_database_with_a_damaged_page),
		scratch_test_closed(takes_an_empty_file_as_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
