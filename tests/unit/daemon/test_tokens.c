/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of tokens: its lines, its faults, and whose token it is. */
#include "daemon/tokens.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* sha256sum of "secret" and of "other" */
#define SECRET "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
#define OTHER  "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"

static void finds_whose_token_it_is(void **state)
{
	static const char file[] = "# tokens of b1\n"
				   "\n"
				   "controller admin " SECRET "\n"
				   "  \t\r\n"
				   "  grafana.1\tread  " OTHER "  \r\n";
	struct tokens tokens = {0};
	struct errs errs = {0};

	(void)state;
	assert_int_equal(tokens_parse(&tokens, "f", file, &errs), 0);
	assert_int_equal(tokens.len, 2);
	const struct token *found = tokens_find(&tokens, "secret", 6);
	assert_string_equal(found->name, "controller");
	assert_int_equal(found->role, HTTP_ROLE_ADMIN);
	found = tokens_find(&tokens, "other", 5);
	assert_string_equal(found->name, "grafana.1");
	assert_int_equal(found->role, HTTP_ROLE_READ);
	assert_null(tokens_find(&tokens, "secret ", 7));
	assert_null(tokens_find(&tokens, "secre", 5));
	assert_null(tokens_find(&tokens, "", 0));
	vec_done(&tokens);
}

static void digits_may_be_of_either_case(void **state)
{
	char line[128];
	struct tokens tokens = {0};
	struct errs errs = {0};

	(void)state;
	snprintf(line, sizeof(line), "a read %s", SECRET);
	for (char *s = line + 7; *s; s++)
		if (*s >= 'a' && *s <= 'f')
			*s = (char)(*s - 'a' + 'A');
	assert_int_equal(tokens_parse(&tokens, "f", line, &errs), 0);
	assert_non_null(tokens_find(&tokens, "secret", 6));
	vec_done(&tokens);
}

static void every_fault_has_its_line(void **state)
{
	static const char *const cases[][2] = {
		{"a", "NAME ROLE SHA256HEX"},
		{"a admin", "NAME ROLE SHA256HEX"},
		{"a admin " SECRET " x", "NAME ROLE SHA256HEX"},
		{"-a admin " SECRET, "a name begins"},
		{"a/b admin " SECRET, "a name has only"},
		{"a root " SECRET, "neither \"admin\" nor \"read\""},
		{"a Admin " SECRET, "neither \"admin\" nor \"read\""},
		{"a admin secret", "64 hexadecimal digits"},
		{"a admin " SECRET "0", "64 hexadecimal digits"},
		{"a admin g" SECRET, "64 hexadecimal digits"},
		{"a read e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		 "empty token"},
		{"first read " SECRET, "there is a token named first already"},
		{"b read " OTHER, "this is the token of first too"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char file[256];
		struct tokens tokens = {0};
		struct errs errs = {0};

		snprintf(file, sizeof(file), "first read %s\n#\n%s\nx y z\n", OTHER, cases[i][0]);
		assert_int_equal(tokens_parse(&tokens, "/t", file, &errs), -EINVAL);
		assert_int_equal(errs.total, 2);
		assert_memory_equal(errs.v[0].sentence, "/t:3: ", 6);
		assert_memory_equal(errs.v[1].sentence, "/t:4: ", 6);
		if (!strstr(errs.v[0].sentence, cases[i][1]))
			fail_msg("%s: %s", cases[i][0], errs.v[0].sentence);
		vec_done(&tokens);
	}
}

static void a_fault_does_not_tell_the_token(void **state)
{
	static const char *const files[] = {"hunter2", "name hunter2", "name hunter2 " SECRET,
					    "name admin hunter2", "name admin " SECRET " hunter2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct tokens tokens = {0};
		struct errs errs = {0};

		assert_int_equal(tokens_parse(&tokens, "/t", files[i], &errs), -EINVAL);
		assert_null(strstr(errs.v[0].sentence, "hunter2"));
		vec_done(&tokens);
	}
}

static void there_are_not_too_many(void **state)
{
	cleanup_text struct text file = {0};
	struct tokens tokens = {0};
	struct errs errs = {0};

	(void)state;
	for (unsigned i = 0; i <= TOKENS_MAX; i++)
		text_addf(&file, "t%u read %064x\n", i, i);
	assert_true(file.len < TOKENS_FILE_MAX);
	assert_int_equal(tokens_parse(&tokens, "/t", file.s, &errs), -EINVAL);
	assert_int_equal(errs.total, 1);
	assert_int_equal(tokens.len, TOKENS_MAX);
	vec_done(&tokens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_whose_token_it_is),
		cmocka_unit_test(digits_may_be_of_either_case),
		cmocka_unit_test(every_fault_has_its_line),
		cmocka_unit_test(a_fault_does_not_tell_the_token),
		cmocka_unit_test(there_are_not_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
