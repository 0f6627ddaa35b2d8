/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy rules that lead into our tables: exact longest-prefix match over main and ours,
 * ties ours, without a route of ours in main (kernel.md, "Addresses, routes, rules"). Their
 * number depends on distinct destination lengths, `from` prefixes and own addresses.
 */
#include "plan/expander.h"

#include <linux/rtnetlink.h>

enum {
	PRIORITY_OWN = OUR_RULE_FIRST,          /* from own addresses: past our tables */
	PRIORITY_QUESTION = OUR_RULE_FIRST + 5, /* the agent's own route questions */
	PRIORITY_TABLES = OUR_RULE_FIRST + 10,
};

/* One `from` prefix and the destination lengths in use in its table. */
struct lengths {
	struct prefix from;
	uint32_t table;
	uint64_t in_use; /* bit L: a destination of that length */
};

struct lengths_list vec_of(struct lengths);

static struct rule *want_rule(struct expander *x, uint32_t priority, enum rule_action action)
{
	struct rule *rule = expander_want(x, KIND_RULE);

	rule->priority = priority;
	rule->action = (uint8_t)action;
	rule->suppress_prefixlength = SUPPRESS_NONE;
	rule->protocol = OUR_PROTOCOL;
	return rule;
}

static void want_own_address(struct expander *x, struct addr addr)
{
	struct rule *rule = want_rule(x, PRIORITY_OWN, RULE_GOTO);

	rule->from = (struct prefix){addr, 32};
	rule->target = OUR_RULE_LAST;
}

/* Outer packets and replies of this host's own addresses never enter a tunnel by our rules. */
static void want_own_addresses(struct expander *x)
{
	struct addr last = {0}; /* most tunnels have the same */

	for (size_t i = 0; i < x->out->expansions.len; i++) {
		const struct expansion *e = &x->out->expansions.v[i];
		const struct tunnel *t = e->effective;

		if (e->kind != &tunnel_kind || !e->resource->enabled || e->resource->deleting ||
		    !t->local.host || t->local.host == last.host)
			continue;
		want_own_address(x, t->local);
		last = t->local;
	}
	for (size_t i = 0; i < x->answers->own_len; i++)
		want_own_address(x, x->answers->own[i]);
}

static int lengths_compare(const void *a, const void *b)
{
	const struct lengths *x = a, *y = b;

	return prefix_compare(&x->from, &y->from);
}

static void note(const struct expander *x, struct lengths_list *list, struct prefix from,
		 const struct prefixes *destinations)
{
	struct lengths row = {.from = from, .table = expander_table(x, from)};

	if (!row.table)
		return; /* it has no routes either */
	for (uint32_t i = 0; i < destinations->len; i++)
		row.in_use |= UINT64_C(1) << destinations->v[i].len;
	vec_push(list, row);
}

static void note_exit(const struct expander *x, struct lengths_list *list,
		      const struct expansion *expansion)
{
	static const struct prefix everything = {{0}, 0};
	const struct exit_route *e = (const struct exit_route *)expansion->resource;

	if (!e->head.enabled || e->head.deleting || expansion->hold.reason)
		return;
	if (!e->from.len)
		note(x, list, everything, &e->destinations);
	for (uint32_t i = 0; i < e->from.len; i++)
		note(x, list, e->from.v[i], &e->destinations);
}

static void want_pair(struct expander *x, const struct lengths *row, uint32_t length)
{
	uint32_t priority = PRIORITY_TABLES + 66 * (32u - row->from.len) + 2 * (32 - length);
	struct rule *host = want_rule(x, priority, RULE_LOOKUP);
	struct rule *ours = want_rule(x, priority + 1, RULE_LOOKUP);

	host->from = ours->from = row->from;
	host->table = RT_TABLE_MAIN;
	host->suppress_prefixlength = (int32_t)length;
	ours->table = row->table;
	if (length)
		ours->suppress_prefixlength = (int32_t)length - 1;
}

void expand_rules(struct expander *x)
{
	struct lengths_list list = {0};

	for (size_t i = 0; i < x->out->expansions.len; i++)
		if (x->out->expansions.v[i].kind == &exit_route_kind)
			note_exit(x, &list, &x->out->expansions.v[i]);
	if (!list.len)
		return;
	vec_sort(&list, lengths_compare);
	want_own_addresses(x);
	struct rule *question = want_rule(x, PRIORITY_QUESTION, RULE_GOTO);
	question->fwmark = OUR_MARK;
	question->fwmask = UINT32_MAX;
	question->target = OUR_RULE_LAST;
	for (size_t i = 0; i < list.len; i++) {
		const struct lengths *row = &list.v[i];

		if (i + 1 < list.len && lengths_compare(row, row + 1) == 0) {
			list.v[i + 1].in_use |= row->in_use;
			continue;
		}
		for (uint32_t length = 0; length <= 32; length++)
			if (row->in_use >> length & 1)
				want_pair(x, row, length);
	}
	want_rule(x, OUR_RULE_LAST, RULE_NOP);
	vec_done(&list);
}
