/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Table numbers of the distinct `from` prefixes of exit routes: given once, and kept. */

#include "store/store.h"

/* Gives a number to every `from` of the declaration that has none; into the store too, inside
 * a transaction, when it is not NULL. */
int numbers_add(struct from_numbers *numbers, struct store *store,
		const struct declaration *declaration, struct err *err) must_check;
/* The same in one transaction of its own; nothing is added when it fails. */
int numbers_keep(struct from_numbers *numbers, struct store *store,
		 const struct declaration *declaration, struct err *err) must_check;
/* Behind what is there. */
void numbers_copy(struct from_numbers *to, const struct from_numbers *from);
