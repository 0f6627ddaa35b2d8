/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Inside store/ only: one field's value as the text that is kept, for columns and for the
 * ledger. Numbers and bools are decimal (an INTEGER column takes them as such), choices
 * their word, so that an enum may be renumbered; a list is its length.
 */

#include "base/arena.h"
#include "base/text.h"
#include "model/field.h"

void value_format(const struct field *field, const void *object, struct text *text);
/* -EINVAL when the text is none of that field. Strings go to the arena. Not for lists. */
int value_parse(const struct field *field, void *object, const char *s,
		struct arena *arena) must_check;

bool value_is_list(const struct field *field);
