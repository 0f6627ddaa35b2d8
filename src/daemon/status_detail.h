/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a status does not keep, told again: what the client left to the agent, resolved by the
 * facts of the last look; and the objects, where no trouble is kept with the status.
 */

#include "daemon/status.h"
#include "plan/expand.h"

struct status_details {
	const void *effective; /* a struct of the kind, see struct expansion; NULL before a pass */
	const struct status_object *objects;
	uint32_t objects_len; /* at most STATUS_OBJECTS_MAX */
};

/* Puts what is missing into details; it is the arena's. */
void status_detail(const struct expand_input *input, const struct kind *kind,
		   const struct resource *resource, const struct status *status,
		   struct arena *arena, struct status_details *details);
