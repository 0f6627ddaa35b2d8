/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between two versions of a resource, as a bounded document: whoever reads who
 * changed what must not be sent a list of a hundred thousand prefixes for it.
 */
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
	MEMBERS_MAX = 32, /* of a list that is shown */
	VALUE_MAX = 512,  /* bytes of a value that is shown */
	FIRST_MAX = 4,    /* of the members that came or went, where the list is not shown */
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

/* "NAME":VALUE, or "NAME_length" where the value is too long: false. */
static bool add_value(struct text *text, const char *name, const struct field *field,
		      const void *object)
{
	size_t length = length_of(field, object), before = text->len;
	char length_name[16];

	if (is_shown(field, length)) {
		json_add_name(text, name);
		json_add_value(text, field, object);
		if (text->len - before <= VALUE_MAX)
			return true;
		text_end(text, text->s + before);
	}
	snprintf(length_name, sizeof(length_name), "%s_length", name);
	json_member_number(text, length_name, length);
	return false;
}

/* The members that only one of two lists has. */
struct surplus {
	const struct prefix *first[FIRST_MAX];
	size_t len;
};

static void surplus_add(struct surplus *surplus, const struct prefix *prefix)
{
	if (surplus->len < FIRST_MAX)
		surplus->first[surplus->len] = prefix;
	surplus->len++;
}

static void surplus_show(const struct surplus *surplus, struct text *text, const char *name)
{
	char length_name[16], buf[PREFIX_TEXT];

	json_add_name(text, name);
	text_add_char(text, '[');
	for (size_t i = 0; i < surplus->len && i < FIRST_MAX; i++)
		text_addf(text, "%s\"%s\"", i ? "," : "", prefix_text(*surplus->first[i], buf));
	text_add_char(text, ']');
	snprintf(length_name, sizeof(length_name), "%s_length", name);
	json_member_number(text, length_name, surplus->len);
}

static struct prefix *sorted(const struct prefixes *list)
{
	struct prefix *copy = xcalloc(list->len, sizeof(*copy));

	if (list->len)
		memcpy(copy, list->v, list->len * sizeof(*copy));
	qsort(copy, list->len, sizeof(*copy), prefix_compare);
	return copy;
}

/* What came to a list and what went, by as many as are told. */
static void add_difference(struct text *text, const struct prefixes *before,
			   const struct prefixes *after)
{
	cleanup_free struct prefix *old = sorted(before), *new = sorted(after);
	struct surplus added = {0}, removed = {0};
	size_t i = 0, j = 0;

	while (i < before->len || j < after->len) {
		int order = i == before->len  ? 1
			    : j == after->len ? -1
					      : prefix_compare(&old[i], &new[j]);

		if (order < 0)
			surplus_add(&removed, &old[i]);
		else if (order > 0)
			surplus_add(&added, &new[j]);
		i += order <= 0;
		j += order >= 0;
	}
	surplus_show(&added, text, "added");
	surplus_show(&removed, text, "removed");
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
		bool was = is_told && is_set(before, i), is = is_told && is_set(after, i);
		bool old_shown = !was || add_value(text, "old", field, before);
		bool new_shown = !is || add_value(text, "new", field, after);
		if (was && is && !(old_shown && new_shown) && field->type == FIELD_PREFIXES)
			add_difference(text, field_in(field, before), field_in(field, after));
		text_add_char(text, '}');
	}
	text_add_char(text, ']');
}
