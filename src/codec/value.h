/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One member of a document, by its row. Within codec/, but for value_allowed. */

#include "codec/json.h"

/* A document being decoded. */
struct decoder {
	const struct kind *kind;
	const char *prefix; /* of every pointer */
	struct arena *arena;
	struct errs *errs;
	void *object;
};

enum { PREFIX_MAX = 64 }; /* bytes of it that go into a pointer */

/* prefix/name, escaped by RFC 6901 */
void value_pointer(const struct decoder *d, const char *name, char pointer[static ERR_POINTER]);

/* Adds the fault that the kind has no member of that name. */
void value_unknown(const struct decoder *d, const char *name);

/* What a row allows, to follow "must be". */
void value_allowed(const struct field *field, struct text *text);

/* Stores the value in the decoder's object; a fault goes to its errs. */
void value_decode(const struct decoder *d, const struct field *field, const json_t *json);
