/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs, as a document of bounded size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "codec/json.h"

struct thing {
	uint64_t set;
	char name[16];
	uint32_t number;
	const char *words;
	struct prefixes list;
	const char *password;
};

static const struct field thing_fields[] = {
	F_NAME(thing, name, .flags = FIELD_KEY),
	F_U32(thing, number),
	F_STRING(thing, words),
	F_PREFIXES(thing, list),
	F_STRING(thing, password, .flags = FIELD_SECRET),
};
static const struct kind thing_kind = {
	.noun = "thing",
	.fields = thing_fields,
	.n_fields = ARRAY_LEN(thing_fields),
	.size = sizeof(struct thing),
};

enum { NAME = 1, NUMBER = 2, WORDS = 4, LIST = 8, PASSWORD = 16 };

static void assert_changes(const struct thing *before, const struct thing *after,
			   const char *expected)
{
	cleanup_text struct text text = {0};

	json_add_changes(&text, &thing_kind, before, after);
	assert_string_equal(text_str(&text), expected);
}

static void tells_old_and_new_of_what_differs(void **state)
{
	const struct thing before = {NAME | NUMBER | WORDS, "x", 1, "same", {0}, NULL};
	struct thing after = before;

	(void)state;
	assert_changes(&before, &after, "[]");
	after.number = 2;
	assert_changes(&before, &after, "[{\"field\":\"number\",\"old\":1,\"new\":2}]");
	after.set = NAME | NUMBER;
	assert_changes(&before, &after,
		       "[{\"field\":\"number\",\"old\":1,\"new\":2},"
		       "{\"field\":\"words\",\"old\":\"same\"}]");
}

static void tells_all_that_is_set_of_what_comes_or_goes(void **state)
{
	const struct thing thing = {NAME | NUMBER, "x", 7, NULL, {0}, NULL};

	(void)state;
	assert_changes(NULL, &thing, "[{\"field\":\"number\",\"new\":7}]");
	assert_changes(&thing, NULL, "[{\"field\":\"number\",\"old\":7}]");
}

static void tells_that_a_secret_changed_and_not_what_it_is(void **state)
{
	const struct thing before = {NAME | PASSWORD, "x", 0, NULL, {0}, "hunter1"};
	const struct thing after = {NAME | PASSWORD, "x", 0, NULL, {0}, "hunter2"};

	(void)state;
	assert_changes(&before, &after, "[{\"field\":\"password\"}]");
	assert_changes(NULL, &after, "[{\"field\":\"password\"}]");
}

static void tells_the_length_of_what_is_long(void **state)
{
	static struct prefix prefixes[33];
	char words[514];
	struct thing before = {NAME | LIST, "x", 0, NULL, {prefixes, 33}, NULL};
	struct thing after = {NAME | LIST | WORDS, "x", 0, words, {prefixes, 1}, NULL};

	(void)state;
	memset(words, 'w', sizeof(words) - 1);
	words[513] = '\0';
	assert_changes(&before, &after,
		       "[{\"field\":\"words\",\"new_length\":513},"
		       "{\"field\":\"list\",\"old_length\":33,\"new\":[\"0.0.0.0/0\"],"
		       "\"added\":[],\"added_length\":0,\"removed\":[\"0.0.0.0/0\","
		       "\"0.0.0.0/0\",\"0.0.0.0/0\",\"0.0.0.0/0\"],\"removed_length\":32}]");
	/* short enough, but not as JSON */
	memset(words, '"', 400);
	words[400] = '\0';
	after.set = before.set = NAME | WORDS;
	before.words = "";
	assert_changes(&before, &after, "[{\"field\":\"words\",\"old\":\"\",\"new_length\":400}]");
}

static void tells_what_came_to_a_long_list_and_what_went(void **state)
{
	struct prefix old[40], new[40];
	struct thing before = {NAME | LIST, "x", 0, NULL, {old, 40}, NULL};
	struct thing after = {NAME | LIST, "x", 0, NULL, {new, 40}, NULL};

	(void)state;
	for (uint32_t i = 0; i < 40; i++) /* in no order */
		old[i] = new[39 - i] = (struct prefix){{0x0a000000 + i * 7 % 40}, 32};
	assert_changes(&before, &after,
		       "[{\"field\":\"list\",\"old_length\":40,\"new_length\":40,"
		       "\"added\":[],\"added_length\":0,\"removed\":[],\"removed_length\":0}]");
	for (uint32_t i = 0; i < 6; i++)
		new[i * 5].addr.host += 256;
	cleanup_text struct text text = {0};
	json_add_changes(&text, &thing_kind, &before, &after);
	assert_non_null(strstr(text.s, "\"old_length\":40,\"new_length\":40,\"added\":[\"10.0.1."));
	assert_non_null(strstr(text.s, "],\"added_length\":6,\"removed\":[\"10.0.0."));
	assert_non_null(strstr(text.s, "],\"removed_length\":6}]"));
	assert_true(text.len < 300);
	after.list.len = 0;
	text_clear(&text);
	json_add_changes(&text, &thing_kind, &before, &after);
	assert_non_null(strstr(text.s, "\"new\":[],\"added\":[],\"added_length\":0,\"removed\":["
				       "\"10.0.0.0/32\",\"10.0.0.1/32\",\"10.0.0.2/32\","
				       "\"10.0.0.3/32\"],\"removed_length\":40}]"));
}

/* More fields than there is room for: the last ones have a name only. */
static void names_what_does_not_fit(void **state)
{
	static const struct field many_fields[] = {
		F_STRING(thing, words), F_STRING(thing, words), F_STRING(thing, words),
		F_STRING(thing, words), F_STRING(thing, words), F_STRING(thing, words),
		F_STRING(thing, words), F_STRING(thing, words), F_STRING(thing, words),
		F_STRING(thing, words), F_STRING(thing, words), F_STRING(thing, words),
	};
	const struct kind many = {
		.fields = many_fields,
		.n_fields = ARRAY_LEN(many_fields),
		.size = sizeof(struct thing),
	};
	char words[500];
	const struct thing thing = {.set = (1 << 12) - 1, .words = words};
	cleanup_text struct text text = {0};

	(void)state;
	memset(words, 'w', sizeof(words) - 1);
	words[499] = '\0';
	json_add_changes(&text, &many, NULL, &thing);
	assert_true(text.len < 4096 + 600 + 12 * 20);
	assert_non_null(strstr(text.s, ",{\"field\":\"words\"}]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_old_and_new_of_what_differs),
		cmocka_unit_test(tells_all_that_is_set_of_what_comes_or_goes),
		cmocka_unit_test(tells_that_a_secret_changed_and_not_what_it_is),
		cmocka_unit_test(tells_the_length_of_what_is_long),
		cmocka_unit_test(tells_what_came_to_a_long_list_and_what_went),
		cmocka_unit_test(names_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
