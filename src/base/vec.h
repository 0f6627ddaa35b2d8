/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A growing array of any element type, on the heap:
 *
 *	struct ops vec_of(struct op);
 *	*vec_add(&ops) = op;        for (size_t i = 0; i < ops.len; i++) … ops.v[i]
 *	vec_done(&ops);
 *
 * {0} is an empty one. vec_add returns zeroed memory; pointers into it end with the next add.
 * vec_reserve gives an empty one the room that it will need, and no more.
 */

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define vec_of(type)                                                                               \
	{                                                                                          \
		type *v;                                                                           \
		size_t len, cap;                                                                   \
	}

#define vec_add(vec)                                                                               \
	((__typeof__((vec)->v))vec_grow_((void **)&(vec)->v, &(vec)->len, &(vec)->cap,             \
					 sizeof(*(vec)->v)))
#define vec_reserve(vec, n)  ((void)((vec)->v = xcalloc((vec)->cap = (n), sizeof(*(vec)->v))))
#define vec_push(vec, value) ((void)(*vec_add(vec) = (value)))
#define vec_done(vec)                                                                              \
	do {                                                                                       \
		free((vec)->v);                                                                    \
		(vec)->v = NULL;                                                                   \
		(vec)->len = (vec)->cap = 0;                                                       \
	} while (0)
/* By insertion where all but a few at the end are in order, as they mostly are. */
#define vec_sort(vec, compare) vec_sort_((vec)->v, (vec)->len, sizeof(*(vec)->v), (compare))
/* Of one type; what `to` held before is not freed. */
#define vec_copy(to, from)                                                                         \
	do {                                                                                       \
		(to)->v = vec_copy_((from)->v, (from)->len, sizeof(*(from)->v));                   \
		(to)->len = (to)->cap = (from)->len;                                               \
	} while (0)
#define vec_clear(vec) ((void)((vec)->len = 0))

static inline void *vec_grow_(void **v, size_t *len, size_t *cap, size_t size)
{
	if (*len == *cap) {
		size_t grown = *cap ? *cap + *cap / 2 : 8, bytes; /* most are kept */

		if (__builtin_mul_overflow(grown, size, &bytes))
			out_of_memory(grown);
		*v = xrealloc(*v, bytes);
		*cap = grown;
	}
	return memset((char *)*v + (*len)++ * size, 0, size);
}

static inline void *vec_copy_(const void *v, size_t len, size_t size)
{
	/* the bytes fit: an array of that many stands already */
	return len ? memcpy(xmalloc(len * size), v, len * size) : NULL;
}

void vec_sort_(void *v, size_t len, size_t size, int (*compare)(const void *, const void *));
