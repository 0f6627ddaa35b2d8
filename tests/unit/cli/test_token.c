/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The form of a token, and of its line, against values from elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cli/token.h"

/* printf of the bytes, | base64 | tr +/ -_ | tr -d = */
static void the_text_is_base64url(void **state)
{
	(void)state;
	static const struct {
		uint8_t first, step;
		const char *token;
	} cases[] = {
		{0, 0, "ipipd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
		{0xff, 0, "ipipd___________________________________________8"},
		{0, 1, "ipipd_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},
		{3, 37, "ipipd_AyhNcpe84QYrUHWav-QJLlN4ncLnDDFWe6DF6g80WX4"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t random[TOKEN_RANDOM];
		char token[TOKEN_TEXT];

		for (unsigned b = 0; b < TOKEN_RANDOM; b++)
			random[b] = (uint8_t)(cases[i].first + b * cases[i].step);
		token_text(random, token);
		assert_string_equal(cases[i].token, token);
		assert_int_equal(TOKEN_TEXT - 1, strlen(token));
	}
}

static void the_line_has_the_digest_of_the_whole_token(void **state)
{
	(void)state;
	cleanup_text struct text line = {0};

	/* printf %s ipipd_x | sha256sum */
	token_line("ci", "read", "ipipd_x", &line);
	assert_string_equal(
		"ci read 0b76e31cfb8f44214d9787acbb40714032b9b42fbaf23be0858a258b22b0eede", line.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_base64url),
		cmocka_unit_test(the_line_has_the_digest_of_the_whole_token),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
