/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring of events: ids, what comes and goes with a transaction, and what is kept. */
#include "unit/store/scratch.h"

#include <errno.h>
#include <string.h>

enum { KEPT = 1000 };

static int setup(void **state)
{
	int result = scratch_setup(state);
	struct scratch *s = *state;

	if (!result)
		assert_ok(store_events_load(s->store, KEPT, &s->err));
	return result;
}

static void add(struct scratch *s, const char *name)
{
	assert_ok(store_event_add(s->store,
				  &(struct store_event){.time_ms = 5000,
							.type = "created",
							.kind = "tunnel",
							.name = name,
							.document = "\"revision\":1"},
				  &s->err));
}

static void begin(struct scratch *s)
{
	assert_ok(store_begin(s->store, &s->err));
}

static void commit(struct scratch *s)
{
	assert_ok(store_commit(s->store, &s->err));
}

static void add_many(struct scratch *s, unsigned n)
{
	begin(s);
	for (unsigned i = 0; i < n; i++)
		add(s, "t");
	commit(s);
}

struct seen {
	uint64_t first, last;
	unsigned n, enough;
	char name[16];
};

static bool see(void *user, const struct store_event *event)
{
	struct seen *seen = user;

	if (!seen->n)
		seen->first = event->id;
	else
		assert_int_equal(event->id, seen->last + 1);
	seen->last = event->id;
	snprintf(seen->name, sizeof(seen->name), "%s", event->name ? event->name : "");
	return ++seen->n != seen->enough;
}

/* All that are behind an id, piece by piece. */
static struct seen read_behind(struct scratch *s, uint64_t id)
{
	struct seen seen = {.last = id};
	int n;

	while ((n = store_events_read(s->store, seen.last, see, &seen, &s->err)) > 0)
		;
	assert_int_equal(n, 0);
	return seen;
}

static uint64_t oldest(struct scratch *s)
{
	uint64_t id = 1;

	assert_ok(store_events_oldest(s->store, &id, &s->err));
	return id;
}

static void a_new_database_has_none(void **state)
{
	struct scratch *s = *state;

	assert_int_equal(store_events_newest(s->store), 0);
	assert_int_equal(oldest(s), 0);
	assert_int_equal(read_behind(s, 0).n, 0);
}

static void ids_begin_with_the_time_and_go_up_by_one_over_restarts(void **state)
{
	struct scratch *s = *state;

	add_many(s, 2);
	assert_int_equal(store_events_newest(s->store), 5001);
	scratch_reopen(s);
	assert_ok(store_events_load(s->store, KEPT, &s->err));
	assert_int_equal(store_events_newest(s->store), 5001);
	add_many(s, 1);
	assert_int_equal(store_events_newest(s->store), 5002);
	assert_int_equal(read_behind(s, 4999).n, 3);
}

static void an_event_comes_back_as_it_was(void **state)
{
	struct scratch *s = *state;

	begin(s);
	add(s, "tun_a");
	assert_ok(store_event_add(
		s->store, &(struct store_event){.time_ms = 1, .type = "started", .document = ""},
		&s->err));
	commit(s);
	struct seen seen = {.enough = 1};
	assert_int_equal(store_events_read(s->store, 0, see, &seen, &s->err), 1);
	assert_string_equal(seen.name, "tun_a");
	assert_int_equal(read_behind(s, 0).n, 2);
	assert_string_equal(read_behind(s, 0).name, "");
}

static void what_is_not_committed_is_not_read(void **state)
{
	struct scratch *s = *state;

	add_many(s, 1);
	begin(s);
	add(s, "later");
	assert_int_equal(store_events_newest(s->store), 5000);
	assert_int_equal(read_behind(s, 0).n, 1);
	commit(s);
	assert_int_equal(read_behind(s, 0).n, 2);
}

static void an_id_that_was_rolled_back_is_the_next_ones(void **state)
{
	struct scratch *s = *state;

	add_many(s, 1);
	begin(s);
	add(s, "lost");
	store_rollback(s->store);
	assert_int_equal(store_events_newest(s->store), 5000);
	begin(s);
	add(s, "a");
	assert_ok(store_savepoint(s->store, &s->err));
	add(s, "lost");
	store_rollback_to(s->store);
	add(s, "b");
	commit(s);
	assert_int_equal(store_events_newest(s->store), 5002);
	assert_string_equal(read_behind(s, 0).name, "b");
}

static void the_newest_are_kept_and_few_more(void **state)
{
	struct scratch *s = *state;

	for (unsigned i = 0; i < 20; i++) {
		add_many(s, 100);
		uint64_t newest = store_events_newest(s->store), n = newest - oldest(s) + 1;

		assert_int_equal(read_behind(s, 0).n, n);
		assert_true(n >= (newest - 4999 < KEPT ? newest - 4999 : KEPT));
		assert_true(n < KEPT + 256);
	}
	assert_int_equal(store_events_newest(s->store), 5000 + 1999);
}

static void a_smaller_ring_is_swept_in_time(void **state)
{
	struct scratch *s = *state;

	add_many(s, 900);
	assert_ok(store_events_load(s->store, 10, &s->err));
	add_many(s, 256);
	assert_true(store_events_newest(s->store) - oldest(s) < 10 + 256);
}

static void an_event_needs_a_transaction(void **state)
{
	struct scratch *s = *state;
	const struct store_event event = {.time_ms = 1, .type = "started", .document = ""};

	assert_int_equal(store_event_add(s->store, &event, &s->err), -EINVAL);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_new_database_has_none),
		test(ids_begin_with_the_time_and_go_up_by_one_over_restarts),
		test(an_event_comes_back_as_it_was),
		test(what_is_not_committed_is_not_read),
		test(an_id_that_was_rolled_back_is_the_next_ones),
		test(the_newest_are_kept_and_few_more),
		test(a_smaller_ring_is_swept_in_time),
		test(an_event_needs_a_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
