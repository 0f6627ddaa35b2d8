/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is refused of targets and headers, and how a query is taken apart. */
#include "daemon/http_guard.h"

#include "base/arena.h"
#include "daemon/http_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void accepts_plain_targets(unused_ void **state)
{
	const char *const good[] = {"/",
				    "/v1/tunnels",
				    "/v1/tunnels/tun_a?wait=5",
				    "/a/..b/.c",
				    "/%41",
				    "/x?to=1.2.3.0%2F24",
				    "/x?a=//&b=..",
				    "/x?",
				    "/v1/tunnels/...",
				    "/a.b/c~d:e@f"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_null(http_guard_target(good[i]));
}

static void refuses_targets_of_two_meanings(unused_ void **state)
{
	const char *const bad[] = {
		"",        "*",         "x",        "http://host/x", "//x",     "/a//b",
		"/.",      "/..",       "/a/./b",   "/a/../b",       "/a/..?x", "/a/%2e%2E/b",
		"/a/.%2e", "/%00",      "/x?a=%00", "/%2f",          "/a%2Fb",  "/%",
		"/%4",     "/%4g",      "/%g4",     "/x?%",          "/a b",    "/a\tb",
		"/a\x7f",  "/\xc3\xa9", "/a#b"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!http_guard_target(bad[i]))
			fail_msg("accepted: %s", bad[i]);
}

static const char *fault_of(const char *version, const char *const *headers)
{
	static struct http_guard guard;

	guard = (struct http_guard){0};
	for (; headers[0]; headers += 2)
		http_guard_header(&guard, headers[0], strlen(headers[0]), headers[1],
				  strlen(headers[1]));
	return http_guard_fault(&guard, version);
}

#define fault(version, ...) fault_of(version, (const char *const[]){__VA_ARGS__, NULL})
#define HOST                "Host", "x"

static void accepts_one_framing(unused_ void **state)
{
	assert_null(fault("HTTP/1.1", HOST));
	assert_null(fault("HTTP/1.0", "Accept", "*/*"));
	assert_null(fault("HTTP/1.1", HOST, "Content-Length", "12"));
	assert_null(fault("HTTP/1.1", HOST, "Transfer-Encoding", "Chunked"));
	assert_null(fault("HTTP/1.1", "hOST", "", "X-Tab", "a\tb"));
}

static void refuses_two_framings(unused_ void **state)
{
	assert_non_null(fault("HTTP/1.1", HOST, "Content-Length", "1", "content-length", "1"));
	assert_non_null(
		fault("HTTP/1.1", HOST, "Content-Length", "1", "Transfer-Encoding", "chunked"));
	assert_non_null(fault("HTTP/1.1", HOST, "Transfer-Encoding", "chunked", "Transfer-Encoding",
			      "chunked"));
	assert_non_null(fault("HTTP/1.1", HOST, "Transfer-Encoding", "gzip, chunked"));
	assert_non_null(fault("HTTP/1.1", HOST, "Transfer-Encoding", "identity"));
	assert_non_null(fault("HTTP/1.1", HOST, "Transfer-Encoding", ""));
	assert_non_null(fault("HTTP/1.0", HOST, "Transfer-Encoding", "chunked"));
	assert_non_null(fault("HTTP/1.1", HOST, HOST));
	assert_non_null(fault("HTTP/1.1", "Accept", "*/*"));
	assert_non_null(fault("HTTP/2.0", HOST));
}

static void refuses_lengths_that_are_no_numbers(unused_ void **state)
{
	const char *const bad[] = {
		"", "+1", "-1", "1 ", "0x1", "1,1", "1e3", "1.0", "9999999999999999999", "a"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!fault("HTTP/1.1", HOST, "Content-Length", bad[i]))
			fail_msg("accepted: %s", bad[i]);
}

static void refuses_control_characters_and_names_that_are_no_tokens(unused_ void **state)
{
	assert_non_null(fault("HTTP/1.1", HOST, "X", "a\rb"));
	assert_non_null(fault("HTTP/1.1", HOST, "X", "a\nb"));
	assert_non_null(fault("HTTP/1.1", HOST, "X", "\x01"));
	assert_non_null(fault("HTTP/1.1", HOST, "X", "\x7f"));
	assert_non_null(fault("HTTP/1.1", HOST, "X ", "a"));
	assert_non_null(fault("HTTP/1.1", HOST, "", "a"));
	assert_non_null(fault("HTTP/1.1", HOST, "Content-Length\t", "1"));
	struct http_guard guard = {0};
	http_guard_header(&guard, "Host", 4, "x", 1);
	http_guard_header(&guard, "X", 1, "a\0b", 3);
	assert_non_null(http_guard_fault(&guard, "HTTP/1.1"));
}

static void a_query_is_split_and_decoded(unused_ void **state)
{
	struct arena arena = {0};
	struct http_parameters q = http_query_parse(
		"wait=5&label=k%3Dv=w&&flag&to=1.2.3.0%2f24&c=a+b%2B&=x", &arena);
	const char *const expected[][2] = {{"wait", "5"},        {"label", "k=v=w"}, {"flag", ""},
					   {"to", "1.2.3.0/24"}, {"c", "a b+"},      {"", "x"}};

	assert_int_equal(q.len, ARRAY_LEN(expected));
	for (size_t i = 0; i < q.len; i++) {
		assert_string_equal(q.v[i].name, expected[i][0]);
		assert_string_equal(q.v[i].value, expected[i][1]);
	}
	assert_int_equal(http_query_parse(NULL, &arena).len, 0);
	assert_int_equal(http_query_parse("", &arena).len, 0);
	arena_done(&arena);
}

static void a_text_adjoins_another_behind_line_ends_alone(unused_ void **state)
{
	static const struct {
		size_t gap;
		unsigned line_ends;
		bool adjoins;
	} cases[] = {{0, 1, false}, {1, 1, true}, {2, 1, true}, {3, 1, false},
		     {1, 2, false}, {2, 2, true}, {4, 2, true}, {5, 2, false}};
	const char text[8] = "";

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(http_guard_adjoins(text, text + cases[i].gap, cases[i].line_ends),
				 cases[i].adjoins);
	assert_false(http_guard_adjoins(text + 1, text, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_plain_targets),
		cmocka_unit_test(refuses_targets_of_two_meanings),
		cmocka_unit_test(accepts_one_framing),
		cmocka_unit_test(refuses_two_framings),
		cmocka_unit_test(refuses_lengths_that_are_no_numbers),
		cmocka_unit_test(refuses_control_characters_and_names_that_are_no_tokens),
		cmocka_unit_test(a_query_is_split_and_decoded),
		cmocka_unit_test(a_text_adjoins_another_behind_line_ends_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
