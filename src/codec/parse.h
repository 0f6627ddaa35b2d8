/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Within codec/: values out of a longer text. */

#include "codec/json.h"

/* A text that is read from its start to its end. */
struct source {
	const char *start, *at, *end;
};

void parse_blanks(struct source *source);

/* Adds the malformed-json fault, with line and column of where the source is. -EINVAL */
int parse_fault(const struct source *source, struct errs *errs, const char *fmt, ...) printf_(3, 4);

/*
 * The value that comes next, itself standing depth levels deep; the source is then at its
 * end. The caller owns the value. -EINVAL with one malformed-json fault.
 */
int parse_value(struct source *source, unsigned depth, json_t **value,
		struct errs *errs) must_check;
