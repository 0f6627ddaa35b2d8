/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filling errors: texts are cut at their buffer's end, never overrun. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

/* A text that was cut in the middle of a UTF-8 character, here or by the caller, ends in
 * front of it: half of one would make the whole problem document unprintable. */
static void trim(char *s)
{
	size_t len = strlen(s), tail = 0;

	while (tail < 3 && tail < len && ((unsigned char)s[len - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail == len)
		return;
	unsigned char lead = (unsigned char)s[len - 1 - tail];
	size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (want > tail + 1)
		s[len - 1 - tail] = '\0';
}

static void fill(struct err *err, int number, const char *code, const char *pointer)
{
	err->number = number;
	snprintf(err->code, sizeof(err->code), "%s", code);
	snprintf(err->pointer, sizeof(err->pointer), "%s", pointer);
	trim(err->pointer);
}

int err_set(struct err *err, int number, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return number;
	fill(err, number, "", "");
	va_start(args, fmt);
	vsnprintf(err->sentence, sizeof(err->sentence), fmt, args);
	va_end(args);
	trim(err->sentence);
	return number;
}

int errs_addv(struct errs *errs, int number, const char *code, const char *pointer, const char *fmt,
	      va_list args)
{
	errs->total++;
	if (errs->len == ERRS_MAX)
		return number;
	struct err *err = &errs->v[errs->len++];
	fill(err, number, code, pointer);
	vsnprintf(err->sentence, sizeof(err->sentence), fmt, args);
	trim(err->sentence);
	return number;
}

int errs_add(struct errs *errs, int number, const char *code, const char *pointer, const char *fmt,
	     ...)
{
	va_list args;

	va_start(args, fmt);
	errs_addv(errs, number, code, pointer, fmt, args);
	va_end(args);
	return number;
}
