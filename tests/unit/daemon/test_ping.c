/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pings through the loopback device; without CAP_NET_RAW there is nothing to test. */
#include "daemon/ping.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct run {
	struct loop *loop;
	struct ping *ping;
	struct ping_result result;
};

static void finished(void *user, const struct ping_result *result)
{
	struct run *run = user;

	run->result = *result;
	ping_free(run->ping);
	loop_stop(run->loop, 0);
}

static struct ping_result ping(const char *target, unsigned count)
{
	struct ping_question question = {.device = "lo", .count = count};
	struct run run = {0};
	struct err err = {0};

	assert_int_equal(addr_parse(target, &question.target), 0);
	assert_int_equal(loop_new(&run.loop, &err), 0);
	int rc = ping_start(&run.ping, run.loop, &question, finished, &run, &err);
	if (rc == -EPERM) {
		loop_free(run.loop);
		skip();
	}
	assert_int_equal(rc, 0);
	loop_run(run.loop);
	loop_free(run.loop);
	return run.result;
}

static void counts_every_reply(void **state)
{
	(void)state;
	struct ping_result result = ping("127.0.0.1", 3);

	assert_int_equal(result.sent, 3);
	assert_int_equal(result.received, 3);
	assert_true(result.min_us > 0 && result.min_us <= result.avg_us);
	assert_true(result.avg_us <= result.max_us);
}

static void gives_up_after_a_second(void **state)
{
	(void)state;
	uint64_t start_ms = loop_now_ms();
	struct ping_result result = ping("192.0.2.1", 1); /* nobody answers on lo */

	assert_int_equal(result.sent, 1);
	assert_int_equal(result.received, 0);
	assert_int_equal(result.max_us, 0);
	assert_in_range(loop_now_ms() - start_ms, PING_TIMEOUT_MS, 5 * PING_TIMEOUT_MS);
}

static void refuses_a_device_that_is_not_there(void **state)
{
	struct ping_question question = {.device = "no-such-dev", .count = 1};
	struct ping *made = NULL;
	struct loop *loop;
	struct err err = {0};

	(void)state;
	assert_int_equal(loop_new(&loop, &err), 0);
	int rc = ping_start(&made, loop, &question, finished, NULL, &err);
	loop_free(loop);
	assert_null(made);
	if (rc == -EPERM)
		skip();
	assert_int_equal(rc, -ENODEV);
	assert_non_null(strstr(err.sentence, "no-such-dev"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_every_reply),
		cmocka_unit_test(gives_up_after_a_second),
		cmocka_unit_test(refuses_a_device_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
