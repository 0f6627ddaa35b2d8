/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Totals grow by what was counted, once, whatever is made again and in which order it is told. */
#include "daemon/totals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "plan/expand.h"

struct scene {
	struct declaration declaration;
	struct totals totals;
	struct nat_sets sets; /* of the rule */
};

static void declare_tunnel(struct scene *scene, const char *name, const char *device)
{
	struct tunnel tunnel = {.head.enabled = true};

	snprintf(tunnel.head.name, sizeof(tunnel.head.name), "%s", name);
	snprintf(tunnel.device, sizeof(tunnel.device), "%s", device);
	scene->declaration.revision++;
	declaration_put(&scene->declaration, KIND_TUNNEL, kind_copy(&tunnel_kind, &tunnel, NULL));
}

static void declare_rule(struct scene *scene, uint16_t priority)
{
	struct prefix sources[] = {{{0x0a000001}, 32}, {{0x0b000000}, 8}};
	struct nat_rule rule = {
		.head.enabled = true, .sources = {sources, 2}, .priority = priority};

	strcpy(rule.head.name, "rule");
	strcpy(rule.out_interface, "eth0");
	nat_sets_of(&rule, &scene->sets);
	scene->declaration.revision++;
	declaration_put(&scene->declaration, KIND_NAT_RULE, kind_copy(&nat_rule_kind, &rule, NULL));
}

static int setup(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));

	/* by name and by device they have another order */
	declare_tunnel(scene, "a", "z0");
	declare_tunnel(scene, "b", "");
	declare_rule(scene, 100);
	totals_declare(&scene->totals, &scene->declaration);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	totals_done(&scene->totals);
	declaration_done(&scene->declaration);
	free(scene);
	return 0;
}

static struct counted_link link_of(const char *device, uint32_t ifindex, uint64_t rx_bytes)
{
	struct counted_link link = {
		.ifindex = ifindex, .ours = true, .up = true, .stats.rx_bytes = rx_bytes};

	snprintf(link.device, sizeof(link.device), "%s", device);
	return link;
}

static void read_link(struct scene *scene, const char *device, uint32_t ifindex, uint64_t rx_bytes)
{
	struct counted_links links = {0};

	vec_push(&links, link_of("zz", 99, 1000000));
	vec_push(&links, link_of(device, ifindex, rx_bytes));
	vec_push(&links, link_of("aa", 98, 1000000));
	totals_links(&scene->totals, &links);
	vec_done(&links);
}

static void end_link(struct scene *scene, const char *device, uint32_t ifindex, uint64_t rx_bytes)
{
	struct counted_link gone = link_of(device, ifindex, rx_bytes);

	totals_gone(&scene->totals, &gone);
}

static uint64_t sum(const struct scene *scene, size_t at)
{
	return scene->totals.tunnels.v[at].sum.rx_bytes;
}

static void follows_a_link(void **state)
{
	struct scene *scene = *state;

	read_link(scene, "z0", 5, 100);
	read_link(scene, "z0", 5, 130);
	assert_int_equal(sum(scene, 0), 130);
	assert_int_equal(sum(scene, 1), 0);
	assert_int_equal(scene->totals.tunnels.v[0].up, 1);
	assert_int_equal(scene->totals.tunnels.v[1].up, 0);
}

static void counts_a_link_that_was_made_again_from_its_beginning(void **state)
{
	struct scene *scene = *state;

	read_link(scene, "z0", 5, 100);
	end_link(scene, "z0", 5, 120);
	read_link(scene, "z0", 6, 7);
	assert_int_equal(sum(scene, 0), 127);
	/* also one that has more already than the one before */
	end_link(scene, "z0", 6, 7);
	read_link(scene, "z0", 7, 1000);
	assert_int_equal(sum(scene, 0), 1127);
}

static void an_end_that_is_told_late_counts_once(void **state)
{
	struct scene *scene = *state;

	read_link(scene, "z0", 5, 100);
	read_link(scene, "z0", 6, 10);
	end_link(scene, "z0", 5, 120);
	assert_int_equal(sum(scene, 0), 130);
	end_link(scene, "z0", 5, 120);
	assert_int_equal(sum(scene, 0), 130);
}

static void a_reading_from_before_the_end_counts_once(void **state)
{
	struct scene *scene = *state;

	read_link(scene, "z0", 5, 100);
	end_link(scene, "z0", 5, 120);
	read_link(scene, "z0", 5, 110);
	assert_int_equal(sum(scene, 0), 120);
}

static void a_link_between_two_readings_counts(void **state)
{
	struct scene *scene = *state;

	read_link(scene, "z0", 5, 100);
	end_link(scene, "z0", 5, 100);
	end_link(scene, "z0", 6, 50);
	read_link(scene, "z0", 7, 1);
	assert_int_equal(sum(scene, 0), 151);
	end_link(scene, "other", 8, 50);
	assert_int_equal(sum(scene, 0), 151);
}

static void a_foreign_link_does_not(void **state)
{
	struct scene *scene = *state;
	struct counted_links links = {0};

	vec_push(&links, link_of("z0", 5, 100));
	links.v[0].ours = false;
	totals_links(&scene->totals, &links);
	vec_done(&links);
	assert_int_equal(sum(scene, 0), 0);
	assert_int_equal(scene->totals.tunnels.v[0].up, 0);
}

static void goes_on_under_another_device(void **state)
{
	struct scene *scene = *state;

	read_link(scene, "z0", 5, 100);
	declare_tunnel(scene, "a", "c0");
	declare_tunnel(scene, "0", "");
	totals_declare(&scene->totals, &scene->declaration);
	assert_string_equal(scene->totals.tunnels.v[1].name, "a");
	read_link(scene, "c0", 6, 1);
	assert_int_equal(sum(scene, 1), 101);
	assert_null(totals_tunnel_of(&scene->totals, "z0"));
}

static void ends_with_the_declaration(void **state)
{
	struct scene *scene = *state;

	read_link(scene, "z0", 5, 100);
	declaration_remove(&scene->declaration, KIND_TUNNEL, "a");
	totals_declare(&scene->totals, &scene->declaration);
	declare_tunnel(scene, "a", "z0");
	totals_declare(&scene->totals, &scene->declaration);
	assert_int_equal(sum(scene, 0), 0);
}

struct reading {
	const char *set;
	struct prefix prefix;
	uint64_t packets;
};

static const struct prefix host = {{0x0a000001}, 32}, net = {{0x0b000000}, 8};

static struct counted counted_of(const struct reading *readings, size_t n)
{
	struct counted counted = {0};

	for (size_t i = 0; i < n; i++) {
		struct counted_set *set = vec_add(&counted.sets);

		snprintf(set->name, sizeof(set->name), "%s", readings[i].set);
		set->first = i;
		set->len = 1;
		vec_push(&counted.elements,
			 ((struct counted_element){readings[i].prefix,
						   {readings[i].packets, readings[i].packets}}));
	}
	return counted;
}

static void read_rule(struct scene *scene, uint64_t of_host, uint64_t of_net, uint64_t in)
{
	const struct reading readings[] = {
		{scene->sets.out[NAT_NETS], net, of_net},
		{scene->sets.in[NAT_HOSTS], host, in},
		{"zzz", host, 1000},
		{scene->sets.out[NAT_HOSTS], host, of_host},
	};
	struct counted counted = counted_of(readings, 4);

	totals_elements(&scene->totals, &counted);
}

static void assert_rule(const struct scene *scene, uint64_t out, uint64_t in)
{
	assert_int_equal(scene->totals.rules.v[0].sum[TOTAL_OUT].packets, out);
	assert_int_equal(scene->totals.rules.v[0].sum[TOTAL_OUT].bytes, out);
	assert_int_equal(scene->totals.rules.v[0].sum[TOTAL_IN].packets, in);
}

static void adds_up_the_elements_of_a_rule(void **state)
{
	struct scene *scene = *state;

	read_rule(scene, 1, 2, 4);
	assert_rule(scene, 3, 4);
	read_rule(scene, 11, 2, 5);
	assert_rule(scene, 13, 5);
}

static void an_element_with_less_was_made_again(void **state)
{
	struct scene *scene = *state;

	read_rule(scene, 10, 20, 4);
	read_rule(scene, 3, 21, 4);
	assert_rule(scene, 34, 4);
	totals_elements(&scene->totals, &(struct counted){0}); /* no table */
	read_rule(scene, 50, 0, 0);
	assert_rule(scene, 84, 4);
}

static void what_goes_counts_for_the_rule_that_had_it(void **state)
{
	struct scene *scene = *state;
	const struct reading before_it_goes[] = {
		{scene->sets.out[NAT_HOSTS], host, 15}, {"new", host, 7}, /* known to nobody yet */
	};

	read_rule(scene, 10, 0, 0);
	struct counted counted = counted_of(before_it_goes, 2);
	declare_rule(scene, 5); /* in other sets from now on */
	totals_known_elements(&scene->totals, &counted);
	counted_done(&counted);
	assert_rule(scene, 15, 0);
	totals_declare(&scene->totals, &scene->declaration);
	read_rule(scene, 1, 0, 0);
	assert_rule(scene, 16, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	TEST(follows_a_link),
	TEST(counts_a_link_that_was_made_again_from_its_beginning),
	TEST(an_end_that_is_told_late_counts_once),
	TEST(a_reading_from_before_the_end_counts_once),
	TEST(a_link_between_two_readings_counts),
	TEST(a_foreign_link_does_not),
	TEST(goes_on_under_another_device),
	TEST(ends_with_the_declaration),
	TEST(adds_up_the_elements_of_a_rule),
	TEST(an_element_with_less_was_made_again),
	TEST(what_goes_counts_for_the_rule_that_had_it),
};

int main(void)
{
	return cmocka_run_group_tests_name("totals", tests, NULL, NULL);
}
