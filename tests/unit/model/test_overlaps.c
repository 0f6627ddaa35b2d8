/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NAT rules whose sources overlap. */
#include "model/overlaps.h"

#include <errno.h>

#include "unit/model/declared.h"

static void refuses_sources_that_overlap_with_another_effect(void **state)
{
	struct nat_rule a = rule("a", "10.0.0.0/16 10.1.0.0/16", NAT_MASQUERADE, NULL);
	struct nat_rule b = rule("b", "10.9.0.0/16 10.1.7.0/24", NAT_SNAT, "192.0.2.1");

	(void)state;
	accepts(KIND_NAT_RULE, &a);
	accepts(KIND_NAT_RULE, &a);
	refuses(KIND_NAT_RULE, &b, -EEXIST, "sources-overlap", "/sources", "nat-rule/a does");
	b.priority = 99;
	accepts(KIND_NAT_RULE, &b);
	b.priority = 100;
	strcpy(b.in_interface, "tun_b");
	accepts(KIND_NAT_RULE, &b);
	b.in_interface[0] = '\0';
	strcpy(b.out_interface, "eth1");
	accepts(KIND_NAT_RULE, &b);
	strcpy(b.out_interface, "eth0");
	b.destinations = prefixes("10.0.0.0/8");
	accepts(KIND_NAT_RULE, &b);
	b.destinations.len = 0;
	b.sources = prefixes("10.2.0.0/16 9.255.0.0/16");
	accepts(KIND_NAT_RULE, &b);
}

static void accepts_sources_that_overlap_with_the_same_effect(void **state)
{
	struct nat_rule a = rule("a", "10.0.0.0/16", NAT_SNAT, "192.0.2.1");
	struct nat_rule b = rule("b", "10.0.7.0/24", NAT_SNAT, "192.0.2.1");

	(void)state;
	accepts(KIND_NAT_RULE, &a);
	accepts(KIND_NAT_RULE, &b);
	b.to_address = addr("192.0.2.2");
	refuses(KIND_NAT_RULE, &b, -EEXIST, "sources-overlap", "/sources", "nat-rule/a");
}

static void compares_destinations_as_sets(void **state)
{
	struct nat_rule a = rule("a", "10.0.0.0/16", NAT_MASQUERADE, NULL);
	struct nat_rule b = rule("b", "10.0.0.0/16", NAT_NONE, NULL);

	(void)state;
	a.destinations = prefixes("20.0.0.0/8 30.0.0.0/9 30.128.0.0/9 20.1.0.0/16");
	accepts(KIND_NAT_RULE, &a);
	b.destinations = prefixes("30.0.0.0/8 20.0.0.0/8");
	refuses(KIND_NAT_RULE, &b, -EEXIST, "sources-overlap", "/sources", "nat-rule/a");
	b.destinations = prefixes("30.0.0.0/8");
	accepts(KIND_NAT_RULE, &b);
	b.destinations = prefixes("0.0.0.0/0");
	accepts(KIND_NAT_RULE, &b);
	struct nat_rule c = rule("c", "10.0.0.0/16", NAT_MASQUERADE, NULL);
	refuses(KIND_NAT_RULE, &c, -EEXIST, "sources-overlap", "/sources", "nat-rule/b");
}

/* Whole lists against the plain definition, over many small random rules. */
static void finds_overlaps_like_the_definition(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		bool overlap = false;
		struct nat_rule rules[4];
		char name[2] = "a";

		begin(NULL);
		for (unsigned i = 0; i < 4; i++, name[0]++) {
			seed = seed * 1664525 + 1013904223;
			uint8_t len = (uint8_t)(24 + (seed >> 28) % 9);
			struct prefix p = {{0x0a000000 + (seed >> 8) % 512}, len};

			rules[i] = rule(name, "10.0.0.0/8", seed >> 30 & 1 ? NAT_NONE : 0, NULL);
			rules[i].sources.v[0] = prefix_network(p);
			for (unsigned j = 0; j < i; j++)
				overlap |= rules[i].action != rules[j].action &&
					   prefix_overlaps(rules[i].sources.v[0],
							   rules[j].sources.v[0]);
			put(KIND_NAT_RULE, &rules[i]);
		}
		assert_int_equal(check_all() != 0, overlap);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_sources_that_overlap_with_another_effect),
		TEST(accepts_sources_that_overlap_with_the_same_effect),
		TEST(compares_destinations_as_sets),
		TEST(finds_overlaps_like_the_definition),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
