/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What cppcheck 2.10 reads in place of src/base/vec.h: it cannot parse a cast to
 * __typeof__ of an expression, and gives the whole file up.
 */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define vec_of(type)                                                                               \
	{                                                                                          \
		type *v;                                                                           \
		size_t len, cap;                                                                   \
	}
#define vec_add(vec)           (&(vec)->v[(vec)->len++])
#define vec_push(vec, value)   ((vec)->v[(vec)->len++] = (value))
#define vec_done(vec)          free((vec)->v)
#define vec_clear(vec)         ((void)((vec)->len = 0))
#define vec_sort(vec, compare) qsort((vec)->v, (vec)->len, sizeof(*(vec)->v), (compare))
