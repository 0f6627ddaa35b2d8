/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The turn's transaction: what a commit keeps, what is taken back, and a failing disk. */
#include "unit/store/scratch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static struct tunnel tunnel_named(const char *name)
{
	struct tunnel tunnel = {.remote = {0x0a000001}};

	snprintf(tunnel.head.name, sizeof(tunnel.head.name), "%s", name);
	tunnel.head.set = object_bit(tunnel_kind, "name") | object_bit(tunnel_kind, "remote");
	return tunnel;
}

static int put_tunnel(struct scratch *s, const char *name)
{
	struct tunnel tunnel = tunnel_named(name);

	return store_put(s->store, &tunnel_kind, &tunnel.head, &s->err);
}

static int put_exit(struct scratch *s, const char *name, const char *tunnel, bool deleting)
{
	struct prefix all = {0};
	struct exit_route route = {.destinations = {&all, 1}};

	snprintf(route.head.name, sizeof(route.head.name), "%s", name);
	snprintf(route.tunnel, sizeof(route.tunnel), "%s", tunnel);
	route.head.deleting = deleting;
	route.head.set = object_bit(exit_route_kind, "name") |
			 object_bit(exit_route_kind, "tunnel") |
			 object_bit(exit_route_kind, "destinations");
	return store_put(s->store, &exit_route_kind, &route.head, &s->err);
}

static int64_t count(struct scratch *s)
{
	return scratch_number(s, "SELECT count(*) FROM tunnels");
}

static void commit_outlives_the_process(void **state)
{
	struct scratch *s = *state;

	scratch_close(s);
	pid_t child = fork();
	if (child == 0) {
		scratch_open(s);
		if (store_begin(s->store, NULL) || put_tunnel(s, "kept") ||
		    store_commit(s->store, NULL) || store_begin(s->store, NULL) ||
		    put_tunnel(s, "lost"))
			_exit(1);
		/* as SIGKILL would: nothing is closed, nothing checkpointed */
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	scratch_open(s);
	assert_int_equal(count(s), 1);
	assert_int_equal(scratch_number(s, "SELECT name = 'kept' FROM tunnels"), 1);
}

static void rollback_takes_back_the_turn(void **state)
{
	struct scratch *s = *state;

	assert_false(store_in_transaction(s->store));
	assert_ok(store_begin(s->store, NULL));
	assert_ok(store_begin(s->store, NULL));
	assert_true(store_in_transaction(s->store));
	assert_ok(put_tunnel(s, "a"));
	store_rollback(s->store);
	assert_false(store_in_transaction(s->store));
	assert_int_equal(count(s), 0);
	assert_ok(store_commit(s->store, NULL));
}

static void savepoint_takes_back_one_write_of_the_turn(void **state)
{
	struct scratch *s = *state;

	assert_ok(store_begin(s->store, NULL));
	assert_ok(store_savepoint(s->store, NULL));
	assert_ok(put_tunnel(s, "a"));
	assert_ok(store_release(s->store, NULL));
	assert_ok(store_savepoint(s->store, NULL));
	assert_ok(put_tunnel(s, "b"));
	assert_ok(store_delete(s->store, &tunnel_kind, "a", NULL));
	store_rollback_to(s->store);
	store_rollback_to(s->store);
	assert_ok(store_savepoint(s->store, NULL));
	assert_ok(put_tunnel(s, "c"));
	assert_ok(store_release(s->store, NULL));
	assert_ok(store_commit(s->store, NULL));
	scratch_reopen(s);
	assert_int_equal(scratch_number(s, "SELECT group_concat(name) = 'a,c' FROM tunnels"), 1);
}

static void broken_reference_fails_its_write_and_no_other(void **state)
{
	struct scratch *s = *state;

	assert_ok(store_begin(s->store, NULL));
	assert_ok(store_savepoint(s->store, NULL));
	assert_ok(put_tunnel(s, "a"));
	assert_ok(store_release(s->store, NULL));
	assert_ok(store_savepoint(s->store, NULL));
	assert_ok(put_exit(s, "x", "nowhere", false));
	assert_int_equal(store_release(s->store, &s->err), -EINVAL);
	store_rollback_to(s->store);
	assert_ok(store_commit(s->store, NULL));
	assert_int_equal(count(s), 1);
	assert_int_equal(scratch_number(s, "SELECT count(*) FROM exit_routes"), 0);
}

static void order_within_a_write_does_not_matter(void **state)
{
	struct scratch *s = *state;

	assert_ok(store_begin(s->store, NULL));
	assert_ok(store_savepoint(s->store, NULL));
	assert_ok(put_exit(s, "x", "later", false));
	assert_ok(put_tunnel(s, "later"));
	assert_ok(store_release(s->store, NULL));
	assert_ok(store_savepoint(s->store, NULL));
	assert_ok(store_delete(s->store, &tunnel_kind, "later", NULL));
	assert_ok(store_delete(s->store, &exit_route_kind, "x", NULL));
	assert_ok(store_release(s->store, NULL));
	assert_ok(store_commit(s->store, NULL));
}

static void tunnel_in_use_stays_unless_its_user_is_deleting(void **state)
{
	struct scratch *s = *state;

	assert_ok(store_begin(s->store, NULL));
	assert_ok(put_tunnel(s, "a"));
	assert_ok(put_exit(s, "x", "a", false));
	assert_ok(store_savepoint(s->store, NULL));
	assert_ok(store_delete(s->store, &tunnel_kind, "a", NULL));
	assert_int_equal(store_release(s->store, NULL), -EINVAL);
	assert_ok(store_savepoint(s->store, NULL));
	assert_ok(put_exit(s, "x", "a", true));
	assert_ok(store_delete(s->store, &tunnel_kind, "a", NULL));
	assert_ok(store_release(s->store, NULL));
	assert_ok(store_commit(s->store, NULL));
	assert_int_equal(scratch_number(s, "SELECT \"tunnel\" = 'a' FROM exit_routes"), 1);
}

static int put_many(struct scratch *s, int n)
{
	char name[16];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "many%d", i);
		int result = put_tunnel(s, name);
		if (result)
			return result;
	}
	return 0;
}

/* SQLite gives the whole transaction up: nothing that follows may be committed by itself. */
static void full_disk_fails_the_turn_and_leaves_the_last_state(void **state)
{
	struct scratch *s = *state;
	char text[64];

	assert_ok(store_begin(s->store, NULL));
	assert_ok(put_tunnel(s, "first"));
	assert_ok(store_commit(s->store, NULL));
	snprintf(text, sizeof(text), "PRAGMA max_page_count = %lld",
		 (long long)scratch_number(s, "PRAGMA page_count"));
	scratch_sql(s, text);

	assert_ok(store_begin(s->store, NULL));
	assert_ok(store_savepoint(s->store, NULL));
	assert_int_equal(put_many(s, 2000), -ENOSPC);
	assert_non_null(strstr(s->err.sentence, "full"));
	store_rollback_to(s->store);
	int result = put_tunnel(s, "after");
	assert_int_equal(store_commit(s->store, NULL), result);
	assert_false(store_in_transaction(s->store));
	assert_int_equal(count(s), result ? 1 : 2);
	assert_int_equal(store_write_failures(s->store), 1);

	scratch_sql(s, "PRAGMA max_page_count = 100000");
	assert_ok(store_begin(s->store, NULL));
	assert_ok(put_many(s, 2000));
	assert_ok(store_commit(s->store, NULL));
	scratch_reopen(s);
	assert_int_equal(count(s), (result ? 1 : 2) + 2000);
}

/* Exactly when SQLite itself rolls back, without help of luck. */
static void writes_after_a_lost_transaction_are_refused(void **state)
{
	struct scratch *s = *state;

	assert_ok(store_begin(s->store, NULL));
	assert_ok(put_tunnel(s, "a"));
	assert_ok(store_savepoint(s->store, NULL));
	scratch_sql(s, "ROLLBACK");
	assert_int_equal(put_tunnel(s, "b"), -EIO);
	assert_int_equal(store_meta_set(s->store, "x", "y", NULL), -EIO);
	assert_int_equal(store_release(s->store, NULL), -EIO);
	assert_int_equal(store_begin(s->store, NULL), -EIO);
	assert_int_equal(store_commit(s->store, NULL), -EIO);
	assert_int_equal(store_write_failures(s->store), 1);
	assert_int_equal(count(s), 0);
	assert_ok(store_begin(s->store, NULL));
	assert_ok(put_tunnel(s, "c"));
	assert_ok(store_commit(s->store, NULL));
}

/* The commit itself fails: the kernel refuses to let the WAL grow. */
static void failing_commit_keeps_nothing_of_the_turn(void **state)
{
	struct scratch *s = *state;
	struct rlimit old, small;
	struct stat st;
	char wal[80];

	assert_ok(store_begin(s->store, NULL));
	assert_ok(put_tunnel(s, "first"));
	assert_ok(store_commit(s->store, NULL));
	assert_ok(getrlimit(RLIMIT_FSIZE, &old));
	snprintf(wal, sizeof(wal), "%s-wal", s->path);
	assert_ok(stat(wal, &st));
	signal(SIGXFSZ, SIG_IGN);
	small = (struct rlimit){(rlim_t)st.st_size, old.rlim_max};

	assert_ok(store_begin(s->store, NULL));
	assert_ok(put_many(s, 20));
	assert_ok(setrlimit(RLIMIT_FSIZE, &small));
	int result = store_commit(s->store, &s->err);
	assert_ok(setrlimit(RLIMIT_FSIZE, &old));
	assert_true(result == -EIO || result == -ENOSPC);
	assert_int_equal(s->err.number, result);
	assert_false(store_in_transaction(s->store));
	assert_int_equal(store_write_failures(s->store), 1);
	assert_int_equal(count(s), 1);

	assert_ok(store_begin(s->store, NULL));
	assert_ok(put_many(s, 20));
	assert_ok(store_commit(s->store, NULL));
	scratch_reopen(s);
	assert_int_equal(count(s), 21);
}

/* As a rollback leaves it that got no memory. */
static void transaction_left_open_is_rolled_back_before_the_next_use(void **state)
{
	struct scratch *s = *state;
	char revision[8] = "";

	assert_ok(store_begin(s->store, NULL));
	assert_ok(put_tunnel(s, "t"));
	assert_ok(store_set_revision(s->store, 7, NULL));
	s->store->begun = false;
	assert_ok(store_meta_get(s->store, "revision", revision, sizeof(revision), NULL));
	assert_string_equal(revision, "");

	assert_ok(store_begin(s->store, NULL));
	assert_ok(put_tunnel(s, "t"));
	s->store->begun = false;
	assert_ok(store_begin(s->store, NULL));
	assert_ok(store_commit(s->store, NULL));
	assert_int_equal(count(s), 0);
}

static void what_cannot_be_bound_is_no_null(void **state)
{
	struct scratch *s = *state;
	sqlite3 *db = s->store->database.db;
	int longest = sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 40);
	cleanup_finalize sqlite3_stmt *statement = NULL;

	assert_ok(sql_prepare(db, "SELECT ?1", &statement, NULL));
	sql_bind_text(statement, 1, "longer than a text may be at the moment, which is 40");
	assert_int_equal(sql_next(statement, &s->err), -EINVAL);
	assert_non_null(strstr(s->err.sentence, "too big"));
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, longest);
	sql_bind_text(statement, 1, "as before");
	assert_int_equal(sql_next(statement, NULL), 1);
	assert_string_equal(sql_text(statement, 0), "as before");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(commit_outlives_the_process),
		scratch_test(rollback_takes_back_the_turn),
		scratch_test(savepoint_takes_back_one_write_of_the_turn),
		scratch_test(broken_reference_fails_its_write_and_no_other),
		scratch_test(order_within_a_write_does_not_matter),
		scratch_test(tunnel_in_use_stays_unless_its_user_is_deleting),
		scratch_test(full_disk_fails_the_turn_and_leaves_the_last_state),
		scratch_test(writes_after_a_lost_transaction_are_refused),
		scratch_test(failing_commit_keeps_nothing_of_the_turn),
		scratch_test(transaction_left_open_is_rolled_back_before_the_next_use),
		scratch_test(what_cannot_be_bound_is_no_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
