/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Views of the declaration: who holds which lists, and when what was replaced is freed. */
#include "model/view.h"

#include <string.h>

struct view *view_open(struct declaration *d)
{
	struct view *view = d->views;

	if (!view || !view->borrows) {
		view = xcalloc(1, sizeof(*view));
		*view = (struct view){.revision = d->revision, .borrows = true, .older = d->views};
		memcpy(view->kind, d->kind, sizeof(view->kind));
		d->views = view;
	}
	view->readers++;
	return view;
}

static void free_all(struct resources *list)
{
	for (size_t i = 0; i < list->len; i++)
		free(list->v[i]);
	vec_done(list);
}

/* An older view may know what a newer one has kept alive. */
static void leave(struct resources *buried, struct view *older)
{
	for (size_t i = 0; i < buried->len; i++)
		vec_push(&older->buried, buried->v[i]);
	vec_done(buried);
}

void view_close(struct declaration *d, struct view *view)
{
	struct view **link = &d->views;

	if (--view->readers)
		return;
	while (*link != view)
		link = &(*link)->older;
	*link = view->older;
	if (view->older)
		leave(&view->buried, view->older);
	free_all(&view->buried);
	for (unsigned k = 0; k < RESOURCE_KINDS && !view->borrows; k++)
		vec_done(&view->kind[k]);
	free(view);
}

void view_detach(struct declaration *d)
{
	if (!d->views || !d->views->borrows)
		return;
	d->views->borrows = false;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		const struct resources *list = &d->views->kind[k];
		struct resources *copy = &d->kind[k];

		*copy = (struct resources){0};
		for (size_t i = 0; i < list->len; i++)
			vec_push(copy, list->v[i]);
	}
}

void view_bury(struct declaration *d, struct resource *resource)
{
	if (resource && d->views)
		vec_push(&d->views->buried, resource);
	else
		free(resource);
}
