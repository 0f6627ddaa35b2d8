/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One member of a document, by its row. Within codec/, but for value_allowed. */

#include "codec/json.h"

/* A document being decoded. */
struct decoder {
	const struct kind *kind;
	const struct json_at *at;
	struct arena *arena;
	struct errs *errs;
	void *object;
};

/* Adds an invalid-resource fault of that place. Returns -EINVAL. */
int value_fault(struct errs *errs, const struct json_at *at, const char *fmt, ...) printf_(3, 4);

/* Adds the fault that the kind has no member of that name. */
void value_unknown(const struct decoder *d, const char *name);

/* What a row allows, to follow "must be". */
void value_allowed(const struct field *field, struct text *text);

/* Stores the value in the decoder's object; a fault goes to its errs. */
void value_decode(const struct decoder *d, const struct field *field, const json_t *json);
