/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Within model/: NAT rules that contradict each other. Two rules of equal priority,
 * interfaces and destinations may share sources only when they do the same with them.
 */

#include "model/declaration.h"

/* Does the rule contradict another one of the list (not the one of its own name)? */
int overlaps_check_put(const struct resources *rules, const struct nat_rule *rule,
		       struct errs *errs) must_check;
/* All rules after a merge: n log n. */
int overlaps_check(const struct declaration_merge *merge, struct errs *errs) must_check;
