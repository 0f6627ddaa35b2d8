/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Inside the planner: what plan.c decides and order.c puts in order.
 */

#include "plan/plan.h"

struct builder {
	const struct plan_input *input;
	struct arena *arena;
	bool nft_orphans; /* another database's elements stand in our table */
	struct ops up, down;
	/* names of links that are deleted or replaced (what sits on them is gone), and of
	 * links that will stand when the ups are through; sorted, the input's memory */
	struct names vec_of(const char *) gone, standing;
	struct names_known vec_of(const char *) known; /* every link that one of the three has */
	struct names_idle vec_of(const char *) idle;   /* down, and another's */
	struct names_of_sets vec_of(const char *) remade_sets;
};

/*
 * Links whose new endpoints are each held by the next one, in a ring, can only be made anew:
 * their changes become replacements, and their names are added to gone. To be called when
 * every link is decided.
 */
void order_untie(struct builder *b);
/* All ops, in an order in which they can be applied. */
void order_ops(struct builder *b, struct ops *ops);
