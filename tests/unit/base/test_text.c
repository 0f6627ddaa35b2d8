/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text grows piece by piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static void is_empty_at_first(void **state)
{
	cleanup_text struct text text = {0};

	(void)state;
	assert_string_equal(text_str(&text), "");
	text_clear(&text);
	text_add(&text, "");
	assert_string_equal(text_str(&text), "");
}

static void adds_in_order(void **state)
{
	cleanup_text struct text text = {0};

	(void)state;
	text_add(&text, "ab");
	text_addf(&text, "%d-%s", 7, "x");
	text_add_len(&text, "yzzz", 1);
	assert_string_equal(text_str(&text), "ab7-xy");
	assert_int_equal(text.len, 6);
	text_clear(&text);
	assert_string_equal(text_str(&text), "");
	text_add(&text, "again");
	assert_string_equal(text_str(&text), "again");
}

static void grows_beyond_its_first_block(void **state)
{
	cleanup_text struct text text = {0};
	char block[1000] = {0};

	(void)state;
	memset(block, 'x', sizeof(block) - 1);
	for (int i = 0; i < 300; i++)
		text_addf(&text, "%s.", block);
	assert_int_equal(text.len, 300 * 1000);
	assert_int_equal(strlen(text_str(&text)), text.len);
}

static void writes_numbers(void **state)
{
	static const int64_t numbers[] = {0, 7, -1, 1234567890, INT64_MAX, INT64_MIN};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		cleanup_text struct text text = {0};
		char want[32];

		snprintf(want, sizeof(want), "%lld", (long long)numbers[i]);
		text_add_number(&text, numbers[i]);
		text_add_char(&text, '.');
		assert_int_equal(strlen(text.s), text.len);
		assert_int_equal(strlen(want) + 1, text.len);
		assert_memory_equal(text.s, want, text.len - 1);
	}
}

static void takes_what_was_written_into_its_room(void **state)
{
	cleanup_text struct text text = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char *to = text_room(&text, 10);

		memset(to, 'x', 10);
		text_end(&text, to + 3);
	}
	assert_int_equal(text.len, 3000);
	assert_int_equal(strlen(text.s), 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_empty_at_first),
		cmocka_unit_test(adds_in_order),
		cmocka_unit_test(grows_beyond_its_first_block),
		cmocka_unit_test(writes_numbers),
		cmocka_unit_test(takes_what_was_written_into_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
