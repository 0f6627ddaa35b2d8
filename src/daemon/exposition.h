/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Prometheus' text format, version 0.0.4, of metrics that are rows of a table. Knows none of
 * them. It is written piece by piece from numbers that do not change meanwhile.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

extern const char *const metric_type_names[]; /* "counter" … */

/* What its numbers are; all are said in base units. */
enum metric_unit { METRIC_NUMBER, METRIC_US, METRIC_MS };

enum { METRIC_LABELS = 3 };

/* One sample, or histogram: the values of its labels, and the struct that has its number. */
struct metric_row {
	const char *labels[METRIC_LABELS];
	const void *base; /* NULL: none for this row */
};

/* The rows that metrics of one sort have in common. */
struct metric_rows {
	const char *labels[METRIC_LABELS]; /* names; NULL: no more */
	/* False: there is no row of that number, nor a later one. */
	bool (*row)(const void *from, size_t number, struct metric_row *row);
};

struct metric {
	const char *name;
	enum metric_type type;
	const char *help;
	const struct metric_rows *rows;
	size_t offset; /* of a uint64_t, or a struct histogram, in a row's base */
	enum metric_unit unit;
	bool omits_zero; /* of which nothing is known, or there is none */
};

/* Where a uint64_t stands in a struct, for the table; another type does not compile. */
#define METRIC_AT(st, member)                                                                      \
	(offsetof(st, member) +                                                                    \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((st *)0)->member), uint64_t)     \
				 ? 1                                                               \
				 : -1]))

struct exposition {
	const struct metric *metrics;
	size_t n;
	const void *from;   /* handed to the rows */
	size_t metric, row; /* the next */
};

/* Adds lines until there are about so many bytes in the text. Nothing is added at the end. */
void exposition_write(struct exposition *exposition, struct text *text, size_t bytes);
/* A row of a table in Markdown for each metric. */
void exposition_describe(const struct metric *metrics, size_t n, struct text *text);
