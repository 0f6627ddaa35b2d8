/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One field of one row: its number, its order, its text. */
#include "model/field.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/kind.h"

int64_t field_number(const struct field *field, const void *object)
{
	const void *p = field_in(field, object);

	switch (field->type) {
	case FIELD_BOOL:
		return *(const bool *)p;
	case FIELD_U8:
	case FIELD_CHOICE:
		return *(const uint8_t *)p;
	case FIELD_U16:
		return *(const uint16_t *)p;
	case FIELD_U32:
		return *(const uint32_t *)p;
	case FIELD_S32:
		return *(const int32_t *)p;
	case FIELD_ADDR:
		return ((const struct addr *)p)->host;
	case FIELD_NAME:
	case FIELD_STRING:
	case FIELD_PREFIX:
	case FIELD_PREFIXES:
	case FIELD_LABELS:
	case FIELD_ROWS:
		break;
	}
	assert(!"a field without a number");
	return 0;
}

void field_store(const struct field *field, void *object, int64_t value)
{
	void *p = field_of(field, object);

	switch (field->type) {
	case FIELD_BOOL:
		*(bool *)p = value != 0;
		return;
	case FIELD_U8:
	case FIELD_CHOICE:
		*(uint8_t *)p = (uint8_t)value;
		return;
	case FIELD_U16:
		*(uint16_t *)p = (uint16_t)value;
		return;
	case FIELD_U32:
		*(uint32_t *)p = (uint32_t)value;
		return;
	case FIELD_S32:
		*(int32_t *)p = (int32_t)value;
		return;
	case FIELD_ADDR:
		((struct addr *)p)->host = (uint32_t)value;
		return;
	case FIELD_NAME:
	case FIELD_STRING:
	case FIELD_PREFIX:
	case FIELD_PREFIXES:
	case FIELD_LABELS:
	case FIELD_ROWS:
		break;
	}
	assert(!"a field without a number");
}

static int string_compare(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int number_compare(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int prefixes_compare(const struct prefixes *a, const struct prefixes *b)
{
	for (uint32_t i = 0; i < a->len && i < b->len; i++) {
		int order = prefix_compare(&a->v[i], &b->v[i]);

		if (order)
			return order;
	}
	return number_compare(a->len, b->len);
}

static int labels_compare(const struct labels *a, const struct labels *b)
{
	for (uint32_t i = 0; i < a->len && i < b->len; i++) {
		int order = strcmp(a->v[i].key, b->v[i].key);

		if (!order)
			order = strcmp(a->v[i].value, b->v[i].value);
		if (order)
			return order;
	}
	return number_compare(a->len, b->len);
}

static int rows_compare(const struct kind *kind, const struct rows *a, const struct rows *b)
{
	const char *x = a->v, *y = b->v;

	for (uint32_t i = 0; i < a->len && i < b->len; i++, x += kind->size, y += kind->size)
		for (unsigned f = 0; f < kind->n_fields; f++) {
			int order = field_compare(&kind->fields[f], x, y);

			if (order)
				return order;
		}
	return number_compare(a->len, b->len);
}

int field_compare(const struct field *field, const void *a, const void *b)
{
	const void *x = field_in(field, a), *y = field_in(field, b);

	switch (field->type) {
	case FIELD_NAME:
		return strncmp(x, y, field->size);
	case FIELD_STRING:
		return string_compare(*(const char *const *)x, *(const char *const *)y);
	case FIELD_PREFIX:
		return prefix_compare(x, y);
	case FIELD_PREFIXES:
		return prefixes_compare(x, y);
	case FIELD_LABELS:
		return labels_compare(x, y);
	case FIELD_ROWS:
		return rows_compare(*field->refers_to, x, y);
	case FIELD_U32:
	case FIELD_ADDR: /* by far the most often compared */
		return number_compare(*(const uint32_t *)x, *(const uint32_t *)y);
	case FIELD_BOOL:
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_S32:
	case FIELD_CHOICE:
		break;
	}
	int64_t m = field_number(field, a), n = field_number(field, b);
	return (m > n) - (m < n);
}

static void show_prefixes(const struct prefixes *list, struct text *text)
{
	char buf[PREFIX_TEXT];

	for (uint32_t i = 0; i < list->len; i++)
		text_addf(text, "%s%s", i ? "," : "", prefix_text(list->v[i], buf));
}

static void show_labels(const struct labels *labels, struct text *text)
{
	for (uint32_t i = 0; i < labels->len; i++)
		text_addf(text, "%s%s=%s", i ? "," : "", labels->v[i].key, labels->v[i].value);
}

static void show_rows(const struct kind *kind, const struct rows *rows, struct text *text)
{
	const char *row = rows->v;

	for (uint32_t i = 0; i < rows->len; i++, row += kind->size) {
		text_add(text, i ? "; " : "");
		for (unsigned f = 0, shown = 0; f < kind->n_fields; f++) {
			const struct field *field = &kind->fields[f];
			static const char zero[64];

			assert(field->size <= sizeof(zero));
			if (memcmp(field_in(field, row), zero, field->size) == 0)
				continue;
			text_addf(text, "%s%s ", shown++ ? " " : "", field->name);
			field_show(field, row, text);
		}
	}
}

void field_show(const struct field *field, const void *object, struct text *text)
{
	const void *p = field_in(field, object);
	char buf[PREFIX_TEXT];

	if (field->flags & FIELD_WORD && field_number(field, object) == field->word_value) {
		text_add(text, field->word);
		return;
	}
	switch (field->type) {
	case FIELD_BOOL:
		text_add(text, *(const bool *)p ? "true" : "false");
		return;
	case FIELD_NAME:
		text_add(text, p);
		return;
	case FIELD_STRING:
		text_add(text, *(const char *const *)p ? *(const char *const *)p : "");
		return;
	case FIELD_CHOICE:
		text_add(text, field->choices[*(const uint8_t *)p]);
		return;
	case FIELD_ADDR:
		text_add(text, addr_text(*(const struct addr *)p, buf));
		return;
	case FIELD_PREFIX:
		text_add(text, prefix_text(*(const struct prefix *)p, buf));
		return;
	case FIELD_PREFIXES:
		show_prefixes(p, text);
		return;
	case FIELD_LABELS:
		show_labels(p, text);
		return;
	case FIELD_ROWS:
		show_rows(*field->refers_to, p, text);
		return;
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		text_addf(text, field->flags & FIELD_HEX ? "%#llx" : "%lld",
			  (long long)field_number(field, object));
		return;
	}
}
