/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of add and set, by walking a field table. Values become JSON of the right type
 * and are not judged: bounds and sentences are the agent's, for every client the same.
 */
#include "cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static bool is_list(const struct field *field)
{
	return field->type == FIELD_PREFIXES || field->type == FIELD_LABELS;
}

static bool is_number(const struct field *field)
{
	switch (field->type) {
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		return true;
	case FIELD_BOOL:
	case FIELD_NAME:
	case FIELD_STRING:
	case FIELD_CHOICE:
	case FIELD_ADDR:
	case FIELD_PREFIX:
	case FIELD_PREFIXES:
	case FIELD_LABELS:
	case FIELD_ROWS:
		return false;
	}
	return false;
}

/* dashes of the option are the underscores of the field; rest is what may follow */
static bool names_field(const char *option, const char *field, const char *rest)
{
	for (; *option; option++, field++)
		if (*option == '_' || (*option == '-' ? '_' : *option) != *field)
			return false;
	return strcmp(field, rest) == 0;
}

static bool is_name_of(const char *option, const struct field *field)
{
	if (names_field(option, field->name, ""))
		return true;
	return is_list(field) &&
	       (names_field(option, field->name, "s") || names_field(option, field->name, "es"));
}

const struct field *options_find(const struct kind *kind, const char *name, bool *negated)
{
	const char *positive = strncmp(name, "no-", 3) == 0 ? name + 3 : NULL;

	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];

		if (field->flags & FIELD_KEY)
			continue;
		*negated = field->type == FIELD_BOOL && positive &&
			   names_field(positive, field->name, "");
		if (*negated || is_name_of(name, field))
			return field;
	}
	return NULL;
}

bool options_takes_value(const struct field *field)
{
	return field->type != FIELD_BOOL;
}

/* A whole decimal number is a number; all else is a string, which the agent will refuse or,
 * where the field has a word, take. */
static json_t *number_of(const char *value)
{
	char *end;

	errno = 0;
	long long number = strtoll(value, &end, 10);
	if (errno || *end || strspn(value, "-0123456789") != strlen(value))
		return json_string(value);
	return json_integer(number);
}

static json_t *bool_of(const char *value)
{
	if (strcmp(value, "true") == 0)
		return json_true();
	return strcmp(value, "false") == 0 ? json_false() : json_string(value);
}

static void put_list(json_t *fields, const struct field *field, const char *value)
{
	json_t *list = json_object_get(fields, field->name);

	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(fields, field->name, list);
	}
	while (*value) {
		size_t len = strcspn(value, ",");

		if (len)
			json_array_append_new(list, json_stringn(value, len));
		value += len + (value[len] == ',');
	}
}

/* "key=value"; in a merge patch "key=" removes the label */
static int put_label(json_t *fields, const struct field *field, const char *value, struct err *err)
{
	json_t *labels = json_object_get(fields, field->name);
	size_t len = strcspn(value, "=");
	cleanup_text struct text key = {0};

	if (!len || !value[len])
		return err_set(err, -EINVAL, "--label %s: KEY=VALUE is wanted", value);
	if (!json_is_object(labels)) {
		labels = json_object();
		json_object_set_new(fields, field->name, labels);
	}
	text_add_len(&key, value, len);
	const char *rest = value + len + 1;
	json_object_set_new(labels, text_str(&key), rest[0] ? json_string(rest) : json_null());
	return 0;
}

static json_t *value_of(const struct field *field, const char *value, bool negated)
{
	if (negated)
		return json_false();
	if (!value) /* a bool: no other comes without one */
		return json_true();
	if (!value[0])
		return json_null();
	if (field->type == FIELD_BOOL)
		return bool_of(value);
	return is_number(field) ? number_of(value) : json_string(value);
}

int options_put(json_t *fields, const struct field *field, const char *value, bool negated,
		struct err *err)
{
	if (field->type == FIELD_LABELS && value[0])
		return put_label(fields, field, value, err);
	if (is_list(field) && value[0]) {
		put_list(fields, field, value);
		return 0;
	}
	json_t *json = value_of(field, value, negated);
	/* not UTF-8: a value that the agent refuses, rather than an option that is lost */
	json_object_set_new(fields, field->name, json ? json : json_string("?"));
	return 0;
}

static void add_dashed(struct text *text, const char *name)
{
	for (; *name; name++)
		text_add_len(text, *name == '_' ? "-" : name, 1);
}

static const char *placeholder(const struct field *field)
{
	switch (field->type) {
	case FIELD_BOOL:
	case FIELD_CHOICE:
		return "";
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		return "N";
	case FIELD_NAME:
		return field->flags & FIELD_IFNAME ? "DEVICE" : "NAME";
	case FIELD_STRING:
		return "TEXT";
	case FIELD_ADDR:
		return "ADDR";
	case FIELD_PREFIX:
		return "PREFIX";
	case FIELD_PREFIXES:
		return "PREFIX,…";
	case FIELD_LABELS:
		return "KEY=VALUE";
	case FIELD_ROWS:
		break;
	}
	return "";
}

static void add_choices(const struct field *field, struct text *usage)
{
	for (uint32_t i = 0; i < field->n_choices; i++)
		text_addf(usage, "%s%s", i ? "|" : "", field->choices[i]);
}

void options_default(const struct field *field, struct text *text)
{
	if (field->flags & FIELD_WORD && field->dflt == field->word_value)
		text_add(text, field->word);
	else if (field->type == FIELD_BOOL)
		text_add(text, field->dflt ? "true" : "false");
	else if (field->type == FIELD_CHOICE)
		text_add(text, field->choices[field->dflt]);
	else if (is_number(field))
		text_addf(text, "%lld", (long long)field->dflt);
}

static void add_default(const struct field *field, struct text *doc)
{
	cleanup_text struct text word = {0};

	options_default(field, &word);
	if (word.len)
		text_addf(doc, " (default %s)", text_str(&word));
}

static void add_bounds(const struct field *field, struct text *doc)
{
	if (is_number(field) && field->max != UINT32_MAX)
		text_addf(doc, ", %lld to %lld", (long long)field->min, (long long)field->max);
	if (field->max_count)
		text_addf(doc, ", at most %u", field->max_count);
	if (field->flags & FIELD_REQUIRED)
		text_add(doc, ", required");
}

void options_usage(const struct field *field, struct text *usage, struct text *doc)
{
	text_add(usage, field->type == FIELD_BOOL ? "--[no-]" : "--");
	add_dashed(usage, field->type == FIELD_LABELS ? "label" : field->name);
	if (options_takes_value(field))
		text_addf(usage, " %s", placeholder(field));
	if (field->type == FIELD_CHOICE)
		add_choices(field, usage);
	if (field->flags & FIELD_WORD)
		text_addf(usage, "|%s", field->word);
	text_add(doc, field->doc);
	add_default(field, doc);
	add_bounds(field, doc);
}

void options_name(const struct field *field, struct text *name)
{
	text_add(name, "--");
	add_dashed(name, field->type == FIELD_LABELS ? "label" : field->name);
}

void options_names(const struct kind *kind, struct arena *arena, struct candidates *out)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		cleanup_text struct text name = {0};

		if (kind->fields[i].flags & FIELD_KEY)
			continue;
		text_add(&name, "--");
		add_dashed(&name, kind->fields[i].name);
		vec_push(out, arena_strdup(arena, text_str(&name)));
	}
}
