/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of remotes: what is read, what is refused, and that it comes back as it went. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/remotes.h"

static void what_is_written_is_read(void **state)
{
	(void)state;
	cleanup_arena struct arena arena = {0};
	cleanup_text struct text text = {0}, again = {0};
	struct remotes remotes = {0}, read = {0};
	struct err err;

	remotes_add(&remotes,
		    &(struct remote){"b", "https://b.example", {"/t", "/ca", "/c", "/k"}});
	remotes_add(&remotes, &(struct remote){"a", "unix:///run/a.sock", {0}});
	remotes_format(&remotes, &text);
	assert_int_equal(0, remotes_parse("file", text.s, &arena, &read, &err));
	assert_int_equal(2, read.len);
	assert_string_equal("a", read.v[0].name);
	assert_null(read.v[0].credentials.key);
	assert_string_equal("/k", remotes_find(&read, "b")->credentials.key);
	assert_null(remotes_find(&read, "c"));
	remotes_format(&read, &again);
	assert_string_equal(text.s, again.s);
	remotes_remove(&read, remotes_find(&read, "a"));
	assert_int_equal(1, read.len);
	assert_string_equal("b", read.v[0].name);
	vec_done(&remotes);
	vec_done(&read);
}

static void faults_are_told_with_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{"", "file:1: "},
		{"{\n\n", "file:"},
		{"[]", "file: an object is wanted"},
		{"{\"b\":{}}", "file: b: the url is missing"},
		{"{\"b\":\"x\"}", "file: b: an object is wanted"},
		{"{\"b\":{\"url\":1}}", "file: b: url: a string is wanted"},
		{"{\"b\":{\"url\":null}}", "file: b: url: a string is wanted"},
		{"{\"b\":{\"url\":\"ftp://b\"}}",
		 "file: b: ftp://b is not the address of an agent"},
		{"{\"b\":{\"url\":\"https://\"}}", "file: b: https:// is no URL"},
		{"{\"b\":{\"url\":\"https://b\",\"cacrt\":\"/x\"}}",
		 "file: b: unknown member cacrt; did you mean cacert?"},
		{"{\"b\":{\"url\":\"https://b\",\"insecure\":\"yes\"}}",
		 "file: b: unknown member insecure"},
		{"{\"b\":{\"url\":\"https://b\"},\"b\":{\"url\":\"https://c\"}}",
		 "file:1: duplicate"},
		{"{\"a b\":{\"url\":\"https://b\"}}", "file: a b: a name "},
		{"{\"https://b\":{\"url\":\"https://b\"}}", "file: https://b: a name "},
		{"{\"b\":{\"url\":\"http://b\",\"token_file\":\"/x\"}}",
		 "file: b: http://b: a token is not sent in the clear"},
		{"{\"b\":{\"url\":\"/run/x\",\"cert\":\"/x\"}}", "file: b: --cert is for https://"},
		{"{\"b\":{\"url\":\"https://b\",\"key\":\"/x\"}}", "give --cert too"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_arena struct arena arena = {0};
		struct remotes remotes = {0};
		struct err err = {0};

		assert_int_equal(-EINVAL,
				 remotes_parse("file", cases[i].text, &arena, &remotes, &err));
		if (!strstr(err.sentence, cases[i].sentence))
			fail_msg("%s: %s", cases[i].text, err.sentence);
		vec_done(&remotes);
	}
}

static void the_standard_says_where_the_file_is(void **state)
{
	(void)state;
	static const struct {
		const char *config, *home, *path;
	} cases[] = {
		{"/c", "/h", "/c/ipipctl/remotes.json"},
		{"relative", "/h", "/h/.config/ipipctl/remotes.json"},
		{"", "/h", "/h/.config/ipipctl/remotes.json"},
		{NULL, "/h", "/h/.config/ipipctl/remotes.json"},
		{NULL, NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_text struct text path = {0};
		struct err err = {0};

		unsetenv("XDG_CONFIG_HOME");
		unsetenv("HOME");
		if (cases[i].config)
			setenv("XDG_CONFIG_HOME", cases[i].config, 1);
		if (cases[i].home)
			setenv("HOME", cases[i].home, 1);
		int rc = remotes_path(&path, &err);
		assert_int_equal(cases[i].path ? 0 : -ENOENT, rc);
		assert_string_equal(cases[i].path ? cases[i].path : "", text_str(&path));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(faults_are_told_with_their_place),
		cmocka_unit_test(the_standard_says_where_the_file_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
