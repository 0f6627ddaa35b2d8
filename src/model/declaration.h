/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The declaration: all resources of this host, by kind, each list sorted by name. It owns
 * its resources: each is one malloc'ed block (kind_copy with NULL).
 *
 * The rules between resources are here, the same for one write and for a whole config:
 * every resource makes claims (its device name, its endpoints, each destination …) and no
 * claim may be made twice; every reference must hold.
 */

#include "base/vec.h"
#include "model/resource.h"

struct resources vec_of(struct resource *);

/* The routing table of a distinct `from` prefix: kept in the store, so that it never moves. */
struct from_number {
	struct prefix from;
	uint32_t table; /* OUR_TABLE_FIRST + 1 … OUR_TABLE_LAST */
};

struct from_numbers vec_of(struct from_number);

struct claim_index;
struct view;

struct declaration {
	struct resources kind[RESOURCE_KINDS];
	uint64_t revision; /* counts every change */
	/* who claims what: made by the first check of a write, kept by puts and removals */
	struct claim_index *claims[RESOURCE_KINDS];
	struct view *views; /* the newest first: view.h */
};

/* NULL when there is none; the sort position is stored in *at when that is not NULL */
struct resource *declaration_find(const struct declaration *d, enum kind_id kind, const char *name,
				  size_t *at);
/* Inserts, or replaces (and frees) the one of that name. Takes the resource over. */
void declaration_put(struct declaration *d, enum kind_id kind, struct resource *resource);
/* Removes and frees. False when there was none. */
bool declaration_remove(struct declaration *d, enum kind_id kind, const char *name);
/* Takes over what the other one holds in place of its own; open views stay as they are. */
void declaration_replace(struct declaration *d, struct declaration *by);
/* No view is open any more. */
void declaration_done(struct declaration *d);

/*
 * Would the declaration hold with this resource put in (over the one of its name)? Adds the
 * faults with code (endpoints-in-use, interface-name-taken, sources-overlap,
 * destination-in-use, resource-in-use, unresolved-reference, source-required,
 * invalid-resource), pointer and sentence. 0 or negative errno of the first fault
 * (-EEXIST and -EBUSY: a 409, -EINVAL: a 422). Disabled and deleting resources keep what
 * they claim; deleting ones need nothing any more. Cost: linear in
 * the exit routes for a tunnel (n log n when it is used), in the tunnels and exit routes for an
 * exit route, in the NAT rules for one.
 */
int declaration_check_put(struct declaration *d, enum kind_id kind,
			  const struct resource *resource, struct errs *errs) must_check;
/* Would it hold without it? -EBUSY resource-in-use names the users. */
int declaration_check_remove(const struct declaration *d, enum kind_id kind, const char *name,
			     struct errs *errs) must_check;
/* The whole at once, for a config: n log n. Pointers are /tunnels/3/remote, where the number
 * is the resource's position in its list (by name). */
int declaration_check(const struct declaration *d, struct errs *errs) must_check;

/* A config and what it does to the declaration, which may have more than the config names. */
struct declaration_merge {
	const struct declaration *before, *document, *after;
};

/* Does the document name it? */
bool declaration_is_given(const struct declaration_merge *merge, enum kind_id kind,
			  const char *name);
/*
 * Does `after` hold? Positions are those in its lists. Of two that cannot both be, the one
 * that the document names is at fault (of two such, the later one), and a tunnel that takes
 * the source of an exit route which is not in the document is in use.
 */
int declaration_check_merge(const struct declaration_merge *merge, struct errs *errs) must_check;
