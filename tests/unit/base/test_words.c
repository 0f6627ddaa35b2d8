/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *meant(const char *word, const char *known)
{
	struct guess guess = guess_at(word);

	guess_offer(&guess, known);
	return guess.meant;
}

static void so_many_edits_are_a_slip(void **state)
{
	(void)state;
	assert_non_null(meant("key", "key"));
	assert_non_null(meant("adress", "address"));
	assert_non_null(meant("kitten", "sitting")); /* three, of six letters */
	assert_null(meant("", "key"));
	assert_non_null(meant("ab", "ac"));
	assert_null(meant("ab", "cd"));
	assert_null(meant("abcdef", "abxxxx"));
}

static void the_closest_is_meant_and_of_equals_the_first(void **state)
{
	struct guess guess = guess_at("pair");

	(void)state;
	guess_offer(&guess, "paint");
	guess_offer(&guess, "hair");
	guess_offer(&guess, "fair");
	guess_offer(&guess, "parrot");
	assert_string_equal(guess.meant, "hair");
}

static void a_long_word_is_like_no_other(void **state)
{
	char word[200];

	(void)state;
	for (size_t len = 41; len < sizeof(word); len++) {
		memset(word, 'a', len);
		word[len] = '\0';
		assert_null(meant(word, word));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_edits_are_a_slip),
		cmocka_unit_test(a_long_word_is_like_no_other),
		cmocka_unit_test(the_closest_is_meant_and_of_equals_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
