/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What two sets of objects differ in, as a scope names it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/scope.h"

struct sets {
	struct arena arena;
	struct objects before, after;
	struct scope scope;
};

static int set_up(void **state)
{
	struct sets *sets = xcalloc(1, sizeof(*sets));

	sets->before.arena = sets->after.arena = &sets->arena;
	*state = sets;
	return 0;
}

static int tear_down(void **state)
{
	struct sets *sets = *state;

	objects_done(&sets->before);
	objects_done(&sets->after);
	scope_done(&sets->scope);
	arena_done(&sets->arena);
	free(sets);
	return 0;
}

static struct route *add_route(struct objects *to, uint32_t host, uint32_t metric)
{
	struct route *route = (struct route *)objects_add(to, KIND_ROUTE);

	route->head.set = kind_compared(&route_kind);
	route->table = OUR_TABLE_FIRST;
	route->dst = (struct prefix){{host}, 32};
	route->metric = metric;
	return route;
}

static void compare(struct sets *sets)
{
	objects_sort(&sets->before);
	objects_sort(&sets->after);
	scope_add_changes(&sets->scope, &sets->before, &sets->after, false);
}

static size_t routes_in(const struct sets *sets)
{
	return sets->scope.keys.kind[KIND_ROUTE].len;
}

static bool has_route(const struct sets *sets, uint32_t host)
{
	const struct object_list *list = &sets->scope.keys.kind[KIND_ROUTE];

	for (size_t i = 0; i < list->len; i++)
		if (((const struct route *)list->v[i])->dst.addr.host == host)
			return true;
	return false;
}

static void same_sets_are_no_change(void **state)
{
	struct sets *sets = *state;

	for (uint32_t i = 0; i < 3; i++) {
		add_route(&sets->before, i, 0);
		add_route(&sets->after, i, 0);
	}
	compare(sets);
	assert_true(scope_is_empty(&sets->scope));
}

static void what_came_went_or_changed_is_named(void **state)
{
	struct sets *sets = *state;

	add_route(&sets->before, 1, 0);
	add_route(&sets->before, 2, 0);
	add_route(&sets->before, 3, 0)->prefsrc.host = 7;
	add_route(&sets->after, 1, 0);
	add_route(&sets->after, 3, 0)->prefsrc.host = 8;
	add_route(&sets->after, 4, 0);
	compare(sets);
	assert_int_equal(routes_in(sets), 3);
	assert_true(has_route(sets, 2) && has_route(sets, 3) && has_route(sets, 4));
}

static void a_mark_or_a_row_less_is_a_change(void **state)
{
	struct sets *sets = *state;

	add_route(&sets->before, 1, 0);
	add_route(&sets->before, 2, 0);
	add_route(&sets->after, 1, 0)->head.marks = OBJECT_ADOPT;
	add_route(&sets->after, 2, 0)->head.set &= ~object_bit(route_kind, "scope");
	compare(sets);
	assert_int_equal(routes_in(sets), 2);
}

static void too_many_are_the_kind_whole(void **state)
{
	struct sets *sets = *state;

	for (uint32_t i = 0; i <= SCOPE_KEYS_MAX; i++)
		add_route(&sets->after, i, 0);
	compare(sets);
	assert_true(scope_is_whole(&sets->scope, KIND_ROUTE));
	assert_false(scope_is_whole(&sets->scope, KIND_RULE));
}

static void of_nft_only_elements_go_one_by_one(void **state)
{
	struct sets *sets = *state;
	struct nft_element *e = (struct nft_element *)objects_add(&sets->after, KIND_NFT_ELEMENT);

	snprintf(e->set_name, sizeof(e->set_name), "tunnels");
	e->head.set = kind_compared(&nft_element_kind);
	compare(sets);
	assert_false(scope_is_whole(&sets->scope, KIND_NFT_ELEMENT));
	assert_int_equal(sets->scope.keys.kind[KIND_NFT_ELEMENT].len, 1);
	struct nft_set *s = (struct nft_set *)objects_add(&sets->after, KIND_NFT_SET);
	snprintf(s->name, sizeof(s->name), "tunnels");
	s->head.set = kind_compared(&nft_set_kind);
	compare(sets);
	assert_true(scope_is_whole(&sets->scope, KIND_NFT_ELEMENT));
}

static void what_was_said_last_of_a_key_counts(void **state)
{
	struct sets *sets = *state;
	struct route *route = add_route(&sets->before, 1, 0);

	route->head.marks = OBJECT_TOLD_GONE;
	scope_add(&sets->scope, KIND_ROUTE, route);
	route->head.marks = OBJECT_TOLD;
	route->protocol = 4;
	scope_add(&sets->scope, KIND_ROUTE, route);
	assert_int_equal(routes_in(sets), 1);
	const struct route *kept = (struct route *)sets->scope.keys.kind[KIND_ROUTE].v[0];
	assert_int_equal(kept->head.marks, OBJECT_TOLD);
	assert_int_equal(kept->protocol, 4);
	scope_forget_told(&sets->scope);
	assert_int_equal(kept->head.marks, 0);
}

static void only_what_was_not_told_is_to_be_looked_at(void **state)
{
	struct sets *sets = *state;
	static const uint32_t marks[] = {0, OBJECT_TOLD | OBJECT_OURS, OBJECT_TOLD_GONE};
	struct object_list untold = {0};

	for (uint32_t i = 0; i < ARRAY_LEN(marks); i++) {
		struct route *route = add_route(&sets->before, i, 0);

		route->head.marks = marks[i];
		scope_add(&sets->scope, KIND_ROUTE, route);
	}
	assert_true(scope_is_told(&sets->scope));
	scope_believe(&sets->scope, KIND_ROUTE, &sets->after, &untold);
	assert_int_equal(untold.len, 1);
	assert_int_equal(((struct route *)untold.v[0])->dst.addr.host, 0);
	assert_int_equal(sets->after.kind[KIND_ROUTE].len, 1);
	assert_int_equal(((struct route *)sets->after.kind[KIND_ROUTE].v[0])->dst.addr.host, 1);
	assert_int_equal(sets->after.kind[KIND_ROUTE].v[0]->marks, OBJECT_OURS);
	scope_forget_told(&sets->scope);
	assert_false(scope_is_told(&sets->scope));
	free(untold.v);
}

static void only_of_what_is_new_it_is_known_that_it_is_not_there(void **state)
{
	struct sets *sets = *state;

	add_route(&sets->before, 1, 0);
	add_route(&sets->after, 2, 0);
	objects_sort(&sets->before);
	scope_add_changes(&sets->scope, &sets->before, &sets->after, true);
	const struct object_list *keys = &sets->scope.keys.kind[KIND_ROUTE];
	assert_int_equal(keys->len, 2);
	for (size_t i = 0; i < keys->len; i++)
		assert_int_equal(keys->v[i]->marks, ((struct route *)keys->v[i])->dst.addr.host == 2
							    ? OBJECT_TOLD_GONE
							    : 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(same_sets_are_no_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_came_went_or_changed_is_named, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_mark_or_a_row_less_is_a_change, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(too_many_are_the_kind_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_nft_only_elements_go_one_by_one, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_was_said_last_of_a_key_counts, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(only_what_was_not_told_is_to_be_looked_at, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			only_of_what_is_new_it_is_known_that_it_is_not_there, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
