/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Structs to JSON, by walking their field tables. */
#include "codec/json.h"

#include <string.h>

/* Bytes of one UTF-8 character at the front of the text, 0: it is not one. */
static size_t utf8_len(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;

	if (strnlen(s, len) < len)
		return 0;
	json_t *probe = len ? json_stringn(s, len) : NULL;
	json_decref(probe);
	return probe ? len : 0;
}

/* Names that others gave to devices are any bytes: what is not UTF-8 becomes "?". */
static json_t *any_string(const char *s)
{
	cleanup_text struct text clean = {0};
	json_t *string = json_string(s);

	if (string)
		return string;
	while (*s) {
		size_t len = utf8_len(s);

		text_add_len(&clean, len ? s : "?", len ? len : 1);
		s += len ? len : 1;
	}
	return json_string(text_str(&clean));
}

static json_t *encode_prefixes(const struct prefixes *list)
{
	json_t *array = json_array();
	char buf[PREFIX_TEXT];

	for (uint32_t i = 0; i < list->len; i++)
		json_array_append_new(array, json_string(prefix_text(list->v[i], buf)));
	return array;
}

static json_t *encode_labels(const struct labels *labels)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < labels->len; i++)
		json_object_set_new(object, labels->v[i].key, any_string(labels->v[i].value));
	return object;
}

/* Rows have no mask of what is set: what is zero is left out. */
static uint64_t rows_not_zero(const struct kind *kind, const void *row)
{
	static const char zero[64];
	uint64_t mask = 0;

	for (unsigned i = 0; i < kind->n_fields; i++)
		if (memcmp(field_in(&kind->fields[i], row), zero, kind->fields[i].size) != 0)
			mask |= UINT64_C(1) << i;
	return mask;
}

static json_t *encode_rows(const struct kind *kind, const struct rows *rows)
{
	json_t *array = json_array();
	const char *row = rows->v;

	for (uint32_t i = 0; i < rows->len; i++, row += kind->size)
		json_array_append_new(array, json_encode_rows(kind, row, rows_not_zero(kind, row)));
	return array;
}

static json_t *encode_field(const struct field *field, const void *object)
{
	const void *p = field_in(field, object);
	char buf[PREFIX_TEXT];

	if (field->flags & FIELD_WORD && field_number(field, object) == field->word_value)
		return json_string(field->word);
	switch (field->type) {
	case FIELD_BOOL:
		return json_boolean(*(const bool *)p);
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		return json_integer(field_number(field, object));
	case FIELD_NAME:
		return any_string(p);
	case FIELD_STRING:
		return any_string(*(const char *const *)p ? *(const char *const *)p : "");
	case FIELD_CHOICE:
		return json_string(field->choices[*(const uint8_t *)p]);
	case FIELD_ADDR:
		return json_string(addr_text(*(const struct addr *)p, buf));
	case FIELD_PREFIX:
		return json_string(prefix_text(*(const struct prefix *)p, buf));
	case FIELD_PREFIXES:
		return encode_prefixes(p);
	case FIELD_LABELS:
		return encode_labels(p);
	case FIELD_ROWS:
		return encode_rows(*field->refers_to, p);
	}
	return NULL;
}

json_t *json_encode_rows(const struct kind *kind, const void *object, uint64_t rows)
{
	json_t *document = json_object();

	for (unsigned i = 0; i < kind->n_fields; i++)
		if (rows >> i & 1)
			json_object_set_new(document, kind->fields[i].name,
					    encode_field(&kind->fields[i], object));
	return document;
}

json_t *json_encode(const struct kind *kind, const struct resource *resource)
{
	return json_encode_rows(kind, resource, resource->set | 1);
}

json_t *json_encode_object(const struct kind *kind, const void *object)
{
	uint64_t rows = field_set_mask(object);

	for (unsigned i = 0; i < kind->n_fields; i++)
		if (kind->fields[i].flags & FIELD_KEY)
			rows |= UINT64_C(1) << i;
	return json_encode_rows(kind, object, rows & kind_all(kind));
}
