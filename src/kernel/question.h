/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Asking the kernel's own routing decision; nothing is sent. */

#include "kernel/adapter.h"

/* Answers each of facts->remotes; the links are known already. */
void question_remotes(struct kern *kern, struct vec_remotes *remotes, struct arena *arena);
int question_route(struct kern *kern, const struct route_question *question,
		   struct route_answer *answer, struct err *err) must_check;
int question_link_stats(struct kern *kern, const char *device, struct link_stats *stats,
			struct err *err) must_check;
/* Who answers for that address on that device. -ENODEV */
int question_neighbour(struct kern *kern, const char *device, struct addr addr,
		       struct neighbour *neighbour, struct err *err);
