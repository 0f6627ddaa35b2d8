/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Within codec/: one value out of a longer text. */

#include "codec/json.h"

struct parsed {
	json_t *value; /* the caller owns it */
	size_t len;    /* bytes of text up to its end */
};

/*
 * The value at the front of the text, itself standing depth levels deep. -EINVAL with one
 * malformed-json fault.
 */
int parse_value(const char *s, size_t len, unsigned depth, struct parsed *parsed,
		struct errs *errs) must_check;
