/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One member of a document to one field: type, bounds, and the sentence that tells what is
 * allowed when it does not fit.
 */
#include "codec/value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 60 };

static size_t add_escaped(char *pointer, size_t len, const char *name)
{
	for (; *name && len + 2 < ERR_POINTER; name++) {
		if (*name == '~' || *name == '/') {
			pointer[len++] = '~';
			pointer[len++] = *name == '~' ? '0' : '1';
		} else {
			pointer[len++] = *name;
		}
	}
	return len;
}

/* Room is left for what is inside: an index, at least. */
static size_t add_place(const struct json_at *at, char *pointer)
{
	char index[24];
	size_t len = at->in ? add_place(at->in, pointer) : 0;

	if (len + sizeof(index) >= ERR_POINTER)
		return len;
	pointer[len++] = '/';
	if (at->name)
		return add_escaped(pointer, len, at->name);
	snprintf(index, sizeof(index), "%zu", at->index);
	return add_escaped(pointer, len, index);
}

void json_pointer(const struct json_at *at, char pointer[static ERR_POINTER])
{
	pointer[at ? add_place(at, pointer) : 0] = '\0';
}

int value_fault(struct errs *errs, const struct json_at *at, const char *fmt, ...)
{
	char pointer[ERR_POINTER];
	va_list args;

	json_pointer(at, pointer);
	va_start(args, fmt);
	errs_addv(errs, -EINVAL, "invalid-resource", pointer, fmt, args);
	va_end(args);
	return -EINVAL;
}

void value_unknown(const struct decoder *d, const char *name)
{
	const char *closest = kind_suggest(d->kind, name);
	char pointer[ERR_POINTER];

	json_pointer(&(struct json_at){.in = d->at, .name = name}, pointer);
	errs_add(d->errs, -EINVAL, "unknown-field", pointer, "no member of %s has this name%s%s%s",
		 d->kind->noun, closest ? "; did you mean \"" : "", closest ? closest : "",
		 closest ? "\"?" : "");
}

void value_allowed(const struct field *field, struct text *text)
{
	switch (field->type) {
	case FIELD_BOOL:
		text_add(text, "true or false");
		break;
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		text_addf(text, "a whole number from %lld to %lld", (long long)field->min,
			  (long long)field->max);
		if (field->step)
			text_addf(text, " in steps of %lld", (long long)field->step);
		break;
	case FIELD_NAME:
		text_addf(text, "%s of 1 to %u characters",
			  field->flags & FIELD_IFNAME ? "an interface name" : "a name",
			  field->size - 1);
		break;
	case FIELD_STRING:
		text_addf(text, "a text of at most %lld bytes", (long long)field->max);
		break;
	case FIELD_CHOICE:
		for (uint32_t i = 0; i < field->n_choices; i++) {
			const char *joint = i + 1 < field->n_choices ? ", " : " or ";

			text_addf(text, "%s\"%s\"", i ? joint : "", field->choices[i]);
		}
		break;
	case FIELD_ADDR:
		text_add(text, "a host's IPv4 address a.b.c.d");
		break;
	case FIELD_PREFIX:
	case FIELD_PREFIXES:
		text_add(text, "an IPv4 prefix a.b.c.d/n");
		break;
	case FIELD_LABELS:
		text_addf(text, "an object of at most %u texts", field->max_count);
		break;
	case FIELD_ROWS:
		break;
	}
	if (field->flags & FIELD_WORD)
		text_addf(text, " or \"%s\"", field->word);
}

/* The refused value, in a few words. */
static void shown(const json_t *json, struct text *text)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		text_addf(text, "an object of %zu members", json_object_size(json));
		return;
	case JSON_ARRAY:
		text_add(text, "a list");
		return;
	case JSON_STRING:
		if (json_string_length(json) > SHOWN_MAX) {
			text_addf(text, "a text of %zu bytes", json_string_length(json));
			return;
		}
		break;
	case JSON_INTEGER:
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	char *dumped = json_dumps(json, JSON_ENCODE_ANY);
	text_add(text, dumped ? dumped : "that");
	free(dumped);
}

/* "must be …, not …" */
static void refuse(const struct decoder *d, const struct field *field, const struct json_at *at,
		   const json_t *json)
{
	cleanup_text struct text text = {0};

	text_add(&text, "must be ");
	value_allowed(field, &text);
	text_add(&text, ", not ");
	shown(json, &text);
	value_fault(d->errs, at, "%s", text_str(&text));
}

static void decode_number(const struct decoder *d, const struct field *field,
			  const struct json_at *at, const json_t *json)
{
	json_int_t value = json_integer_value(json);

	if (!json_is_integer(json) || value < field->min || value > field->max ||
	    (field->step && value % field->step))
		refuse(d, field, at, json);
	else
		field_store(field, d->object, value);
}

static void decode_name(const struct decoder *d, const struct field *field,
			const struct json_at *at, const json_t *json)
{
	const char *name = json_string_value(json), *wrong;

	if (!name) {
		refuse(d, field, at, json);
		return;
	}
	wrong = field->flags & FIELD_IFNAME ? ifname_fault(name) : resource_name_fault(name);
	if (wrong)
		value_fault(d->errs, at, "%s", wrong);
	else
		strncpy(field_of(field, d->object), name, field->size - 1);
}

/* C0, DEL and, in UTF-8, C1: what a terminal could take for a command. */
static bool has_control(const char *s, const char *but)
{
	for (const unsigned char *c = (const unsigned char *)s; *c; c++) {
		if ((*c < ' ' || *c == 0x7f) && !strchr(but, *c))
			return true;
		if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			return true;
	}
	return false;
}

static void decode_string(const struct decoder *d, const struct field *field,
			  const struct json_at *at, const json_t *json)
{
	const char *s = json_string_value(json);

	if (!s || (int64_t)json_string_length(json) > field->max)
		refuse(d, field, at, json);
	else if (has_control(s, "\n\t"))
		value_fault(d->errs, at, "must have no control characters but newline and tab");
	else
		*(const char **)field_of(field, d->object) = arena_strdup(d->arena, s);
}

static void decode_choice(const struct decoder *d, const struct field *field,
			  const struct json_at *at, const json_t *json)
{
	const char *s = json_string_value(json);

	for (uint32_t i = 0; s && i < field->n_choices; i++)
		if (strcmp(field->choices[i], s) == 0) {
			field_store(field, d->object, i);
			return;
		}
	refuse(d, field, at, json);
}

/* 0.0.0.0 stands for "none" in the structs: nobody can ask for it. */
static void decode_addr(const struct decoder *d, const struct field *field,
			const struct json_at *at, const json_t *json)
{
	const char *s = json_string_value(json);
	struct addr addr;

	if (!s || addr_parse(s, &addr) != 0 || !addr.host)
		refuse(d, field, at, json);
	else
		field_store(field, d->object, addr.host);
}

static void decode_prefix(const struct decoder *d, const struct field *field,
			  const struct json_at *at, const json_t *json, struct prefix *prefix)
{
	const char *s = json_string_value(json);
	char text[PREFIX_TEXT];
	struct addr addr;

	if (s && addr_parse(s, &addr) == 0) {
		value_fault(d->errs, at, "must be an IPv4 prefix a.b.c.d/n, did you mean %s/32?",
			    s);
		return;
	}
	if (!s || prefix_parse(s, prefix) != 0) {
		refuse(d, field, at, json);
		return;
	}
	if (field->flags & FIELD_HOST_BITS || prefix_is_network(*prefix))
		return;
	value_fault(d->errs, at, "host bits are set, did you mean %s?",
		    prefix_text(prefix_network(*prefix), text));
}

struct place {
	struct prefix prefix;
	uint32_t index;
};

static int place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = prefix_compare(&x->prefix, &y->prefix);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void check_unique(const struct decoder *d, const struct json_at *at,
			 const struct prefixes *list)
{
	struct place *places = arena_array(d->arena, list->len, sizeof(*places));
	char text[PREFIX_TEXT];

	for (uint32_t i = 0; i < list->len; i++)
		places[i] = (struct place){list->v[i], i};
	qsort(places, list->len, sizeof(*places), place_compare);
	for (uint32_t i = 1; i < list->len; i++) {
		if (prefix_compare(&places[i - 1].prefix, &places[i].prefix) != 0)
			continue;
		value_fault(d->errs, &(struct json_at){.in = at, .index = places[i].index},
			    "%s is given twice", prefix_text(places[i].prefix, text));
	}
}

static void decode_prefixes(const struct decoder *d, const struct field *field,
			    const struct json_at *at, const json_t *json)
{
	struct prefixes *list = field_of(field, d->object);
	size_t len = json_array_size(json), before = d->errs->total;

	if (!json_is_array(json) || len > field->max_count || len < (size_t)field->min) {
		value_fault(d->errs, at, "must be a list of %lld to %u IPv4 prefixes a.b.c.d/n",
			    (long long)field->min, field->max_count);
		return;
	}
	list->v = arena_array(d->arena, len, sizeof(*list->v));
	list->len = (uint32_t)len;
	for (uint32_t i = 0; i < list->len; i++) {
		decode_prefix(d, field, &(struct json_at){.in = at, .index = i},
			      json_array_get(json, i), &list->v[i]);
	}
	if (field->flags & FIELD_UNIQUE && d->errs->total == before)
		check_unique(d, at, list);
}

static void decode_label(const struct decoder *d, const struct json_at *in, const char *key,
			 const json_t *json)
{
	const struct json_at at = {.in = in, .name = key};

	if (!*key || strlen(key) > LABEL_KEY_MAX || has_control(key, ""))
		value_fault(d->errs, &at,
			    "the key of a label has 1 to %d bytes, none a control character",
			    LABEL_KEY_MAX);
	if (!json_is_string(json) || json_string_length(json) > LABEL_VALUE_MAX ||
	    has_control(json_string_value(json), ""))
		value_fault(d->errs, &at,
			    "a label is a text of at most %d bytes, none a control character",
			    LABEL_VALUE_MAX);
}

static int label_compare(const void *a, const void *b)
{
	const struct label *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* The members of an object have no order: by key, equal ones compare equal. */
static void decode_labels(const struct decoder *d, const struct field *field,
			  const struct json_at *at, const json_t *json)
{
	struct labels *labels = field_of(field, d->object);
	const char *key;
	const json_t *value;

	if (!json_is_object(json) || json_object_size(json) > field->max_count) {
		refuse(d, field, at, json);
		return;
	}
	labels->v = arena_array(d->arena, json_object_size(json), sizeof(*labels->v));
	/* jansson's iterators take no const, though they change nothing */
	json_object_foreach((json_t *)(uintptr_t)json, key, value) {
		decode_label(d, at, key, value);
		if (json_is_string(value))
			labels->v[labels->len++] = (struct label){
				arena_strdup(d->arena, key),
				arena_strdup(d->arena, json_string_value(value))};
	}
	qsort(labels->v, labels->len, sizeof(*labels->v), label_compare);
}

void value_decode(const struct decoder *d, const struct field *field, const json_t *json)
{
	const struct json_at member = {.in = d->at, .name = field->name}, *at = &member;

	if (field->flags & FIELD_WORD && json_is_string(json) &&
	    strcmp(json_string_value(json), field->word) == 0) {
		field_store(field, d->object, field->word_value);
		return;
	}
	switch (field->type) {
	case FIELD_BOOL:
		if (json_is_boolean(json))
			field_store(field, d->object, json_is_true(json));
		else
			refuse(d, field, at, json);
		return;
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		decode_number(d, field, at, json);
		return;
	case FIELD_NAME:
		decode_name(d, field, at, json);
		return;
	case FIELD_STRING:
		decode_string(d, field, at, json);
		return;
	case FIELD_CHOICE:
		decode_choice(d, field, at, json);
		return;
	case FIELD_ADDR:
		decode_addr(d, field, at, json);
		return;
	case FIELD_PREFIX:
		decode_prefix(d, field, at, json, field_of(field, d->object));
		return;
	case FIELD_PREFIXES:
		decode_prefixes(d, field, at, json);
		return;
	case FIELD_LABELS:
		decode_labels(d, field, at, json);
		return;
	case FIELD_ROWS:
		break; /* kernel objects only */
	}
	refuse(d, field, at, json);
}
