/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of add and set: every row of every resource's table has one that works. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cli/command.h"
#include "model/resource.h"

/* What is typed for a type, and the JSON that goes out. */
static const struct sample {
	const char *typed, *json;
} samples[] = {
	[FIELD_BOOL] = {"false", "false"},
	[FIELD_U8] = {"7", "7"},
	[FIELD_U16] = {"7", "7"},
	[FIELD_U32] = {"7", "7"},
	[FIELD_S32] = {"-7", "-7"},
	[FIELD_NAME] = {"eth0", "\"eth0\""},
	[FIELD_STRING] = {"a, b", "\"a, b\""},
	[FIELD_CHOICE] = {"off", "\"off\""},
	[FIELD_ADDR] = {"10.0.0.1", "\"10.0.0.1\""},
	[FIELD_PREFIX] = {"10.0.0.0/8", "\"10.0.0.0/8\""},
	[FIELD_PREFIXES] = {"10.0.0.0/8,11.0.0.0/8", "[\"10.0.0.0/8\",\"11.0.0.0/8\"]"},
	[FIELD_LABELS] = {"site=a=b", "{\"site\":\"a=b\"}"},
};

static void option_of(const struct field *field, char name[64])
{
	snprintf(name, 64, "%s", field->name);
	for (char *s = name; *s; s++)
		if (*s == '_')
			*s = '-';
}

static void assert_json(const char *expected, const json_t *fields, const char *name)
{
	char *text = json_dumps(json_object_get(fields, name), JSON_COMPACT | JSON_ENCODE_ANY);

	assert_non_null(text);
	assert_string_equal(expected, text);
	free(text);
}

static struct args parse(int argc, char **argv)
{
	struct args args = {0};
	struct err err = {0};

	if (args_parse(&args, argc, argv, &err))
		fail_msg("%s", err.sentence);
	return args;
}

#define PARSE(...)                                                                                 \
	parse((int)ARRAY_LEN(((char *[]){(char[]){"ipipctl"}, __VA_ARGS__})),                      \
	      (char *[]){(char[]){"ipipctl"}, __VA_ARGS__})
#define WORD(s) ((char[]){s})

static void each_row(void (*check)(const struct noun *noun, const struct field *field))
{
	for (unsigned n = 0; n < command_n_resources; n++)
		for (unsigned f = 0; f < command_nouns[n].kind->n_fields; f++)
			if (!(command_nouns[n].kind->fields[f].flags & FIELD_KEY))
				check(&command_nouns[n], &command_nouns[n].kind->fields[f]);
}

static void check_sets(const struct noun *noun, const struct field *field)
{
	char name[64], word[128], noun_word[16];
	const struct sample *sample = &samples[field->type];

	option_of(field, name);
	snprintf(word, sizeof(word), "--%s=%s", name, sample->typed);
	snprintf(noun_word, sizeof(noun_word), "%s", noun->name);
	struct args args = PARSE(noun_word, WORD("set"), WORD("x"), word);
	assert_json(sample->json, args.fields, field->name);
	assert_int_equal(1, json_object_size(args.fields));
	args_done(&args);
}

static void every_field_has_an_option_of_its_type(void **state)
{
	(void)state;
	each_row(check_sets);
}

static void check_resets(const struct noun *noun, const struct field *field)
{
	char name[64], word[128], noun_word[16];

	option_of(field, name);
	snprintf(word, sizeof(word), "--%s=", name);
	snprintf(noun_word, sizeof(noun_word), "%s", noun->name);
	struct args args = PARSE(noun_word, WORD("set"), WORD("x"), word);
	assert_json("null", args.fields, field->name);
	args_done(&args);
}

static void an_empty_value_resets_every_field(void **state)
{
	(void)state;
	each_row(check_resets);
}

static void check_no_collision(const struct noun *noun, const struct field *field)
{
	char name[64];

	(void)noun;
	option_of(field, name);
	for (unsigned i = 0; i < command_n_globals; i++)
		assert_string_not_equal(command_globals[i].name, name);
}

static void no_field_hides_behind_a_global_option(void **state)
{
	(void)state;
	each_row(check_no_collision);
}

static void check_help(const struct noun *noun, const struct field *field)
{
	cleanup_text struct text usage = {0}, doc = {0};
	char name[64];

	(void)noun;
	option_of(field, name);
	options_usage(field, &usage, &doc);
	if (field->type != FIELD_LABELS)
		assert_non_null(strstr(text_str(&usage), name));
	assert_non_null(strstr(text_str(&doc), field->doc));
	if (field->flags & FIELD_WORD)
		assert_non_null(strstr(text_str(&usage), field->word));
	for (uint32_t i = 0; i < field->n_choices; i++)
		assert_non_null(strstr(text_str(&usage), field->choices[i]));
}

static void help_names_every_field_with_its_choices(void **state)
{
	(void)state;
	each_row(check_help);
}

static void lists_are_repeatable_and_may_be_singular(void **state)
{
	(void)state;
	struct args args = PARSE(WORD("t"), WORD("add"), WORD("x"), WORD("--address"),
				 WORD("10.0.0.1/31"), WORD("--addresses=10.0.0.3/31,10.0.0.5/31"));

	assert_json("[\"10.0.0.1/31\",\"10.0.0.3/31\",\"10.0.0.5/31\"]", args.fields, "addresses");
	args_done(&args);
}

static void a_bool_takes_no_word(void **state)
{
	(void)state;
	struct args args = PARSE(WORD("tunnel"), WORD("add"), WORD("--mss-clamp"), WORD("x"),
				 WORD("--no-path-mtu-discovery"));

	assert_json("true", args.fields, "mss_clamp");
	assert_json("false", args.fields, "path_mtu_discovery");
	assert_string_equal("x", args.words.v[0]);
	args_done(&args);
}

static void an_empty_label_is_removed(void **state)
{
	(void)state;
	struct args args = PARSE(WORD("tunnel"), WORD("set"), WORD("x"), WORD("--label"),
				 WORD("a="), WORD("--label"), WORD("b=1,2"));

	assert_json("{\"a\":null,\"b\":\"1,2\"}", args.fields, "labels");
	args_done(&args);
}

static void a_label_without_a_value_is_refused(void **state)
{
	static const char *const refused[] = {"--label=a", "--label==b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct args args = {0};
		struct err err = {0};
		char word[16];

		snprintf(word, sizeof(word), "%s", refused[i]);
		char *argv[] = {WORD("ipipctl"), WORD("t"), WORD("set"), WORD("x"), word};
		assert_int_equal(-EINVAL, args_parse(&args, ARRAY_LEN(argv), argv, &err));
		assert_non_null(strstr(err.sentence, "KEY=VALUE is wanted"));
		args_done(&args);
	}
}

static void what_is_no_number_goes_out_as_text(void **state)
{
	(void)state;
	struct args args = PARSE(WORD("tunnel"), WORD("set"), WORD("x"), WORD("--mtu=auto"),
				 WORD("--ttl=99999999999999999999"));

	assert_json("\"auto\"", args.fields, "mtu");
	assert_json("\"99999999999999999999\"", args.fields, "ttl");
	args_done(&args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_has_an_option_of_its_type),
		cmocka_unit_test(an_empty_value_resets_every_field),
		cmocka_unit_test(no_field_hides_behind_a_global_option),
		cmocka_unit_test(help_names_every_field_with_its_choices),
		cmocka_unit_test(lists_are_repeatable_and_may_be_singular),
		cmocka_unit_test(a_bool_takes_no_word),
		cmocka_unit_test(an_empty_label_is_removed),
		cmocka_unit_test(a_label_without_a_value_is_refused),
		cmocka_unit_test(what_is_no_number_goes_out_as_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
