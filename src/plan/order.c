/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of a plan's ops: ups before downs, by what each kind needs to stand already; and
 * what holds something that another one needs, out of the way first.
 */
#include <stdlib.h>
#include <string.h>

#include "plan/builder.h"

struct needs {
	struct links_needed vec_of(const struct link *) links; /* sorted by endpoints */
	struct ops elements;                                   /* in order of their keys */
};

static int compare(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

/* What the kernel tells ipip devices apart by, besides their name. */
static int endpoints_compare(const void *a, const void *b)
{
	const struct link *x = *(const struct link *const *)a, *y = *(const struct link *const *)b;
	int order = compare(x->local.host, y->local.host);

	if (!order)
		order = compare(x->remote.host, y->remote.host);
	return order ? order : strcmp(x->underlay, y->underlay);
}

/* A link that is to get other endpoints. */
struct mover {
	struct link *wants, *has;
	struct op *op;
	size_t seen; /* number of the walk that came by, 0: none */
};

struct movers vec_of(struct mover);

static int has_compare(const void *a, const void *b)
{
	return endpoints_compare(&((const struct mover *)a)->has, &((const struct mover *)b)->has);
}

static struct mover *holder_of(const struct movers *movers, const struct mover *mover)
{
	struct mover key = {.has = mover->wants};

	return bsearch(&key, movers->v, movers->len, sizeof(key), has_compare);
}

/* What is not wanted in particular stays as it is. */
static struct link *wanted_endpoints(const struct builder *b, const struct op *op)
{
	const struct link *want = (const struct link *)op->want;
	struct link *link = arena_memdup(b->arena, op->have, sizeof(*link));

	if (want->head.set & object_bit(link_kind, "local"))
		link->local = want->local;
	if (want->head.set & object_bit(link_kind, "remote"))
		link->remote = want->remote;
	if (want->head.set & object_bit(link_kind, "underlay"))
		memcpy(link->underlay, want->underlay, sizeof(link->underlay));
	return link;
}

static void find_movers(const struct builder *b, struct movers *movers)
{
	const uint64_t endpoints = object_bit(link_kind, "local") |
				   object_bit(link_kind, "remote") |
				   object_bit(link_kind, "underlay");

	for (size_t i = 0; i < b->up.len; i++) {
		struct op *op = &b->up.v[i];

		if (op->kind != KIND_LINK || op->verb != OP_CHANGE || !(op->differs & endpoints))
			continue;
		vec_push(movers, ((struct mover){
					 .wants = wanted_endpoints(b, op),
					 .has = (struct link *)(uintptr_t)op->have,
					 .op = op,
				 }));
	}
	vec_sort(movers, has_compare);
}

/* Follows who holds what the other wants, from one to the next; true when back at the start. */
static bool is_ring(const struct movers *movers, struct mover *start, size_t walk)
{
	struct mover *mover = start;

	while (mover && mover->seen != walk) {
		if (mover->seen)
			return false; /* an earlier walk came by: it told */
		mover->seen = walk;
		mover = holder_of(movers, mover);
	}
	return mover == start;
}

void order_untie(struct builder *b)
{
	struct movers movers = {0};

	find_movers(b, &movers);
	for (size_t i = 0; i < movers.len; i++) {
		struct mover *start = &movers.v[i], *mover = start;

		if (start->seen || !is_ring(&movers, start, i + 1))
			continue;
		do {
			mover->op->verb = OP_REPLACE;
			vec_push(&b->gone, ((const struct link *)mover->op->want)->device);
			mover = holder_of(&movers, mover);
		} while (mover != start);
	}
	vec_done(&movers);
}

/* An interval set refuses overlaps: 10.0.0.0/8 goes before 10.0.0.0/9 comes. Those that come
 * do not overlap each other, so only the neighbours of its place can. */
static bool overlaps_an_up(const struct ops *ups, const struct nft_element *down)
{
	size_t from = 0, to = ups->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (kind_key_compare(&nft_element_kind, ups->v[middle].want, down) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	for (size_t i = from ? from - 1 : 0; i < ups->len && i <= from; i++) {
		const struct nft_element *up = (const struct nft_element *)ups->v[i].want;

		if (strcmp(up->set_name, down->set_name) == 0 && !*up->device && !*down->device &&
		    prefix_overlaps(up->prefix, down->prefix))
			return true;
	}
	return false;
}

/* A doomed link that holds the endpoints which an up needs goes before the ups. */
static bool holds_what_an_up_needs(const struct needs *needs, const struct op *down)
{
	if (down->verb != OP_DELETE)
		return false;
	if (down->kind == KIND_NFT_ELEMENT)
		return overlaps_an_up(&needs->elements, (const struct nft_element *)down->have);
	const struct link *have = (const struct link *)down->have;
	return down->kind == KIND_LINK && needs->links.len &&
	       bsearch(&have, needs->links.v, needs->links.len, sizeof(have), endpoints_compare);
}

static void append(struct ops *ops, const struct ops *from, enum kind_id kind)
{
	for (size_t i = 0; i < from->len; i++)
		if (from->v[i].kind == kind)
			vec_push(ops, from->v[i]);
}

static bool is_landing_rule(const struct op *op)
{
	return ((const struct rule *)op_object(op))->priority == OUR_RULE_LAST;
}

/* Rules by ascending priority, but 9999 first: every goto needs a place to land. */
static void append_rules_up(struct ops *ops, const struct ops *from)
{
	for (int landing = 1; landing >= 0; landing--)
		for (size_t i = 0; i < from->len; i++)
			if (from->v[i].kind == KIND_RULE &&
			    is_landing_rule(&from->v[i]) == (landing == 1))
				vec_push(ops, from->v[i]);
}

static void append_rules_down(struct ops *ops, const struct ops *from)
{
	for (int landing = 0; landing <= 1; landing++)
		for (size_t i = from->len; i-- > 0;)
			if (from->v[i].kind == KIND_RULE &&
			    is_landing_rule(&from->v[i]) == (landing == 1))
				vec_push(ops, from->v[i]);
}

/* What the ups take: endpoints of links, places in interval sets. */
static void note_needs(const struct builder *b, struct needs *needs)
{
	for (size_t i = 0; i < b->up.len; i++) {
		const struct op *up = &b->up.v[i];

		if (up->verb == OP_CONFLICT || up->verb == OP_FOUND)
			continue;
		if (up->kind == KIND_LINK)
			vec_push(&needs->links, (const struct link *)up->want);
	}
	vec_sort(&needs->links, endpoints_compare);
	append(&needs->elements, &b->up, KIND_NFT_ELEMENT);
}

/* What makes room goes before what takes it: replaced links leave before others come. */
static void append_links_up(struct ops *ops, const struct ops *from)
{
	for (int replaced = 1; replaced >= 0; replaced--)
		for (size_t i = 0; i < from->len; i++)
			if (from->v[i].kind == KIND_LINK &&
			    (from->v[i].verb == OP_REPLACE) == (replaced == 1))
				vec_push(ops, from->v[i]);
}

void order_ops(struct builder *b, struct ops *ops)
{
	static const enum kind_id up[] = {KIND_NFT_TABLE, KIND_NFT_SET, KIND_NFT_ELEMENT,
					  KIND_NFT_CHAIN, KIND_LINK,    KIND_ADDRESS,
					  KIND_SYSCTL,    KIND_ROUTE};
	static const enum kind_id down[] = {KIND_ROUTE,   KIND_SYSCTL,    KIND_ADDRESS,
					    KIND_LINK,    KIND_NFT_CHAIN, KIND_NFT_ELEMENT,
					    KIND_NFT_SET, KIND_NFT_TABLE};
	struct needs needs = {0};
	struct ops early = {0}, late = {0};

	note_needs(b, &needs);
	for (size_t i = 0; i < b->down.len; i++)
		if (holds_what_an_up_needs(&needs, &b->down.v[i]))
			vec_push(&early, b->down.v[i]);
		else
			vec_push(&late, b->down.v[i]);
	for (size_t i = 0; i < ARRAY_LEN(up); i++) {
		append(ops, &early, up[i]);
		if (up[i] == KIND_LINK)
			append_links_up(ops, &b->up);
		else
			append(ops, &b->up, up[i]);
	}
	append_rules_up(ops, &b->up);
	append_rules_down(ops, &late);
	for (size_t i = 0; i < ARRAY_LEN(down); i++)
		append(ops, &late, down[i]);
	vec_done(&needs.links);
	vec_done(&needs.elements);
	vec_done(&early);
	vec_done(&late);
}
