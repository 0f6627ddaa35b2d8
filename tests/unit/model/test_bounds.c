/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many routes, sources and distinct froms there may be. */
#include "model/bounds.h"

#include <errno.h>

#include "unit/model/declared.h"

static void bounds_the_distinct_froms(void **state)
{
	struct exit_route e = route("z", "tun_a", "11.0.0.0/8", NULL);

	(void)state;
	put_tunnels();
	put_froms(0, 250, "a");
	put_froms(250, 250, "b");
	put_froms(500, 250, "c");
	put_froms(750, 248, "d"); /* 998 */
	e.from = prefixes("99.0.0.0/8 98.0.0.0/8");
	refuses(KIND_EXIT_ROUTE, &e, -EINVAL, "invalid-resource", "/from", "999 distinct");
	e.from = prefixes("99.0.0.0/8 10.0.7.0/24 0.0.0.0/0");
	accepts(KIND_EXIT_ROUTE, &e);
	e.from = prefixes("98.0.0.0/8"); /* in place of the other */
	accepts(KIND_EXIT_ROUTE, &e);
}

static void bounds_the_routes_of_all_exits(void **state)
{
	struct exit_route one = route("z", "tun_a", "11.0.0.0/8", NULL);
	struct exit_route two = route("z", "tun_a", "11.0.0.0/8", NULL);
	struct exit_route less = route("e4", "tun_a", "", NULL);

	(void)state;
	put_tunnels();
	put_many_routes();
	refuses(KIND_EXIT_ROUTE, &one, -EINVAL, "invalid-resource", "/destinations", "500000");
	two.from = prefixes("99.0.0.0/8 98.0.0.0/8");
	refuses(KIND_EXIT_ROUTE, &two, -EINVAL, "invalid-resource", "/from", "500000");
	less.destinations = hosts(200000, 50000);
	less.from = prefixes("99.0.0.0/8");
	accepts(KIND_EXIT_ROUTE, &less); /* in place of the other */
	accepts(KIND_EXIT_ROUTE, &two);
}

static void bounds_the_sources_of_all_rules(void **state)
{
	struct nat_rule one = rule("z", "11.0.0.0/8", NAT_MASQUERADE, NULL);
	struct nat_rule less = rule("n4", "10.6.26.128/32", NAT_MASQUERADE, NULL);

	(void)state;
	put_many_sources();
	refuses(KIND_NAT_RULE, &one, -EINVAL, "invalid-resource", "/sources", "500000");
	accepts(KIND_NAT_RULE, &less);
	accepts(KIND_NAT_RULE, &one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bounds_the_distinct_froms),
		TEST(bounds_the_routes_of_all_exits),
		TEST(bounds_the_sources_of_all_rules),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
