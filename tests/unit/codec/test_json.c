/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text to values: what is not JSON by our rules is refused, with one fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "codec/json.h"
#include "unit/codec/samples.h"

static struct errs errs;

/* A copy of exactly that size, so that a read past its end is seen by the sanitizer. */
static int parse_len(const char *s, size_t len, size_t *consumed, json_t **value)
{
	cleanup_free char *copy = xmalloc(len);

	memcpy(copy, s, len);
	errs = (struct errs){0};
	return json_parse(copy, len, consumed, value, &errs);
}

static void refuses_len(const char *s, size_t len)
{
	json_t *value = NULL;

	if (parse_len(s, len, NULL, &value) != -EINVAL)
		fail_msg("%.*s was read", (int)len, s);
	assert_null(value);
	assert_int_equal(errs.total, 1);
	assert_string_equal(errs.v[0].code, "malformed-json");
	json_auto_t *sentence = json_string(errs.v[0].sentence);
	assert_non_null(sentence);
}

static void refuses_what_is_malformed(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"}",
		"[",
		"]",
		"{]",
		"[}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"[1,]",
		"{a:1}",
		"{'a':1}",
		"nul",
		"True",
		"NaN",
		"Infinity",
		"01",
		"+1",
		".5",
		"1.",
		"0x10",
		"\"",
		"\"a",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\n\"",
		"// a\n1",
		"1 2",
		"{} {}",
		"{}x",
		"\xef\xbb\xbf{}",
		/* duplicate members, at any level, also when written differently */
		"{\"a\":1,\"a\":1}",
		"{\"a\":{\"b\":1,\"b\":2}}",
		"{\"a\":1,\"\\u0061\":1}",
		/* numbers out of range */
		"9223372036854775808",
		"-9223372036854775809",
		"[1e999]",
		"[-1e999]",
		/* not UTF-8: a lone continuation, overlong, cut, surrogates, beyond the end */
		"\"\x80\"",
		"\"\xc0\xaf\"",
		"\"\xe2\x82\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xff\"",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"{\"\xff\":1}",
		"\xff",
		/* NUL */
		"\"\\u0000\"",
		"{\"\\u0000\":1}",
		"{\"a\\u0000b\":1}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refuses_len(bad[i], strlen(bad[i]));
	/* an escape with a character in it, which an error must not quote by half */
	refuses_len("{\"k\":\"\\u00\xc7\x9d\"}", 14);
	refuses_len("{}\0", 3);
	refuses_len("\0{}", 3);
	refuses_len("\"a\0b\"", 5);
	refuses_len("{\"a\":\0001}", 8);
}

static void says_where_and_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{"{\n\"a\": tru}", "line 2, column 8: invalid token"},
		{"{\"\u00e4\": 1}\n {}", "line 2, column 2: there is text after the end"},
		{"{\"a\":\"\\u0000\"}", "NUL (\\u0000) is not allowed in a text"},
		{"{\"\\u0000\":1}", "NUL (\\u0000) is not allowed in a text"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		refuses_len(cases[i].text, strlen(cases[i].text));
		if (!strstr(errs.v[0].sentence, cases[i].sentence))
			fail_msg("\"%s\" is not in \"%s\"", cases[i].sentence, errs.v[0].sentence);
	}
}

static void reads_numbers_up_to_the_range(void **state)
{
	json_t *value;

	(void)state;
	assert_int_equal(parse_len("9223372036854775807", 19, NULL, &value), 0);
	assert_true(json_integer_value(value) == INT64_MAX);
	json_decref(value);
}

static void nests_as_deep_as_allowed(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 3];
	json_t *value;

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_int_equal(parse_len(text, 2 * JSON_DEPTH_MAX, NULL, &value), 0);
	json_decref(value);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	refuses_len(text, 2 * JSON_DEPTH_MAX + 2);
	assert_non_null(strstr(errs.v[0].sentence, "deeper than 16"));
}

static void refuses_depth_without_recursion(void **state)
{
	size_t len = 8 * 1024 * 1024;
	cleanup_free char *text = xmalloc(len);

	(void)state;
	memset(text, '[', len);
	refuses_len(text, len);
	for (size_t i = 0; i + 5 <= len; i += 5)
		memcpy(text + i, "{\"a\":", 5);
	refuses_len(text, len);
}

static void counts_no_brackets_in_strings(void **state)
{
	static const char text[] = "{\"[[[[[[[[[[[[[[[[[[[[\":\"{{{{{{{{{{{{{{{{{{{{\\\"[\\\\\"}";
	json_t *value;

	(void)state;
	assert_int_equal(parse_len(text, sizeof(text) - 1, NULL, &value), 0);
	json_decref(value);
}

static void tells_where_a_value_ended(void **state)
{
	static const struct {
		const char *text;
		size_t end;
	} cases[] = {
		{"{\"a\":1},{", 7}, {" 12 ]", 3},     {"12]", 2},     {"\"x\\\"y\"]", 6},
		{"null,", 4},       {"[[]]]]]]]", 4}, {"-0.5e1,", 6},
	};
	size_t consumed;
	json_t *value;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse_len(cases[i].text, strlen(cases[i].text), &consumed, &value),
				 0);
		json_decref(value);
		assert_int_equal(consumed, cases[i].end);
	}
}

static void refuses_a_document_cut_at_any_byte(void **state)
{
	(void)state;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (size_t len = 0; len < strlen(full_samples[k]); len++)
			refuses_len(full_samples[k], len);
}

static json_t *json(const char *s)
{
	json_t *value = json_loads(s, JSON_DECODE_ANY, NULL);

	assert_non_null(value);
	return value;
}

/* The examples of RFC 7396, appendix A. */
static void merges_patches_as_the_rfc_does(void **state)
{
	static const char *const cases[][3] = {
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
		{"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		 "{\"a\":{\"b\":\"d\"}}"},
		{"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
		{"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
		{"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
		{"{\"a\":\"foo\"}", "null", "null"},
		{"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
		{"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
		{"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
		{"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_auto_t *patch = json(cases[i][1]), *want = json(cases[i][2]);
		json_auto_t *result = json_merge_patch(json(cases[i][0]), patch);

		assert_true(json_equal(result, want));
		json_auto_t *same = json(cases[i][1]);
		assert_true(json_equal(patch, same));
	}
}

static void writes_times_in_utc(void **state)
{
	char text[32];

	(void)state;
	json_time(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	json_time(1795426200123, text);
	assert_string_equal(text, "2026-11-23T09:30:00.123Z");
	json_time(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_malformed),
		cmocka_unit_test(says_where_and_what_is_wrong),
		cmocka_unit_test(reads_numbers_up_to_the_range),
		cmocka_unit_test(nests_as_deep_as_allowed),
		cmocka_unit_test(refuses_depth_without_recursion),
		cmocka_unit_test(counts_no_brackets_in_strings),
		cmocka_unit_test(tells_where_a_value_ended),
		cmocka_unit_test(refuses_a_document_cut_at_any_byte),
		cmocka_unit_test(merges_patches_as_the_rfc_does),
		cmocka_unit_test(writes_times_in_utc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
