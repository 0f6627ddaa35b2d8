/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between two versions of a resource, as a bounded document: whoever reads who
 * changed what must not be sent a list of a hundred thousand prefixes for it.
 */
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

enum {
	MEMBERS_MAX = 32, /* of a list that is shown */
	VALUE_MAX = 512,  /* bytes of a value that is shown */
	TEXT_MAX = 4096,  /* bytes of all: further fields are named only */
};

static bool is_set(const void *object, unsigned row)
{
	return object && field_set_mask(object) >> row & 1;
}

static bool is_same(const struct kind *kind, unsigned row, const void *before, const void *after)
{
	bool was = is_set(before, row), is = is_set(after, row);

	return was == is && (!was || field_compare(&kind->fields[row], before, after) == 0);
}

/* Members of a list, bytes of a text; 0 of what has no length. */
static size_t length_of(const struct field *field, const void *object)
{
	const void *p = field_in(field, object);

	switch (field->type) {
	case FIELD_PREFIXES:
		return ((const struct prefixes *)p)->len;
	case FIELD_LABELS:
		return ((const struct labels *)p)->len;
	case FIELD_STRING:
		return strlen(*(const char *const *)p ? *(const char *const *)p : "");
	case FIELD_BOOL:
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
	case FIELD_NAME:
	case FIELD_CHOICE:
	case FIELD_ADDR:
	case FIELD_PREFIX:
	case FIELD_ROWS:
		break;
	}
	return 0;
}

static bool is_shown(const struct field *field, size_t length)
{
	return length <= (field->type == FIELD_STRING ? (size_t)VALUE_MAX : (size_t)MEMBERS_MAX);
}

/* "NAME":VALUE, or "NAME_length" where the value is too long. */
static void add_value(struct text *text, const char *name, const struct field *field,
		      const void *object)
{
	size_t length = length_of(field, object), before = text->len;
	char length_name[16];

	if (is_shown(field, length)) {
		json_add_name(text, name);
		json_add_value(text, field, object);
		if (text->len - before <= VALUE_MAX)
			return;
		text_end(text, text->s + before);
	}
	snprintf(length_name, sizeof(length_name), "%s_length", name);
	json_member_number(text, length_name, length);
}

void json_add_changes(struct text *text, const struct kind *kind, const void *before,
		      const void *after)
{
	size_t start = text->len;

	text_add_char(text, '[');
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];
		bool is_told = !(field->flags & FIELD_SECRET) && text->len - start < TEXT_MAX;

		if (field->flags & FIELD_KEY || is_same(kind, i, before, after))
			continue;
		text_add(text, text->s[text->len - 1] == '[' ? "{" : ",{");
		json_member_string(text, "field", field->name);
		if (is_told && is_set(before, i))
			add_value(text, "old", field, before);
		if (is_told && is_set(after, i))
			add_value(text, "new", field, after);
		text_add_char(text, '}');
	}
	text_add_char(text, ']');
}
