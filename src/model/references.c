/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exit routes against tunnels. A deleting resource needs nothing any more. */
#include "model/references.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/object.h"

struct addr_list vec_of(struct addr);

/* The declaration with one tunnel put in (new), or taken out (new NULL); old: what stood there. */
struct tunnels {
	const struct declaration *d;
	const struct tunnel *old, *new;
	struct addr_list addresses, locals; /* sorted */
};

enum reference_fault { HOLDS, NO_TUNNEL, NO_ADDRESS, NOT_ON_A_TUNNEL, IS_LOCAL };

static const struct tunnel *find(const struct tunnels *tunnels, const char *name)
{
	if (tunnels->new &&strcmp(tunnels->new->head.name, name) == 0)
		return tunnels->new;
	if (tunnels->old && strcmp(tunnels->old->head.name, name) == 0)
		return NULL;
	return (const struct tunnel *)declaration_find(tunnels->d, KIND_TUNNEL, name, NULL);
}

static void add_addrs(struct tunnels *tunnels, const struct tunnel *t, const struct addr *only)
{
	for (uint32_t i = 0; i < t->addresses.len; i++) {
		struct addr a = t->addresses.v[i].addr;

		if (!only || only->host == a.host)
			vec_push(&tunnels->addresses, a);
	}
	if (t->local.host && (!only || only->host == t->local.host))
		vec_push(&tunnels->locals, t->local);
}

/* only: the one address that will be asked for; then there is next to nothing to sort */
static void load_addrs(struct tunnels *tunnels, const struct addr *only)
{
	const struct resources *list = &tunnels->d->kind[KIND_TUNNEL];

	for (size_t i = 0; i < list->len; i++) {
		const struct tunnel *t = (const struct tunnel *)list->v[i];

		if (t != tunnels->old && !t->head.deleting)
			add_addrs(tunnels, t, only);
	}
	if (tunnels->new)
		add_addrs(tunnels, tunnels->new, only);
	vec_sort(&tunnels->addresses, addr_compare);
	vec_sort(&tunnels->locals, addr_compare);
}

static void tunnels_done(struct tunnels *tunnels)
{
	vec_done(&tunnels->addresses);
	vec_done(&tunnels->locals);
}

static bool has(const struct addr_list *list, struct addr a)
{
	return list->len && bsearch(&a, list->v, list->len, sizeof(a), addr_compare);
}

/* The source that the route has; 0: none. */
static struct addr source_of(const struct exit_route *route, const struct tunnel *tunnel)
{
	if (route->source.host)
		return route->source;
	return tunnel && tunnel->addresses.len ? tunnel->addresses.v[0].addr : (struct addr){0};
}

static enum reference_fault fault_of(const struct tunnels *tunnels, const struct exit_route *route)
{
	const struct tunnel *tunnel = find(tunnels, route->tunnel);
	struct addr source = source_of(route, tunnel);

	if (!tunnel || tunnel->head.deleting)
		return NO_TUNNEL;
	if (!source.host)
		return NO_ADDRESS;
	if (!has(&tunnels->addresses, source))
		return NOT_ON_A_TUNNEL;
	return has(&tunnels->locals, source) ? IS_LOCAL : HOLDS;
}

static int add_fault(enum reference_fault fault, const struct tunnels *tunnels,
		     const struct exit_route *route, const char *at, struct errs *errs)
{
	struct addr source = source_of(route, find(tunnels, route->tunnel));
	char pointer[ERR_POINTER], text[ADDR_TEXT];

	snprintf(pointer, sizeof(pointer), "%s/%s", at, fault == NO_TUNNEL ? "tunnel" : "source");
	switch (fault) {
	case HOLDS:
		return 0;
	case NO_TUNNEL:
		return errs_add(errs, -EINVAL, "unresolved-reference", pointer,
				"no tunnel \"%s\" is declared", route->tunnel);
	case NO_ADDRESS:
		return errs_add(errs, -EINVAL, "source-required", pointer,
				"tunnel/%s has no addresses to take the source from: give one "
				"that stands on a tunnel",
				route->tunnel);
	case NOT_ON_A_TUNNEL:
		return errs_add(errs, -EINVAL, "source-required", pointer,
				"%s is not in the addresses of any tunnel, packets from it would "
				"not go through one",
				addr_text(source, text));
	case IS_LOCAL:
		return errs_add(errs, -EINVAL, "source-required", pointer,
				"%s is the local address of a tunnel, packets from it do not go "
				"through one",
				addr_text(source, text));
	}
	return -EINVAL;
}

int references_check_route(const struct declaration *d, const struct exit_route *route,
			   struct errs *errs)
{
	struct tunnels tunnels = {.d = d};
	struct addr source = source_of(route, find(&tunnels, route->tunnel));

	load_addrs(&tunnels, &source);
	int rc = add_fault(fault_of(&tunnels, route), &tunnels, route, "", errs);
	tunnels_done(&tunnels);
	return rc;
}

static bool on_tunnel(const struct tunnel *tunnel, struct addr a)
{
	for (uint32_t i = 0; tunnel && i < tunnel->addresses.len; i++)
		if (tunnel->addresses.v[i].addr.host == a.host)
			return true;
	return false;
}

/* Could this change of a tunnel concern the route? Cheap, and true rather too often. */
static bool concerned(const struct tunnels *tunnels, const struct exit_route *route)
{
	const struct tunnel *old = tunnels->old, *new = tunnels->new;

	assert(old || new);
	if (route->head.deleting)
		return false;
	if (strcmp(route->tunnel, old ? old->head.name : new->head.name) == 0)
		return true;
	if (route->source.host && on_tunnel(old, route->source))
		return true;
	return new &&new->local.host && (!old || new->local.host != old->local.host) &&
	       source_of(route, find(tunnels, route->tunnel)).host == new->local.host;
}

/* at: where the tunnel stands in the document */
static int add_use(const struct exit_route *route, enum reference_fault fault,
		   const struct tunnels *tunnels, const char *at, struct errs *errs)
{
	struct addr source = source_of(route, find(tunnels, route->tunnel));
	const char *name = route->head.name, *member = fault == IS_LOCAL ? "/local" : "/addresses";
	char pointer[ERR_POINTER], text[ADDR_TEXT];

	snprintf(pointer, sizeof(pointer), "%s%s", at, tunnels->new ? member : "");
	if (fault == NO_TUNNEL)
		return errs_add(errs, -EBUSY, "resource-in-use", pointer, "exit-route/%s uses it",
				name);
	if (fault == NO_ADDRESS)
		return errs_add(errs, -EBUSY, "resource-in-use", pointer,
				"exit-route/%s takes its source from the addresses", name);
	if (fault == NOT_ON_A_TUNNEL)
		return errs_add(errs, -EBUSY, "resource-in-use", pointer,
				"exit-route/%s has %s of these addresses as its source", name,
				addr_text(source, text));
	return errs_add(errs, -EBUSY, "resource-in-use", pointer,
			"exit-route/%s would have its source %s as the local address of a tunnel",
			name, addr_text(source, text));
}

static int check_users(struct tunnels *tunnels, struct errs *errs)
{
	const struct resources *routes = &tunnels->d->kind[KIND_EXIT_ROUTE];
	bool loaded = false;
	int rc = 0;

	for (size_t i = 0; i < routes->len; i++) {
		const struct exit_route *route = (const struct exit_route *)routes->v[i];

		if (!concerned(tunnels, route))
			continue;
		if (!loaded)
			load_addrs(tunnels, NULL);
		loaded = true;
		enum reference_fault fault = fault_of(tunnels, route);
		if (fault != HOLDS)
			rc = add_use(route, fault, tunnels, "", errs);
	}
	tunnels_done(tunnels);
	return rc;
}

int references_check_tunnel(const struct declaration *d, const struct tunnel *tunnel,
			    struct errs *errs)
{
	struct tunnels tunnels = {
		.d = d,
		.old = (const struct tunnel *)declaration_find(d, KIND_TUNNEL, tunnel->head.name,
							       NULL),
		.new = tunnel,
	};

	return check_users(&tunnels, errs);
}

int references_check_remove(const struct declaration *d, const struct tunnel *tunnel,
			    struct errs *errs)
{
	struct tunnels tunnels = {.d = d, .old = tunnel};

	return check_users(&tunnels, errs);
}

/* The tunnel of the document that breaks a route which is not in it: it had the source, or
 * has it as its local, or its first address is another one now. */
static const struct tunnel *breaker(const struct declaration_merge *merge,
				    enum reference_fault fault, const struct exit_route *route)
{
	const struct declaration *side = fault == IS_LOCAL ? merge->after : merge->before;
	const struct resources *list = &side->kind[KIND_TUNNEL];
	struct tunnels after = {.d = merge->after};
	struct addr source = source_of(route, find(&after, route->tunnel));

	for (size_t i = 0; fault != NO_ADDRESS && i < list->len; i++) {
		const struct tunnel *t = (const struct tunnel *)list->v[i];
		bool breaks = fault == IS_LOCAL ? t->local.host == source.host
						: on_tunnel(t, source);

		if (breaks && declaration_is_given(merge, KIND_TUNNEL, t->head.name))
			return find(&after, t->head.name);
	}
	return find(&after, route->tunnel);
}

static int add_broken(const struct declaration_merge *merge, struct tunnels *tunnels,
		      enum reference_fault fault, size_t index, struct errs *errs)
{
	const struct resource *head = merge->after->kind[KIND_EXIT_ROUTE].v[index];
	const struct exit_route *route = (const struct exit_route *)head;
	char at[ERR_POINTER];

	if (fault == NO_TUNNEL || declaration_is_given(merge, KIND_EXIT_ROUTE, head->name)) {
		snprintf(at, sizeof(at), "/%s/%zu", exit_route_kind.member, index);
		return add_fault(fault, tunnels, route, at, errs);
	}
	tunnels->new = breaker(merge, fault, route);
	declaration_find(merge->after, KIND_TUNNEL, tunnels->new->head.name, &index);
	snprintf(at, sizeof(at), "/%s/%zu", tunnel_kind.member, index);
	int rc = add_use(route, fault, tunnels, at, errs);
	tunnels->new = NULL;
	return rc;
}

int references_check(const struct declaration_merge *merge, struct errs *errs)
{
	const struct resources *routes = &merge->after->kind[KIND_EXIT_ROUTE];
	struct tunnels tunnels = {.d = merge->after};
	int rc = 0;

	load_addrs(&tunnels, NULL);
	for (size_t i = 0; i < routes->len; i++) {
		const struct exit_route *route = (const struct exit_route *)routes->v[i];
		enum reference_fault fault = HOLDS;

		if (!route->head.deleting)
			fault = fault_of(&tunnels, route);
		if (fault != HOLDS)
			rc = add_broken(merge, &tunnels, fault, i, errs);
	}
	tunnels_done(&tunnels);
	return rc;
}

enum { FROM_MAX = OUR_TABLE_LAST - OUR_TABLE_FIRST };

struct froms {
	struct prefix v[FROM_MAX]; /* sorted */
	size_t len;
};

/* False: it is a new one, and there is no room for it. */
static bool froms_add(struct froms *froms, struct prefix from)
{
	size_t at = 0, to = froms->len;

	while (at < to) {
		size_t middle = at + (to - at) / 2;
		int order = prefix_compare(&froms->v[middle], &from);

		if (order == 0)
			return true;
		if (order < 0)
			at = middle + 1;
		else
			to = middle;
	}
	if (froms->len == FROM_MAX)
		return false;
	memmove(&froms->v[at + 1], &froms->v[at], (froms->len - at) * sizeof(froms->v[0]));
	froms->v[at] = from;
	froms->len++;
	return true;
}

static bool froms_add_route(struct froms *froms, const struct exit_route *route)
{
	for (uint32_t i = 0; i < route->from.len; i++)
		if (route->from.v[i].len && !froms_add(froms, route->from.v[i]))
			return false;
	return true;
}

static int from_fault(const char *at, struct errs *errs)
{
	char pointer[ERR_POINTER];

	snprintf(pointer, sizeof(pointer), "%s/from", at);
	return errs_add(errs, -EINVAL, "invalid-resource", pointer,
			"all exit routes together may have %d distinct prefixes in from", FROM_MAX);
}

int references_check_from(const struct declaration *d, const struct exit_route *route,
			  struct errs *errs)
{
	const struct resources *routes = &d->kind[KIND_EXIT_ROUTE];
	struct froms froms = {.len = 0};

	if (!route->from.len)
		return 0;
	for (size_t i = 0; i < routes->len; i++)
		if (strcmp(routes->v[i]->name, route->head.name) != 0 &&
		    !froms_add_route(&froms, (const struct exit_route *)routes->v[i]))
			break; /* too many already: then no more of them */
	return froms_add_route(&froms, route) ? 0 : from_fault("", errs);
}

int references_check_froms(const struct declaration_merge *merge, struct errs *errs)
{
	const struct resources *routes = &merge->after->kind[KIND_EXIT_ROUTE];
	struct froms froms = {.len = 0};
	char at[ERR_POINTER];

	/* first what was there before: what the document names is at fault */
	for (int given = 0; given < 2; given++)
		for (size_t i = 0; i < routes->len; i++) {
			const struct resource *head = routes->v[i];

			if (declaration_is_given(merge, KIND_EXIT_ROUTE, head->name) != given ||
			    froms_add_route(&froms, (const struct exit_route *)head))
				continue;
			snprintf(at, sizeof(at), "/%s/%zu", exit_route_kind.member, i);
			return from_fault(at, errs);
		}
	return 0;
}
