/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources and destinations as merged ranges of addresses, so that equal sets are equal. */
#include "model/overlaps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct range {
	uint32_t first, last;
};

struct ranges vec_of(struct range);

static int range_compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->last > y->last) - (x->last < y->last);
}

/* Sorted, without overlaps, neighbours joined. No prefixes at all mean every address. */
static void add_ranges(const struct prefixes *prefixes, struct ranges *out)
{
	size_t kept = 0;

	if (!prefixes->len)
		vec_push(out, ((struct range){0, UINT32_MAX}));
	for (uint32_t i = 0; i < prefixes->len; i++)
		vec_push(out, ((struct range){prefixes->v[i].addr.host,
					      prefix_last(prefixes->v[i]).host}));
	vec_sort(out, range_compare);
	for (size_t i = 1; i < out->len; i++) {
		struct range *last = &out->v[kept];

		if (out->v[i].first > (uint64_t)last->last + 1)
			out->v[++kept] = out->v[i];
		else if (out->v[i].last > last->last)
			last->last = out->v[i].last;
	}
	out->len = kept + 1;
}

static int ranges_compare(const struct ranges *a, const struct ranges *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->v, b->v, a->len * sizeof(*a->v));
}

/* Priority and interfaces: what is cheap to compare. */
static int place_compare(const struct nat_rule *a, const struct nat_rule *b)
{
	int order = (a->priority > b->priority) - (a->priority < b->priority);

	if (!order)
		order = strcmp(a->out_interface, b->out_interface);
	return order ? order : strcmp(a->in_interface, b->in_interface);
}

static bool same_effect(const struct nat_rule *a, const struct nat_rule *b)
{
	return a->action == b->action && a->to_address.host == b->to_address.host;
}

static bool covers(const struct ranges *ranges, struct prefix p)
{
	size_t from = 0, to = ranges->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (ranges->v[middle].last < p.addr.host)
			from = middle + 1;
		else if (ranges->v[middle].first > prefix_last(p).host)
			to = middle;
		else
			return true;
	}
	return false;
}

static int fault(const char *at, const struct nat_rule *other, struct errs *errs)
{
	char pointer[ERR_POINTER];

	snprintf(pointer, sizeof(pointer), "%s/sources", at);
	return errs_add(errs, -EEXIST, "sources-overlap", pointer,
			"nat-rule/%s does something else with some of these sources, at the "
			"same priority, interfaces and destinations",
			other->head.name);
}

/* The rule that is put, its ranges made once. */
struct put {
	const struct nat_rule *rule;
	struct ranges sources, destinations;
};

static bool contradicts(const struct put *put, const struct nat_rule *other)
{
	struct ranges destinations = {0};

	if (place_compare(put->rule, other) != 0 || same_effect(put->rule, other))
		return false;
	add_ranges(&other->destinations, &destinations);
	int order = ranges_compare(&put->destinations, &destinations);
	vec_done(&destinations);
	for (uint32_t i = 0; order == 0 && i < other->sources.len; i++)
		if (covers(&put->sources, other->sources.v[i]))
			return true;
	return false;
}

int overlaps_check_put(const struct resources *rules, const struct nat_rule *rule,
		       struct errs *errs)
{
	struct put put = {.rule = rule};
	int rc = 0;

	add_ranges(&rule->sources, &put.sources);
	add_ranges(&rule->destinations, &put.destinations);
	for (size_t i = 0; i < rules->len; i++) {
		const struct nat_rule *other = (const struct nat_rule *)rules->v[i];

		if (strcmp(other->head.name, rule->head.name) != 0 && contradicts(&put, other))
			rc = fault("", other, errs);
	}
	vec_done(&put.sources);
	vec_done(&put.destinations);
	return rc;
}

/* A rule of the whole list, with its merged destinations. */
struct placed {
	const struct nat_rule *rule;
	struct ranges destinations;
	uint32_t index;
	bool given; /* the document names it */
};

struct placed_list vec_of(struct placed);

static int placed_group_compare(const struct placed *a, const struct placed *b)
{
	int order = place_compare(a->rule, b->rule);

	return order ? order : ranges_compare(&a->destinations, &b->destinations);
}

static int placed_compare(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	int order = placed_group_compare(x, y);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* A source of a rule of one group. */
struct source {
	struct range range;
	const struct placed *placed;
};

struct source_list vec_of(struct source);

static int source_compare(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	int order = range_compare(&x->range, &y->range);

	if (order)
		return order;
	return (x->placed->index > y->placed->index) - (x->placed->index < y->placed->index);
}

/* What the document names is at fault; of two such, the later one. */
static int clash(const struct placed *a, const struct placed *b, struct errs *errs)
{
	bool blame_a = a->given == b->given ? a->index > b->index : a->given;
	char at[ERR_POINTER];

	snprintf(at, sizeof(at), "/%s/%u", nat_rule_kind.member, blame_a ? a->index : b->index);
	return fault(at, blame_a ? b->rule : a->rule, errs);
}

/*
 * One walk in order of the first address. Whom a source can meet is the one that reaches
 * furthest (reach), or the one that reaches furthest among those with another effect (other).
 */
static int check_sources(const struct source_list *sources, struct errs *errs)
{
	const struct source *reach = NULL, *other = NULL;
	int rc = 0;

	for (size_t i = 0; i < sources->len; i++) {
		const struct source *s = &sources->v[i], *met = reach;
		bool same = reach && same_effect(reach->placed->rule, s->placed->rule);

		if (same)
			met = other;
		if (met && met->range.last >= s->range.first)
			rc = clash(met->placed, s->placed, errs);
		if (!reach || s->range.last > reach->range.last) {
			if (reach && !same)
				other = reach;
			reach = s;
		} else if (!same && (!other || s->range.last > other->range.last)) {
			other = s;
		}
	}
	return rc;
}

static int check_group(const struct placed *group, size_t len, struct errs *errs)
{
	struct source_list sources = {0};

	if (len < 2)
		return 0;
	for (size_t i = 0; i < len; i++) {
		const struct prefixes *list = &group[i].rule->sources;

		for (uint32_t j = 0; j < list->len; j++)
			vec_push(&sources, ((struct source){{list->v[j].addr.host,
							     prefix_last(list->v[j]).host},
							    &group[i]}));
	}
	vec_sort(&sources, source_compare);
	int rc = check_sources(&sources, errs);
	vec_done(&sources);
	return rc;
}

int overlaps_check(const struct declaration_merge *merge, struct errs *errs)
{
	const struct resources *rules = &merge->after->kind[KIND_NAT_RULE];
	struct placed_list all = {0};
	int rc = 0;

	for (size_t i = 0; i < rules->len; i++) {
		struct placed placed = {
			.rule = (const struct nat_rule *)rules->v[i],
			.index = (uint32_t)i,
			.given = declaration_is_given(merge, KIND_NAT_RULE, rules->v[i]->name),
		};

		add_ranges(&placed.rule->destinations, &placed.destinations);
		vec_push(&all, placed);
	}
	vec_sort(&all, placed_compare);
	for (size_t from = 0, to; from < all.len; from = to) {
		for (to = from + 1; to < all.len; to++)
			if (placed_group_compare(&all.v[from], &all.v[to]) != 0)
				break;
		int group_rc = check_group(&all.v[from], to - from, errs);
		if (group_rc)
			rc = group_rc;
	}
	for (size_t i = 0; i < all.len; i++)
		vec_done(&all.v[i].destinations);
	vec_done(&all);
	return rc;
}
