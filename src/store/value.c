/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One field's value to text and back. The bounds of a field are checked where a client's
 * words come in; here only what its C type cannot hold is refused.
 */
#include "store/value.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool value_is_list(const struct field *field)
{
	return field->type == FIELD_PREFIXES || field->type == FIELD_LABELS;
}

void value_format(const struct field *field, const void *object, struct text *text)
{
	const void *p = field_in(field, object);
	const char *string;
	char buf[PREFIX_TEXT];

	switch (field->type) {
	case FIELD_NAME:
		text_add(text, p);
		return;
	case FIELD_STRING:
		string = *(const char *const *)p;
		text_add(text, string ? string : "");
		return;
	case FIELD_CHOICE:
		assert(*(const uint8_t *)p < field->n_choices);
		text_add(text, field->choices[*(const uint8_t *)p]);
		return;
	case FIELD_ADDR:
		text_add(text, addr_text(*(const struct addr *)p, buf));
		return;
	case FIELD_PREFIX:
		text_add(text, prefix_text(*(const struct prefix *)p, buf));
		return;
	case FIELD_PREFIXES:
		text_add_number(text, ((const struct prefixes *)p)->len);
		return;
	case FIELD_LABELS:
		text_add_number(text, ((const struct labels *)p)->len);
		return;
	case FIELD_BOOL:
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		text_add_number(text, field_number(field, object));
		return;
	case FIELD_ROWS:
		break;
	}
	assert(!"rows have no text of their own");
}

static int parse_name(const struct field *field, void *object, const char *s)
{
	size_t len = strlen(s);

	if (len >= field->size)
		return -EINVAL;
	memset(field_of(field, object), 0, field->size);
	memcpy(field_of(field, object), s, len);
	return 0;
}

static int parse_choice(const struct field *field, void *object, const char *s)
{
	for (uint32_t i = 0; i < field->n_choices; i++)
		if (strcmp(field->choices[i], s) == 0) {
			field_store(field, object, i);
			return 0;
		}
	return -EINVAL;
}

static int parse_number(const struct field *field, void *object, const char *s)
{
	char *end;

	errno = 0;
	long long number = strtoll(s, &end, 10);
	if (errno || end == s || *end)
		return -EINVAL;
	field_store(field, object, number);
	return field_number(field, object) == number ? 0 : -EINVAL;
}

int value_parse(const struct field *field, void *object, const char *s, struct arena *arena)
{
	switch (field->type) {
	case FIELD_NAME:
		return parse_name(field, object, s);
	case FIELD_STRING:
		*(const char **)field_of(field, object) = arena_strdup(arena, s);
		return 0;
	case FIELD_CHOICE:
		return parse_choice(field, object, s);
	case FIELD_ADDR:
		return addr_parse(s, field_of(field, object));
	case FIELD_PREFIX:
		return prefix_parse(s, field_of(field, object));
	case FIELD_BOOL:
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		return parse_number(field, object, s);
	case FIELD_PREFIXES:
	case FIELD_LABELS:
	case FIELD_ROWS:
		break;
	}
	assert(!"a list is not one value");
	return -EINVAL;
}
