/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing text on the heap. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

static void reserve(struct text *text, size_t more)
{
	size_t need = text->len + more + 1;

	if (need <= text->cap)
		return;
	size_t cap = text->cap ? text->cap : 128;
	while (cap < need)
		cap *= 2;
	text->s = xrealloc(text->s, cap);
	text->cap = cap;
}

void text_add_len(struct text *text, const char *s, size_t len)
{
	reserve(text, len);
	memcpy(text->s + text->len, s, len);
	text->len += len;
	text->s[text->len] = '\0';
}

void text_add(struct text *text, const char *s)
{
	text_add_len(text, s, strlen(s));
}

void text_addf(struct text *text, const char *fmt, ...)
{
	va_list args, again;

	va_start(args, fmt);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len > 0) {
		reserve(text, (size_t)len);
		vsnprintf(text->s + text->len, (size_t)len + 1, fmt, again);
		text->len += (size_t)len;
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
