/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The declaration as it was at one moment, for a reader that takes its time. As long as
 * nothing is written a view borrows the declaration's lists; the first write leaves them to it
 * and goes on with copies. What is replaced or removed lives until no view may know it, so
 * whoever opens a view must see to it that it is closed in the end.
 */

#include "model/declaration.h"

struct view {
	struct resources kind[RESOURCE_KINDS]; /* to be read only */
	uint64_t revision;

	/* view.c's own */
	unsigned readers;
	bool borrows; /* the lists are the declaration's */
	struct view *older;
	struct resources buried; /* gone from the declaration while this was the newest */
};

/* Of one moment there is one view, however many open it. */
struct view *view_open(struct declaration *d) __attribute__((returns_nonnull));
void view_close(struct declaration *d, struct view *view);

/* Within model/: the lists of the declaration are about to be changed. */
void view_detach(struct declaration *d);
/* Within model/: the resource is in them no more; freed now, or when no view may know it. */
void view_bury(struct declaration *d, struct resource *resource);
