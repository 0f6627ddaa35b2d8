/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arena: zeroed, aligned, apart from each other, reusable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdalign.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"

static void gives_zeroed_aligned_memory_apart(void **state)
{
	cleanup_arena struct arena arena = {0};
	unsigned char *before = NULL;

	(void)state;
	for (size_t size = 1; size < 3000; size += 7) {
		unsigned char *p = arena_alloc(&arena, size);

		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
		assert_ptr_not_equal(p, before);
		before = p;
	}
}

static void gives_more_than_a_chunk(void **state)
{
	cleanup_arena struct arena arena = {0};
	size_t size = 3 * 1024 * 1024;
	char *small = arena_strdup(&arena, "small");
	char *big = arena_alloc(&arena, size);

	(void)state;
	memset(big, 'x', size);
	assert_string_equal(small, "small");
	assert_string_equal(arena_strndup(&arena, big, 3), "xxx");
}

static void zeroes_again_after_a_reset(void **state)
{
	cleanup_arena struct arena arena = {0};

	(void)state;
	for (int round = 0; round < 3; round++) {
		unsigned char *p = arena_alloc(&arena, 1000);

		for (size_t i = 0; i < 1000; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, 1000);
		arena_alloc(&arena, 200 * 1024);
		arena_reset(&arena);
		assert_int_equal(arena.used_bytes, 0);
	}
}

static void copies_text_and_bytes(void **state)
{
	cleanup_arena struct arena arena = {0};
	char text[] = "tun_a";
	char *copy = arena_strdup(&arena, text);
	char *bytes = arena_memdup(&arena, text, sizeof(text));

	(void)state;
	text[0] = 'x';
	assert_string_equal(copy, "tun_a");
	assert_string_equal(bytes, "tun_a");
	assert_string_equal(arena_printf(&arena, "%s %d", copy, 7), "tun_a 7");
	assert_string_equal(arena_strdup(&arena, ""), "");
}

static void vec_grows_with_zeroed_elements(void **state)
{
	struct numbers vec_of(int);
	struct numbers numbers = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		vec_push(&numbers, 999 - i);
	assert_int_equal(*vec_add(&numbers), 0);
	assert_int_equal(numbers.len, 1001);
	assert_int_equal(numbers.v[0], 999);
	assert_int_equal(numbers.v[999], 0);
	vec_done(&numbers);
	assert_null(numbers.v);
	assert_int_equal(numbers.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_zeroed_aligned_memory_apart),
		cmocka_unit_test(gives_more_than_a_chunk),
		cmocka_unit_test(zeroes_again_after_a_reset),
		cmocka_unit_test(copies_text_and_bytes),
		cmocka_unit_test(vec_grows_with_zeroed_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
