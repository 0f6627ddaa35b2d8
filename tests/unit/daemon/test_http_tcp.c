/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses to listen on, and names in Host headers. */
#include "daemon/http_tcp.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void reads_addresses_with_ports(unused_ void **state)
{
	static const struct {
		const char *text;
		int family;
		bool is_loopback;
	} cases[] = {
		{"127.0.0.1:7443", AF_INET, true},    {"127.8.9.1:1", AF_INET, true},
		{"0.0.0.0:7443", AF_INET, false},     {"192.0.2.1:65535", AF_INET, false},
		{"[::1]:7443", AF_INET6, true},       {"[::]:7443", AF_INET6, false},
		{"[2001:db8::1]:0", AF_INET6, false}, {"[::ffff:127.0.0.1]:1", AF_INET6, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		union http_address address;

		assert_int_equal(http_tcp_parse(cases[i].text, &address), 0);
		assert_int_equal(address.any.sa_family, cases[i].family);
		assert_int_equal(http_tcp_is_loopback(&address), cases[i].is_loopback);
	}
}

static void refuses_what_is_no_address_with_port(unused_ void **state)
{
	static const char *const bad[] = {
		"",
		":",
		":1",
		"1",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:65536",
		"127.0.0.1:+1",
		"127.0.0.1: 1",
		"127.0.0.1:1x",
		"127.1:1",
		"localhost:1",
		"*:1",
		"::1:1",
		"[::1]",
		"[::1]1",
		"[::1:1",
		"[]:1",
		"[",
		"[:1",
		"[127.0.0.1]:1",
		"[fe80::1%lo]:1",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1"};
	union http_address address;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (http_tcp_parse(bad[i], &address) == 0)
			fail_msg("accepted: %s", bad[i]);
}

static void a_host_is_a_name_with_or_without_a_port(unused_ void **state)
{
	static const struct {
		const char *host, *name;
		bool is;
	} cases[] = {
		{"b1.example", "b1.example", true},
		{"B1.Example:7443", "b1.example", true},
		{"b1.example:", "b1.example", false},
		{"b1.example:x", "b1.example", false},
		{"b1.example:123456", "b1.example", false},
		{"b1.example.", "b1.example", false},
		{"b1.example.evil", "b1.example", false},
		{"evil.b1.example", "b1.example", false},
		{"b1.exampl", "b1.example", false},
		{"", "", false},
		{":1", "", false},
		{"[::1]", "[::1]", true},
		{"[::1]:7443", "[::1]", true},
		{"[::1]x", "[::1]", false},
		{"[::1", "[::1", false},
		{"[::1]:7443:1", "[::1]", false},
		{"127.0.0.1:80", "127.0.0.1", true},
		{"127.0.0.1:80:90", "127.0.0.1", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (http_tcp_is_host(cases[i].host, cases[i].name) != cases[i].is)
			fail_msg("%s is %s?", cases[i].host, cases[i].name);
}

static void listens_on_both_families_and_knows_both_ends(unused_ void **state)
{
	static const char *const addresses[][3] = {{"127.0.0.1:0", "127.0.0.1", "127.0.0.1"},
						   {"[::1]:0", "::1", "[::1]"}};

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		char where[HTTP_ADDRESS_TEXT], peer[INET6_ADDRSTRLEN];
		cleanup_fd int fd = -1;
		struct err err = {0};
		union http_address address;

		if (http_tcp_open(addresses[i][0], 5, &fd, where, &err) < 0)
			fail_msg("%s", err.sentence);
		assert_int_equal(http_tcp_parse(where, &address), 0);
		assert_true(http_tcp_is_loopback(&address));
		cleanup_fd int client = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC,
					       0);
		assert_int_equal(connect(client, &address.any, sizeof(address)), 0);
		cleanup_fd int server = -1;
		do /* it does not block */
			server = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		while (server < 0);
		http_tcp_peer(server, peer);
		assert_string_equal(peer, addresses[i][1]);
		assert_true(http_tcp_came_to(server, addresses[i][2]));
		assert_true(http_tcp_came_to(server, where));
		assert_false(http_tcp_came_to(server, "127.0.0.2"));
	}
}

static void says_why_it_cannot_listen(unused_ void **state)
{
	char where[HTTP_ADDRESS_TEXT];
	cleanup_fd int fd = -1;
	int second = -1;
	struct err err = {0};

	assert_int_equal(http_tcp_open("127.0.0.1:0", 5, &fd, where, &err), 0);
	assert_int_equal(http_tcp_open(where, 5, &second, where, &err), -EADDRINUSE);
	assert_non_null(strstr(err.sentence, "in use"));
	assert_int_equal(second, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_addresses_with_ports),
		cmocka_unit_test(refuses_what_is_no_address_with_port),
		cmocka_unit_test(a_host_is_a_name_with_or_without_a_port),
		cmocka_unit_test(listens_on_both_families_and_knows_both_ends),
		cmocka_unit_test(says_why_it_cannot_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
