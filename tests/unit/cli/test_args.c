/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsing: forms of options, what is refused, and what was probably meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cli/command.h"

enum { WORDS = 12 };

/* Parses the blank-separated words. */
static int parse(const char *line, struct args *args, struct err *err)
{
	static char copy[256];
	char *argv[WORDS] = {(char[]){"ipipctl"}}, *rest = copy;
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	while (argc < WORDS && (argv[argc] = strsep(&rest, " ")))
		argc++;
	*args = (struct args){0};
	return args_parse(args, argc, argv, err);
}

static void assert_refused(const char *line, const char *expected)
{
	struct args args;
	struct err err = {0};

	assert_int_not_equal(0, parse(line, &args, &err));
	if (!strstr(err.sentence, expected))
		fail_msg("%s: %s, not %s", line, err.sentence, expected);
	args_done(&args);
}

static void typos_get_did_you_mean(void **state)
{
	(void)state;
	assert_refused("tunel list", "did you mean tunnel?");
	assert_refused("tunnel lst", "did you mean list?");
	assert_refused("tunnel add x --remot 1", "did you mean --remote?");
	assert_refused("tunnel list --jsn", "did you mean --json?");
	assert_refused("pair a b --exti b", "did you mean --exit?");
	assert_refused("statsu", "did you mean status?");
}

static void assert_no_suggestion(const char *line)
{
	struct args args;
	struct err err = {0};

	assert_int_not_equal(0, parse(line, &args, &err));
	if (strstr(err.sentence, "did you mean"))
		fail_msg("%s: %s", line, err.sentence);
	args_done(&args);
}

static void what_is_far_off_gets_none(void **state)
{
	(void)state;
	assert_no_suggestion("tunnel add x --nope");
	assert_no_suggestion("status --name x");
	assert_no_suggestion("nat ping x");
	assert_no_suggestion("x");
}

static void words_of_other_tools_are_translated(void **state)
{
	(void)state;
	assert_refused("tunnel get x", "did you mean show?");
	assert_refused("tunnel ls", "did you mean list?");
	assert_refused("nat delete x", "did you mean rm?");
	assert_refused("exit create x", "did you mean add?");
	assert_refused("exit edit x", "did you mean set?");
	assert_refused("ls", "of which kind? as in `ipipctl tunnel list`");
}

static void kinds_have_the_names_of_the_api_too(void **state)
{
	static const char *const words[] = {"exit", "e", "exits", "exit-route", "exit-routes"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_string_equal("exit", command_noun(words[i])->name);
	assert_null(command_noun("exitss"));
	assert_null(command_noun("ex"));
}

static void verbs_of_other_nouns_are_unknown(void **state)
{
	(void)state;
	assert_refused("nat ping x", "unknown verb ping");
	assert_refused("hazards", "unknown command hazards");
}

static void words_are_counted(void **state)
{
	(void)state;
	assert_refused("tunnel add", "tunnel add needs NAME");
	assert_refused("tunnel add x y", "one word too many: y");
	assert_refused("api GET", "api needs METHOD PATH");
}

static void values_are_asked_for(void **state)
{
	(void)state;
	assert_refused("status -H", "-H needs a value");
	assert_refused("tunnel add x --remote", "--remote needs a value");
	assert_refused("status --json=1", "--json takes no value");
	assert_refused("tunnel add x --no-mss-clamp=true", "takes no value");
}

static void options_stand_anywhere(void **state)
{
	(void)state;
	struct args args;
	struct err err = {0};

	assert_int_equal(0, parse("-H /run/x tunnel -jq list --wait -oname", &args, &err));
	assert_string_equal("list", args.command->name);
	assert_string_equal("/run/x", args_value(&args, "host"));
	assert_string_equal("name", args_value(&args, "output"));
	assert_string_equal("", args_value(&args, "wait"));
	assert_non_null(args_value(&args, "json"));
	assert_non_null(args_value(&args, "quiet"));
	assert_null(args_value(&args, "dry-run"));
	args_done(&args);
}

static void help_needs_no_words(void **state)
{
	(void)state;
	struct args args;
	struct err err = {0};

	assert_int_equal(0, parse("tunnel add --help", &args, &err));
	args_done(&args);
}

static void two_dashes_end_the_options(void **state)
{
	(void)state;
	struct args args;
	struct err err = {0};

	assert_int_equal(0, parse("tunnel show -- -x", &args, &err));
	assert_string_equal("-x", args.words.v[0]);
	args_done(&args);
}

static void every_command_can_be_run(void **state)
{
	(void)state;
	for (unsigned n = 0; n < command_n_nouns; n++)
		for (unsigned i = 0; i < command_nouns[n].n_verbs; i++)
			assert_non_null(command_nouns[n].verbs[i].run);
	for (unsigned n = 0; n < command_n_nouns; n++)
		assert_int_equal(n < command_n_resources, command_nouns[n].kind != NULL);
	for (unsigned i = 0; i < command_n_bare; i++)
		if (strcmp(command_bare[i].name, "help") && strcmp(command_bare[i].name, "version"))
			assert_non_null(command_bare[i].run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(typos_get_did_you_mean),
		cmocka_unit_test(what_is_far_off_gets_none),
		cmocka_unit_test(words_of_other_tools_are_translated),
		cmocka_unit_test(kinds_have_the_names_of_the_api_too),
		cmocka_unit_test(verbs_of_other_nouns_are_unknown),
		cmocka_unit_test(words_are_counted),
		cmocka_unit_test(values_are_asked_for),
		cmocka_unit_test(options_stand_anywhere),
		cmocka_unit_test(help_needs_no_words),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(every_command_can_be_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
