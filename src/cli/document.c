/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A resource's document: members, states, values as text. */
#include "cli/document.h"

#include <string.h>
#include <strings.h>

#include "cli/client.h"

const char *document_string(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s ? s : "";
}

json_int_t document_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

const json_t *document_status(const json_t *document)
{
	return json_object_get(document, "status");
}

const char *document_state(const json_t *document)
{
	const char *state = document_string(document_status(document), "state");

	return state[0] ? state : "unknown";
}

bool document_is_amiss(const char *state)
{
	return strcmp(state, "ready") != 0 && strcmp(state, "disabled") != 0;
}

const json_t *document_value(const json_t *document, const char *name)
{
	const json_t *effective = json_object_get(document_status(document), "effective");
	const json_t *value = json_object_get(effective, name);

	return value ? value : json_object_get(document, name);
}

static void add_scalar(struct text *out, const json_t *value)
{
	if (json_is_string(value))
		text_add(out, json_string_value(value));
	else if (json_is_integer(value))
		text_addf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		text_addf(out, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		text_add(out, json_is_true(value) ? "true" : "false");
}

static void add_members(struct text *out, const json_t *object)
{
	const char *key, *separator = "";
	const json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		text_addf(out, "%s%s=", separator, key);
		add_scalar(out, value);
		separator = ",";
	}
}

void document_add_value(struct text *out, const json_t *value, size_t max)
{
	size_t n = json_array_size(value);
	size_t shown = max && n > max ? max : n;

	if (json_is_object(value)) {
		add_members(out, value);
		return;
	}
	if (!json_is_array(value)) {
		add_scalar(out, value);
		return;
	}
	for (size_t i = 0; i < shown; i++) {
		text_add(out, i ? "," : "");
		add_scalar(out, json_array_get(value, i));
	}
	if (shown < n)
		text_addf(out, " +%zu", n - shown);
}

void document_add_reason(struct text *out, const json_t *status)
{
	const char *reason = document_string(status, "reason");
	const char *message = document_string(status, "message");

	if (strcmp(reason, "InSync") == 0 ||
	    strcasecmp(reason, document_string(status, "state")) == 0)
		reason = "";
	output_add_clean(out, reason);
	text_add(out, reason[0] && message[0] ? ": " : "");
	output_add_clean(out, message);
}

void document_add_state(struct text *out, const json_t *status)
{
	const char *state = document_string(status, "state");
	cleanup_text struct text reason = {0};

	if (strcmp(state, "disabled") != 0) /* which its reason only says again */
		document_add_reason(&reason, status);
	output_add_clean(out, state[0] ? state : "unknown");
	text_addf(out, "%s%s", reason.len ? ": " : "", text_str(&reason));
}

static void add_trouble(struct text *out, const struct noun *noun, const json_t *document,
			const struct output_style *style)
{
	const char *state = document_state(document);
	cleanup_text struct text who = {0}, reason = {0};

	text_addf(&who, "  %s/%s  ", noun->name, document_string(document, "name"));
	text_add(out, text_str(&who));
	output_add_state(out, state, style->color);
	text_add(out, "  ");
	document_add_reason(&reason, document_status(document));
	output_add_folded(out, text_str(&reason),
			  output_width_of(text_str(&who)) + strlen(state) + 2, style->width);
	text_add(out, "\n");
}

void document_add_troubled(struct text *out, const struct noun *noun, const json_t *documents,
			   const struct output_style *style, size_t max)
{
	const json_t *document;
	size_t i, n = 0;

	json_array_foreach(documents, i, document)
		if (document_is_amiss(document_state(document)) && (n++ < max || !max))
			add_trouble(out, noun, document, style);
	if (max && n > max)
		text_addf(out, "  and %zu more %s\n", n - max, noun->kind->path);
}

void document_add_path(struct text *path, const struct kind *kind, const char *name)
{
	text_addf(path, "/v1/%s/", kind->path);
	client_add_encoded(path, name);
}
