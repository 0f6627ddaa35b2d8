/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Totals grow by what a reading has more than the one before. A link is known by its index, so
 * that one that was made again counts from its beginning; an element that has less than it
 * had was made again.
 */
#include "daemon/totals.h"

#include <string.h>

#include "base/text.h"
#include "plan/expand.h"

enum { LINK_COUNTERS = sizeof(struct link_stats) / sizeof(uint64_t) };

/* Adds what it counted since, and remembers. */
static void grow(struct link_stats *sum, struct link_stats *last, const struct link_stats *now)
{
	uint64_t *to = (uint64_t *)sum, *before = (uint64_t *)last;
	const uint64_t *value = (const uint64_t *)now;

	for (size_t i = 0; i < LINK_COUNTERS; i++) {
		if (value[i] <= before[i])
			continue; /* read before what was remembered */
		to[i] += value[i] - before[i];
		before[i] = value[i];
	}
}

static const char *device_of(const struct totals *totals, uint32_t at)
{
	return totals->tunnels.v[at].device;
}

static int compare_devices(const void *a, const void *b, void *user)
{
	return strcmp(device_of(user, *(const uint32_t *)a), device_of(user, *(const uint32_t *)b));
}

static void declare_tunnels(struct totals *totals, const struct resources *declared)
{
	struct tunnel_totals before = totals->tunnels;
	size_t at = 0;

	totals->tunnels = (struct tunnel_totals){0};
	vec_clear(&totals->by_device);
	for (size_t i = 0; i < declared->len; i++) {
		const struct tunnel *tunnel = (const struct tunnel *)declared->v[i];
		struct tunnel_total *total = vec_add(&totals->tunnels);

		while (at < before.len && strcmp(before.v[at].name, tunnel->head.name) < 0)
			at++;
		if (at < before.len && strcmp(before.v[at].name, tunnel->head.name) == 0)
			*total = before.v[at];
		memcpy(total->name, tunnel->head.name, sizeof(total->name));
		total->enabled = tunnel->head.enabled && !tunnel->head.deleting;
		memset(total->device, 0, sizeof(total->device));
		name_copy(total->device, tunnel_device(tunnel));
		vec_push(&totals->by_device, (uint32_t)i);
	}
	if (totals->by_device.len)
		qsort_r(totals->by_device.v, totals->by_device.len, sizeof(uint32_t),
			compare_devices, totals);
	vec_done(&before);
}

struct rule_elements {
	struct nat_sets sets;
	struct prefixes sources[2]; /* hosts, networks */
};

static void elements_of(const struct nat_rule *rule, struct arena *arena, struct rule_elements *of)
{
	nat_sets_of(rule, &of->sets);
	nat_sources_of(rule, arena, of->sources);
}

static void declare_rules(struct totals *totals, const struct resources *declared)
{
	struct rule_totals before = totals->rules;
	size_t at = 0;

	totals->rules = (struct rule_totals){0};
	arena_reset(&totals->arena);
	totals->elements = arena_array(&totals->arena, declared->len, sizeof(*totals->elements));
	for (size_t i = 0; i < declared->len; i++) {
		const char *name = declared->v[i]->name;
		struct rule_total *total = vec_add(&totals->rules);

		while (at < before.len && strcmp(before.v[at].name, name) < 0)
			at++;
		if (at < before.len && strcmp(before.v[at].name, name) == 0)
			*total = before.v[at];
		name_copy(total->name, name);
		elements_of((const struct nat_rule *)declared->v[i], &totals->arena,
			    &totals->elements[i]);
	}
	vec_done(&before);
}

/* What is removed at last has no revision of its own. */
static bool is_declared(const struct totals *totals, const struct declaration *declaration)
{
	return totals->revision == declaration->revision &&
	       totals->tunnels.len == declaration->kind[KIND_TUNNEL].len &&
	       totals->rules.len == declaration->kind[KIND_NAT_RULE].len;
}

void totals_declare(struct totals *totals, const struct declaration *declaration)
{
	if (is_declared(totals, declaration))
		return;
	totals->revision = declaration->revision;
	declare_tunnels(totals, &declaration->kind[KIND_TUNNEL]);
	declare_rules(totals, &declaration->kind[KIND_NAT_RULE]);
}

struct tunnel_total *totals_tunnel_of(struct totals *totals, const char *device)
{
	size_t from = 0, to = totals->by_device.len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(device_of(totals, totals->by_device.v[middle]), device) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (from == totals->by_device.len ||
	    strcmp(device_of(totals, totals->by_device.v[from]), device) != 0)
		return NULL;
	return &totals->tunnels.v[totals->by_device.v[from]];
}

static void count(struct tunnel_total *total, const struct counted_link *link)
{
	if (total->ifindex != link->ifindex) {
		total->gone_ifindex = total->ifindex;
		total->gone_last = total->last;
		total->ifindex = link->ifindex;
		total->last = (struct link_stats){0};
	}
	grow(&total->sum, &total->last, &link->stats);
}

void totals_gone(struct totals *totals, const struct counted_link *gone)
{
	struct tunnel_total *total = totals_tunnel_of(totals, gone->device);
	struct link_stats unseen = {0};

	if (!total)
		return;
	if (total->ifindex == gone->ifindex)
		grow(&total->sum, &total->last, &gone->stats);
	else if (total->gone_ifindex == gone->ifindex)
		grow(&total->sum, &total->gone_last, &gone->stats);
	else
		grow(&total->sum, &unseen, &gone->stats);
}

static int compare_links(const void *a, const void *b)
{
	return strcmp(((const struct counted_link *)a)->device,
		      ((const struct counted_link *)b)->device);
}

void totals_links(struct totals *totals, struct counted_links *links)
{
	size_t at = 0;

	vec_sort(links, compare_links);
	for (size_t i = 0; i < totals->by_device.len; i++) {
		struct tunnel_total *total = &totals->tunnels.v[totals->by_device.v[i]];

		while (at < links->len && strcmp(links->v[at].device, total->device) < 0)
			at++;
		const struct counted_link *link = at < links->len ? &links->v[at] : NULL;
		if (link && (strcmp(link->device, total->device) != 0 || !link->ours))
			link = NULL;
		total->up = link && link->up;
		total->mtu = link ? link->mtu : 0;
		if (link)
			count(total, link);
	}
}

static int compare_sets(const void *a, const void *b)
{
	return strcmp(((const struct counted_set *)a)->name, ((const struct counted_set *)b)->name);
}

static int compare_elements(const void *a, const void *b)
{
	return prefix_compare(&((const struct counted_element *)a)->prefix,
			      &((const struct counted_element *)b)->prefix);
}

static const struct counted_set *find_set(const struct counted *in, const char *name)
{
	struct counted_set key = {0};

	if (!in->sets.len)
		return NULL;
	name_copy(key.name, name);
	return bsearch(&key, in->sets.v, in->sets.len, sizeof(key), compare_sets);
}

/* What the elements of a set have more than they had; sets of one name, both sorted. */
static void grow_set(const struct counted_element *before, size_t n_before,
		     const struct counted_element *now, size_t n_now, struct element_stats *growth)
{
	for (size_t i = 0, at = 0; i < n_now; i++) {
		struct element_stats base = {0};

		while (at < n_before && prefix_compare(&before[at].prefix, &now[i].prefix) < 0)
			at++;
		if (at < n_before && prefix_compare(&before[at].prefix, &now[i].prefix) == 0 &&
		    before[at].stats.packets <= now[i].stats.packets &&
		    before[at].stats.bytes <= now[i].stats.bytes)
			base = before[at].stats;
		growth[i].packets = now[i].stats.packets - base.packets;
		growth[i].bytes = now[i].stats.bytes - base.bytes;
	}
}

static struct element_stats *growth_of(const struct counted *before, struct counted *now)
{
	struct element_stats *growth = xcalloc(now->elements.len + 1, sizeof(*growth));

	vec_sort(&now->sets, compare_sets);
	for (size_t i = 0; i < now->sets.len; i++) {
		const struct counted_set *set = &now->sets.v[i];
		const struct counted_set *was = find_set(before, set->name);
		struct counted_element *elements = now->elements.v + set->first;

		if (!set->len)
			continue;
		qsort(elements, set->len, sizeof(*elements), compare_elements);
		grow_set(was ? before->elements.v + was->first : NULL, was ? was->len : 0, elements,
			 set->len, growth + set->first);
	}
	return growth;
}

/* What the sources have in that set: their growth, or where there is none to add all. */
static void add_set(const struct counted *now, const struct element_stats *growth, const char *name,
		    const struct prefixes *sources, struct element_stats *sum)
{
	const struct counted_set *set = sources->len ? find_set(now, name) : NULL;

	for (uint32_t i = 0; set && set->len && i < sources->len; i++) {
		struct counted_element key = {.prefix = sources->v[i]};
		const struct counted_element *found = bsearch(&key, now->elements.v + set->first,
							      set->len, sizeof(key),
							      compare_elements);

		if (!found)
			continue;
		const struct element_stats *stats = growth ? &growth[found - now->elements.v]
							   : &found->stats;
		sum->packets += stats->packets;
		sum->bytes += stats->bytes;
	}
}

static void add_rule(const struct counted *now, const struct element_stats *growth,
		     const struct rule_elements *of, struct element_stats *sum)
{
	for (int k = NAT_HOSTS; k <= NAT_NETS; k++) {
		add_set(now, growth, of->sets.out[k], &of->sources[k], &sum[TOTAL_OUT]);
		add_set(now, growth, of->sets.in[k], &of->sources[k], &sum[TOTAL_IN]);
	}
}

static void grow_rules(struct totals *totals, const struct counted *now,
		       const struct element_stats *growth)
{
	for (size_t i = 0; i < totals->rules.len; i++)
		add_rule(now, growth, &totals->elements[i], totals->rules.v[i].sum);
}

void totals_rule_counters(const struct totals *totals, const struct nat_rule *rule,
			  struct element_stats sum[static TOTAL_DIRECTIONS])
{
	cleanup_arena struct arena arena = {0};
	struct rule_elements of = {0};

	elements_of(rule, &arena, &of);
	add_rule(&totals->last, NULL, &of, sum);
}

void totals_elements(struct totals *totals, struct counted *counted)
{
	cleanup_free struct element_stats *growth = growth_of(&totals->last, counted);

	grow_rules(totals, counted, growth);
	counted_done(&totals->last);
	totals->last = *counted;
	*counted = (struct counted){0};
}

/* Moves the elements that both have on to what they have now. */
static void catch_up(struct counted_element *last, size_t n_last, const struct counted_element *now,
		     size_t n_now)
{
	for (size_t i = 0, at = 0; i < n_last; i++) {
		while (at < n_now && prefix_compare(&now[at].prefix, &last[i].prefix) < 0)
			at++;
		if (at < n_now && prefix_compare(&now[at].prefix, &last[i].prefix) == 0)
			last[i].stats = now[at].stats;
	}
}

void totals_known_elements(struct totals *totals, struct counted *counted)
{
	struct counted *last = &totals->last;
	struct counted before = {.sets = last->sets};

	vec_copy(&before.elements, &last->elements);
	vec_sort(&counted->sets, compare_sets);
	for (size_t i = 0; i < last->sets.len; i++) {
		const struct counted_set *was = &last->sets.v[i];
		const struct counted_set *is = find_set(counted, was->name);

		if (!is || !is->len)
			continue;
		qsort(counted->elements.v + is->first, is->len, sizeof(*counted->elements.v),
		      compare_elements);
		catch_up(last->elements.v + was->first, was->len, counted->elements.v + is->first,
			 is->len);
	}
	cleanup_free struct element_stats *growth = growth_of(&before, last);
	grow_rules(totals, last, growth);
	vec_done(&before.elements);
}

void totals_done(struct totals *totals)
{
	vec_done(&totals->tunnels);
	vec_done(&totals->rules);
	vec_done(&totals->by_device);
	counted_done(&totals->last);
	arena_done(&totals->arena);
}
