/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Commands are data: a noun (tunnel, exit, nat) has the verbs of one table, bare verbs are
 * another. A row holds words, options, help and the function that runs it. Parsing is in
 * args.c, the options that come from field tables in options.c, "did you mean" in suggest.c.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "model/kind.h"

struct cli;

struct option {
	const char *name;  /* long, without dashes */
	char letter;       /* 0: none */
	const char *arg;   /* NULL: takes none; see completion.c for what is completed */
	bool arg_optional; /* then only as --name=arg */
	const char *doc;
};

struct noun {
	const char *name, *alias; /* "tunnel", "t"; alias may be NULL */
	const struct kind *kind;  /* NULL: the client's own, no agent is asked */
	const struct command *verbs;
	unsigned n_verbs;
	const char *doc;         /* one line; NULL: the kind's */
	const char *add_example; /* of resources: options after `ipipctl NOUN add NAME` */
	const char *set_example;
};

/* What a command's words name, for completion. */
enum command_words {
	WORDS_CHOICES,   /* themselves, where they are in lower case */
	WORDS_NAMES,     /* what there is of the noun */
	WORDS_RESOURCES, /* KIND/NAME */
	WORDS_HOSTS,
	WORDS_TOPICS, /* of help */
};

struct command {
	const char *name;  /* verb */
	const char *words; /* for the usage line: "NAME…" */
	unsigned min_words, max_words;
	enum command_words words_are;
	const struct option *options;
	unsigned n_options;
	bool is_hidden;              /* not for people */
	bool has_fields;             /* takes the options of the noun's field table */
	bool has_names;              /* knows -o name */
	bool is_text;                /* prints what is for people, or a shell: no document */
	bool is_plan;                /* prints a plan, not only with -n */
	const struct kind *only;     /* of resource verbs: NULL for every kind */
	int (*run)(struct cli *cli); /* returns enum cli_exit */
	const char *doc;             /* one line */
	const char *example;         /* after `ipipctl [NOUN] VERB `; NULL: none */
};

enum { WORDS_ANY = 1000 };

extern const struct noun command_nouns[]; /* resources first */
extern const unsigned command_n_nouns, command_n_resources;
extern const struct command command_bare[];
extern const unsigned command_n_bare;
extern const struct option command_globals[];
extern const unsigned command_n_globals;

/* "tunnel", "t", "tunnels"; the API's "exit-route" too. NULL when there is none of that name */
const struct noun *command_noun(const char *word);
/* the same of resources alone */
const struct noun *command_resource(const char *word);
const char *command_noun_doc(const struct noun *noun);
/* is the row of the noun's verbs one that it has? */
bool command_is_verb(const struct noun *noun, const struct command *command);
/* the verb of a noun, or the bare one when noun is NULL */
const struct command *command_find(const struct noun *noun, const char *word);

/* What was typed. */
struct given {
	const struct option *option;
	const char *value; /* NULL: none */
};

struct args {
	const struct noun *noun;       /* NULL: a bare verb, or nothing yet */
	const struct command *command; /* NULL: nothing, or only a noun */
	struct vec_of(const char *) words;
	struct vec_of(struct given) given;
	json_t *fields; /* of the noun's table, as a merge patch; NULL: none */
	/* what the last word names, whose value is still to come; NULL: nothing */
	const struct option *open_option;
	const struct field *open_field;
};

/* -EINVAL with a sentence (and "did you mean"); args_done in any case. `--help` anywhere makes
 * everything else that is missing right. */
int args_parse(struct args *args, int argc, char **argv, struct err *err) must_check;
/* The same for a line that is still being typed: words may be missing. */
int args_read(struct args *args, int argc, char **argv, struct err *err) must_check;
void args_done(struct args *args);
/* the long option of that name, the command's or a global one; NULL: none */
const struct option *args_option(const struct args *args, const char *name);
/* The last value given for the option, "" when it was given without one; NULL: not given. */
const char *args_value(const struct args *args, const char *name);
/* The i-th value of a repeated option, NULL after the last. */
const char *args_nth(const struct args *args, const char *name, unsigned i);

/* "…; did you mean X?" of the closest among the candidates; into err, returns -EINVAL. */
struct candidates vec_of(const char *);
int command_unknown(struct err *err, const char *what, const char *word,
		    const struct candidates *candidates);
/* lists them when none is close */
int command_unknown_noun(struct err *err, const char *word);
/* of the noun, or a bare command when that is NULL */
int command_unknown_verb(struct err *err, const struct noun *noun, const char *word);

/*
 * Options of add and set, from a field table: underscores are dashes; lists are repeatable,
 * comma-separated and may be named in the singular; a bool is --name, --no-name or
 * --name=true|false; labels are --label KEY=VALUE.
 */
/* The row that an option's name means; *negated for --no-NAME. NULL: none. */
const struct field *options_find(const struct kind *kind, const char *name, bool *negated);
/* does the option need a value as the next word, when there was no "="? */
bool options_takes_value(const struct field *field);
/* Puts the value into the patch; "" (or NULL text) resets the field: null. So does "KEY=" one
 * label. -EINVAL: a label without "=". */
int options_put(json_t *fields, const struct field *field, const char *value, bool negated,
		struct err *err) must_check;
/* The default as it is typed, "" when the table has none. */
void options_default(const struct field *field, struct text *text);
/* "--rp-filter keep|off|strict|loose" and one line of text with default and bounds */
void options_usage(const struct field *field, struct text *usage, struct text *doc);
/* "--rp-filter" */
void options_name(const struct field *field, struct text *name);
/* adds the names of all options of the table, with dashes in front; in the arena */
void options_names(const struct kind *kind, struct arena *arena, struct candidates *out);

/* a few lines: what there is, without what it does */
void help_usage(FILE *to);
void help_overview(void);
void help_globals(void);
void help_noun(const struct noun *noun);
void help_command(const struct noun *noun, const struct command *command);
