/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An array is sorted, whatever order it was in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"

struct numbers vec_of(uint64_t);

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t random_number(void)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return state >> 33;
}

/* So many in order, and so many behind them in none, among them equal ones. */
static void assert_sorts(size_t ordered, size_t disordered)
{
	struct numbers numbers = {0};
	uint64_t sum = 0, sorted_sum = 0;

	for (size_t i = 0; i < ordered; i++)
		vec_push(&numbers, 2 * i);
	for (size_t i = 0; i < disordered; i++)
		vec_push(&numbers, random_number() % (2 * ordered + 3));
	for (size_t i = 0; i < numbers.len; i++)
		sum += numbers.v[i] * numbers.v[i];
	vec_sort(&numbers, compare);
	for (size_t i = 0; i < numbers.len; i++) {
		assert_true(!i || numbers.v[i - 1] <= numbers.v[i]);
		sorted_sum += numbers.v[i] * numbers.v[i];
	}
	assert_int_equal(sorted_sum, sum);
	vec_done(&numbers);
}

static void sorts_whatever_there_is(unused_ void **state)
{
	for (size_t ordered = 0; ordered < 40; ordered++)
		for (size_t disordered = 0; disordered < 20; disordered++)
			assert_sorts(ordered, disordered);
}

static unsigned compared;

static int compare_counted(const void *a, const void *b)
{
	compared++;
	return compare(a, b);
}

static void a_few_behind_what_is_in_order_are_put_in_their_place(unused_ void **state)
{
	struct numbers numbers = {0};

	for (uint64_t i = 0; i < 1000; i++)
		vec_push(&numbers, 2 * i);
	vec_push(&numbers, 7);
	vec_sort(&numbers, compare_counted);
	assert_int_equal(numbers.v[4], 7);
	assert_in_range(compared, 1000, 1020);
	vec_done(&numbers);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_whatever_there_is),
		cmocka_unit_test(a_few_behind_what_is_in_order_are_put_in_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
