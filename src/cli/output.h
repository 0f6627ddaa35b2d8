/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Tables for people: columns as wide as their widest cell. To fit a terminal, and only then,
 * long cells are cut and columns left out from the right. State is a word first and a
 * colour second. Control characters that came from an agent never reach the terminal.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "base/vec.h"

struct output_style {
	unsigned width; /* of the terminal; 0: never cut */
	bool color, headers;
};

/* Cells row by row, the first row holds the titles. {.columns = n} is an empty one; the first two
 * columns are never left out. */
struct output_table {
	unsigned columns;
	unsigned whole;  /* so many of the leftmost are never cut either */
	bool keeps_last; /* nor is the rightmost, which is not left out */
	struct vec_of(char *) cells;
};

/* Adds the next cell, copied; "" and NULL become "-". */
void output_cell(struct output_table *table, const char *cell);
void output_cellf(struct output_table *table, const char *fmt, ...) printf_(2, 3);
/* Lines without trailing blanks. */
void output_render(const struct output_table *table, const struct output_style *style,
		   struct text *out);
/* To stdout; a table without rows prints nothing. */
void output_print(const struct output_table *table, const struct output_style *style);
void output_table_done(struct output_table *table);
#define cleanup_table cleanup_(output_table_done)

/* The style for stdout; color is "auto", "always" or "never". */
struct output_style output_style_of_stdout(const char *color, bool headers);

/* columns that a UTF-8 text takes on a terminal, one for each character */
size_t output_width_of(const char *s);
/* adds s with control characters as "?" */
void output_add_clean(struct text *out, const char *s);
/* "ready" in green, "failed" in red …; the word alone without color */
void output_add_state(struct text *out, const char *state, bool color);
/* "3d", "17m": two digits of the largest unit */
void output_add_age(struct text *out, int64_t seconds);
/* "41 MB", "9 kB/s": value with a decimal prefix and the unit */
void output_add_amount(struct text *out, double value, const char *unit);
/* Adds a sentence, broken at blanks to lines of that width (0: never). The first continues a line
 * with `at` columns on it, the others are indented. */
void output_add_folded(struct text *out, const char *s, size_t at, unsigned width);
/* RFC 3339 in UTC to seconds since the epoch; -1 when it is not one */
int64_t output_time(const char *rfc3339);
