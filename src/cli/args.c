/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was typed, against the table of commands. Options may stand anywhere after what
 * makes them known; nothing is interpreted here beyond its form.
 */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct parser {
	struct args *args;
	char **next, **end;
	struct err *err;
};

static const struct option *find_option(const struct option *options, unsigned n, const char *name,
					char letter)
{
	for (unsigned i = 0; i < n; i++) {
		if (name && strcmp(options[i].name, name) == 0)
			return &options[i];
		if (letter && options[i].letter == letter)
			return &options[i];
	}
	return NULL;
}

static const struct option *known_option(const struct args *args, const char *name, char letter)
{
	const struct command *command = args->command;
	const struct option *found = NULL;

	if (command)
		found = find_option(command->options, command->n_options, name, letter);
	if (!found)
		found = find_option(command_globals, command_n_globals, name, letter);
	return found;
}

static int unknown_option(struct parser *p, const char *word)
{
	struct candidates candidates = {0};
	cleanup_arena struct arena arena = {0};
	const struct command *command = p->args->command;

	for (unsigned i = 0; command && i < command->n_options; i++)
		vec_push(&candidates, arena_printf(&arena, "--%s", command->options[i].name));
	for (unsigned i = 0; i < command_n_globals; i++)
		vec_push(&candidates, arena_printf(&arena, "--%s", command_globals[i].name));
	if (command && command->has_fields)
		options_names(p->args->noun->kind, &arena, &candidates);
	int result = command_unknown(p->err, "option", word, &candidates);
	vec_done(&candidates);
	return result;
}

static int missing_value(struct parser *p, const char *word)
{
	return err_set(p->err, -EINVAL, "%s needs a value", word);
}

static int take_option(struct parser *p, const struct option *option, const char *word,
		       const char *value)
{
	if (value && !option->arg)
		return err_set(p->err, -EINVAL, "--%s takes no value", option->name);
	if (!value && option->arg && !option->arg_optional) {
		if (p->next == p->end) {
			p->args->open_option = option;
			return missing_value(p, word);
		}
		value = *p->next++;
	}
	vec_push(&p->args->given, ((struct given){option, value}));
	return 0;
}

static int take_field(struct parser *p, const struct field *field, const char *value, bool negated)
{
	if (negated && value)
		return err_set(p->err, -EINVAL, "--no-%s takes no value", field->name);
	if (!value && options_takes_value(field)) {
		if (p->next == p->end) {
			p->args->open_field = field;
			return missing_value(p, p->next[-1]);
		}
		value = *p->next++;
	}
	if (!p->args->fields)
		p->args->fields = json_object();
	return options_put(p->args->fields, field, value, negated, p->err);
}

static int parse_long(struct parser *p, const char *word)
{
	cleanup_arena struct arena arena = {0};
	const struct args *args = p->args;
	const char *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const char *name = arena_strndup(&arena, word + 2, len - 2);
	const struct option *option = known_option(args, name, 0);
	bool negated = false;

	if (option)
		return take_option(p, option, word, value);
	if (args->command && args->command->has_fields) {
		const struct field *field = options_find(args->noun->kind, name, &negated);

		if (field)
			return take_field(p, field, value, negated);
	}
	return unknown_option(p, arena_strndup(&arena, word, len));
}

/* "-v", "-jq", "-oname", "-o name" */
static int parse_short(struct parser *p, const char *word)
{
	for (const char *s = word + 1; *s; s++) {
		const struct option *option = known_option(p->args, NULL, *s);

		if (!option)
			return err_set(p->err, -EINVAL, "unknown option -%c", *s);
		if (!option->arg) {
			vec_push(&p->args->given, ((struct given){option, NULL}));
			continue;
		}
		return take_option(p, option, word, s[1] ? s + 1 : NULL);
	}
	return 0;
}

static int parse_word(struct parser *p, const char *word)
{
	struct args *args = p->args;

	if (args->command) {
		vec_push(&args->words, word);
		return 0;
	}
	if (!args->noun && command_noun(word)) {
		args->noun = command_noun(word);
		return 0;
	}
	args->command = command_find(args->noun, word);
	return args->command ? 0 : command_unknown_verb(p->err, args->noun, word);
}

static int check_words(const struct args *args, struct err *err)
{
	const struct command *command = args->command;

	if (!command || args_value(args, "help"))
		return 0;
	if (args->words.len < command->min_words)
		return err_set(err, -EINVAL, "%s%s%s needs %s", args->noun ? args->noun->name : "",
			       args->noun ? " " : "", command->name, command->words);
	if (args->words.len > command->max_words)
		return err_set(err, -EINVAL, "one word too many: %s",
			       args->words.v[command->max_words]);
	return 0;
}

int args_read(struct args *args, int argc, char **argv, struct err *err)
{
	struct parser p = {args, argv + 1, argv + argc, err};
	bool only_words = false;

	while (p.next < p.end) {
		const char *word = *p.next++;
		int result;

		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
			continue;
		}
		if (only_words || word[0] != '-' || word[1] == '\0')
			result = parse_word(&p, word);
		else if (word[1] == '-')
			result = parse_long(&p, word);
		else
			result = parse_short(&p, word);
		if (result)
			return result;
	}
	return 0;
}

int args_parse(struct args *args, int argc, char **argv, struct err *err)
{
	int result = args_read(args, argc, argv, err);

	return result ? result : check_words(args, err);
}

const struct option *args_option(const struct args *args, const char *name)
{
	return known_option(args, name, 0);
}

void args_done(struct args *args)
{
	vec_done(&args->words);
	vec_done(&args->given);
	json_decref(args->fields);
	*args = (struct args){0};
}

const char *args_value(const struct args *args, const char *name)
{
	const char *last = NULL;

	for (unsigned i = 0; args_nth(args, name, i); i++)
		last = args_nth(args, name, i);
	return last;
}

const char *args_nth(const struct args *args, const char *name, unsigned i)
{
	for (size_t at = 0; at < args->given.len; at++) {
		const struct given *given = &args->given.v[at];

		if (strcmp(given->option->name, name) == 0 && i-- == 0)
			return given->value ? given->value : "";
	}
	return NULL;
}
