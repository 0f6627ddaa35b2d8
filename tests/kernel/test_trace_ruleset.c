/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset of a trace on a real kernel: made and removed, also by the next one after a refusal
 * or a death, and beside the reconciler's.
 */
#include "kernel/trace_ground.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/syscall.h>

static void only_one_flow_is_traced(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("192.0.2.1", "192.0.2.2");
	struct trace_seen seen;

	open_trace(ground, &asked);
	assert_int_equal(ground->kernel->vt->trace_open(ground->kernel, &asked, &ground->err),
			 -EBUSY);
	close_trace(ground);
	close_trace(ground);
	assert_int_equal(ground->kernel->vt->trace_read(ground->kernel, &seen, &ground->err),
			 -EINVAL);
	open_trace(ground, &asked);
}

/* Somebody may save and load the ruleset while it stands. */
static void the_nft_program_understands_it(void **state)
{
	struct ground *ground = *state;
	static const uint8_t protocols[] = {IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP};

	for (size_t i = 0; i < sizeof(protocols); i++) {
		struct trace_question asked = exit_question();

		asked.protocol = protocols[i];
		asked.port = asked.protocol == IPPROTO_ICMP ? 0 : 53;
		asked.sizes_id = 1;
		open_trace(ground, &asked);
		ground_sh("nft list ruleset | grep -q 'comment \"back inner\"'");
		ground_sh("nft list ruleset | nft -c -f -");
		close_trace(ground);
	}
}

static void nothing_is_left_of_it(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();

	open_trace(ground, &asked);
	close_trace(ground);
	ground_prints("", "nft list ruleset");
	open_trace(ground, &asked);
	ground->kernel->vt->close(ground->kernel);
	ground->kernel = NULL;
	ground_prints("", "nft list ruleset");
}

/* In this thread's effective set, or not. */
static void have_net_admin(bool have)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint32_t bit = CAP_TO_MASK(CAP_NET_ADMIN);

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	data[0].effective = have ? data[0].effective | bit : data[0].effective & ~bit;
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void what_could_not_be_closed_goes_when_it_can(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct kernel *kernel = ground->kernel;

	open_trace(ground, &asked);
	have_net_admin(false);
	int refused = kernel->vt->trace_close(kernel, &ground->err);
	have_net_admin(true);
	assert_int_equal(refused, -EPERM);
	ground_sh("nft list table ip ipipd_trace >/dev/null");
	assert_int_equal(kernel->vt->trace_close(kernel, &ground->err), 0);
	ground_prints("", "nft list ruleset");
	assert_int_equal(kernel->vt->trace_close(kernel, &ground->err), 0);
}

static void what_a_killed_agent_left_goes_at_the_next_start(void **state)
{
	struct ground *ground = *state;

	ground_sh("nft 'table ip ipipd_trace { chain a { type filter hook input priority 0; }; }; "
		  "table inet ipipd_trace { }; table ip other { }'");
	ground->kernel->vt->close(ground->kernel);
	assert_int_equal(kernel_open(&ground->kernel, &ground->err), 0);
	ground_prints("table inet ipipd_trace\ntable ip other\n", "nft list tables");
}

static int add_table(struct ground *ground)
{
	struct nft_table table = {.head.set = kind_all(&nft_table_kind)};

	return ground_add(ground, KIND_NFT_TABLE, &table);
}

/* A batch of the plan made on the last look still fits, for nothing of it has changed. */
static void the_reconciler_needs_no_new_look(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("192.0.2.1", "192.0.2.2");

	ground_look(ground);
	ground_quiet(ground);
	open_trace(ground, &asked);
	close_trace(ground);
	assert_false(ground_events(ground, false).look);
	assert_int_equal(add_table(ground), 0);
}

static void the_reconciler_notices_what_others_did_meanwhile(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("192.0.2.1", "192.0.2.2");

	ground_look(ground);
	ground_sh("nft add table ip other");
	open_trace(ground, &asked);
	assert_int_equal(add_table(ground), -ERESTART);
	close_trace(ground);
	assert_int_equal(add_table(ground), -ERESTART);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* the shortest of five times, whatever else the machine does */
static void shortest(uint64_t *best_us, uint64_t start_us)
{
	uint64_t took_us = now_us() - start_us;

	*best_us = took_us < *best_us ? took_us : *best_us;
}

/* Beside a shell with nft that makes and removes one table: on hardware 2 and 0.7 ms of 20. */
static void is_quick(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	uint64_t open_us = UINT64_MAX, read_us = UINT64_MAX, close_us = UINT64_MAX;
	uint64_t nft_us = UINT64_MAX, start;

	for (int i = 0; i < 5; i++) {
		start = now_us();
		open_trace(ground, &asked);
		shortest(&open_us, start);
		start = now_us();
		read_trace(ground, &seen);
		shortest(&read_us, start);
		start = now_us();
		close_trace(ground);
		shortest(&close_us, start);
		start = now_us();
		ground_sh("nft 'add table ip other; delete table ip other'");
		shortest(&nft_us, start);
	}
	print_message("open %ju us, read %ju us, close %ju us, nft %ju us\n", (uintmax_t)open_us,
		      (uintmax_t)read_us, (uintmax_t)close_us, (uintmax_t)nft_us);
	assert_true(open_us < nft_us);
	assert_true(read_us < nft_us);
}

static const struct CMUnitTest tests[] = {
	TEST(only_one_flow_is_traced),
	TEST(the_nft_program_understands_it),
	TEST(nothing_is_left_of_it),
	TEST(what_could_not_be_closed_goes_when_it_can),
	TEST(what_a_killed_agent_left_goes_at_the_next_start),
	TEST(the_reconciler_needs_no_new_look),
	TEST(the_reconciler_notices_what_others_did_meanwhile),
	TEST(is_quick),
};

int main(void)
{
	stay_on_one_processor();
	return cmocka_run_group_tests_name("trace_ruleset", tests, NULL, NULL);
}
