/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text to JSON values within bounds, and what belongs to no single direction. */
#include "codec/json.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/parse.h"

/*
 * Is the first value of the text nested deeper than allowed? jansson recurses for each
 * level, so this is known before it begins. What is not JSON at all is left to it.
 */
static bool too_deep(const char *s, size_t len, unsigned depth)
{
	unsigned outer = depth;
	bool quoted = false;

	if (len && *s != '[' && *s != '{')
		return false; /* where a number ends is not looked for: a bracket may be far */
	for (size_t i = 0; i < len; i++) {
		if (quoted) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				quoted = false;
		} else if (s[i] == '"') {
			quoted = true;
		} else if (s[i] == '[' || s[i] == '{') {
			if (++depth > JSON_DEPTH_MAX)
				return true;
		} else if (s[i] == ']' || s[i] == '}') {
			if (depth <= outer + 1)
				return false;
			depth--;
		}
	}
	return false;
}

void parse_blanks(struct source *source)
{
	while (source->at < source->end && memchr(" \t\n\r", *source->at, 4))
		source->at++;
}

int parse_fault(const struct source *source, struct errs *errs, const char *fmt, ...)
{
	char sentence[ERR_SENTENCE];
	size_t line = 1, column = 1;
	va_list args;

	for (const char *s = source->start; s < source->at; s++) {
		column += ((unsigned char)*s & 0xc0) != 0x80; /* a character of UTF-8 is one */
		if (*s == '\n') {
			line++;
			column = 1;
		}
	}
	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	return errs_add(errs, -EINVAL, "malformed-json", "", "line %zu, column %zu: %s", line,
			column, sentence);
}

/* jansson stands behind what it did not like. */
static int library_fault(struct source source, const json_error_t *error, struct errs *errs)
{
	/* what it quotes from the text may be half a character */
	const char *quote = strstr(error->text, " near ");
	enum json_error_code code = json_error_code(error);

	if (error->position > 0)
		source.at += error->position - 1;
	if (code == json_error_null_character || code == json_error_null_byte_in_key)
		return parse_fault(&source, errs, "NUL (\\u0000) is not allowed in a text");
	return parse_fault(&source, errs, "%.*s", (int)(quote ? quote - error->text : INT_MAX),
			   error->text);
}

int parse_value(struct source *source, unsigned depth, json_t **value, struct errs *errs)
{
	size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK;
	size_t len = (size_t)(source->end - source->at);
	json_error_t error = {0};

	if (too_deep(source->at, len, depth))
		return errs_add(errs, -EINVAL, "malformed-json", "", "nested deeper than %d levels",
				JSON_DEPTH_MAX);
	json_t *parsed = json_loadb(source->at, len, flags, &error);
	if (!parsed)
		return library_fault(*source, &error, errs);
	source->at += error.position;
	*value = parsed;
	return 0;
}

int json_parse(const char *s, size_t len, size_t *consumed, json_t **value, struct errs *errs)
{
	struct source source = {s, s, s + len};
	json_t *parsed = NULL;
	int rc = parse_value(&source, 0, &parsed, errs);

	if (rc)
		return rc;
	if (consumed) {
		*consumed = (size_t)(source.at - s);
		*value = parsed;
		return 0;
	}
	parse_blanks(&source);
	if (source.at < source.end) {
		json_decref(parsed);
		return parse_fault(&source, errs, "there is text after the end of the document");
	}
	*value = parsed;
	return 0;
}

json_t *json_merge_patch(json_t *target, const json_t *patch)
{
	const char *name;
	const json_t *value;

	if (!json_is_object(patch)) {
		json_decref(target);
		return json_deep_copy(patch);
	}
	if (!json_is_object(target)) {
		json_decref(target);
		target = json_object();
	}
	/* jansson's iterators take no const, though they change nothing */
	json_object_foreach((json_t *)(uintptr_t)patch, name, value) {
		if (json_is_null(value)) {
			json_object_del(target, name);
			continue;
		}
		json_t *member = json_incref(json_object_get(target, name));
		json_object_set_new(target, name, json_merge_patch(member, value));
	}
	return target;
}
