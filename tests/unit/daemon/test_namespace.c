/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock of a network namespace, in one that the test made. */
#include "daemon/namespace.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void one_holds_it_until_it_ends(void **state)
{
	int first = -1, second = -1, other = -1;
	struct err err = {0};

	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		skip();
	assert_int_equal(namespace_lock(&first, &err), 0);
	assert_int_equal(namespace_lock(&second, &err), -EADDRINUSE);
	assert_int_equal(second, -1);
	char who[48];

	snprintf(who, sizeof(who), "another ipipd (pid %d) runs", (int)getpid());
	assert_non_null(strstr(err.sentence, who));
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(namespace_lock(&other, &err), 0);
	close(other);
	assert_int_equal(namespace_lock(&second, &err), 0);
	close(second);
	close(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_holds_it_until_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
