/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums over the declaration, by the lengths of lists alone: no prefix is looked at. */
#include "model/bounds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ROUTES_MAX = 500000, PREFIXES_MAX = 500000 };

/* What the resource adds to its kind's sum. */
static uint64_t weight_of(enum kind_id kind, const struct resource *resource)
{
	const struct nat_rule *rule = (const struct nat_rule *)resource;

	if (kind == KIND_EXIT_ROUTE)
		return exit_route_routes((const struct exit_route *)resource);
	if (kind == KIND_NAT_RULE)
		return (uint64_t)rule->sources.len + rule->destinations.len;
	return 0;
}

static uint64_t bound_of(enum kind_id kind)
{
	return kind == KIND_EXIT_ROUTE ? ROUTES_MAX : PREFIXES_MAX;
}

static int fault(enum kind_id kind, const struct resource *resource, const char *at,
		 struct errs *errs)
{
	const char *member = "sources";
	char pointer[ERR_POINTER];

	if (kind == KIND_EXIT_ROUTE)
		member = ((const struct exit_route *)resource)->from.len > 1 ? "from"
									     : "destinations";
	snprintf(pointer, sizeof(pointer), "%s/%s", at, member);
	if (kind == KIND_EXIT_ROUTE)
		return errs_add(errs, -EINVAL, "invalid-resource", pointer,
				"all exit routes together may have %d destinations, each counted "
				"once for each prefix in from",
				ROUTES_MAX);
	return errs_add(errs, -EINVAL, "invalid-resource", pointer,
			"all NAT rules together may have %d sources and destinations",
			PREFIXES_MAX);
}

int bounds_check_put(const struct declaration *d, enum kind_id kind,
		     const struct resource *resource, struct errs *errs)
{
	const struct resources *list = &d->kind[kind];
	uint64_t sum = weight_of(kind, resource);

	if (!sum)
		return 0;
	for (size_t i = 0; i < list->len; i++)
		if (strcmp(list->v[i]->name, resource->name) != 0)
			sum += weight_of(kind, list->v[i]);
	return sum > bound_of(kind) ? fault(kind, resource, "", errs) : 0;
}

static int check_kind(const struct declaration_merge *merge, enum kind_id kind, struct errs *errs)
{
	const struct resources *list = &merge->after->kind[kind];
	uint64_t sum = 0;
	char at[ERR_POINTER];

	/* first what was there before: what the document names is at fault */
	for (int given = 0; given < 2; given++)
		for (size_t i = 0; i < list->len; i++) {
			if (declaration_is_given(merge, kind, list->v[i]->name) != given)
				continue;
			sum += weight_of(kind, list->v[i]);
			if (!given || sum <= bound_of(kind))
				continue;
			snprintf(at, sizeof(at), "/%s/%zu", kinds[kind]->member, i);
			return fault(kind, list->v[i], at, errs);
		}
	return 0;
}

int bounds_check(const struct declaration_merge *merge, struct errs *errs)
{
	int routes = check_kind(merge, KIND_EXIT_ROUTE, errs);
	int sources = check_kind(merge, KIND_NAT_RULE, errs);

	return routes ? routes : sources;
}
