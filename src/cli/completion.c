/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Candidates for the word at the cursor, by walking the tables of commands and fields. */
#include "cli/completion.h"

#include <string.h>

#include "cli/document.h"
#include "cli/remotes.h"
#include "cli/run.h"
#include "model/resource.h"

enum { NAMES_TIMEOUT_S = 2, NAMES_MAX = 1000 };

static const char *const shells[] = {"bash", "zsh", "fish"};

struct finding {
	struct cli cli;      /* what was typed before the word */
	const char *partial; /* the word, as far as it is typed */
	const char *before;  /* goes in front of each candidate: "--output=", "a," */
	struct text *out;
};

/* Control characters of an answer are no names, so what is offered is what it looks like. */
static void offer(const struct finding *f, const char *word, const char *doc)
{
	cleanup_text struct text whole = {0};

	text_addf(&whole, "%s%s", f->before, word);
	if (strncmp(text_str(&whole), f->partial, strlen(f->partial)) == 0)
		text_addf(f->out, "%s\t%s\n", text_str(&whole), doc);
}

static void offer_remotes(const struct finding *f)
{
	cleanup_arena struct arena arena = {0};
	struct remotes remotes = {0};
	struct err err;

	if (remotes_read(&arena, &remotes, &err) == 0)
		for (size_t i = 0; i < remotes.len; i++)
			offer(f, remotes.v[i].name, remotes.v[i].url);
	vec_done(&remotes);
}

static bool is_word(const struct args *args, const char *word)
{
	for (size_t i = 0; i < args->words.len; i++)
		if (strcmp(args->words.v[i], word) == 0)
			return true;
	return false;
}

/* format: "%s", or with the noun in front, "%s/%s" */
static void offer_resources(struct finding *f, const struct noun *noun, bool with_noun)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};
	int status;
	struct client *client = cli_agent(&f->cli, &status);
	const json_t *document;
	struct err err;
	size_t i;

	text_addf(&path, "/v1/%s?limit=%d", noun->kind->path, NAMES_MAX);
	struct request request = {.method = "GET", .path = text_str(&path)};
	if (!client || client_send(client, &request, &response, &err) || !response_is_ok(&response))
		return;
	json_array_foreach(json_object_get(response.json, "items"), i, document) {
		const char *name = document_string(document, "name");
		cleanup_text struct text word = {0}, state = {0};

		text_addf(&word, with_noun ? "%s/%s" : "%.0s%s", noun->name, name);
		output_add_clean(&state, document_state(document));
		if (!resource_name_fault(name) && !is_word(&f->cli.args, text_str(&word)))
			offer(f, text_str(&word), text_str(&state));
	}
}

static void offer_verbs(const struct finding *f, const struct noun *noun)
{
	for (unsigned i = 0; i < noun->n_verbs; i++)
		if (command_is_verb(noun, &noun->verbs[i]))
			offer(f, noun->verbs[i].name, noun->verbs[i].doc);
}

static void offer_commands(const struct finding *f)
{
	for (unsigned i = 0; i < command_n_nouns; i++)
		offer(f, command_nouns[i].name, command_noun_doc(&command_nouns[i]));
	for (unsigned i = 0; i < command_n_bare; i++)
		if (!command_bare[i].is_hidden)
			offer(f, command_bare[i].name, command_bare[i].doc);
}

/* Of "table|wide|json": words in lower case are to be typed as they are. */
static void offer_choices(const struct finding *f, const char *choices)
{
	static const char typed[] = "abcdefghijklmnopqrstuvwxyz-";

	while (*choices) {
		size_t len = strcspn(choices, "|");
		cleanup_text struct text word = {0};

		text_add_len(&word, choices, len);
		if (len && strspn(word.s, typed) == len)
			offer(f, word.s, "");
		choices += len + (choices[len] == '|');
	}
}

/* After the last comma of what is typed; what stands before it is kept. */
static void begin_after_comma(struct finding *f, struct text *before)
{
	const char *comma = strrchr(f->partial, ',');

	if (comma) {
		text_add_len(before, f->partial, (size_t)(comma + 1 - f->partial));
		f->before = before->s;
	}
}

/* By what the help calls the value: FILE, HOST, a list of hosts, or words to choose from. */
static void offer_values(struct finding *f, const struct option *option)
{
	cleanup_text struct text before = {0};

	if (strncmp(option->arg, "FILE", strlen("FILE")) == 0) {
		text_add(f->out, ":file\n");
		return;
	}
	if (strcmp(option->arg, "HOST,…") == 0)
		begin_after_comma(f, &before);
	if (strncmp(option->arg, "HOST", strlen("HOST")) == 0)
		offer_remotes(f);
	offer_choices(f, option->arg);
}

static const struct noun *noun_of(const struct kind *kind)
{
	for (unsigned i = 0; i < command_n_resources; i++)
		if (command_nouns[i].kind == kind)
			return &command_nouns[i];
	return NULL;
}

static void offer_field_values(struct finding *f, const struct field *field)
{
	const struct noun *noun = field->refers_to ? noun_of(*field->refers_to) : NULL;

	if (field->type == FIELD_BOOL)
		offer_choices(f, "true|false");
	for (uint32_t i = 0; i < field->n_choices; i++)
		offer(f, field->choices[i], "");
	if (field->flags & FIELD_WORD)
		offer(f, field->word, "");
	if (noun)
		offer_resources(f, noun, false);
}

/* "--output=js": the word names the option itself */
static void offer_values_of(struct finding *f, const char *equals)
{
	cleanup_text struct text name = {0}, before = {0};
	const struct args *args = &f->cli.args;
	bool negated = false;

	text_add_len(&name, f->partial + 2, (size_t)(equals - f->partial - 2));
	text_add_len(&before, f->partial, (size_t)(equals + 1 - f->partial));
	f->before = before.s;
	const struct option *option = args_option(args, name.s);
	if (option && option->arg)
		offer_values(f, option);
	if (option || !args->command || !args->command->has_fields)
		return;
	const struct field *field = options_find(args->noun->kind, name.s, &negated);
	if (field && !negated)
		offer_field_values(f, field);
}

static void offer_options(const struct finding *f, const struct option *options, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		cleanup_text struct text word = {0};

		text_addf(&word, "--%s", options[i].name);
		offer(f, word.s, options[i].doc);
	}
}

static void offer_fields(const struct finding *f, const struct kind *kind)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];
		cleanup_text struct text word = {0}, negated = {0};

		if (field->flags & FIELD_KEY)
			continue;
		options_name(field, &word);
		offer(f, word.s, field->doc);
		text_addf(&negated, "--no-%s", word.s + 2);
		if (field->type == FIELD_BOOL)
			offer(f, negated.s, field->doc);
	}
}

static void offer_all_options(const struct finding *f)
{
	const struct args *args = &f->cli.args;

	if (args->command)
		offer_options(f, args->command->options, args->command->n_options);
	if (args->command && args->command->has_fields)
		offer_fields(f, args->noun->kind);
	offer_options(f, command_globals, command_n_globals);
}

/* What `help` explains. */
static void offer_topics(const struct finding *f)
{
	const struct args *args = &f->cli.args;
	const struct noun *noun = args->words.len ? command_noun(args->words.v[0]) : NULL;

	if (!args->words.len) {
		offer_commands(f);
		offer(f, "options", "the global options");
	} else if (noun) {
		offer_verbs(f, noun);
	}
}

static void offer_words(struct finding *f)
{
	const struct args *args = &f->cli.args;
	const struct command *command = args->command;

	if (!command && args->noun)
		offer_verbs(f, args->noun);
	else if (!command)
		offer_commands(f);
	if (!command || args->words.len >= command->max_words)
		return;
	switch (command->words_are) {
	case WORDS_CHOICES:
		offer_choices(f, command->words);
		return;
	case WORDS_NAMES:
		if (args->noun->kind)
			offer_resources(f, args->noun, false);
		else
			offer_remotes(f);
		return;
	case WORDS_RESOURCES:
		for (unsigned i = 0; i < command_n_resources; i++)
			offer_resources(f, &command_nouns[i], true);
		return;
	case WORDS_HOSTS:
		offer_remotes(f);
		return;
	case WORDS_TOPICS:
		offer_topics(f);
		return;
	}
}

void completion_find(const char *const *words, size_t n, struct text *out)
{
	struct vec_of(char *) argv = {0};
	struct finding f = {.partial = n ? words[n - 1] : "", .before = "", .out = out};
	struct args *args = &f.cli.args;
	struct err err;

	vec_push(&argv, NULL); /* in place of the program's name */
	for (size_t i = 0; i + 1 < n; i++)
		vec_push(&argv, (char *)(uintptr_t)words[i]);
	f.cli.config.timeout_s = NAMES_TIMEOUT_S;
	int rc = args_read(args, (int)argv.len, argv.v, &err);
	const char *equals = strchr(f.partial, '=');

	if (args->open_option)
		offer_values(&f, args->open_option);
	else if (args->open_field)
		offer_field_values(&f, args->open_field);
	else if (rc == 0 && strncmp(f.partial, "--", 2) == 0 && equals)
		offer_values_of(&f, equals);
	else if (rc == 0 && f.partial[0] == '-')
		offer_all_options(&f);
	else if (rc == 0)
		offer_words(&f);
	client_close(f.cli.client);
	args_done(args);
	vec_done(&argv);
}

int completion_complete(struct cli *cli)
{
	cleanup_text struct text out = {0};

	completion_find(cli->args.words.v, cli->args.words.len, &out);
	fputs(text_str(&out), stdout);
	return CLI_OK;
}

int completion_script(struct cli *cli)
{
	const char *word = cli->args.words.v[0];

	for (unsigned i = 0; i < ARRAY_LEN(shells); i++)
		if (strcmp(shells[i], word) == 0) {
			fputs(completion_scripts[i], stdout);
			return CLI_OK;
		}
	return cli_usage("%s: bash, zsh or fish is wanted", word);
}
