/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What pair decides from what it has read, without any request: candidates for the underlay
 * addresses, a free inner network, names. Sides are always in the order a, b.
 */

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>

#include "base/ipaddr.h"
#include "base/vec.h"

/* An underlay address of a host. */
struct pair_address {
	struct addr addr;
	char device[IFNAMSIZ];
	bool default_route; /* its device is the default route's */
	bool usable;        /* not on a tunnel or a bridge */
};

/* What is known of one host. */
struct pair_host {
	char hostname[72], id[40], version[32];
	struct vec_of(struct pair_address) addresses;
	struct vec_of(struct prefix) taken; /* networks of its tunnels' addresses */
};

/* x of a, y of b. */
struct pair_endpoints {
	struct addr x, y;
	int rank; /* how many of the two are on the default route's device */
};

struct pair_candidates vec_of(struct pair_endpoints);

/* The answer of GET /v1/host. */
void pair_plan_read_host(const json_t *document, struct pair_host *host);
/* One document of GET /v1/tunnels: its networks are taken. */
void pair_plan_read_tunnel(const json_t *document, struct pair_host *host);
void pair_plan_host_done(struct pair_host *host);

/* Every (x, y) that may be asked about, the default route's devices first: usable, different,
 * and neither is an address of the other host. */
void pair_plan_candidates(const struct pair_host *a, const struct pair_host *b,
			  struct pair_candidates *out);

/*
 * Inner addresses of a and b, with prefix length: the first /31 of the pool that overlaps
 * nothing taken on either host; a /30 or /31 is taken as it is. -ENOSPC: none is free.
 */
int pair_plan_inner(struct prefix pool, const struct pair_host *const hosts[2],
		    struct prefix inner[2]) must_check;

/* HOSTA-HOSTB, or "ipip-" and 8 hex digits of both ids where that is too long, is no name, or
 * the names are equal. */
void pair_plan_name(const struct pair_host *a, const struct pair_host *b,
		    char name[static IFNAMSIZ]);

/* An address of the prefix that a route can be asked for. */
struct addr pair_plan_probe(struct prefix prefix);
