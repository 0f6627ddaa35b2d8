/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing text on the heap. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

void text_reserve(struct text *text, size_t more)
{
	size_t need = text->len + more + 1;
	size_t cap = text->cap ? text->cap : 128;
	while (cap < need)
		cap *= 2;
	text->s = xrealloc(text->s, cap);
	text->cap = cap;
}

void text_add_len(struct text *text, const char *s, size_t len)
{
	char *to = text_room(text, len);

	memcpy(to, s, len);
	text_end(text, to + len);
}

void text_add(struct text *text, const char *s)
{
	text_add_len(text, s, strlen(s));
}

char *number_write(int64_t number, char *to)
{
	uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
	char digits[NUMBER_TEXT], *first = digits + sizeof(digits);

	do
		*--first = (char)('0' + left % 10);
	while (left /= 10);
	if (number < 0)
		*to++ = '-';
	while (first < digits + sizeof(digits))
		*to++ = *first++;
	return to;
}

char *hex_write(const uint8_t *bytes, size_t len, char *to)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	return to;
}

void text_add_number(struct text *text, int64_t number)
{
	text_end(text, number_write(number, text_room(text, NUMBER_TEXT)));
}

void text_addf(struct text *text, const char *fmt, ...)
{
	va_list args, again;

	va_start(args, fmt);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len > 0) {
		char *to = text_room(text, (size_t)len);

		vsnprintf(to, (size_t)len + 1, fmt, again);
		text_end(text, to + len);
	}
	va_end(again);
}

const char *text_str(const struct text *text)
{
	return text->s ? text->s : "";
}

void text_cut(struct text *text, size_t len)
{
	if (len >= text->len)
		return;
	text->len = len;
	text->s[len] = '\0';
}

void text_clear(struct text *text)
{
	text_cut(text, 0);
}

void text_done(struct text *text)
{
	free(text->s);
	*text = (struct text){0};
}
