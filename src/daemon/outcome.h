/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What a pass leaves behind: all that the statuses are judged from. */

#include "base/text.h"
#include "daemon/contest.h"
#include "daemon/status.h"
#include "plan/expand.h"

struct op_ref {
	const struct object *want;
	const struct op *op;
};

struct outcome {
	const struct objects *desired, *observed, *owned;
	const struct claims *claims;
	const struct ops *ops; /* with their results */
	const struct contests *contests;
	uint64_t now_ms;                           /* monotonic, of the contests */
	bool partial;                              /* what was not observed is as it was: in sync */
	struct op_refs vec_of(struct op_ref) refs; /* by want: outcome_index */
	struct op_refs_shared vec_of(struct op_ref) shared; /* of objects that nobody claims */
};

void outcome_index(struct outcome *outcome);
void outcome_done(struct outcome *outcome);
/* "ttl 32 instead of 64, …": what differs in an op with want and have */
const char *outcome_differences(const struct op *op, struct arena *arena);

/* The status of one resource; dependency is its tunnel's, NULL when it has none. since_ms is
 * left to the caller. */
void status_of(const struct outcome *outcome, const struct expansion *expansion,
	       const struct status *dependency, struct arena *arena, struct status *status);
void status_done(struct status *status);
