/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorting what is sorted already, but for a few. */
#include "base/vec.h"

enum { INSERTED_MAX = 8, INSERTED_SIZE_MAX = 256 };

/* How many are in order from the first on. */
static size_t sorted_len(const char *v, size_t len, size_t size,
			 int (*compare)(const void *, const void *))
{
	size_t sorted = 1;

	while (sorted < len && compare(v + (sorted - 1) * size, v + sorted * size) <= 0)
		sorted++;
	return sorted;
}

/* The one at `at` to its place among those before it, which are in order. */
static void insert(char *v, size_t at, size_t size, int (*compare)(const void *, const void *))
{
	char one[INSERTED_SIZE_MAX];
	size_t from = 0, to = at;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare(v + middle * size, v + at * size) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	memcpy(one, v + at * size, size);
	memmove(v + (from + 1) * size, v + from * size, (at - from) * size);
	memcpy(v + from * size, one, size);
}

void vec_sort_(void *v, size_t len, size_t size, int (*compare)(const void *, const void *))
{
	if (len < 2)
		return;
	size_t sorted = sorted_len(v, len, size, compare);
	if (len - sorted > INSERTED_MAX || size > INSERTED_SIZE_MAX) {
		qsort(v, len, size, compare);
		return;
	}
	for (size_t i = sorted; i < len; i++)
		insert(v, i, size, compare);
}
