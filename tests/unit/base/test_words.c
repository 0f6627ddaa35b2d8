/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void counts_edits(void **state)
{
	(void)state;
	assert_int_equal(words_distance("", ""), 0);
	assert_int_equal(words_distance("key", "key"), 0);
	assert_int_equal(words_distance("", "key"), 3);
	assert_int_equal(words_distance("adress", "address"), 1);
	assert_int_equal(words_distance("kitten", "sitting"), 3);
}

static void a_long_word_is_like_no_other(void **state)
{
	const char *word = "a_word_of_more_than_forty_characters_is_no_slip";

	(void)state;
	assert_true(words_distance(word, word) >= words_too_far(word));
}

static void allows_more_slips_in_longer_words(void **state)
{
	(void)state;
	assert_int_equal(words_too_far("ab"), 2);
	assert_int_equal(words_too_far("abcdef"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_edits),
		cmocka_unit_test(a_long_word_is_like_no_other),
		cmocka_unit_test(allows_more_slips_in_longer_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
