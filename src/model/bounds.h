/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Within model/: how much all resources together may ask of the kernel. Each resource has a
 * bound of its own in its kind's table.
 */

#include "model/declaration.h"

/* A resource that is put, with the others of its kind. Linear in these. */
int bounds_check_put(const struct declaration *d, enum kind_id kind,
		     const struct resource *resource, struct errs *errs) must_check;
/* After a merge: at fault is what the document names, the first that goes past the bound. */
int bounds_check(const struct declaration_merge *merge, struct errs *errs) must_check;
