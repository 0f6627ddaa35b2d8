/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The end of a deleted resource: when a pass has taken its objects away, it leaves the
 * declaration and the store.
 */

#include "model/declaration.h"
#include "model/op.h"
#include "store/store.h"

struct purge {
	uint64_t revision;     /* of the declaration that the pass saw */
	const struct ops *ops; /* of its last round, with their results */
	void (*purged)(void *user, enum kind_id kind, const char *name);
	void *user;
};

void purge_deleted(struct store *store, struct declaration *declaration, const struct purge *purge);
/* May the object of that op have been the resource's? Errs on the side of yes. */
bool purge_may_belong(const struct kind *kind, const struct resource *resource,
		      const struct op *op);
