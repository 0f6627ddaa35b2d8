/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sentence that systemctl status shows. */
#include "daemon/summary.h"

#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_says(const struct reconcile_report *report, const char *sentence)
{
	cleanup_text struct text text = {0};

	summary_add(report, &text);
	assert_string_equal(text_str(&text), sentence);
}

static void counts_resources_and_then_their_states(unused_ void **state)
{
	struct reconcile_report report = {0};

	assert_says(&report, "nothing is declared");
	report.states.n[KIND_TUNNEL][STATE_READY] = 1;
	assert_says(&report, "1 tunnel: 1 ready");
	report.states.n[KIND_TUNNEL][STATE_FAILED] = 2;
	report.states.n[KIND_EXIT_ROUTE][STATE_PENDING] = 1;
	report.states.n[KIND_NAT_RULE][STATE_READY] = 10000;
	assert_says(&report, "3 tunnels, 1 exit-route, 10000 nat-rules: "
			     "1 pending, 10001 ready, 2 failed");
}

static void names_orphans(unused_ void **state)
{
	struct reconcile_report report = {.n_orphans = 1};

	assert_says(&report, "nothing is declared; 1 orphan in the kernel");
	report.states.n[KIND_TUNNEL][STATE_READY] = 2;
	report.n_orphans = 3;
	assert_says(&report, "2 tunnels: 2 ready; 3 orphans in the kernel");
}

static void a_kernel_that_cannot_be_observed_is_all_there_is_to_say(unused_ void **state)
{
	struct reconcile_report report = {.last_pass.error = -EPERM};

	report.states.n[KIND_TUNNEL][STATE_READY] = 2;
	snprintf(report.last_pass.message, sizeof(report.last_pass.message), "links: refused");
	assert_says(&report, "the kernel could not be observed: links: refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_resources_and_then_their_states),
		cmocka_unit_test(names_orphans),
		cmocka_unit_test(a_kernel_that_cannot_be_observed_is_all_there_is_to_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
