/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is named for a change, and when nobody is. */
#include "kernel/culprit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ENDED = 4194305 }; /* beyond PID_MAX_LIMIT */
static const uint32_t second_socket = 4000000000U;

static const char *words_of(const struct culprit *culprit)
{
	static char words[CULPRIT_WORDS];

	culprit_words(culprit, words);
	return words;
}

static void assert_is_us(const struct culprit *culprit, const char *name)
{
	char begin[64];

	snprintf(begin, sizeof(begin), "pid %d (%s)", (int)getpid(), name);
	assert_memory_equal(words_of(culprit), begin, strlen(begin));
}

static void a_port_is_the_pid_of_a_process_that_runs(void **state)
{
	struct culprit culprit = {0};

	(void)state;
	culprit_add(&culprit, (uint32_t)getpid());
	culprit_add(&culprit, 0); /* what the kernel did because of it */
	assert_is_us(&culprit, "kernel_test_cul");
}

static void a_process_that_ended_is_told_by_its_id(void **state)
{
	struct culprit culprit = {0};

	(void)state;
	culprit_add(&culprit, ENDED - 2); /* none has reached that */
	assert_string_equal(words_of(&culprit), "pid 4194303");
}

static void the_unit_is_that_of_systemds_own_cgroup(void **state)
{
	static const struct {
		const char *cgroups, *unit;
	} cases[] = {
		{"0::/system.slice/docker.service\n", "docker.service"},
		{"0::/system.slice/ipipd.service/payload\n", "ipipd.service"},
		{"0::/user.slice/user-0.slice/session-3.scope", "session-3.scope"},
		{"0::/user.slice/user-9.slice/user@9.service/app.slice/x.service/\n", "x.service"},
		{"12:pids:/other.service\n1:name=systemd:/system.slice/nm.service\n0::/\n",
		 "nm.service"},
		{"1:name=systemd:/\n0::/system.slice/nm.service\n", "nm.service"},
		{"4:memory:/process/3080a6980943\n0::/\n", ""},
		{"0::/kubepods/pod1/3080a6980943\n", ""},
		{"0::/.service\n", ""},
		{"no line of it", ""},
		{"", ""},
	};
	char unit[CULPRIT_UNIT];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		culprit_unit(cases[i].cgroups, unit);
		assert_string_equal(unit, cases[i].unit);
	}
}

static void other_ports_name_nobody(void **state)
{
	const uint32_t ports[] = {0, second_socket, ENDED};

	(void)state;
	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		struct culprit culprit = {0};

		culprit_add(&culprit, ports[i]);
		assert_true(culprit.changed);
		assert_string_equal(words_of(&culprit), "");
		culprit = (struct culprit){0};
		culprit_add_nft(&culprit, ports[i]);
		assert_string_equal(words_of(&culprit), "");
	}
}

static void what_nftables_tells_is_preferred(void **state)
{
	struct culprit culprit = {0};

	(void)state;
	culprit_add_nft(&culprit, second_socket);
	culprit_tell_nft(&culprit, second_socket, (uint32_t)getpid(), "kernel_test_cul");
	assert_is_us(&culprit, "kernel_test_cul");
	culprit_tell_nft(&culprit, second_socket, ENDED, "nft");
	assert_string_equal(words_of(&culprit), "pid 4194305 (nft)");
}

static void of_a_pid_that_is_another_process_now_nothing_is_told(void **state)
{
	struct culprit culprit = {0};
	char words[64];

	(void)state;
	culprit_add_nft(&culprit, second_socket);
	culprit_tell_nft(&culprit, second_socket, (uint32_t)getpid(), "nft");
	snprintf(words, sizeof(words), "pid %d (nft)", (int)getpid());
	assert_string_equal(words_of(&culprit), words);
}

static void somebody_elses_transaction_names_nobody(void **state)
{
	struct culprit culprit = {0};

	(void)state;
	culprit_tell_nft(&culprit, 7, 7, "nft");
	assert_false(culprit.changed);
	culprit_add_nft(&culprit, second_socket);
	culprit_tell_nft(&culprit, 7, 7, "nft");
	assert_string_equal(words_of(&culprit), "");
}

static void two_sockets_of_one_process_are_one(void **state)
{
	struct culprit culprit = {0};

	(void)state;
	culprit_add(&culprit, (uint32_t)getpid());
	culprit_add_nft(&culprit, second_socket);
	culprit_tell_nft(&culprit, second_socket, (uint32_t)getpid(), "kernel_test_cul");
	assert_is_us(&culprit, "kernel_test_cul");
}

static void of_two_nobody_is_named(void **state)
{
	const struct culprit us = {.changed = true, .port = (uint32_t)getpid()};
	const struct culprit other = {.changed = true, .port = ENDED};
	const struct culprit nft = {
		.changed = true, .nft_port = ENDED, .nft_pid = ENDED, .nft_process = "nft"};
	const struct culprit lost = {.changed = true, .several = true};
	const struct culprit *others[] = {&other, &nft, &lost};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct culprit culprit = us;

		culprit_join(&culprit, others[i]);
		assert_string_equal(words_of(&culprit), "");
	}
}

static void joining_nothing_changes_nothing(void **state)
{
	const struct culprit none = {0}, nft = {.changed = true,
						.nft_port = ENDED,
						.nft_pid = ENDED,
						.nft_process = "nft"};
	struct culprit culprit = {0};

	(void)state;
	culprit_join(&culprit, &none);
	assert_false(culprit.changed);
	culprit_join(&culprit, &nft);
	culprit_join(&culprit, &nft);
	culprit_join(&culprit, &none);
	assert_true(culprit.changed);
	assert_string_equal(words_of(&culprit), "pid 4194305 (nft)");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_the_pid_of_a_process_that_runs),
		cmocka_unit_test(a_process_that_ended_is_told_by_its_id),
		cmocka_unit_test(the_unit_is_that_of_systemds_own_cgroup),
		cmocka_unit_test(other_ports_name_nobody),
		cmocka_unit_test(what_nftables_tells_is_preferred),
		cmocka_unit_test(of_a_pid_that_is_another_process_now_nothing_is_told),
		cmocka_unit_test(somebody_elses_transaction_names_nobody),
		cmocka_unit_test(two_sockets_of_one_process_are_one),
		cmocka_unit_test(of_two_nobody_is_named),
		cmocka_unit_test(joining_nothing_changes_nothing),
	};

	return cmocka_run_group_tests_name("culprit", tests, NULL, NULL);
}
