/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decisions of pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cli/pair_plan.h"

/* "172.16.0.1 eth0", with "*" behind for the default route's, "bridge" for a driver */
static void add_address(struct pair_host *host, const char *address, bool is_default,
			const char *driver)
{
	json_t *document = json_pack("{s:[{s:s, s:s, s:b, s:s}]}", "addresses", "address", address,
				     "device", "eth0", "default_route", is_default, "driver",
				     driver);

	pair_plan_read_host(document, host);
	json_decref(document);
}

static void take(struct pair_host *host, const char *prefix)
{
	json_t *document = json_pack("{s:[s]}", "addresses", prefix);

	pair_plan_read_tunnel(document, host);
	json_decref(document);
}

static void assert_candidate(const struct pair_candidates *list, size_t i, const char *expected)
{
	char x[ADDR_TEXT], y[ADDR_TEXT], both[2 * ADDR_TEXT + 1];

	assert_true(i < list->len);
	snprintf(both, sizeof(both), "%s %s", addr_text(list->v[i].x, x),
		 addr_text(list->v[i].y, y));
	assert_string_equal(expected, both);
}

static void candidates_begin_with_the_default_routes(void **state)
{
	(void)state;
	struct pair_host a = {0}, b = {0};
	struct pair_candidates list = {0};

	add_address(&a, "10.1.0.1", false, "");
	add_address(&a, "172.16.0.1", true, "");
	add_address(&b, "10.1.0.2", false, "");
	add_address(&b, "172.16.0.2", true, "");
	pair_plan_candidates(&a, &b, &list);
	assert_int_equal(4, list.len);
	assert_candidate(&list, 0, "172.16.0.1 172.16.0.2");
	assert_candidate(&list, 3, "10.1.0.1 10.1.0.2");
	vec_done(&list);
	pair_plan_host_done(&a);
	pair_plan_host_done(&b);
}

static void bridges_and_shared_addresses_are_no_candidates(void **state)
{
	(void)state;
	struct pair_host a = {0}, b = {0};
	struct pair_candidates list = {0};

	add_address(&a, "172.17.0.1", true, ""); /* both have it: each its own */
	add_address(&b, "172.17.0.1", true, "");
	add_address(&a, "10.0.0.1", false, "bridge");
	add_address(&a, "192.0.2.1", false, "veth");
	add_address(&b, "192.0.2.2", false, "");
	pair_plan_candidates(&a, &b, &list);
	assert_int_equal(1, list.len);
	assert_candidate(&list, 0, "192.0.2.1 192.0.2.2");
	vec_done(&list);
	pair_plan_host_done(&a);
	pair_plan_host_done(&b);
}

static void assert_inner(const char *pool_text, const struct pair_host *a,
			 const struct pair_host *b, const char *expected)
{
	const struct pair_host *const hosts[2] = {a, b};
	struct prefix pool, inner[2];
	char of_a[PREFIX_TEXT], of_b[PREFIX_TEXT], both[2 * PREFIX_TEXT] = "none";

	assert_int_equal(0, prefix_parse(pool_text, &pool));
	if (pair_plan_inner(pool, hosts, inner) == 0)
		snprintf(both, sizeof(both), "%s %s", prefix_text(inner[0], of_a),
			 prefix_text(inner[1], of_b));
	assert_string_equal(expected, both);
}

static void inner_network_is_free_on_both(void **state)
{
	(void)state;
	struct pair_host a = {0}, b = {0};

	assert_inner("10.255.0.0/16", &a, &b, "10.255.0.0/31 10.255.0.1/31");
	take(&a, "10.255.0.1/31");
	assert_inner("10.255.0.0/16", &a, &b, "10.255.0.2/31 10.255.0.3/31");
	take(&b, "10.255.0.2/30");
	assert_inner("10.255.0.0/16", &a, &b, "10.255.0.4/31 10.255.0.5/31");
	add_address(&b, "10.255.0.5", false, "");
	assert_inner("10.255.0.0/16", &a, &b, "10.255.0.6/31 10.255.0.7/31");
	take(&a, "10.255.0.1/24");
	assert_inner("10.255.0.0/16", &a, &b, "10.255.1.0/31 10.255.1.1/31");
	pair_plan_host_done(&a);
	pair_plan_host_done(&b);
}

static void a_30_or_31_is_taken_as_it_is(void **state)
{
	(void)state;
	struct pair_host a = {0}, b = {0};

	assert_inner("192.168.1.0/30", &a, &b, "192.168.1.1/30 192.168.1.2/30");
	assert_inner("192.168.1.4/31", &a, &b, "192.168.1.4/31 192.168.1.5/31");
	take(&b, "192.168.0.1/16");
	assert_inner("192.168.1.0/30", &a, &b, "none");
	assert_inner("192.168.0.0/24", &a, &b, "none");
	assert_inner("255.255.255.254/31", &a, &b, "255.255.255.254/31 255.255.255.255/31");
	pair_plan_host_done(&a);
	pair_plan_host_done(&b);
}

static void assert_name(const char *host_a, const char *host_b, const char *expected)
{
	struct pair_host a = {.id = "1"}, b = {.id = "2"};
	char name[IFNAMSIZ];

	snprintf(a.hostname, sizeof(a.hostname), "%s", host_a);
	snprintf(b.hostname, sizeof(b.hostname), "%s", host_b);
	pair_plan_name(&a, &b, name);
	if (expected)
		assert_string_equal(expected, name);
	else
		assert_true(strncmp(name, "ipip-", 5) == 0 && strlen(name) == 13);
}

static void names_are_of_the_hosts_while_they_fit(void **state)
{
	(void)state;
	assert_name("berlin", "paris", "berlin-paris");
	assert_name("a.example", "b.example", "a-b");
	assert_name("berlin", "brussels", "berlin-brussels");
	assert_name("berlin12", "brussels", NULL);
	assert_name("same", "same", NULL);
	assert_name("", "b", NULL);
}

static void assert_probe(const char *prefix_of, const char *expected)
{
	struct prefix prefix;
	char text[ADDR_TEXT];

	assert_int_equal(0, prefix_parse(prefix_of, &prefix));
	assert_string_equal(expected, addr_text(pair_plan_probe(prefix), text));
}

static void a_route_is_asked_for_an_address_that_can_be(void **state)
{
	(void)state;
	assert_probe("0.0.0.0/0", "1.0.0.1");
	assert_probe("0.0.0.0/1", "1.0.0.1");
	assert_probe("128.0.0.0/1", "128.0.0.1");
	assert_probe("180.163.26.39/32", "180.163.26.39");
	assert_probe("180.163.0.0/16", "180.163.0.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(candidates_begin_with_the_default_routes),
		cmocka_unit_test(bridges_and_shared_addresses_are_no_candidates),
		cmocka_unit_test(inner_network_is_free_on_both),
		cmocka_unit_test(a_30_or_31_is_taken_as_it_is),
		cmocka_unit_test(names_are_of_the_hosts_while_they_fit),
		cmocka_unit_test(a_route_is_asked_for_an_address_that_can_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
