/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One line of the fake kernel's script, read word by word. What is no such word is a mistake in
 * the script, which is told, and the end.
 */

#include "base/attributes.h"
#include "base/ipaddr.h"

struct line {
	const char *text;
	char *words; /* what v points into */
	char *v[32];
	size_t n, next;
};

/* The words before a "#". */
struct line line_split(const char *text);
void line_done(struct line *line);
noreturn_ void line_bad(const struct line *line, const char *why);

/* Each takes the next word. */
const char *line_word(struct line *line);
/* Only if it is that one. */
bool line_take(struct line *line, const char *wanted);
uint32_t line_number(struct line *line);
struct addr line_address(struct line *line);
/* "default" is one. */
struct prefix line_prefix(struct line *line);
void line_name(struct line *line, char *to, size_t size);
/* A negative one, by its name. */
int line_errno(struct line *line);
/* Its place in the list of words that there are. */
unsigned line_choice(struct line *line, const char *const *choices, size_t n);
