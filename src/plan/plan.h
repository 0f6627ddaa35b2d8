/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The planner: what must be done so that the kernel holds what is desired. Pure: no I/O, no
 * clock, no ifindex. Desired, observed and owned are sorted (objects_sort), and the plan is
 * a merge of them by the table in design.md, in an order in which it can be applied.
 */

#include "model/op.h"

struct plan_input {
	const struct objects *desired;
	const struct objects *observed; /* marks say what is ours by the kernel's mark */
	const struct objects *owned;    /* the ledger: marks OURS, FOUND or ORPHAN */
	/* The three hold what a scope names, and nothing of the rest: a link that is in none of
	 * them stands. */
	bool partial;
};

/* Fills ops in the order of application; strings and objects that it makes are the arena's. */
void plan_build(const struct plan_input *input, struct arena *arena, struct ops *ops);

/* The `ip`, `nft` or `sysctl` line that a person would type for the op; into the arena. */
const char *show_command(const struct op *op, struct arena *arena);
