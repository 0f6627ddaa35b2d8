/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/attributes.h"
#include "base/percent.h"

static void reads_one_escape(unused_ void **state)
{
	assert_int_equal(percent_byte("%00"), 0);
	assert_int_equal(percent_byte("%2f/"), '/');
	assert_int_equal(percent_byte("%2F"), '/');
	assert_int_equal(percent_byte("%ff"), 255);
	assert_int_equal(percent_byte(""), -1);
	assert_int_equal(percent_byte("2f"), -1);
	assert_int_equal(percent_byte("%"), -1);
	assert_int_equal(percent_byte("%2"), -1);
	assert_int_equal(percent_byte("%2g"), -1);
	assert_int_equal(percent_byte("%g2"), -1);
	assert_int_equal(percent_byte("% 2"), -1);
}

static void decodes_in_place(unused_ void **state)
{
	static const char *const cases[][2] = {
		{"", ""},           {"a/b", "a/b"},   {"%41b%c3%A4", "Ab\xc3\xa4"},
		{"%25%2B+", "%++"}, {"\xff", "\xff"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char s[32];

		strcpy(s, cases[i][0]);
		assert_true(percent_decode(s));
		assert_string_equal(s, cases[i][1]);
	}
}

static void refuses_what_is_no_escape(unused_ void **state)
{
	static const char *const bad[] = {"%", "a%4", "%4g", "%00", "a%00b", "%%41"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char s[32];

		strcpy(s, bad[i]);
		assert_false(percent_decode(s));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_one_escape),
		cmocka_unit_test(decodes_in_place),
		cmocka_unit_test(refuses_what_is_no_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
