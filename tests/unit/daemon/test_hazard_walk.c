/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet's way through rules: what is sure, what is not, and where it ends. */
#include "daemon/hazard_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { CHAINS = 20 };

/* Chain 0 is the base chain; each has the rules that are added while it is the last one. */
struct scene {
	struct ruleset ruleset;
	struct hazard_packet packet;
};

static int setup(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));

	scene->packet = (struct hazard_packet){
		.in = "tun_a", .out = "wan0", .source = {{0x0a000100}, 24}, .state = RULESET_NEW};
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	ruleset_done(&((struct scene *)*state)->ruleset);
	free(*state);
	return 0;
}

static struct ruleset_chain *chain(struct scene *scene, bool drops)
{
	struct ruleset_chain *chain = vec_add(&scene->ruleset.chains);

	chain->read = true;
	chain->drops = drops;
	chain->first = (uint32_t)scene->ruleset.rules.len;
	return chain;
}

static void rule(struct scene *scene, struct ruleset_rule rule)
{
	vec_push(&scene->ruleset.rules, rule);
	scene->ruleset.chains.v[scene->ruleset.chains.len - 1].len++;
}

static struct hazard_walk walk(struct scene *scene)
{
	struct hazard_walk walk = {.ruleset = &scene->ruleset, .packet = &scene->packet};

	hazard_walk(&walk, &scene->ruleset.chains.v[0]);
	return walk;
}

static enum hazard_match match(const struct scene *scene, struct ruleset_rule rule)
{
	return hazard_walk_match(&rule, &scene->packet);
}

static void an_empty_chain_is_its_policy(void **state)
{
	struct scene *scene = *state;

	chain(scene, true);
	assert_true(walk(scene).dropped);
	scene->ruleset.chains.v[0].drops = false;
	assert_false(walk(scene).dropped);
}

static void devices_match_by_name_beginning_or_not_at_all(void **state)
{
	const struct scene *scene = *state;
	struct ruleset_device device = {.name = "tun_a", .given = true};

	assert_int_equal(match(scene, (struct ruleset_rule){.in = device}), HAZARD_YES);
	assert_int_equal(match(scene, (struct ruleset_rule){.out = device}), HAZARD_NO);
	device.other_than = true;
	assert_int_equal(match(scene, (struct ruleset_rule){.in = device}), HAZARD_NO);
	device = (struct ruleset_device){.name = "tun", .given = true};
	assert_int_equal(match(scene, (struct ruleset_rule){.in = device}), HAZARD_NO);
	device.begins = true;
	assert_int_equal(match(scene, (struct ruleset_rule){.in = device}), HAZARD_YES);
}

static void a_device_that_is_not_known_matches_perhaps(void **state)
{
	struct scene *scene = *state;
	struct ruleset_rule rule = {.out = {.name = "x", .given = true}};

	scene->packet.out = "";
	assert_int_equal(match(scene, rule), HAZARD_PERHAPS);
	assert_int_equal(match(scene, (struct ruleset_rule){0}), HAZARD_YES);
}

static void addresses_match_whole_or_in_part(void **state)
{
	const struct scene *scene = *state;
	struct ruleset_addresses wide = {{{0x0a000000}, 8}, true, false};
	struct ruleset_addresses part = {{{0x0a000100}, 32}, true, false};
	struct ruleset_addresses none = {{{0x0b000000}, 8}, true, false};

	assert_int_equal(match(scene, (struct ruleset_rule){.source = wide}), HAZARD_YES);
	assert_int_equal(match(scene, (struct ruleset_rule){.source = part}), HAZARD_PERHAPS);
	assert_int_equal(match(scene, (struct ruleset_rule){.source = none}), HAZARD_NO);
	none.other_than = true;
	assert_int_equal(match(scene, (struct ruleset_rule){.source = none}), HAZARD_YES);
	/* where it goes to is not known */
	assert_int_equal(match(scene, (struct ruleset_rule){.destination = wide}), HAZARD_PERHAPS);
}

static void protocol_4_is_sure_and_others_are_not(void **state)
{
	struct scene *scene = *state;
	struct ruleset_rule ipip = {.protocol = 4, .protocol_given = true};
	struct ruleset_rule tcp = {.protocol = 6, .protocol_given = true};

	assert_int_equal(match(scene, ipip), HAZARD_NO);
	assert_int_equal(match(scene, tcp), HAZARD_PERHAPS);
	scene->packet.outer = true;
	assert_int_equal(match(scene, ipip), HAZARD_YES);
	assert_int_equal(match(scene, tcp), HAZARD_NO);
	tcp.protocol_other_than = true;
	assert_int_equal(match(scene, tcp), HAZARD_YES);
}

static void states_match_one_of_them(void **state)
{
	const struct scene *scene = *state;
	struct ruleset_rule rule = {.states = RULESET_ESTABLISHED | RULESET_RELATED};

	assert_int_equal(match(scene, rule), HAZARD_NO);
	rule.states |= RULESET_NEW;
	assert_int_equal(match(scene, rule), HAZARD_YES);
}

static void what_is_not_known_is_passed_by_and_remembered(void **state)
{
	struct scene *scene = *state;

	chain(scene, true);
	rule(scene, (struct ruleset_rule){.flags = RULESET_CONDITION, .verdict = RULESET_ACCEPT});
	assert_true(walk(scene).dropped && walk(scene).perhaps_accepted);
	scene->ruleset.rules.v[0].verdict = RULESET_DROP;
	assert_true(walk(scene).dropped && !walk(scene).perhaps_accepted);
	scene->ruleset.chains.v[0].drops = false;
	assert_false(walk(scene).dropped);
	scene->ruleset.rules.v[0].flags = RULESET_NEVER;
	scene->ruleset.chains.v[0].drops = true;
	scene->ruleset.rules.v[0].verdict = RULESET_ACCEPT;
	assert_true(walk(scene).dropped && !walk(scene).perhaps_accepted);
}

static void the_first_that_decides_wins(void **state)
{
	struct scene *scene = *state;

	chain(scene, true);
	rule(scene, (struct ruleset_rule){.verdict = RULESET_NONE});
	rule(scene, (struct ruleset_rule){.verdict = RULESET_ACCEPT});
	rule(scene, (struct ruleset_rule){.verdict = RULESET_DROP});
	assert_false(walk(scene).dropped);
	scene->ruleset.rules.v[0].verdict = RULESET_DROP;
	assert_true(walk(scene).dropped);
	assert_ptr_equal(walk(scene).by, &scene->ruleset.rules.v[0]);
}

static void jumps_come_back_and_gotos_do_not(void **state)
{
	struct scene *scene = *state;

	chain(scene, true);
	rule(scene, (struct ruleset_rule){.verdict = RULESET_JUMP, .target = 1});
	rule(scene, (struct ruleset_rule){.verdict = RULESET_ACCEPT});
	chain(scene, false);
	rule(scene, (struct ruleset_rule){.verdict = RULESET_RETURN});
	rule(scene, (struct ruleset_rule){.verdict = RULESET_DROP});
	assert_false(walk(scene).dropped);
	scene->ruleset.rules.v[0].verdict = RULESET_GOTO;
	assert_true(walk(scene).dropped);
	scene->ruleset.rules.v[2].verdict = RULESET_ACCEPT;
	assert_false(walk(scene).dropped);
}

static void a_chain_entered_perhaps_decides_nothing(void **state)
{
	struct scene *scene = *state;

	chain(scene, true);
	rule(scene, (struct ruleset_rule){
			    .verdict = RULESET_JUMP, .target = 1, .flags = RULESET_CONDITION});
	chain(scene, false);
	rule(scene, (struct ruleset_rule){.verdict = RULESET_ACCEPT, .flags = RULESET_SNAT});
	struct hazard_walk seen = walk(scene);
	assert_true(seen.dropped && seen.perhaps_accepted);
	assert_true(seen.perhaps_translated && !seen.translated);
	scene->ruleset.chains.v[0].drops = false;
	scene->ruleset.rules.v[1] = (struct ruleset_rule){.verdict = RULESET_DROP};
	seen = walk(scene);
	assert_true(!seen.dropped && !seen.by);
}

static void what_was_not_read_may_be_anything(void **state)
{
	struct scene *scene = *state;

	chain(scene, true);
	rule(scene, (struct ruleset_rule){.verdict = RULESET_JUMP, .target = 1});
	chain(scene, false)->read = false;
	assert_true(walk(scene).dropped && walk(scene).perhaps_accepted);
	scene->ruleset.rules.v[0].target = RULESET_NO_CHAIN;
	assert_true(walk(scene).dropped && walk(scene).perhaps_accepted);
}

static void a_drop_of_protocol_4_is_named(void **state)
{
	struct scene *scene = *state;
	struct ruleset_rule drop = {.verdict = RULESET_DROP, .protocol = 4, .protocol_given = true};

	scene->packet.outer = true;
	chain(scene, false);
	rule(scene, drop);
	assert_ptr_equal(walk(scene).protocol_drop, &scene->ruleset.chains.v[0]);
	scene->packet.outer = false;
	assert_null(walk(scene).protocol_drop);
}

/* Each chain enters the next one twice: 2^18 ways. */
static void chains_that_multiply_end(void **state)
{
	struct scene *scene = *state;

	for (uint32_t i = 0; i < CHAINS; i++) {
		chain(scene, i == 0);
		rule(scene, (struct ruleset_rule){.verdict = RULESET_JUMP, .target = i + 1});
		rule(scene, (struct ruleset_rule){.verdict = RULESET_JUMP, .target = i + 1});
	}
	chain(scene, false);
	struct hazard_walk seen = walk(scene);
	assert_true(seen.dropped && seen.perhaps_accepted);
	assert_in_range(seen.steps, 1, 20100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_empty_chain_is_its_policy),
		TEST(devices_match_by_name_beginning_or_not_at_all),
		TEST(a_device_that_is_not_known_matches_perhaps),
		TEST(addresses_match_whole_or_in_part),
		TEST(protocol_4_is_sure_and_others_are_not),
		TEST(states_match_one_of_them),
		TEST(what_is_not_known_is_passed_by_and_remembered),
		TEST(the_first_that_decides_wins),
		TEST(jumps_come_back_and_gotos_do_not),
		TEST(a_chain_entered_perhaps_decides_nothing),
		TEST(what_was_not_read_may_be_anything),
		TEST(a_drop_of_protocol_4_is_named),
		TEST(chains_that_multiply_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
