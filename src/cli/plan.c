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

/* Words and the member's value; nothing when there is none, or it is what `unless` says. */
static void add_member(struct text *name, const char *words, const json_t *object,
		       const char *member, const char *unless)
{
	cleanup_text struct text value = {0};

	document_add_value(&value, json_object_get(object, member), 0);
	if (value.len && strcmp(text_str(&value), unless) != 0)
		text_addf(name, "%s%s", words, text_str(&value));
}

/* A prefix as ip and nft print it: "all" for any, a host without its length. */
static void add_prefix(struct text *name, const char *prefix, const char *any)
{
	size_t len = strlen(prefix);
	bool host = len > 3 && strcmp(prefix + len - 3, "/32") == 0;

	if (strcmp(prefix, "0.0.0.0/0") == 0)
		text_add(name, any);
	else
		text_add_len(name, prefix, host ? len - 3 : len);
}

static void name_rule(struct text *name, const json_t *rule)
{
	text_addf(name, "%lld from ", (long long)document_number(rule, "priority"));
	add_prefix(name, document_string(rule, "from"), "all");
	if (document_number(rule, "fwmask"))
		text_addf(name, " fwmark %#llx/%#llx", (long long)document_number(rule, "fwmark"),
			  (long long)document_number(rule, "fwmask"));
	add_member(name, " lookup ", rule, "table", "0");
	add_member(name, " suppress_prefixlength ", rule, "suppress_prefixlength", "-1");
	add_member(name, " goto ", rule, "target", "0");
	if (strcmp(document_string(rule, "action"), "nop") == 0)
		text_add(name, " nop");
}

static void name_route(struct text *name, const json_t *route)
{
	text_add(name, document_string(route, "dst"));
	add_member(name, " table ", route, "table", "");
	add_member(name, " dev ", route, "device", "");
	add_member(name, " src ", route, "prefsrc", "0.0.0.0");
	add_member(name, " metric ", route, "metric", "0");
}

static void name_element(struct text *name, const json_t *element)
{
	const char *device = document_string(element, "device");

	text_addf(name, "%s { %s", document_string(element, "set_name"), device);
	if (!device[0])
		add_prefix(name, document_string(element, "prefix"), "0.0.0.0/0");
	add_member(name, " : ", element, "to", "0.0.0.0");
	text_add(name, " }");
}

/* Kinds whose key is a row of numbers are named as ip and nft name them. */
static const struct {
	const char *kind;
	void (*add_name)(struct text *name, const json_t *object);
} names[] = {
	{"rule", name_rule},
	{"route", name_route},
	{"nft-element", name_element},
};

static void add_name(struct text *line, const json_t *op)
{
	const json_t *want = json_object_get(op, "want"), *have = json_object_get(op, "have");
	const json_t *object = json_is_object(want) ? want : have;
	const char *kind = document_string(op, "kind");

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].kind, kind) == 0 && json_is_object(object)) {
			names[i].add_name(line, object);
			return;
		}
	text_add(line, document_string(op, "key"));
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

	text_addf(&line, "%s %s %s ", sign_of(verb), verb, document_string(op, "kind"));
	add_name(&line, op);
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

void plan_print(const struct cli *cli, const struct response *response)
{
	bool as_shell = args_value(&cli->args, "as-shell");
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
