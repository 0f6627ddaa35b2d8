/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What tunnels and NAT rules have counted in all, as long as they are declared and the agent
 * runs: the kernel's counters begin anew with each link and element that is made again, these
 * go on. Nothing is kept before the first reading of all.
 */

#include "kernel/kernel.h"
#include "model/declaration.h"

struct tunnel_total {
	char name[RESOURCE_NAME], device[IFNAMSIZ];
	struct link_stats sum;
	uint64_t up;      /* 1 or 0, as of the last reading */
	uint64_t mtu;     /* bytes; 0: no device */
	bool enabled;     /* a device is wanted */
	uint32_t ifindex; /* of the device that counted last, and what it had then */
	struct link_stats last;
	uint32_t gone_ifindex; /* of the one before it, whose last event is still to come */
	struct link_stats gone_last;
};

enum { TOTAL_OUT, TOTAL_IN, TOTAL_DIRECTIONS }; /* of a rule's sources, and replies to them */

struct rule_total {
	char name[RESOURCE_NAME];
	struct element_stats sum[TOTAL_DIRECTIONS];
};

struct rule_elements;

struct totals {
	struct tunnel_totals vec_of(struct tunnel_total) tunnels; /* by name */
	struct rule_totals vec_of(struct rule_total) rules;       /* by name */
	struct total_order vec_of(uint32_t) by_device;            /* of the tunnels */
	uint64_t revision;                                        /* that is declared */
	struct arena arena;
	struct rule_elements *elements; /* of each rule; the arena's */
	struct counted last;            /* sorted: sets and elements of the last reading */
	uint64_t rest_us;               /* no reading of them before then; monotonic */
};

/* Those that are declared now have a total, others none, and the elements that they name now
 * are theirs. */
void totals_declare(struct totals *totals, const struct declaration *declaration);
/* All links that are the tunnels' (ours, or found); sorts them. */
void totals_links(struct totals *totals, struct counted_links *links);
/* A link that is gone, or about to be. */
void totals_gone(struct totals *totals, const struct counted_link *gone);
/* NULL: no tunnel has that device. */
struct tunnel_total *totals_tunnel_of(struct totals *totals, const char *device);
/* All sets and elements, which become the totals' own. */
void totals_elements(struct totals *totals, struct counted *counted);
/* What a rule's elements had at the last reading: both directions. */
void totals_rule_counters(const struct totals *totals, const struct nat_rule *rule,
			  struct element_stats sum[static TOTAL_DIRECTIONS]);
/* Before some of them go, whosever they will be: those that were read before. Sorts them. */
void totals_known_elements(struct totals *totals, struct counted *counted);
void totals_done(struct totals *totals);
