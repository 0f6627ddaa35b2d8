/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Names copied, and texts written piece by piece. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attributes.h"
#include "base/cleanup.h"

/*
 * Copies a name into an array that is zero, as much of it as fits; cheaper than snprintf where
 * ten thousands of them are copied.
 */
#define name_copy(to, from) name_copy_((to), sizeof(to), (from))

static inline void name_copy_(char *to, size_t size, const char *from)
{
	size_t len = strlen(from);

	memcpy(to, from, len < size ? len : size - 1);
}

enum { NUMBER_TEXT = 20 }; /* most bytes of a number */

/* In decimal digits, without NUL; returns where they end. */
char *number_write(int64_t number, char *to) __attribute__((returns_nonnull));

/* Two hexadecimal digits for each byte, likewise. */
char *hex_write(const uint8_t *bytes, size_t len, char *to) __attribute__((returns_nonnull));

/* {0} is the empty text; s is NULL until the first add. */
struct text {
	char *s; /* always ends in NUL, once there is one */
	size_t len, cap;
};

/* Makes room for more bytes and their NUL behind the text. */
void text_reserve(struct text *text, size_t more);

/* Where that many bytes may be written; they count when text_end is told where they end. */
static inline char *text_room(struct text *text, size_t more)
{
	if (text->cap - text->len <= more)
		text_reserve(text, more);
	return text->s + text->len;
}

static inline void text_end(struct text *text, char *end)
{
	*end = '\0';
	text->len = (size_t)(end - text->s);
}

static inline void text_add_char(struct text *text, char c)
{
	char *to = text_room(text, 1);

	*to = c;
	text_end(text, to + 1);
}

void text_add(struct text *text, const char *s);
void text_add_len(struct text *text, const char *s, size_t len);
void text_add_number(struct text *text, int64_t number);
void text_addf(struct text *text, const char *fmt, ...) printf_(2, 3);
/* the text so far, "" when nothing was added; owned by the text */
const char *text_str(const struct text *text);
/* Keeps the first len bytes. */
void text_cut(struct text *text, size_t len);
void text_clear(struct text *text);
void text_done(struct text *text);

#define cleanup_text cleanup_(text_done)
