/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables: widths, cutting, colours, and nothing that moves a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cli/output.h"

static void fill(struct output_table *table, const char *const *cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		output_cell(table, cells[i]);
}

static void assert_rendered(const struct output_table *table, struct output_style style,
			    const char *expected)
{
	cleanup_text struct text out = {0};

	output_render(table, &style, &out);
	assert_string_equal(expected, text_str(&out));
}

static const char *const cells[] = {"NAME",     "STATE",  "DESTINATIONS",
				    "a",        "ready",  "10.0.0.0/8,11.0.0.0/8",
				    "tun_long", "failed", ""};

static void columns_are_as_wide_as_their_cells(void **state)
{
	(void)state;
	cleanup_table struct output_table table = {.columns = 3};

	fill(&table, cells, ARRAY_LEN(cells));
	assert_rendered(&table, (struct output_style){.headers = true},
			"NAME      STATE   DESTINATIONS\n"
			"a         ready   10.0.0.0/8,11.0.0.0/8\n"
			"tun_long  failed  -\n");
	assert_rendered(&table, (struct output_style){0},
			"a         ready   10.0.0.0/8,11.0.0.0/8\n"
			"tun_long  failed  -\n");
}

static void only_a_terminal_cuts_and_the_widest_gives_first(void **state)
{
	(void)state;
	cleanup_table struct output_table table = {.columns = 3};

	fill(&table, cells, ARRAY_LEN(cells));
	assert_rendered(&table, (struct output_style){.width = 38, .headers = true},
			"NAME      STATE   DESTINATIONS\n"
			"a         ready   10.0.0.0/8,11.0.0.0…\n"
			"tun_long  failed  -\n");
}

static void a_narrow_terminal_leaves_out_columns_from_the_right(void **state)
{
	(void)state;
	cleanup_table struct output_table table = {.columns = 3, .whole = 2};

	fill(&table, cells, ARRAY_LEN(cells));
	assert_rendered(&table, (struct output_style){.width = 37, .headers = true},
			"NAME      STATE\n"
			"a         ready\n"
			"tun_long  failed\n");
	assert_rendered(&table, (struct output_style){.width = 5},
			"a         ready\n"
			"tun_long  failed\n");
}

static void lines_end_without_blanks(void **state)
{
	(void)state;
	cleanup_table struct output_table table = {.columns = 2};

	output_cell(&table, "KEY");
	output_cell(&table, "MESSAGE");
	output_cell(&table, "a long key");
	output_cell(&table, " ");
	assert_rendered(&table, (struct output_style){0}, "a long key\n");
}

static void sentences_are_folded_at_blanks(void **state)
{
	(void)state;
	cleanup_text struct text out = {0};

	output_add_folded(&out, "one two three füür fifteen_and_more", 6, 14);
	assert_string_equal("one two\n    three füür\n    fifteen_and_more", text_str(&out));
	text_clear(&out);
	output_add_folded(&out, "one two", 80, 0);
	assert_string_equal("one two", text_str(&out));
}

static void cutting_never_splits_a_character(void **state)
{
	(void)state;
	cleanup_table struct output_table table = {.columns = 1};

	output_cell(&table, "N");
	output_cell(&table, "äöüäöüäöü");
	assert_rendered(&table, (struct output_style){.width = 5}, "äöüä…\n");
}

static void states_are_words_first_and_colours_second(void **state)
{
	(void)state;
	cleanup_table struct output_table table = {.columns = 3};

	fill(&table, cells, ARRAY_LEN(cells));
	assert_rendered(&table, (struct output_style){.color = true},
			"a         \033[32mready\033[0m   10.0.0.0/8,11.0.0.0/8\n"
			"tun_long  \033[31mfailed\033[0m  -\n");
}

static void control_characters_stay_off_the_terminal(void **state)
{
	(void)state;
	cleanup_text struct text out = {0};

	output_add_clean(&out, "a\033[2Jb\nc\xc2\x9b"
			       "d ä\x7f");
	assert_string_equal("a?[2Jb?c?d ä?", text_str(&out));
}

static void assert_amount(double value, const char *expected)
{
	cleanup_text struct text out = {0};

	output_add_amount(&out, value, "B");
	assert_string_equal(expected, text_str(&out));
}

static void amounts_have_two_digits_or_three(void **state)
{
	(void)state;
	assert_amount(0, "0 B");
	assert_amount(999, "999 B");
	assert_amount(999.6, "1.0 kB");
	assert_amount(1499, "1.5 kB");
	assert_amount(41e6, "41 MB");
	assert_amount(999.9e6, "1.0 GB");
}

static void assert_age(int64_t seconds, const char *expected)
{
	cleanup_text struct text out = {0};

	output_add_age(&out, seconds);
	assert_string_equal(expected, text_str(&out));
}

static void ages_are_in_the_largest_unit(void **state)
{
	(void)state;
	assert_age(-5, "0s");
	assert_age(59, "59s");
	assert_age(3599, "59m");
	assert_age(86399, "23h");
	assert_age(3 * 86400 + 5, "3d");
	assert_int_equal(1700000000, output_time("2023-11-14T22:13:20.123Z"));
	assert_int_equal(-1, output_time("yesterday"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_cells),
		cmocka_unit_test(only_a_terminal_cuts_and_the_widest_gives_first),
		cmocka_unit_test(a_narrow_terminal_leaves_out_columns_from_the_right),
		cmocka_unit_test(lines_end_without_blanks),
		cmocka_unit_test(sentences_are_folded_at_blanks),
		cmocka_unit_test(cutting_never_splits_a_character),
		cmocka_unit_test(states_are_words_first_and_colours_second),
		cmocka_unit_test(control_characters_stay_off_the_terminal),
		cmocka_unit_test(amounts_have_two_digits_or_three),
		cmocka_unit_test(ages_are_in_the_largest_unit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
