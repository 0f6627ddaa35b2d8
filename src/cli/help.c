/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Help, from the tables: it cannot tell of what is not there. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/output.h"

enum { COLUMN = 34 };

/* Two columns; a long left one has its doc on the next line. */
static void print_row(const char *left, const char *doc)
{
	size_t width = output_width_of(left);

	if (width > COLUMN - 2)
		printf("  %s\n  %*s%s\n", left, COLUMN, "", doc);
	else
		printf("  %s%*s%s\n", left, (int)(COLUMN - width), "", doc);
}

static void print_option(const struct option *option)
{
	cleanup_text struct text left = {0};

	if (option->letter)
		text_addf(&left, "-%c, ", option->letter);
	text_addf(&left, "--%s", option->name);
	if (option->arg_optional)
		text_addf(&left, "[=%s]", option->arg);
	else if (option->arg)
		text_addf(&left, " %s", option->arg);
	print_row(text_str(&left), option->doc);
}

void help_globals(void)
{
	printf("Global options:\n");
	for (unsigned i = 0; i < command_n_globals; i++)
		print_option(&command_globals[i]);
}

/* "tunnel list|show|…" */
static void add_verbs(struct text *text, const struct noun *noun)
{
	text_add(text, noun->name);
	for (unsigned v = 0, n = 0; v < noun->n_verbs; v++)
		if (command_is_verb(noun, &noun->verbs[v]))
			text_addf(text, "%c%s", n++ ? '|' : ' ', noun->verbs[v].name);
}

void help_usage(FILE *to)
{
	for (unsigned i = 0; i < command_n_nouns; i++) {
		cleanup_text struct text line = {0};

		add_verbs(&line, &command_nouns[i]);
		fprintf(to, "%s ipipctl %s NAME…\n", i ? "      " : "usage:", text_str(&line));
	}
	for (unsigned i = 0; i < command_n_bare; i++)
		if (!command_bare[i].is_hidden)
			fprintf(to, "%s%s", i ? "|" : "       ipipctl ", command_bare[i].name);
	fputs("\nhint: `ipipctl help` explains them\n", to);
}

void help_overview(void)
{
	printf("ipipctl: IPIP tunnels, exit routes and NAT rules, through ipipd\n\n"
	       "Usage: ipipctl [OPTION…] COMMAND\n\nResources:\n");
	for (unsigned i = 0; i < command_n_nouns; i++) {
		const struct noun *noun = &command_nouns[i];
		cleanup_text struct text left = {0};

		add_verbs(&left, noun);
		print_row(text_str(&left), command_noun_doc(noun));
	}
	printf("\nCommands:\n");
	for (unsigned i = 0; i < command_n_bare; i++) {
		cleanup_text struct text left = {0};

		if (command_bare[i].is_hidden)
			continue;
		text_addf(&left, "%s %s", command_bare[i].name, command_bare[i].words);
		print_row(text_str(&left), command_bare[i].doc);
	}
	putchar('\n');
	help_globals();
	printf("\nExit status: 0 ok, 1 failed or not ready, 2 usage, 3 timed out waiting,\n"
	       "  4 agent unreachable, 5 not authorised, 6 not found, 7 conflict,\n"
	       "  8 invalid resource\n\n`ipipctl help tunnel add` explains one command.\n");
}

void help_noun(const struct noun *noun)
{
	printf("ipipctl %s: %s\n\nUsage:\n", noun->name, command_noun_doc(noun));
	for (unsigned i = 0; i < noun->n_verbs; i++) {
		const struct command *command = &noun->verbs[i];
		cleanup_text struct text left = {0};

		if (!command_is_verb(noun, command))
			continue;
		text_addf(&left, "ipipctl %s %s %s", noun->name, command->name, command->words);
		print_row(text_str(&left), command->doc);
	}
	if (noun->alias)
		printf("\n`%s` is short for `%s`.\n", noun->alias, noun->name);
}

static void print_fields(const struct kind *kind)
{
	printf("\nFields:\n");
	for (unsigned i = 0; i < kind->n_fields; i++) {
		cleanup_text struct text usage = {0}, doc = {0};

		if (kind->fields[i].flags & FIELD_KEY)
			continue;
		options_usage(&kind->fields[i], &usage, &doc);
		print_row(text_str(&usage), text_str(&doc));
	}
}

/* "ipipctl tunnel add NAME": the words that are there, with a blank between them */
static void print_line(const struct noun *noun, const struct command *command, const char *rest,
		       const char *end)
{
	const char *const words[] = {noun ? noun->name : "", command->name, rest, end};

	printf("ipipctl");
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		printf("%s%s", words[i][0] ? " " : "", words[i]);
	putchar('\n');
}

static void print_example(const struct noun *noun, const struct command *command)
{
	const char *example = command->example ? command->example : command->words;
	const char *name = "";

	if (noun && command->has_fields) {
		name = "NAME";
		example = strcmp(command->name, "add") == 0 ? noun->add_example : noun->set_example;
	}
	printf("\nExample:\n  ");
	print_line(noun, command, name, example);
}

void help_command(const struct noun *noun, const struct command *command)
{
	printf("ipipctl %s%s%s: %s\n\nUsage: ", noun ? noun->name : "", noun ? " " : "",
	       command->name, command->doc);
	print_line(noun, command, command->words, command->n_options ? "[OPTION…]" : "");
	if (command->n_options)
		printf("\nOptions:\n");
	for (unsigned i = 0; i < command->n_options; i++)
		print_option(&command->options[i]);
	if (noun && command->has_fields)
		print_fields(noun->kind);
	printf("\nGlobal options: `ipipctl help options` lists them\n");
	print_example(noun, command);
}
