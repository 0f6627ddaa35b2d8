/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filling errors: sentences are cut at their buffer's end, never overrun. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static void fill(struct err *err, int number, const char *code, const char *pointer)
{
	err->number = number;
	snprintf(err->code, sizeof(err->code), "%s", code);
	snprintf(err->pointer, sizeof(err->pointer), "%s", pointer);
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
	return number;
}

int errs_add(struct errs *errs, int number, const char *code, const char *pointer,
	     const char *fmt, ...)
{
	va_list args;

	errs->total++;
	if (errs->len == ERRS_MAX)
		return number;
	struct err *err = &errs->v[errs->len++];
	fill(err, number, code, pointer);
	va_start(args, fmt);
	vsnprintf(err->sentence, sizeof(err->sentence), fmt, args);
	va_end(args);
	return number;
}
