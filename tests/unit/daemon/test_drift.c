/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which differences are told, and when: once when they come, once when they are repaired. */
#include "daemon/drift.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct scene {
	struct drift drift;
	struct event_log log;
	struct link want, have;
	struct ops ops;
};

static int setup(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));

	scene->want = (struct link){.head.set = 1, .device = "tun_a"};
	scene->have = scene->want;
	vec_push(&scene->ops,
		 ((struct op){.verb = OP_ADD, .kind = KIND_LINK, .want = &scene->want.head}));
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	drift_done(&scene->drift);
	event_log_done(&scene->log);
	vec_done(&scene->ops);
	free(scene);
	return 0;
}

/* A pass over everything that plans the op, with that result. */
static void pass(struct scene *scene, bool unasked, int result)
{
	drift_begin(&scene->drift);
	scene->ops.v[0].done = true;
	scene->ops.v[0].result = result;
	drift_note(&scene->drift, &scene->ops, unasked, "pid 7 (x)", &scene->log);
	drift_settle(&scene->drift);
}

/* One that finds nothing to do. */
static void empty_pass(struct scene *scene)
{
	const struct ops none = {0};

	drift_begin(&scene->drift);
	drift_note(&scene->drift, &none, true, NULL, &scene->log);
	drift_settle(&scene->drift);
}

static void assert_told(const struct scene *scene, size_t n, enum event_type last)
{
	assert_int_equal(scene->log.events.len, n);
	assert_int_equal(scene->log.events.v[n - 1].type, last);
	assert_string_equal(scene->log.events.v[n - 1].name, "tun_a");
}

static void drift_that_is_repaired_at_once_is_told_twice(void **state)
{
	struct scene *scene = *state;

	pass(scene, true, 0);
	assert_told(scene, 2, EVENT_DRIFT_REPAIRED);
	assert_int_equal(scene->log.events.v[0].type, EVENT_DRIFT_DETECTED);
	assert_string_equal(scene->log.events.v[1].message, "it was missing");
	assert_string_equal(scene->log.events.v[1].culprit, "pid 7 (x)");
	assert_int_equal(scene->drift.v.len, 0);
}

static void drift_that_stays_is_told_once_and_once_more_when_it_ends(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < 5; i++)
		pass(scene, true, -EPERM);
	assert_told(scene, 1, EVENT_DRIFT_DETECTED);
	pass(scene, true, 0);
	assert_told(scene, 2, EVENT_DRIFT_REPAIRED);
	pass(scene, true, 0);
	assert_told(scene, 4, EVENT_DRIFT_REPAIRED);
}

static void what_was_asked_for_is_no_drift_however_long_it_takes(void **state)
{
	struct scene *scene = *state;

	pass(scene, false, -EPERM);
	pass(scene, true, -EPERM);
	pass(scene, true, 0);
	assert_int_equal(scene->log.events.len, 0);
	/* but what happens to it after that is */
	pass(scene, true, 0);
	assert_told(scene, 2, EVENT_DRIFT_REPAIRED);
}

static void drift_that_is_gone_by_itself_may_come_again(void **state)
{
	struct scene *scene = *state;

	pass(scene, true, -EPERM);
	empty_pass(scene);
	assert_int_equal(scene->drift.v.len, 0);
	pass(scene, true, -EPERM);
	assert_told(scene, 2, EVENT_DRIFT_DETECTED);
}

static void what_does_not_change_the_kernel_is_no_drift(void **state)
{
	static const enum op_verb verbs[] = {OP_FOUND, OP_FORGET, OP_CONFLICT};
	struct scene *scene = *state;

	for (unsigned i = 0; i < ARRAY_LEN(verbs); i++) {
		scene->ops.v[0].verb = verbs[i];
		pass(scene, true, 0);
	}
	assert_int_equal(scene->log.events.len, 0);
}

static void tells_what_is_too_much_and_what_differs(void **state)
{
	struct scene *scene = *state;
	struct op *op = &scene->ops.v[0];

	*op = (struct op){.verb = OP_DELETE, .kind = KIND_LINK, .have = &scene->have.head};
	pass(scene, true, 0);
	assert_string_equal(scene->log.events.v[1].message, "it is not declared");
	scene->want.ttl = 64;
	scene->have.ttl = 9;
	*op = (struct op){.verb = OP_CHANGE,
			  .kind = KIND_LINK,
			  .want = &scene->want.head,
			  .have = &scene->have.head,
			  .differs = kind_bit(&link_kind, kind_field(&link_kind, "ttl"))};
	pass(scene, true, 0);
	assert_string_equal(scene->log.events.v[3].message, "ttl 9 instead of 64");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(drift_that_is_repaired_at_once_is_told_twice),
		TEST(drift_that_stays_is_told_once_and_once_more_when_it_ends),
		TEST(what_was_asked_for_is_no_drift_however_long_it_takes),
		TEST(drift_that_is_gone_by_itself_may_come_again),
		TEST(what_does_not_change_the_kernel_is_no_drift),
		TEST(tells_what_is_too_much_and_what_differs),
	};

	return cmocka_run_group_tests_name("drift", tests, NULL, NULL);
}
