/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The world of test_why_client.c and test_why_exit.c: what is declared, what the kernel has and
 * what was seen of the packets, all of which a situation may change; and the judges over it.
 */

#include "daemon/why.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What a situation may change. */
struct world {
	struct declaration declaration;
	struct facts facts;
	struct status status, exit_status; /* of the exit route; the other one of the rest */
	struct tunnel tunnel;
	struct exit_route exit;
	struct nat_rule nat;
	bool has_tunnel, has_exit, has_nat;
	struct prefix address, source, destination, only;
	struct why_known known;
};

struct situation {
	void (*is)(struct world *w);
	const char *broken, *fix; /* NULL: none */
};

static const char *loaded; /* the module that is; NULL: none */

static inline bool has_module(const char *name)
{
	return loaded && strcmp(loaded, name) == 0;
}

static inline const struct status *status_of(void *user, enum kind_id kind, const char *name)
{
	struct world *w = user;

	(void)name;
	return kind == KIND_EXIT_ROUTE ? &w->exit_status : &w->status;
}

static inline void add_link(struct world *w, const char *device, const char *driver)
{
	struct fact_link *link = vec_add(&w->facts.links);

	snprintf(link->device, sizeof(link->device), "%s", device);
	snprintf(link->driver, sizeof(link->driver), "%s", driver);
	link->up = true;
	link->mtu = *driver ? 1480 : 1500;
}

static inline void add_addr(struct world *w, struct addr addr, uint8_t len, const char *device)
{
	struct fact_addr *fact = vec_add(&w->facts.addrs);

	fact->addr = addr;
	fact->len = len;
	snprintf(fact->device, sizeof(fact->device), "%s", device);
}

static inline void set_route(struct why_route *route, const char *in, const char *device,
			     uint32_t table)
{
	route->asked = true;
	snprintf(route->question.in, IFNAMSIZ, "%s", in);
	snprintf(route->answer.device, IFNAMSIZ, "%s", device);
	route->answer.table = table;
}

static inline uint32_t *hop(struct world *w, enum trace_way way, enum trace_layer layer,
			    enum trace_hook hook)
{
	return w->known.probed.seen.counts.packets[way][layer][hook];
}

static inline void see(struct world *w, enum trace_way way, enum trace_layer layer,
		       enum trace_hook at)
{
	hop(w, way, layer, at)[TRACE_FIRST] = hop(w, way, layer, at)[TRACE_LAST] = 3;
}

static inline void judge(struct world *w, struct why_checks *checks)
{
	facts_sort(&w->facts);
	if (w->has_tunnel)
		vec_push(&w->declaration.kind[KIND_TUNNEL], &w->tunnel.head);
	if (w->has_exit)
		vec_push(&w->declaration.kind[KIND_EXIT_ROUTE], &w->exit.head);
	if (w->has_nat)
		vec_push(&w->declaration.kind[KIND_NAT_RULE], &w->nat.head);
	w->known.world = (struct why_world){.declaration = &w->declaration,
					    .facts = &w->facts,
					    .status = status_of,
					    .user = w,
					    .has_module = has_module};
	if (w->has_tunnel && w->tunnel.remote.host == w->known.remote.host &&
	    w->tunnel.local.host == w->known.local.host)
		w->known.tunnel = &w->tunnel;
	why_judge(&w->known, checks);
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		vec_done(&w->declaration.kind[k]);
	facts_done(&w->facts);
}

static inline void is_whole(struct world *w)
{
	(void)w;
}

static inline void device_down(struct world *w)
{
	w->facts.links.v[1].up = false;
}

/* The first broken check, or none, is the one that the situation says, with its fix. */
static inline void assert_found(const struct situation *situation, struct world *w,
				struct why_checks *checks)
{
	const struct why_check *broken = NULL;

	situation->is(w);
	judge(w, checks);
	for (unsigned i = 0; i < checks->len && !broken; i++)
		if (checks->v[i].verdict == WHY_BROKEN)
			broken = &checks->v[i];
	assert_string_equal(broken ? broken->name : "none",
			    situation->broken ? situation->broken : "none");
	assert_string_equal(broken ? broken->fix : "", situation->fix ? situation->fix : "");
}
