/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The details of one resource's status, expanded anew when somebody asks. */
#include "daemon/status_detail.h"

static void list(const struct expand_input *input, const struct kind *kind,
		 const struct claims *claims, struct arena *arena, struct status_details *details)
{
	struct status_object *objects = arena_array(arena, STATUS_OBJECTS_MAX, sizeof(*objects));

	for (size_t i = 0; i < claims->len && details->objects_len < STATUS_OBJECTS_MAX; i++) {
		const struct claim *claim = &claims->v[i];
		const struct object *owned = objects_find(input->owned, claim->kind, claim->object);

		if (!status_lists(kind, claim->kind, OBJECT_IN_SYNC))
			continue;
		objects[details->objects_len++] = (struct status_object){
			.kind = claim->kind,
			.state = owned && owned->marks & OBJECT_FOUND ? OBJECT_STATE_FOUND
								      : OBJECT_IN_SYNC,
			.key = kind_key_text(kinds[claim->kind], claim->object, arena),
		};
	}
	details->objects = objects;
}

void status_detail(const struct expand_input *input, const struct kind *kind,
		   const struct resource *resource, const struct status *status,
		   struct arena *arena, struct status_details *details)
{
	struct expand_output out = {0};

	expand_one(input, kind, resource, arena, &out);
	details->effective = out.expansions.v[0].effective;
	/* of a generation that no pass has seen nothing is in the kernel yet */
	if (!status->objects && status->generation >= resource->generation)
		list(input, kind, &out.claims, arena, details);
	expand_done(&out);
}
