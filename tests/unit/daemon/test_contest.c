/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When an object counts as contested, when it may be repaired, and when peace is made. */
#include "daemon/contest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { START_MS = 1000000 };

struct scene {
	struct contests contests;
	struct arena arena;
	struct route route;
	struct ops ops;
};

static int setup(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));

	scene->route = (struct route){
		.head.set = kind_all(&route_kind), .table = 7000, .dst = {{0x0a000000}, 8}};
	vec_push(&scene->ops,
		 ((struct op){.verb = OP_ADD, .kind = KIND_ROUTE, .want = &scene->route.head}));
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	contests_done(&scene->contests);
	arena_done(&scene->arena);
	vec_done(&scene->ops);
	free(scene);
	return 0;
}

static struct op *fresh(struct scene *scene)
{
	struct op *op = &scene->ops.v[0];

	op->done = op->held = false;
	op->result = 0;
	return op;
}

/* Held, or repaired at that time. */
static bool repair(struct scene *scene, uint64_t now_ms)
{
	struct op *op = fresh(scene);

	if (contests_hold(&scene->contests, &scene->ops, &scene->arena, now_ms))
		return false;
	op->done = true;
	contests_note(&scene->contests, &scene->ops, now_ms);
	return true;
}

static void fight(struct scene *scene, uint64_t now_ms)
{
	for (unsigned i = 0; i < CONTEST_REPAIRS; i++)
		assert_true(repair(scene, now_ms));
}

static bool is_contested(struct scene *scene, uint64_t now_ms)
{
	return contests_has(&scene->contests, KIND_ROUTE, &scene->route, now_ms);
}

static void the_tenth_repair_in_a_minute_makes_it_contested(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 1; i < CONTEST_REPAIRS; i++) {
		assert_true(repair(scene, START_MS + i));
		assert_false(is_contested(scene, START_MS + i));
	}
	assert_true(repair(scene, START_MS + 100));
	assert_true(is_contested(scene, START_MS + 100));
}

static void rare_repairs_are_no_fight(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < 50; i++)
		assert_true(repair(scene, START_MS + i * 7000));
	assert_false(is_contested(scene, START_MS + 50 * 7000));
}

static void a_contested_object_is_repaired_once_in_five_seconds(void **state)
{
	struct scene *scene = *state;

	fight(scene, START_MS);
	assert_false(repair(scene, START_MS + 1));
	struct op *op = &scene->ops.v[0];
	assert_true(op->done && op->held);
	assert_int_equal(op->result, -ECANCELED);
	assert_non_null(strstr(op->message, "again and again"));
	fresh(scene);
	assert_int_equal(contests_hold(&scene->contests, &scene->ops, &scene->arena, START_MS + 2),
			 START_MS + CONTEST_PAUSE_MS);
	assert_true(repair(scene, START_MS + CONTEST_PAUSE_MS));
	assert_false(repair(scene, START_MS + CONTEST_PAUSE_MS + 1));
}

static void it_stays_contested_while_the_fight_goes_on(void **state)
{
	struct scene *scene = *state;
	uint64_t now_ms = START_MS;

	fight(scene, now_ms);
	for (unsigned i = 0; i < 100; i++) {
		now_ms += CONTEST_PAUSE_MS;
		assert_true(repair(scene, now_ms));
		assert_true(is_contested(scene, now_ms));
	}
}

static void a_minute_of_peace_ends_it(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(contests_end_ms(&scene->contests, START_MS), 0);
	fight(scene, START_MS);
	assert_true(is_contested(scene, START_MS + CONTEST_WINDOW_MS - 1));
	assert_int_equal(contests_end_ms(&scene->contests, START_MS), START_MS + CONTEST_WINDOW_MS);
	assert_int_equal(contests_end_ms(&scene->contests, START_MS + CONTEST_WINDOW_MS), 0);
	assert_false(is_contested(scene, START_MS + CONTEST_WINDOW_MS));
	assert_true(repair(scene, START_MS + CONTEST_WINDOW_MS + 1));
	assert_true(repair(scene, START_MS + CONTEST_WINDOW_MS + 2));
}

static void others_are_not_held(void **state)
{
	struct scene *scene = *state;

	fight(scene, START_MS);
	scene->route.metric = 7;
	assert_true(repair(scene, START_MS + 1));
}

static void what_failed_is_no_repair(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < 2 * CONTEST_REPAIRS; i++) {
		struct op *op = fresh(scene);
		op->done = true;
		op->result = -EPERM;
		contests_note(&scene->contests, &scene->ops, START_MS + i);
	}
	assert_false(is_contested(scene, START_MS + 100));
}

static const char *words_of(struct scene *scene, const struct culprit *culprit)
{
	culprit_words(culprit, scene->contests.culprit);
	return contests_words(&scene->contests, KIND_ROUTE, &scene->route, &scene->arena);
}

static void names_the_process(void **state)
{
	struct scene *scene = *state;
	char pid[48];

	fight(scene, START_MS);
	snprintf(pid, sizeof(pid), "last by pid %d (daemon_test_con", (int)getpid());
	struct culprit culprit = {.port = (uint32_t)getpid()};
	assert_non_null(strstr(words_of(scene, &culprit), pid));
	culprit.port = 4000000000U;
	assert_null(strstr(words_of(scene, &culprit), "last by"));
}

static void counts_many_and_forgets_them(void **state)
{
	struct scene *scene = *state;

	for (uint32_t i = 0; i < CONTEST_MAX + 100; i++) {
		scene->route.metric = i;
		assert_true(repair(scene, START_MS));
	}
	assert_int_equal(scene->contests.len, CONTEST_MAX);
	scene->route.metric = CONTEST_MAX + 1;
	fight(scene, START_MS + 2 * CONTEST_WINDOW_MS);
	assert_true(is_contested(scene, START_MS + 2 * CONTEST_WINDOW_MS));
	assert_int_equal(scene->contests.len, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(the_tenth_repair_in_a_minute_makes_it_contested),
		TEST(rare_repairs_are_no_fight),
		TEST(a_contested_object_is_repaired_once_in_five_seconds),
		TEST(it_stays_contested_while_the_fight_goes_on),
		TEST(a_minute_of_peace_ends_it),
		TEST(others_are_not_held),
		TEST(what_failed_is_no_repair),
		TEST(names_the_process),
		TEST(counts_many_and_forgets_them),
	};

	return cmocka_run_group_tests_name("contest", tests, NULL, NULL);
}
