/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of others' chains is said to drop what should come in by a device. */
#include "daemon/why_device.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <linux/netfilter.h>

static const struct addr from = {0xc0a80101}, to = {0xb4a31a27}, peer = {0xac101016},
			 local = {0xac10013e};
static const char *const devices[] = {"lan0", "eth0", NULL};

/* One chain, of these devices unless it has others, and its one rule. */
struct scene {
	struct kernel kernel;
	struct ruleset_chain chain;
	struct ruleset_rule rule;
	unsigned asked;
};

static int rulesets(struct kernel *kernel, struct ruleset *ruleset, struct err *err)
{
	struct scene *scene = (struct scene *)kernel;

	(void)err;
	scene->asked++;
	vec_push(&ruleset->chains, scene->chain);
	vec_push(&ruleset->rules, scene->rule);
	return 0;
}

static const struct kernel_vtable vtable = {.rulesets = rulesets};

static struct scene dropping(void)
{
	return (struct scene){
		.kernel = {&vtable},
		.chain = {.family = "netdev",
			  .table = "edge",
			  .name = "c",
			  .base = true,
			  .hook = NF_INET_PRE_ROUTING,
			  .devices = devices,
			  .read = true,
			  .len = 1},
		.rule = {.verdict = RULESET_DROP, .target = RULESET_NO_CHAIN},
	};
}

/* The door that it stands at, of an exit where nothing came; WHY_DOORS: none. */
static enum why_door find(struct scene *scene, bool all_came)
{
	struct facts facts = {0};
	struct fact_addr *own = vec_add(&facts.addrs);
	struct why_known known = {.world = {.kernel = &scene->kernel, .facts = &facts},
				  .question = {.exit = true, .to = to, .peer = peer},
				  .from = from,
				  .device = "tun_b",
				  .wan = "wan0",
				  .local = local,
				  .remote = peer,
				  .probed = {.done = true}};
	enum why_door found = WHY_DOORS;

	*own = (struct fact_addr){.addr = local, .len = 24, .device = "eth0"};
	if (all_came)
		memset(&known.probed.seen.counts, 1, sizeof(known.probed.seen.counts));
	why_device_ask(&known);
	for (enum why_door door = 0; door < WHY_DOORS; door++)
		if (*known.doors[door].table) {
			assert_int_equal(found, WHY_DOORS);
			assert_string_equal(known.doors[door].name, "c");
			found = door;
		}
	facts_done(&facts);
	return found;
}

static void it_stands_at_the_door_of_its_device(void **state)
{
	static const char *const of_tunnel[] = {"tun_b", NULL}, *const of_wan[] = {"wan0", NULL},
				 *const of_lan[] = {"lan0", NULL};
	static const struct {
		const char *const *devices;
		enum why_door door;
	} cases[] = {
		{devices, WHY_DOOR_UNDERLAY},
		{of_tunnel, WHY_DOOR_TUNNEL},
		{of_wan, WHY_DOOR_WAN},
		{of_lan, WHY_DOORS},
		{NULL, WHY_DOORS}, /* of all: a hook of its own, which is traced */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scene scene = dropping();

		scene.chain.devices = cases[i].devices;
		assert_int_equal(find(&scene, false), cases[i].door);
		assert_int_equal(scene.asked, 1);
	}
}

static void what_it_may_let_in_is_not_said_to_be_dropped(void **state)
{
	struct scene scene = dropping();

	(void)state;
	scene.rule.protocol = IPPROTO_IPIP;
	scene.rule.protocol_given = true;
	assert_int_equal(find(&scene, false), WHY_DOOR_UNDERLAY);
	scene.rule.source.given = true;
	scene.rule.source.prefix = (struct prefix){peer, 32};
	assert_int_equal(find(&scene, false), WHY_DOOR_UNDERLAY);
	scene.rule.source.prefix.addr.host++;
	assert_int_equal(find(&scene, false), WHY_DOORS);
	scene.rule.source.given = false;
	scene.rule.flags = RULESET_CONDITION;
	assert_int_equal(find(&scene, false), WHY_DOORS);
	scene = dropping();
	scene.chain.hook = NF_INET_POST_ROUTING;
	assert_int_equal(find(&scene, false), WHY_DOORS);
}

static void where_all_came_nobody_asks(void **state)
{
	struct scene scene = dropping();

	(void)state;
	assert_int_equal(find(&scene, true), WHY_DOORS);
	assert_int_equal(scene.asked, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stands_at_the_door_of_its_device),
		cmocka_unit_test(what_it_may_let_in_is_not_said_to_be_dropped),
		cmocka_unit_test(where_all_came_nobody_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
