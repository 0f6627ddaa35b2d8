/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the kernel's counters are read: by a scrape, and before we take something away that has
 * counted; what others took away, events tell. */
#include "daemon/reconcile_state.h"

#include <string.h>

enum {
	SINGLES_MAX = 64, /* links that are asked about one by one */
	LONG_US = 50000,  /* a reading of elements that holds the loop up … */
	REST = 20,        /* … and how many times as long there is none then */
};

static bool is_used(const struct reconcile *r, const struct counted_link *link)
{
	return link->ours || reconcile_found_device(r, link->device);
}

static void mark_used(const struct reconcile *r, struct counted_links *links)
{
	for (size_t i = 0; i < links->len; i++)
		links->v[i].ours = is_used(r, &links->v[i]);
}

/* The kernel takes microseconds for each element, and has no sum of many: of a hundred thousand
 * the numbers are some seconds old, whoever asks how often. */
static int read_elements(struct reconcile *r, struct err *err)
{
	struct totals *totals = &r->config.metrics->totals;
	cleanup_(counted_done) struct counted counted = {0};
	uint64_t begin = loop_now_us();

	if (begin < totals->rest_us)
		return 0;
	int error = r->kernel->vt->count(r->kernel, COUNT_ELEMENTS, &counted, err);
	if (error)
		return error;
	totals_declare(totals, r->declaration);
	totals_elements(totals, &counted);
	uint64_t end = loop_now_us();
	if (end - begin > LONG_US)
		totals->rest_us = end + REST * (end - begin);
	return 0;
}

int reconcile_count(struct reconcile *r, struct err *err)
{
	struct metrics *metrics = r->config.metrics;
	cleanup_(counted_done) struct counted counted = {0};
	int error = r->kernel->vt->count(r->kernel, COUNT_LINKS, &counted, err);

	if (!error)
		error = read_elements(r, err);
	if (error) {
		metrics->scrape_failures++;
		return error;
	}
	mark_used(r, &counted.links);
	totals_declare(&metrics->totals, r->declaration);
	totals_links(&metrics->totals, &counted.links);
	return 0;
}

int reconcile_rule_counters(struct reconcile *r, const struct nat_rule *rule,
			    struct element_stats sum[static TOTAL_DIRECTIONS], struct err *err)
{
	int error = read_elements(r, err);

	if (!error)
		totals_rule_counters(&r->config.metrics->totals, rule, sum);
	return error;
}

void reconcile_count_gone(struct reconcile *r, struct counted_links *gone)
{
	for (size_t i = 0; i < gone->len; i++)
		if (is_used(r, &gone->v[i]))
			totals_gone(&r->config.metrics->totals, &gone->v[i]);
	vec_done(gone);
}

static bool takes_away(const struct op *op)
{
	return op->have && (op->verb == OP_DELETE || op->verb == OP_REPLACE);
}

static void count_link(struct reconcile *r, const char *device)
{
	struct counted_link link = {.ifindex = r->kernel->vt->ifindex(r->kernel, device)};

	memcpy(link.device, device, sizeof(link.device));
	if (!r->kernel->vt->link_stats(r->kernel, device, &link.stats, NULL))
		totals_gone(&r->config.metrics->totals, &link);
}

static void count_links(struct reconcile *r)
{
	cleanup_(counted_done) struct counted counted = {0};

	if (r->kernel->vt->count(r->kernel, COUNT_LINKS, &counted, NULL))
		return;
	mark_used(r, &counted.links);
	totals_links(&r->config.metrics->totals, &counted.links);
}

static void count_elements(struct reconcile *r)
{
	cleanup_(counted_done) struct counted counted = {0};

	if (!r->kernel->vt->count(r->kernel, COUNT_ELEMENTS, &counted, NULL))
		totals_known_elements(&r->config.metrics->totals, &counted);
}

void reconcile_count_before(struct reconcile *r, const struct ops *ops)
{
	struct totals *totals = &r->config.metrics->totals;
	bool nft = false;
	size_t links = 0;

	for (size_t i = 0; i < ops->len; i++) {
		const struct op *op = &ops->v[i];
		const char *device = takes_away(op) && op->kind == KIND_LINK
					     ? ((const struct link *)op->have)->device
					     : NULL;

		nft |= takes_away(op) && object_is_nft(op->kind);
		if (device && totals_tunnel_of(totals, device) && ++links <= SINGLES_MAX)
			count_link(r, device);
	}
	if (links > SINGLES_MAX)
		count_links(r);
	if (nft && totals->last.elements.len)
		count_elements(r);
}
