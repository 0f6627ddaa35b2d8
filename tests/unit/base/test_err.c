/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors: texts are cut, never overrun, and the rest of too many is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void returns_the_number(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, -EEXIST, "link %s exists", "tun_a"), -EEXIST);
	assert_int_equal(err.number, -EEXIST);
	assert_string_equal(err.sentence, "link tun_a exists");
	assert_string_equal(err.code, "");
	assert_string_equal(err.pointer, "");
	assert_int_equal(err_set(NULL, -EINVAL, "nobody reads this"), -EINVAL);
}

static void cuts_a_long_sentence(void **state)
{
	char longer[ERR_SENTENCE * 2] = {0};
	struct err err;

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	err_set(&err, -EINVAL, "%s", longer);
	assert_int_equal(strlen(err.sentence), ERR_SENTENCE - 1);
}

static void does_not_cut_inside_a_character(void **state)
{
	char longer[ERR_POINTER * 2] = {0};
	struct errs errs = {0};

	(void)state;
	/* three bytes each: 127 is no multiple of three */
	for (size_t i = 0; i + 3 < sizeof(longer); i += 3)
		memcpy(longer + i, "\xe2\x82\xac", 3);
	errs_add(&errs, -EINVAL, "unknown-field", longer, "%s", "short");
	assert_int_equal(strlen(errs.v[0].pointer), 126);
	assert_string_equal(errs.v[0].sentence, "short");
	/* whole ones stay whole */
	errs_add(&errs, -EINVAL, "unknown-field", longer + sizeof(longer) - 1 - 3 * 10, "x");
	assert_memory_equal(errs.v[0].pointer + 123, "\xe2\x82\xac", 4);
}

static void counts_what_it_cannot_keep(void **state)
{
	static struct errs errs;

	(void)state;
	for (int i = 0; i < ERRS_MAX + 5; i++)
		assert_int_equal(errs_add(&errs, -EINVAL, "invalid-resource", "/a", "%d", i),
				 -EINVAL);
	assert_int_equal(errs.len, ERRS_MAX);
	assert_int_equal(errs.total, ERRS_MAX + 5);
	assert_string_equal(errs.v[0].sentence, "0");
	assert_string_equal(errs.v[ERRS_MAX - 1].code, "invalid-resource");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_the_number),
		cmocka_unit_test(cuts_a_long_sentence),
		cmocka_unit_test(does_not_cut_inside_a_character),
		cmocka_unit_test(counts_what_it_cannot_keep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
