/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lists of the declaration, whole configs and merges of them, and what checks take. */
#include "model/declaration.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "unit/model/declared.h"

static void finds_puts_and_removes_in_order(void **state)
{
	static const char *const names[] = {"m", "a", "z", "b", "y"};
	size_t at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tunnel t = tunnel(names[i], NULL, "192.0.2.1", NULL);

		put(KIND_TUNNEL, &t);
	}
	for (size_t i = 1; i < d.kind[KIND_TUNNEL].len; i++)
		assert_true(strcmp(d.kind[KIND_TUNNEL].v[i - 1]->name,
				   d.kind[KIND_TUNNEL].v[i]->name) < 0);
	assert_non_null(declaration_find(&d, KIND_TUNNEL, "m", &at));
	assert_int_equal(at, 2);
	assert_null(declaration_find(&d, KIND_TUNNEL, "c", &at));
	assert_int_equal(at, 2);
	assert_null(declaration_find(&d, KIND_TUNNEL, "zz", &at));
	assert_int_equal(at, 5);
	assert_null(declaration_find(&d, KIND_EXIT_ROUTE, "m", NULL));

	struct tunnel again = tunnel("m", NULL, "192.0.2.9", NULL);
	put(KIND_TUNNEL, &again);
	assert_int_equal(d.kind[KIND_TUNNEL].len, 5);
	const struct resource *found = declaration_find(&d, KIND_TUNNEL, "m", NULL);
	assert_int_equal(((const struct tunnel *)found)->remote.host, again.remote.host);

	assert_true(declaration_remove(&d, KIND_TUNNEL, "m"));
	assert_false(declaration_remove(&d, KIND_TUNNEL, "m"));
	assert_true(declaration_remove(&d, KIND_TUNNEL, "a"));
	assert_true(declaration_remove(&d, KIND_TUNNEL, "z"));
	assert_int_equal(d.kind[KIND_TUNNEL].len, 2);
	assert_string_equal(d.kind[KIND_TUNNEL].v[1]->name, "y");
}

static void points_at_the_later_one_of_a_config(void **state)
{
	struct tunnel a = tunnel("a", NULL, "192.0.2.1", NULL);
	struct tunnel b = tunnel("b", NULL, "192.0.2.2", NULL);
	struct tunnel c = tunnel("c", NULL, "192.0.2.1", NULL);
	struct exit_route e = route("e", "nowhere", "10.0.0.0/8", NULL);
	struct nat_rule m = rule("m", "10.0.0.0/8", NAT_MASQUERADE, NULL);
	struct nat_rule n = rule("n", "10.0.0.0/8", NAT_NONE, NULL);

	(void)state;
	put(KIND_TUNNEL, &c);
	put(KIND_TUNNEL, &b);
	put(KIND_TUNNEL, &a);
	put(KIND_EXIT_ROUTE, &e);
	put(KIND_NAT_RULE, &n);
	put(KIND_NAT_RULE, &m);
	assert_int_equal(check_all(), -EEXIST);
	assert_int_equal(errs.total, 3);
	assert_string_equal(errs.v[0].pointer, "/tunnels/2/remote");
	assert_non_null(strstr(errs.v[0].sentence, "tunnel/a "));
	assert_string_equal(errs.v[1].pointer, "/exit_routes/0/tunnel");
	assert_string_equal(errs.v[2].pointer, "/nat_rules/1/sources");
	assert_non_null(strstr(errs.v[2].sentence, "nat-rule/m "));
}

static void blames_the_one_that_the_document_names(void **state)
{
	static const char *const names[] = {"a", "z"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tunnel m = tunnel("m", "192.0.2.1", "192.0.2.2", "10.9.0.1/24");
		struct tunnel t = tunnel(names[i], "192.0.2.1", "192.0.2.2", NULL);
		struct nat_rule n = rule("m", "10.0.0.0/8", NAT_MASQUERADE, NULL);
		struct nat_rule r = rule(names[i], "10.1.0.0/16", NAT_NONE, NULL);
		struct exit_route e = route("m", "m", "10.0.0.0/8", NULL);
		struct exit_route f = route(names[i], "m", "11.0.0.0/8 10.0.0.0/8", NULL);
		char at[64];

		begin(NULL);
		put(KIND_TUNNEL, &m);
		put(KIND_NAT_RULE, &n);
		put(KIND_EXIT_ROUTE, &e);
		snprintf(at, sizeof(at), "/tunnels/%zu/remote", i);
		merge_refuses(KIND_TUNNEL, &t, "endpoints-in-use", at, "tunnel/m ");
		snprintf(at, sizeof(at), "/nat_rules/%zu/sources", i);
		merge_refuses(KIND_NAT_RULE, &r, "sources-overlap", at, "nat-rule/m ");
		snprintf(at, sizeof(at), "/exit_routes/%zu/destinations/1", i);
		merge_refuses(KIND_EXIT_ROUTE, &f, "destination-in-use", at, "exit-route/m ");
	}
}

static void blames_the_route_of_the_document_for_its_froms(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.2", "10.9.0.1/24");
	struct exit_route one = route("a", "tun_a", "10.0.0.0/8", NULL);

	(void)state;
	put(KIND_TUNNEL, &a);
	put_froms(0, 999, "m");
	one.from = prefixes("10.10.10.0/24");
	merge_refuses(KIND_EXIT_ROUTE, &one, "invalid-resource", "/exit_routes/0/from", "999");
}

static void blames_what_the_document_names_for_going_past_a_bound(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.2", "10.9.0.1/24");
	struct exit_route e = route("a", "tun_a", "11.0.0.0/8", NULL);
	struct nat_rule n = rule("a", "11.0.0.0/8", NAT_MASQUERADE, NULL);

	(void)state;
	put(KIND_TUNNEL, &a);
	put_many_routes();
	put_many_sources();
	merge_refuses(KIND_EXIT_ROUTE, &e, "invalid-resource", "/exit_routes/0/destinations",
		      "500000");
	merge_refuses(KIND_NAT_RULE, &n, "invalid-resource", "/nat_rules/0/sources", "500000");
}

static void a_merge_cannot_take_a_source_in_use(void **state)
{
	struct exit_route by_default = route("qq", "tun_a", "10.0.0.0/8", NULL);
	struct exit_route given = route("rr", "tun_b", "11.0.0.0/8", "10.9.1.1");
	struct tunnel a = tunnel("tun_a", "192.0.2.1", "192.0.2.2", NULL);
	struct tunnel nested = tunnel("nested", "10.9.0.1", "10.9.0.9", NULL);

	(void)state;
	put_tunnels();
	put(KIND_EXIT_ROUTE, &by_default);
	a.addresses = prefixes("10.9.1.1/24");
	merge_refuses(KIND_TUNNEL, &nested, "resource-in-use", "/tunnels/0/local", "exit-route/qq");
	a.addresses = prefixes(NULL);
	merge_refuses(KIND_TUNNEL, &a, "resource-in-use", "/tunnels/0/addresses", "exit-route/qq");
	declaration_remove(&d, KIND_EXIT_ROUTE, "qq");
	put(KIND_EXIT_ROUTE, &given);
	merge_refuses(KIND_TUNNEL, &a, "resource-in-use", "/tunnels/0/addresses",
		      "exit-route/rr has 10.9.1.1");
}

static unsigned elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (unsigned)((now.tv_sec - since->tv_sec) * 1000 +
			  (now.tv_nsec - since->tv_nsec) / 1000000);
}

/* Bounds ten times what it takes, for sanitizers and slow machines: quadratic would not pass. */
static void is_quick_with_ten_thousand(void **state)
{
	struct exit_route big = route("big", "t00001", NULL, NULL);
	struct timespec start;
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "t%05u", i);
		struct tunnel t = tunnel(name, NULL, NULL, "10.9.0.1/24");
		t.remote.host = 0x0b000000 + i;
		put(KIND_TUNNEL, &t);
		snprintf(name, sizeof(name), "e%05u", i);
		struct exit_route e = route(name, "t00001", "10.0.0.0/8", NULL);
		e.destinations.v[0] = (struct prefix){{0xc0000000 + i}, 32};
		put(KIND_EXIT_ROUTE, &e);
		arena_reset(&arena);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	assert_int_equal(check_all(), 0);
	unsigned whole_ms = elapsed_ms(&start);

	big.destinations = (struct prefixes){arena_array(&arena, 100000, sizeof(struct prefix)),
					     100000};
	for (uint32_t i = 0; i < 100000; i++)
		big.destinations.v[i] = (struct prefix){{0x0c000000 + i}, 32};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	assert_int_equal(check_put(KIND_EXIT_ROUTE, &big), 0);
	unsigned put_ms = elapsed_ms(&start);

	print_message("whole %u ms, put %u ms\n", whole_ms, put_ms);
	assert_true(whole_ms < 1000);
	assert_true(put_ms < 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(finds_puts_and_removes_in_order),
		TEST(points_at_the_later_one_of_a_config),
		TEST(blames_the_one_that_the_document_names),
		TEST(blames_the_route_of_the_document_for_its_froms),
		TEST(blames_what_the_document_names_for_going_past_a_bound),
		TEST(a_merge_cannot_take_a_source_in_use),
		TEST(is_quick_with_ten_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
