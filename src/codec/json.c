/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text to JSON values within bounds, and what belongs to no single direction. */
#include "codec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "codec/parse.h"

/*
 * Is the first value of the text nested deeper than allowed? jansson recurses for each
 * level, so this is known before it begins. What is not JSON at all is left to it.
 */
static bool too_deep(const char *s, size_t len, unsigned depth)
{
	unsigned outer = depth;
	bool quoted = false;

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

static size_t blanks(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r'))
		i++;
	return i;
}

int parse_value(const char *s, size_t len, unsigned depth, struct parsed *parsed, struct errs *errs)
{
	size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK;
	json_error_t error = {0};

	if (too_deep(s, len, depth))
		return errs_add(errs, -EINVAL, "malformed-json", "", "nested deeper than %d levels",
				JSON_DEPTH_MAX);
	json_t *value = json_loadb(s, len, flags, &error);
	/* what jansson quotes from the text may be half a character */
	char *quote = strstr(error.text, " near ");
	if (!value && quote)
		*quote = '\0';
	if (!value)
		return errs_add(errs, -EINVAL, "malformed-json", "", "line %d, column %d: %s",
				error.line, error.column, error.text);
	*parsed = (struct parsed){value, (size_t)error.position};
	return 0;
}

int json_parse(const char *s, size_t len, size_t *consumed, json_t **value, struct errs *errs)
{
	struct parsed parsed = {0};
	int rc = parse_value(s, len, 0, &parsed, errs);

	if (rc)
		return rc;
	size_t end = parsed.len + blanks(s + parsed.len, len - parsed.len);
	if (!consumed && end < len) {
		json_decref(parsed.value);
		return errs_add(errs, -EINVAL, "malformed-json", "",
				"byte %zu: there is text after the end of the document", end);
	}
	if (consumed)
		*consumed = parsed.len;
	*value = parsed.value;
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

void json_time(int64_t ms, char buf[static 32])
{
	int64_t seconds = ms / 1000, rest = ms % 1000;

	if (rest < 0) {
		rest += 1000;
		seconds--;
	}
	time_t when = (time_t)seconds;
	struct tm tm = {0};
	gmtime_r(&when, &tm);
	size_t len = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, 32 - len, ".%03dZ", (int)rest);
}
