/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Searches through the declaration, for why*.c. */
#include "daemon/why_find.h"

#include <string.h>

static const struct prefix everything = {{0}, 0};

/* The longest that covers the address; an empty list has everything. */
static bool longest(const struct prefixes *list, struct addr addr, struct prefix *found)
{
	bool has = !list->len;

	*found = everything;
	for (uint32_t i = 0; i < list->len; i++)
		if (prefix_covers(list->v[i], addr) && (!has || list->v[i].len > found->len)) {
			*found = list->v[i];
			has = true;
		}
	return has;
}

static bool is_better(const struct why_exit *a, const struct why_exit *b)
{
	if (!b->route || a->route->head.enabled != b->route->head.enabled)
		return !b->route || a->route->head.enabled;
	if (a->from.len != b->from.len)
		return a->from.len > b->from.len;
	return a->destination.len > b->destination.len;
}

struct why_exit why_find_exit(const struct why_known *known, const char *tunnel, struct addr to,
			      struct addr from, bool any_from)
{
	const struct resources *list = &known->world.declaration->kind[KIND_EXIT_ROUTE];
	struct why_exit best = {0};

	for (size_t i = 0; i < list->len; i++) {
		struct why_exit one = {.route = (const struct exit_route *)list->v[i]};

		if (one.route->head.deleting || (tunnel && strcmp(one.route->tunnel, tunnel) != 0))
			continue;
		if (!longest(&one.route->destinations, to, &one.destination))
			continue;
		if (!longest(&one.route->from, from, &one.from) && !any_from)
			continue;
		if (is_better(&one, &best))
			best = one;
	}
	return best;
}

const struct tunnel *why_find_device(const struct why_world *world, const char *device)
{
	const struct resources *list = &world->declaration->kind[KIND_TUNNEL];

	for (size_t i = 0; *device && i < list->len; i++) {
		const struct tunnel *tunnel = (const struct tunnel *)list->v[i];

		if (!tunnel->head.deleting && strcmp(tunnel_device(tunnel), device) == 0)
			return tunnel;
	}
	return NULL;
}

const struct tunnel *why_find_address(const struct why_world *world, struct addr addr)
{
	const struct resources *list = &world->declaration->kind[KIND_TUNNEL];

	for (size_t i = 0; i < list->len; i++) {
		const struct tunnel *tunnel = (const struct tunnel *)list->v[i];

		for (uint32_t a = 0; a < tunnel->addresses.len; a++)
			if (tunnel->addresses.v[a].addr.host == addr.host)
				return tunnel;
	}
	return NULL;
}

bool why_find_subnet(const struct tunnel *tunnel, struct addr addr, struct prefix *subnet)
{
	for (uint32_t i = 0; i < tunnel->addresses.len; i++)
		if (prefix_covers(tunnel->addresses.v[i], addr)) {
			*subnet = prefix_network(tunnel->addresses.v[i]);
			return true;
		}
	return false;
}

struct addr why_find_local(const struct why_world *world, const struct tunnel *tunnel)
{
	if (tunnel->local.host)
		return tunnel->local;
	const struct fact_remote *remote = facts_remote(world->facts, tunnel->remote,
							tunnel->underlay);
	return remote && !remote->error ? remote->source : (struct addr){0};
}

/* An enabled one before a disabled one. */
const struct tunnel *why_find_tunnel(const struct why_world *world, struct addr local,
				     struct addr remote)
{
	const struct resources *list = &world->declaration->kind[KIND_TUNNEL];
	const struct tunnel *found = NULL;

	for (size_t i = 0; i < list->len; i++) {
		const struct tunnel *tunnel = (const struct tunnel *)list->v[i];

		if (tunnel->head.deleting || tunnel->remote.host != remote.host)
			continue;
		if (local.host && why_find_local(world, tunnel).host != local.host)
			continue;
		if (!found || (tunnel->head.enabled && !found->head.enabled))
			found = tunnel;
	}
	return found;
}

static bool nat_covers(const struct nat_rule *rule, const struct why_known *known, struct addr from,
		       const char *in)
{
	struct prefix unused;

	if (rule->in_interface[0] && strcmp(rule->in_interface, in) != 0)
		return false;
	return longest(&rule->sources, from, &unused) &&
	       longest(&rule->destinations, known->question.to, &unused);
}

const struct nat_rule *why_find_nat(const struct why_known *known, struct addr from, const char *in,
				    const char *out)
{
	const struct resources *list = &known->world.declaration->kind[KIND_NAT_RULE];
	const struct nat_rule *found = NULL;

	for (size_t i = 0; i < list->len; i++) {
		const struct nat_rule *rule = (const struct nat_rule *)list->v[i];

		if (rule->head.deleting || strcmp(rule->out_interface, out) != 0 ||
		    !nat_covers(rule, known, from, in))
			continue;
		if (!found || rule->head.enabled > found->head.enabled ||
		    (rule->head.enabled == found->head.enabled && rule->priority < found->priority))
			found = rule;
	}
	return found;
}

const struct status *why_status(const struct why_known *known, enum kind_id kind, const char *name)
{
	return known->world.status(known->world.user, kind, name);
}

bool why_is_tunnel(const struct why_known *known, const char *device)
{
	const struct fact_link *link = facts_link(known->world.facts, device);

	return why_find_device(&known->world, device) ||
	       (link && strcmp(link->driver, "ipip") == 0);
}
