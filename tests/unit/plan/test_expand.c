/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Same inputs, same objects: what may be taken for what was expanded before, and what may not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/text.h"
#include "plan/expand.h"

/* Each may be so or not, whatever the others are. */
enum {
	TA_THERE,
	TA_FORWARDS,
	TA_OPENED, /* by us: the ledger has it */
	TB_FOREIGN,
	TB_FOUND,
	TC_FOREIGN,
	TC_ADOPTABLE,
	TD_ADDRESSED, /* the disabled one's address is there all the same */
	ETH0_GONE,
	ETH0_FORWARDS,
	ETH0_OPENED,
	ETH1_THERE,
	LOCAL_THERE,
	TO_ADDRESS_THERE,
	REMOTE_IS_OWN,
	REMOTE_ASKED,
	REMOTE_FAILS,
	OTHER_SOURCE,
	OTHER_MTU,
	OWN_ADDRESS, /* another one */
	IP_FORWARD,
	FROM_NUMBERED,
	INDEX_MOVED, /* nothing is made of what follows */
	LINK_MTU,
	DEFAULT_FORWARDS,
	TURNS,
};

static struct prefix inner_a[] = {{{0x0a000001}, 30}}, inner_d[] = {{{0x0a000101}, 30}},
		     everything[] = {{{0}, 0}}, lan[] = {{{0xc0a80000}, 16}},
		     allowed[] = {{{0x0a000002}, 32}};

#define LIST(array)                                                                                \
	{                                                                                          \
		array, ARRAY_LEN(array)                                                            \
	}
#define HEAD(text)                                                                                 \
	{                                                                                          \
		.name = text, .enabled = true                                                      \
	}

/* One of each thing that expand asks about. */
static struct tunnel tunnels[] = {
	{HEAD("ta"), .remote = {0xcb007101}, .addresses = LIST(inner_a), .mss_clamp = true,
	 .rp_filter = RP_FILTER_LOOSE},
	{HEAD("tb"), .remote = {0xcb007102}, .local = {0x0a000001}, .underlay = "eth1",
	 .allowed_sources = LIST(allowed)},
	{{.name = "tc", .enabled = true, .adopt = true}, .remote = {0xcb007103}, .underlay = "ta"},
	{{.name = "td"}, .remote = {0xcb007104}, .addresses = LIST(inner_d)},
};
static struct exit_route exits[] = {
	{HEAD("ea"), .tunnel = "ta", .destinations = LIST(everything), .from = LIST(lan)},
	{HEAD("eb"), .tunnel = "tb", .destinations = LIST(lan), .source = {0x0a000101}},
	{HEAD("ec"), .tunnel = "tc", .destinations = LIST(lan), .source = {0x0a000001}},
};
static struct nat_rule rules[] = {
	{HEAD("na"), .sources = LIST(lan), .out_interface = "eth0", .action = NAT_SNAT,
	 .to_address = {0xc6336401}},
	{HEAD("nb"), .sources = LIST(inner_a), .out_interface = "eth0", .in_interface = "tb"},
	{HEAD("nc"), .sources = LIST(inner_d), .out_interface = "eth1", .in_interface = "td"},
};

static void declare(struct declaration *d)
{
	for (size_t i = 0; i < ARRAY_LEN(tunnels); i++)
		vec_push(&d->kind[KIND_TUNNEL], &tunnels[i].head);
	for (size_t i = 0; i < ARRAY_LEN(exits); i++)
		vec_push(&d->kind[KIND_EXIT_ROUTE], &exits[i].head);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		vec_push(&d->kind[KIND_NAT_RULE], &rules[i].head);
}

static void undeclare(struct declaration *d)
{
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		vec_done(&d->kind[k]);
}

/* What the agent would know of a host like that, and what comes of it. */
struct world {
	struct arena arena;
	struct facts facts;
	struct objects owned;
	struct from_numbers numbers;
	struct expand_output out;
	uint64_t inputs;
};

static void add_link(struct world *w, const char *device, struct fact_link link)
{
	name_copy(link.device, device);
	vec_push(&w->facts.links, link);
}

static void add_addr(struct world *w, uint32_t host, const char *device)
{
	struct fact_addr addr = {.addr = {host}, .len = 24};

	name_copy(addr.device, device);
	vec_push(&w->facts.addrs, addr);
}

static void add_owned_sysctl(struct world *w, const char *device)
{
	struct sysctl *s = (struct sysctl *)objects_add(&w->owned, KIND_SYSCTL);

	name_copy(s->device, device);
	s->head.marks = OBJECT_OURS;
}

static void add_owned_link(struct world *w, const char *device)
{
	struct link *link = (struct link *)objects_add(&w->owned, KIND_LINK);

	name_copy(link->device, device);
	link->head.marks = OBJECT_FOUND;
}

static bool is(uint32_t turns, unsigned which)
{
	return turns >> which & 1;
}

static void ask(struct world *w, uint32_t turns)
{
	for (size_t i = is(turns, REMOTE_ASKED) ? 0 : 1; i < ARRAY_LEN(tunnels); i++) {
		struct fact_remote remote = {
			.remote = tunnels[i].remote,
			.error = is(turns, REMOTE_FAILS) ? -ENETUNREACH : 0,
			.source = {0xc6336401 + is(turns, OTHER_SOURCE)},
			.mtu = 1500 - 100 * is(turns, OTHER_MTU),
		};

		name_copy(remote.underlay, tunnels[i].underlay);
		vec_push(&w->facts.remotes, remote);
	}
}

static void see(struct world *w, uint32_t turns)
{
	uint32_t index = 1 + is(turns, INDEX_MOVED), mtu = 1500 + is(turns, LINK_MTU);

	if (!is(turns, ETH0_GONE))
		add_link(w, "eth0", (struct fact_link){.forwarding = is(turns, ETH0_FORWARDS)});
	if (is(turns, ETH1_THERE))
		add_link(w, "eth1", (struct fact_link){.ifindex = index, .mtu = mtu});
	if (is(turns, TA_THERE))
		add_link(w, "ta",
			 (struct fact_link){.ours = true,
					    .ifindex = index,
					    .mtu = mtu,
					    .forwarding = is(turns, TA_FORWARDS)});
	if (is(turns, TB_FOREIGN))
		add_link(w, "tb", (struct fact_link){.driver = "dummy"});
	if (is(turns, TC_FOREIGN))
		add_link(w, "tc", (struct fact_link){.adoptable = is(turns, TC_ADOPTABLE)});
	if (is(turns, LOCAL_THERE))
		add_addr(w, 0x0a000001, "ta");
	if (is(turns, TD_ADDRESSED))
		add_addr(w, 0x0a000101, "lo");
	if (is(turns, TO_ADDRESS_THERE))
		add_addr(w, 0xc6336401, "eth0");
	if (is(turns, REMOTE_IS_OWN))
		add_addr(w, 0xcb007101, "eth0");
	add_addr(w, 0xc6336477 + is(turns, OWN_ADDRESS), "eth0");
	ask(w, turns);
	w->facts.ip_forward = is(turns, IP_FORWARD);
	w->facts.default_forwarding = is(turns, DEFAULT_FORWARDS);
	facts_sort(&w->facts);
	if (is(turns, TA_OPENED))
		add_owned_sysctl(w, "ta");
	if (is(turns, ETH0_OPENED))
		add_owned_sysctl(w, "eth0");
	if (is(turns, TB_FOUND))
		add_owned_link(w, "tb");
	objects_sort(&w->owned);
	if (is(turns, FROM_NUMBERED))
		vec_push(&w->numbers, ((struct from_number){lan[0], OUR_TABLE_FIRST + 1}));
}

static struct world world(uint32_t turns)
{
	cleanup_(undeclare) struct declaration d = {0};
	struct world *w = test_calloc(1, sizeof(*w));
	struct expand_input input = {&d, &w->facts, &w->owned, 7, &w->numbers};

	declare(&d);
	w->owned.arena = &w->arena;
	see(w, turns);
	w->inputs = expand_inputs(&input);
	expand(&input, &w->arena, &w->out);
	assert_true(w->out.inputs == w->inputs);
	struct world by_value = *w;
	test_free(w);
	return by_value;
}

static void world_done(struct world *w)
{
	expand_done(&w->out);
	objects_done(&w->owned);
	facts_done(&w->facts);
	vec_done(&w->numbers);
	arena_done(&w->arena);
}

static bool same_objects(const struct objects *a, const struct objects *b)
{
	for (unsigned k = OBJECT_KIND_FIRST; k < OBJECT_KIND_END; k++) {
		if (a->kind[k].len != b->kind[k].len)
			return false;
		for (size_t i = 0; i < a->kind[k].len; i++)
			if (!kind_same(kinds[k], a->kind[k].v[i], b->kind[k].v[i]) ||
			    a->kind[k].v[i]->marks != b->kind[k].v[i]->marks)
				return false;
	}
	return true;
}

static bool same_expansions(const struct expand_output *a, const struct expand_output *b)
{
	if (a->claims.len != b->claims.len)
		return false;
	for (size_t i = 0; i < a->expansions.len; i++) {
		const struct expansion *x = &a->expansions.v[i], *y = &b->expansions.v[i];

		if (x->hold.reason != y->hold.reason || x->claims_to != y->claims_to ||
		    (x->hold.reason && strcmp(x->hold.message, y->hold.message) != 0) ||
		    !kind_same(x->kind, x->effective, y->effective))
			return false;
	}
	for (size_t i = 0; i < a->claims.len; i++)
		if (a->claims.v[i].kind != b->claims.v[i].kind ||
		    kind_key_compare(kinds[a->claims.v[i].kind], a->claims.v[i].object,
				     b->claims.v[i].object) != 0)
			return false;
	return true;
}

/* Are the inputs of the two the same? Then all else is. */
static bool compare(uint32_t one, uint32_t other)
{
	cleanup_(world_done) struct world a = world(one);
	cleanup_(world_done) struct world b = world(other);

	if (a.inputs != b.inputs)
		return false;
	if (!same_objects(&a.out.desired, &b.out.desired) || !same_expansions(&a.out, &b.out))
		fail_msg("turns %#x and %#x: other objects of the same inputs", one, other);
	return true;
}

static uint32_t random_turns(void)
{
	static uint64_t state = 4242;

	state = state * UINT64_C(6364136223846793005) + 1;
	return (uint32_t)(state >> 33) & ((1U << TURNS) - 1);
}

static void the_same_inputs_make_the_same_objects(void **state)
{
	unsigned same[TURNS] = {0}, tried = 300;

	(void)state;
	for (unsigned i = 0; i < tried; i++) {
		uint32_t turns = random_turns();

		for (unsigned turn = 0; turn < TURNS; turn++)
			same[turn] += compare(turns, turns ^ 1U << turn);
	}
	for (unsigned turn = 0; turn < TURNS; turn++)
		if (turn >= INDEX_MOVED)
			assert_int_equal(same[turn], tried); /* it concerns nothing */
		else
			assert_in_range(same[turn], 0, tried - 1);
}

/* So that a pass need not expand again what it has just made. */
static void what_a_pass_brings_about_is_the_same_input(void **state)
{
	const uint32_t before = 1U << ETH1_THERE | 1U << REMOTE_ASKED, opened = 1U << ETH0_OPENED,
		       after = before | opened | 1U << ETH0_FORWARDS;

	(void)state;
	assert_true(compare(before, before | opened));
	assert_true(compare(before, after));
	assert_false(compare(before, after ^ opened)); /* somebody else's switch */
	/* it is the underlay of tc */
	assert_false(compare(before, before | 1U << TA_THERE));
	tunnels[2].underlay[0] = '\0';
	assert_true(compare(before, before | 1U << TA_THERE | 1U << TA_FORWARDS | 1U << TA_OPENED));
	assert_false(compare(before, before | 1U << TA_THERE | 1U << TA_FORWARDS));
	/* and its address the local one of tb */
	assert_false(compare(before, before | 1U << LOCAL_THERE));
	tunnels[1].local.host = 0;
	assert_true(compare(before, before | 1U << LOCAL_THERE));
	name_copy(tunnels[2].underlay, "ta");
	tunnels[1].local.host = 0x0a000001;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_inputs_make_the_same_objects),
		cmocka_unit_test(what_a_pass_brings_about_is_the_same_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
