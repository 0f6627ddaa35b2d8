/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a user will read of a failure: a code in kebab-case (of api.md), the place
 * (a JSON pointer, or "" for the whole), and a sentence. Callers that have no field
 * leave the place empty.
 */

#include <stdarg.h>
#include <stddef.h>

#include "base/attributes.h"

enum { ERR_SENTENCE = 480, ERR_POINTER = 128, ERR_CODE = 32 };

struct err {
	int number;                /* negative errno, 0: nothing happened */
	char code[ERR_CODE];       /* "unknown-field"; "" where errno says enough */
	char pointer[ERR_POINTER]; /* "/destinations/3" */
	char sentence[ERR_SENTENCE];
};

/* Fills err (which may be NULL) and returns number. */
int err_set(struct err *err, int number, const char *fmt, ...) printf_(3, 4);

/* All the faults of one body, up to a bound; the rest is counted. {0} is an empty list, and so is
 * what errs_clear got, which spares the zeroing of 20 KB where every request has one. */
enum { ERRS_MAX = 32 };

struct errs {
	struct err v[ERRS_MAX];
	size_t len;   /* kept, at most ERRS_MAX */
	size_t total; /* found */
};

static inline void errs_clear(struct errs *errs)
{
	errs->len = errs->total = 0;
}

/* Adds a fault. Returns number, so that a check can return it. */
int errs_add(struct errs *errs, int number, const char *code, const char *pointer, const char *fmt,
	     ...) printf_(5, 6);
int errs_addv(struct errs *errs, int number, const char *code, const char *pointer, const char *fmt,
	      va_list args) __attribute__((format(printf, 5, 0)));
