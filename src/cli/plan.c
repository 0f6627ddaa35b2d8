/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The print of a plan, for plan, diff and every --dry-run. */
#include "cli/plan.h"

#include <string.h>

#include "cli/document.h"

static const struct {
	const char *verb, *sign, *color;
} signs[] = {
	{"add", "+", "32"},    {"change", "~", "33"},   {"replace", "!", "33"},
	{"delete", "-", "31"}, {"adopt", "~", "33"},    {"found", "=", "90"},
	{"forget", "=", "90"}, {"conflict", "x", "31"},
};

static const json_t *ops_of(const struct response *response)
{
	const json_t *plan = json_object_get(response->json, "plan");

	return json_object_get(plan ? plan : response->json, "ops");
}

static const char *color_of(const char *verb)
{
	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (strcmp(signs[i].verb, verb) == 0)
			return signs[i].color;
	return "0";
}

static const char *sign_of(const char *verb)
{
	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (strcmp(signs[i].verb, verb) == 0)
			return signs[i].sign;
	return "?";
}

/* "mtu 1480 -> 1400": what of the op's object differs */
static void add_changes(struct text *line, const json_t *want, const json_t *have)
{
	const char *key;
	const json_t *value;

	json_object_foreach((json_t *)(uintptr_t)want, key, value) {
		const json_t *before = json_object_get(have, key);

		if (!before || json_equal(before, value) || json_is_array(value))
			continue;
		text_addf(line, ", %s ", key);
		document_add_value(line, before, 0);
		text_add(line, " -> ");
		document_add_value(line, value, 0);
	}
}

static void print_op(const json_t *op, bool color)
{
	const char *verb = document_string(op, "verb"), *why = document_string(op, "why");
	cleanup_text struct text line = {0}, clean = {0};

	text_addf(&line, "%s %s %s %s", sign_of(verb), verb, document_string(op, "kind"),
		  document_string(op, "key"));
	text_addf(&line, why[0] ? ": %s" : "%s", why);
	add_changes(&line, json_object_get(op, "want"), json_object_get(op, "have"));
	output_add_clean(&clean, text_str(&line));
	if (color)
		printf("\033[%sm%s\033[0m\n", color_of(verb), text_str(&clean));
	else
		puts(text_str(&clean));
}

size_t plan_len(const struct response *response)
{
	return json_array_size(ops_of(response));
}

void plan_print(const struct cli *cli, const struct response *response, bool as_shell)
{
	const json_t *op;
	size_t i;

	if (cli->format == CLI_JSON) {
		cli_print_body(response);
		return;
	}
	json_array_foreach(ops_of(response), i, op) {
		const char *command = document_string(op, "command");

		if (!as_shell)
			print_op(op, cli->style.color);
		else if (command[0])
			puts(command);
	}
	if (!plan_len(response) && !as_shell && !cli->quiet)
		puts("nothing to do");
}
