/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The declared resources, and whether they hold together: unique claims are in claims.c,
 * exit routes against tunnels in references.c, NAT rules against each other in overlaps.c, how
 * much there may be of all in bounds.c.
 */
#include "model/declaration.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/bounds.h"
#include "model/claims.h"
#include "model/overlaps.h"
#include "model/references.h"
#include "model/view.h"

struct resource *declaration_find(const struct declaration *d, enum kind_id kind, const char *name,
				  size_t *at)
{
	const struct resources *list = &d->kind[kind];
	struct resource *found = NULL;
	size_t from = 0, to = list->len;

	/* what is read in order is appended */
	if (to && strcmp(list->v[to - 1]->name, name) < 0)
		from = to;
	while (from < to && !found) {
		size_t middle = from + (to - from) / 2;
		int order = strcmp(list->v[middle]->name, name);

		if (order < 0) {
			from = middle + 1;
			continue;
		}
		to = middle;
		if (order == 0) {
			found = list->v[middle];
			from = middle;
		}
	}
	if (at)
		*at = from;
	return found;
}

static void replace_claims(struct claim_index *index, const struct resource *old,
			   const struct resource *new)
{
	if (index && old)
		claims_remove(index, old);
	if (index && new)
		claims_insert(index, new);
}

void declaration_put(struct declaration *d, enum kind_id kind, struct resource *resource)
{
	struct resources *list = &d->kind[kind];
	size_t at;
	struct resource *old = declaration_find(d, kind, resource->name, &at);

	view_detach(d);
	if (!old) {
		vec_push(list, NULL);
		memmove(&list->v[at + 1], &list->v[at], (list->len - 1 - at) * sizeof(*list->v));
	}
	list->v[at] = resource;
	replace_claims(d->claims[kind], old, resource);
	view_bury(d, old);
}

bool declaration_remove(struct declaration *d, enum kind_id kind, const char *name)
{
	struct resources *list = &d->kind[kind];
	size_t at;
	struct resource *old = declaration_find(d, kind, name, &at);

	if (!old)
		return false;
	view_detach(d);
	memmove(&list->v[at], &list->v[at + 1], (list->len - 1 - at) * sizeof(*list->v));
	list->len--;
	replace_claims(d->claims[kind], old, NULL);
	view_bury(d, old);
	return true;
}

/* Leaves nothing but the views. */
static void clear(struct declaration *d)
{
	view_detach(d);
	for (unsigned i = 0; i < RESOURCE_KINDS; i++) {
		for (size_t j = 0; j < d->kind[i].len; j++)
			view_bury(d, d->kind[i].v[j]);
		vec_done(&d->kind[i]);
		if (d->claims[i])
			claims_done(d->claims[i]);
		free(d->claims[i]);
		d->claims[i] = NULL;
	}
}

void declaration_replace(struct declaration *d, struct declaration *by)
{
	struct view *views = d->views;

	assert(!by->views);
	clear(d);
	*d = *by;
	d->views = views;
	*by = (struct declaration){0};
}

void declaration_done(struct declaration *d)
{
	assert(!d->views);
	clear(d);
}

/* Keeps the number of the first fault. */
static void note(int *first, int rc)
{
	if (!*first)
		*first = rc;
}

static const struct claim_index *claims_of(struct declaration *d, enum kind_id kind)
{
	struct claim_index *index = d->claims[kind];

	if (index)
		return index;
	index = d->claims[kind] = xcalloc(1, sizeof(*index));
	index->kind = kind;
	for (size_t i = 0; i < d->kind[kind].len; i++)
		claims_insert(index, d->kind[kind].v[i]);
	return index;
}

static int check_claims_put(struct declaration *d, enum kind_id kind,
			    const struct resource *resource, struct errs *errs)
{
	const struct claim_index *index = claims_of(d, kind);
	size_t count = claims_count(kind, resource);
	struct claim holder;
	int rc = 0;

	for (size_t n = 0; n < count; n++) {
		struct claim claim = claims_at(kind, resource, n);

		for (size_t at = 0; claims_next(index, &claim.key, &at, &holder);)
			if (strcmp(holder.owner->name, resource->name) != 0)
				note(&rc, claims_fault(&claim, &holder, "", errs));
	}
	return rc;
}

int declaration_check_put(struct declaration *d, enum kind_id kind, const struct resource *resource,
			  struct errs *errs)
{
	/* first: what the other checks need grows with it */
	int rc = bounds_check_put(d, kind, resource, errs);
	if (rc)
		return rc;
	note(&rc, check_claims_put(d, kind, resource, errs));
	if (kind == KIND_TUNNEL) {
		note(&rc, references_check_tunnel(d, (const struct tunnel *)resource, errs));
	} else if (kind == KIND_EXIT_ROUTE) {
		const struct exit_route *route = (const struct exit_route *)resource;

		note(&rc, references_check_route(d, route, errs));
		note(&rc, references_check_from(d, route, errs));
	} else if (kind == KIND_NAT_RULE) {
		note(&rc,
		     overlaps_check_put(&d->kind[kind], (const struct nat_rule *)resource, errs));
	}
	return rc;
}

int declaration_check_remove(const struct declaration *d, enum kind_id kind, const char *name,
			     struct errs *errs)
{
	const struct resource *resource = declaration_find(d, kind, name, NULL);

	if (!resource || kind != KIND_TUNNEL)
		return 0;
	return references_check_remove(d, (const struct tunnel *)resource, errs);
}

/* Claims of one key: what the document does not name was there before. */
static int check_claimants(const struct declaration_merge *merge, enum kind_id kind,
			   const struct claim *claims, size_t len, struct errs *errs)
{
	const struct claim *holder = claims;
	char at[ERR_POINTER];
	int rc = 0;

	for (size_t i = 0; len > 1 && i < len; i++)
		if (!declaration_is_given(merge, kind, claims[i].owner->name)) {
			holder = &claims[i];
			break;
		}
	for (const struct claim *claim = claims; claim < claims + len; claim++) {
		if (claim == holder)
			continue;
		snprintf(at, sizeof(at), "/%s/%u", kinds[kind]->member, claim->owner_index);
		note(&rc, claims_fault(claim, holder, at, errs));
	}
	return rc;
}

static int check_claims(const struct declaration_merge *merge, enum kind_id kind, struct errs *errs)
{
	const struct resources *list = &merge->after->kind[kind];
	struct claim_list claims = {0};
	int rc = 0;

	for (size_t i = 0; i < list->len; i++)
		claims_add(&claims, kind, list->v[i], (uint32_t)i);
	vec_sort(&claims, claims_compare);
	for (size_t from = 0, to; from < claims.len; from = to) {
		for (to = from + 1; to < claims.len; to++)
			if (!claims_clash(&claims.v[from], &claims.v[to]))
				break;
		note(&rc, check_claimants(merge, kind, &claims.v[from], to - from, errs));
	}
	vec_done(&claims);
	return rc;
}

bool declaration_is_given(const struct declaration_merge *merge, enum kind_id kind,
			  const char *name)
{
	return declaration_find(merge->document, kind, name, NULL) != NULL;
}

int declaration_check_merge(const struct declaration_merge *merge, struct errs *errs)
{
	int rc = bounds_check(merge, errs);

	if (rc)
		return rc;
	for (unsigned i = 0; i < RESOURCE_KINDS; i++)
		note(&rc, check_claims(merge, (enum kind_id)i, errs));
	note(&rc, references_check(merge, errs));
	note(&rc, references_check_froms(merge, errs));
	note(&rc, overlaps_check(merge, errs));
	return rc;
}

int declaration_check(const struct declaration *d, struct errs *errs)
{
	return declaration_check_merge(&(struct declaration_merge){d, d, d}, errs);
}
