/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of an answer. */
#include "daemon/api_json.h"

#include <setjmp.h>
#include <stdarg.h>

#include "base/text.h"

#include <cmocka.h>

static void a_real_has_the_digits_that_it_was_made_of(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{974 / 1000.0, "0.974\n"}, {1543 / 1000.0, "1.543\n"}, {9000 / 1000.0, "9.0\n"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_text struct text text = {0};

		api_json_text(json_real(cases[i].value), &text);
		assert_string_equal(text_str(&text), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_has_the_digits_that_it_was_made_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
