/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hazards that are devices, or modules of the kernel. */
#include "daemon/hazard_hunt.h"

#include <string.h>

#include "base/text.h"
#include "daemon/shell_word.h"

void find_missing_module(struct hunt *hunt)
{
	if (hunt->view->files->ipip == MODULE_MISSING)
		hunt_add(hunt,
			 &(struct place){.severity = hunt_wants(hunt, KIND_TUNNEL) ? HAZARD_CRITICAL
										   : HAZARD_WARNING,
					 .object = "ipip"});
}

void find_blacklisted_module(struct hunt *hunt)
{
	const struct hazard_files *files = hunt->view->files;
	bool now = !files->ipip_loaded && hunt_wants(hunt, KIND_TUNNEL);

	if (files->blacklisted)
		hunt_add(hunt,
			 &(struct place){.severity = now ? HAZARD_CRITICAL : HAZARD_WARNING,
					 .object = files->blacklisted,
					 .what = files->ipip_loaded ? "after the next boot " : ""});
}

void find_legacy_tables(struct hunt *hunt)
{
	const bool *legacy = hunt->view->files->legacy;
	cleanup_text struct text tables = {0};

	for (unsigned i = 0; i < LEGACY_TABLES; i++)
		if (legacy[i])
			text_addf(&tables, "%s%s", tables.len ? ", " : "", hazard_legacy_tables[i]);
	if (tables.len)
		hunt_add(hunt,
			 &(struct place){.severity = legacy[LEGACY_FILTER] || legacy[LEGACY_NAT]
							     ? HAZARD_WARNING
							     : HAZARD_INFO,
					 .object = "iptables-legacy",
					 .what = text_str(&tables)});
}

/* With iptables-nft it stands in a rule that is found. */
void find_xt_rpfilter(struct hunt *hunt)
{
	const struct hazard_files *files = hunt->view->files;

	if (files->rpfilter && (files->legacy[LEGACY_RAW] || files->legacy[LEGACY_MANGLE]))
		hunt_add(hunt,
			 &(struct place){.severity = HAZARD_WARNING, .object = "iptables-legacy"});
}

static bool is_foreign_tunnel(const struct fact_link *link)
{
	return !link->ours && strcmp(link->driver, "ipip") == 0;
}

void find_fallback_device(struct hunt *hunt)
{
	const struct fact_link *link = facts_link(hunt->view->facts, "tunl0");

	if (link && is_foreign_tunnel(link) && link->up)
		hunt_add(hunt, &(struct place){.severity = HAZARD_WARNING, .object = link->device});
}

void find_catch_all_tunnels(struct hunt *hunt)
{
	const struct facts *facts = hunt->view->facts;

	for (size_t i = 0; i < facts->links.len; i++) {
		const struct fact_link *link = &facts->links.v[i];

		if (is_foreign_tunnel(link) && link->up && !link->remote.host &&
		    strcmp(link->device, "tunl0") != 0)
			hunt_add(hunt, &(struct place){.severity = HAZARD_WARNING,
						       .object = link->device,
						       .unfixable = !shell_word(link->device)});
	}
}

struct foreign_tunnels vec_of(const struct fact_link *);

static int compare_remotes(const void *a, const void *b)
{
	const struct fact_link *const *one = a, *const *other = b;

	return addr_compare(&(*one)->remote, &(*other)->remote);
}

/* Where the first with that remote is, or would be. */
static size_t first_of(const struct foreign_tunnels *tunnels, struct addr remote)
{
	size_t from = 0, to = tunnels->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (tunnels->v[middle]->remote.host < remote.host)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void try_tunnel(struct hunt *hunt, const struct tunnel *tunnel,
		       const struct foreign_tunnels *others)
{
	const struct fact_remote *way = facts_remote(hunt->view->facts, tunnel->remote,
						     tunnel->underlay);
	struct addr local = tunnel->local.host || !way ? tunnel->local : way->source;
	size_t i = first_of(others, tunnel->remote);

	for (; i < others->len && others->v[i]->remote.host == tunnel->remote.host; i++) {
		const struct fact_link *link = others->v[i];

		if (!local.host || local.host != link->local.host ||
		    strcmp(tunnel_device(tunnel), link->device) == 0)
			continue;
		const char *name = hunt_name(hunt, KIND_TUNNEL, &tunnel->head);
		hunt_add(hunt, &(struct place){.severity = HAZARD_CRITICAL,
					       .object = link->device,
					       .what = name,
					       .unfixable = !shell_word(link->device),
					       .resources = {name}});
	}
}

void find_duplicate_endpoints(struct hunt *hunt)
{
	const struct resources *tunnels = hunt_declared(hunt, KIND_TUNNEL);
	const struct facts *facts = hunt->view->facts;
	struct foreign_tunnels others = {0};

	for (size_t i = 0; i < facts->links.len; i++)
		if (is_foreign_tunnel(&facts->links.v[i]) && facts->links.v[i].remote.host)
			vec_push(&others, &facts->links.v[i]);
	vec_sort(&others, compare_remotes);
	for (size_t i = 0; i < tunnels->len && others.len; i++)
		if (hunt_is_wanted(tunnels->v[i]))
			try_tunnel(hunt, (const struct tunnel *)tunnels->v[i], &others);
	vec_done(&others);
}
