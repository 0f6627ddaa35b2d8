/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The one way into the declaration: changes are stored in the turn's transaction, and their
 * writers answered after its commit. A dry run goes the same way up to the last step.
 */

#include "daemon/api_call.h"

/* A resource as it shall be; marked deleting when it shall go. Owned by the change. */
struct api_change {
	const struct kind *kind;
	struct resource *resource;
};

struct api_changes vec_of(struct api_change);

/* A heap copy, to be changed on: created anew when current is NULL, else its next generation. */
struct resource *api_write_next(const struct kind *kind, const struct resource *wanted,
				const struct resource *current);
/* A heap copy that is marked deleting. */
struct resource *api_write_doomed(const struct kind *kind, const struct resource *current);

/*
 * Stores the changes (none: a write that changes nothing), or plans them when the call is a
 * dry run, and answers as the waiter says. What was stored is taken out of the changes.
 */
void api_write(struct api_call *call, struct api_changes *changes, struct api_waiter *waiter);
void api_write_free(struct api_changes *changes);
#define cleanup_changes cleanup_(api_write_free)

/* The declaration with the changes in it and the doomed left out. Borrows every resource. */
void api_write_shadow(struct declaration *shadow, const struct declaration *declaration,
		      const struct api_changes *changes);
void api_write_shadow_done(struct declaration *shadow);

/* The end of a turn: one commit, then every writer of the turn is answered. */
void api_write_commit(struct api *api);
