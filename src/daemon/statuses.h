/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The statuses of all resources, as the last pass left them.
 */

#include "daemon/event_log.h"
#include "daemon/outcome.h"

struct named_status {
	const char *name; /* of the names below */
	struct status status;
};

struct statuses {
	struct named_statuses vec_of(struct named_status) kind[RESOURCE_KINDS]; /* by name */
	struct arena names;
	struct state_counts counts;
};

/* NULL: no pass has judged one of that name */
const struct status *statuses_find(const struct statuses *statuses, enum kind_id kind,
				   const char *name);
/* Judges every expansion anew; a state that changes is logged, and an event. */
void statuses_publish(struct statuses *statuses, const struct outcome *outcome,
		      const struct expansions *expansions, struct arena *arena,
		      struct event_log *events);
void statuses_drop(struct statuses *statuses, enum kind_id kind, const char *name);
/* Is one neither ready nor disabled? */
bool statuses_troubled(const struct statuses *statuses);
void statuses_done(struct statuses *statuses);
