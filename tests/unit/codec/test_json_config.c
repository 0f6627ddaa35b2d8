/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The config reader: its own walk over text must be as strict as a JSON parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/json.h"
#include "unit/codec/samples.h"

static struct errs errs;

static int read_len(const char *s, size_t len, struct declaration *d)
{
	cleanup_free char *copy = xmalloc(len);

	memcpy(copy, s, len);
	errs = (struct errs){0};
	return json_read_config(copy, len, d, &errs);
}

static void refuses(const char *s, const char *code, const char *pointer, const char *part)
{
	struct declaration d = {0};

	if (read_len(s, strlen(s), &d) != -EINVAL)
		fail_msg("%s was read", s);
	declaration_done(&d);
	assert_int_equal(errs.total, 1);
	assert_string_equal(errs.v[0].code, code);
	assert_string_equal(errs.v[0].pointer, pointer);
	if (!strstr(errs.v[0].sentence, part))
		fail_msg("\"%s\" is not in \"%s\"", part, errs.v[0].sentence);
}

static const char *sample(struct arena *arena)
{
	return arena_printf(arena,
			    " { \"nat_rules\" : [%s , %s ],\n\t\"tunnels\":[%s],\r"
			    "\"exit_routes\":[ ] } ",
			    full_samples[KIND_NAT_RULE],
			    "{\"name\":\"b\",\"sources\":[\"10.0.0.0/8\"],\"out_interface\":\"e\"}",
			    full_samples[KIND_TUNNEL]);
}

static void reads_every_list_in_any_order(void **state)
{
	cleanup_arena struct arena arena = {0};
	struct declaration d = {0};
	const char *s = sample(&arena);

	(void)state;
	if (read_len(s, strlen(s), &d) != 0)
		fail_msg("%s: %s", errs.v[0].pointer, errs.v[0].sentence);
	assert_int_equal(d.kind[KIND_TUNNEL].len, 1);
	assert_int_equal(d.kind[KIND_EXIT_ROUTE].len, 0);
	assert_int_equal(d.kind[KIND_NAT_RULE].len, 2);
	assert_string_equal(d.kind[KIND_NAT_RULE].v[0]->name, "b");
	json_auto_t *encoded = json_encode(&tunnel_kind, d.kind[KIND_TUNNEL].v[0]);
	json_auto_t *sent = json_loads(full_samples[KIND_TUNNEL], 0, NULL);
	assert_true(json_equal(encoded, sent));
	declaration_done(&d);
}

static void reads_an_empty_config(void **state)
{
	static const char *const empty[] = {
		"{}",
		" { } ",
		"{\"tunnels\":[]}",
		"{\"tunnels\":[],\"exit_routes\":[ ],\"nat_rules\":[\n]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		struct declaration d = {0};

		assert_int_equal(read_len(empty[i], strlen(empty[i]), &d), 0);
		for (unsigned k = 0; k < RESOURCE_KINDS; k++)
			assert_int_equal(d.kind[k].len, 0);
		declaration_done(&d);
	}
}

static void refuses_a_config_cut_at_any_byte(void **state)
{
	cleanup_arena struct arena arena = {0};
	const char *s = sample(&arena);
	size_t whole = strlen(s) - 1; /* a blank stands at the end */

	(void)state;
	for (size_t len = 0; len < whole; len++) {
		struct declaration d = {0};

		assert_int_equal(read_len(s, len, &d), -EINVAL);
		assert_int_equal(errs.total, 1);
		assert_string_equal(errs.v[0].code, "malformed-json");
		declaration_done(&d);
	}
}

static void refuses_what_is_malformed(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"[",
		"[]x",
		"nul",
		"{}x",
		"{} {}",
		"{,}",
		"{\"tunnels\"}",
		"{\"tunnels\":}",
		"{\"tunnels\":[],}",
		"{\"tunnels\":[,]}",
		"{tunnels:[]}",
		"{\"tunnels\":[]]}",
		"{\"tunnels\":[]",
		"{\"tunnels\" []}",
		"{\"tunnels\":[] \"nat_rules\":[]}",
		"{\"tunnels\":[],\"tunnels\":[]}",
		"{\"tunnels\":[],\"\\u0074unnels\":[]}",
		"{7:[]}",
		"{\"tunn\xff\":[]}",
		"{\"\\u0000\":[]}",
		"\xef\xbb\xbf{}",
		"{\"tunnels\":[nope]}",
		"{\"x\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct declaration d = {0};

		if (read_len(bad[i], strlen(bad[i]), &d) != -EINVAL)
			fail_msg("%s was read", bad[i]);
		assert_string_equal(errs.v[errs.len - 1].code, "malformed-json");
		declaration_done(&d);
	}
	struct declaration d = {0};
	assert_int_equal(read_len("{}\0", 3, &d), -EINVAL);
	declaration_done(&d);
}

static void a_malformed_config_has_no_other_fault(void **state)
{
	cleanup_text struct text text = {0};

	(void)state;
	refuses("{\"tunnels\":[{}{}]}", "malformed-json", "", "\",\" or \"]\" was expected");
	text_add(&text, "{\"tunnels\":[");
	for (unsigned i = 0; i <= ERRS_MAX; i++)
		text_add(&text, "{},");
	text_add(&text, "nope]}");
	refuses(text.s, "malformed-json", "", "invalid token");
}

static void counts_lines_of_the_whole_document(void **state)
{
	static const char before[] = "{\n \"tunnels\": [{\"comment\": \"\u00e4\"},\n   {";

	static const struct {
		const char *rest, *where;
	} cases[] = {
		{"\"ttl\": 064}]}", "line 3, column 12: "},
		{"\"ttl\":\n\n x}]}", "line 5, column 2: "},
		{"} }]}", "line 3, column 7: \",\" or \"]\" was expected"},
		{"}],\n \"tunnels\": []}", "line 4, column 12: the member \"tunnels\" comes twice"},
		{"}]}\n\n?", "line 5, column 1: the end of the document was expected"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_text struct text text = {0};

		text_addf(&text, "%s%s", before, cases[i].rest);
		refuses(text.s, "malformed-json", "", cases[i].where);
	}
}

static void counts_the_depth_from_the_outside(void **state)
{
	(void)state;
	/* 14 levels inside of the two that the reader walks itself */
	refuses("{\"tunnels\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}", "invalid-resource", "/tunnels/0",
		"must be an object");
	refuses("{\"tunnels\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", "malformed-json", "",
		"deeper than 16");
}

static void refuses_unknown_members_and_suggests(void **state)
{
	(void)state;
	refuses("{\"exit-routes\":[1,{},[]]}", "unknown-field", "/exit-routes",
		"did you mean \"exit_routes\"?");
	refuses("{\"revision\":{\"a\":[]},\"tunnels\":[]}", "unknown-field", "/revision",
		"no member of config has this name");
}

static void refuses_what_is_no_list(void **state)
{
	(void)state;
	refuses("{\"tunnels\":null}", "invalid-resource", "/tunnels", "must be a list");
	refuses("{\"nat_rules\":{\"a\":1}}", "invalid-resource", "/nat_rules", "must be a list");
	refuses("{\"exit_routes\":\"[]\"}", "invalid-resource", "/exit_routes", "must be a list");
}

static void points_into_the_lists(void **state)
{
	(void)state;
	refuses("{\"tunnels\":[{\"name\":\"a\",\"remote\":\"192.0.2.1\"},"
		"{\"name\":\"b\",\"remote\":\"192.0.2.1\",\"ttl\":256}]}",
		"invalid-resource", "/tunnels/1/ttl", "from 0 to 255");
	refuses("{\"tunnels\":[{\"remote\":\"192.0.2.1\"}]}", "invalid-resource", "/tunnels/0/name",
		"name is required");
	refuses("{\"tunnels\":[7]}", "invalid-resource", "/tunnels/0", "must be an object");
}

static void refuses_two_of_one_name(void **state)
{
	(void)state;
	refuses("{\"tunnels\":[{\"name\":\"a\",\"remote\":\"192.0.2.1\"},"
		"{\"name\":\"b\",\"remote\":\"192.0.2.2\"},"
		"{\"name\":\"a\",\"remote\":\"192.0.2.3\"}]}",
		"invalid-resource", "/tunnels/2/name", "two of the name \"a\"");
}

static void reports_all_faults_at_once(void **state)
{
	static const char s[] = "{\"tunnels\":[{},{\"name\":\"a\",\"remote\":7}],\"what\":1,"
				"\"nat_rules\":[null]}";
	struct declaration d = {0};

	(void)state;
	assert_int_equal(read_len(s, sizeof(s) - 1, &d), -EINVAL);
	/* name, remote; remote; what; no object */
	assert_int_equal(errs.total, 5);
	declaration_done(&d);
}

static void keeps_the_generation_that_was_given(void **state)
{
	static const char s[] = "{\"tunnels\":[{\"name\":\"a\",\"remote\":\"192.0.2.1\","
				"\"generation\":12}]}";
	struct declaration d = {0};

	(void)state;
	assert_int_equal(read_len(s, sizeof(s) - 1, &d), 0);
	assert_int_equal(d.kind[KIND_TUNNEL].v[0]->generation, 12);
	declaration_done(&d);
}

static void reads_ten_thousand_unsorted(void **state)
{
	cleanup_text struct text text = {0};
	struct declaration d = {0};

	(void)state;
	text_add(&text, "{\"tunnels\":[");
	for (unsigned i = 0; i < 10000; i++)
		text_addf(&text, "%s{\"name\":\"t%u\",\"remote\":\"10.0.%u.%u\"}", i ? "," : "",
			  i * 7919 % 10000, i >> 8, i & 255);
	text_add(&text, "]}");
	assert_int_equal(read_len(text.s, text.len, &d), 0);
	assert_int_equal(d.kind[KIND_TUNNEL].len, 10000);
	for (size_t i = 1; i < 10000; i++)
		assert_true(strcmp(d.kind[KIND_TUNNEL].v[i - 1]->name,
				   d.kind[KIND_TUNNEL].v[i]->name) < 0);
	declaration_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_list_in_any_order),
		cmocka_unit_test(reads_an_empty_config),
		cmocka_unit_test(refuses_a_config_cut_at_any_byte),
		cmocka_unit_test(refuses_what_is_malformed),
		cmocka_unit_test(a_malformed_config_has_no_other_fault),
		cmocka_unit_test(counts_lines_of_the_whole_document),
		cmocka_unit_test(counts_the_depth_from_the_outside),
		cmocka_unit_test(refuses_unknown_members_and_suggests),
		cmocka_unit_test(refuses_what_is_no_list),
		cmocka_unit_test(points_into_the_lists),
		cmocka_unit_test(refuses_two_of_one_name),
		cmocka_unit_test(reports_all_faults_at_once),
		cmocka_unit_test(keeps_the_generation_that_was_given),
		cmocka_unit_test(reads_ten_thousand_unsorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
