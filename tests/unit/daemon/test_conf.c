/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings: what files say, every fault at its line, and that the printed file is one. */
#include "daemon/conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

#include <cmocka.h>

static struct errs errs;

static int parse(struct conf *conf, const char *text)
{
	errs = (struct errs){0};
	*conf = (struct conf){0};
	conf_defaults(conf);
	return conf_parse(conf, "f", text, &errs);
}

static void reads_every_type(void **state)
{
	struct conf conf;

	(void)state;
	assert_int_equal(parse(&conf, "\xef\xbb\xbf[agent]\n"
				      "socket=/a b ; where it is\n"
				      "group =\n"
				      "; a comment\n"
				      "# another\n"
				      "[tcp]\r\n"
				      "listen = 127.0.0.1:1,[::1]:2 ,  10.0.0.1:3\r\n"
				      "[limits]\n"
				      "connections = 17\n"
				      "body = 2M\n"
				      "patch_body = 5000\n"
				      "idle_timeout = 3s\n"
				      "body_timeout = 1500ms"),
			 0);
	assert_string_equal(conf.http.socket_path, "/a b");
	assert_string_equal(conf.http.group, "");
	assert_int_equal(conf.http.addresses.len, 3);
	assert_string_equal(conf.http.addresses.v[1], "[::1]:2");
	assert_string_equal(conf.http.addresses.v[2], "10.0.0.1:3");
	assert_int_equal(conf.http.connections_max, 17);
	assert_int_equal(conf.http.body_max, 2 << 20);
	assert_int_equal(conf.http.patch_max, 5000);
	assert_int_equal(conf.http.idle_timeout_ms, 3000);
	assert_int_equal(conf.http.body_deadline_ms, 1500);
	assert_int_equal(conf.http.header_deadline_ms, 5000);
	conf_done(&conf);
}

static void a_list_goes_on_in_lines_that_begin_with_a_blank(void **state)
{
	struct conf conf;

	(void)state;
	assert_int_equal(parse(&conf, "[tcp]\nlisten = 127.0.0.1:1, ; own\n  [::1]:2,\r; v6\n"
				      "  ; none\n\t10.0.0.1:3\n"),
			 0);
	assert_int_equal(conf.http.addresses.len, 3);
	assert_string_equal(conf.http.addresses.v[1], "[::1]:2");
	conf_done(&conf);
}

static void a_later_file_replaces_what_an_earlier_said(void **state)
{
	struct conf conf;

	(void)state;
	assert_int_equal(parse(&conf, "[tcp]\nlisten = 127.0.0.1:1, 127.0.0.1:2\n"), 0);
	assert_int_equal(conf_parse(&conf, "g", "[tcp]\nlisten = 127.0.0.1:3\n", &errs), 0);
	assert_int_equal(conf.http.addresses.len, 1);
	assert_string_equal(conf.http.addresses.v[0], "127.0.0.1:3");
	conf_done(&conf);
}

struct bad {
	const char *text, *line, *words;
};

static const struct bad bads[] = {
	{"[agent]\nsocket /a\n", "2", "neither NAME = VALUE nor [SECTION]"},
	{"[agent\nsocket = /a\n", "1", "a section is [NAME]"},
	{"[agnet]\nsocket = /a\nx = y\n", "1", "unknown section agnet; did you mean agent?"},
	{"[nothing_like_it]\n", "1", "unknown section nothing_like_it"},
	{"socket = /a\n", "1", "stands in no section"},
	{"[agent]\nsockte = /a\n", "2", "unknown setting sockte; did you mean socket?"},
	{"[agent]\ncertificate = /a\n", "2", "unknown setting certificate"},
	{"[agent]\n= /a\n", "2", "unknown setting "},
	{"[agent]\nsocket = /a\n\nsocket = /b\n", "4", "set in line 2 already"},
	{"[agent]\nsocket = /a\n[tls]\n[agent]\nsocket = /b\n", "5", "set in line 2 already"},
	{"[agent]\nsocket = /a\n  /b\n", "3", "goes on with a list"},
	{"[tcp]\nlisten = 127.0.0.1:1\n[agent]\n  socket = 1\n", "4", "goes on with a list"},
	{"[agent]\nsocket =\n", "2", "has 1 to 107 bytes"},
	{"[agent]\nsocket =;/a\n", "2", "where a comment begins"},
	{"[agent]\nlog_level = loud\n", "2", "must be error, warning, notice, info or debug"},
	{"[tcp]\nlisten = localhost:1\n", "2", "must be ADDRESS:PORT"},
	{"[tcp]\nlisten = 127.0.0.1:1,,127.0.0.1:2\n", "2", "with commas between"},
	{"[tcp]\nlisten = 1.1.1.1:1,1.1.1.1:2,1.1.1.1:3,1.1.1.1:4,1.1.1.1:5,1.1.1.1:6,1.1.1.1:7,"
	 "1.1.1.1:8,1.1.1.1:9\n",
	 "2", "has at most 8"},
	{"[tcp]\nhost_names = a b\n", "2", "must be a host's name"},
	{"[tcp]\nhost_names = a:80\n", "2", "without a port"},
	{"[limits]\nconnections = 0\n", "2", "a whole number from 1 to 10000"},
	{"[limits]\nconnections = 10001\n", "2", "a whole number from 1 to 10000"},
	{"[limits]\nconnections = -1\n", "2", "a whole number from 1 to 10000"},
	{"[limits]\nconnections = 16K\n", "2", "a whole number from 1 to 10000"},
	{"[limits]\nconnections = 99999999999999999999\n", "2", "a whole number"},
	{"[limits]\nbody = 65M\n", "2", "a size from 4K to 64M"},
	{"[limits]\nbody = 1G\n", "2", "a size from 4K to 64M"},
	{"[limits]\nbody_timeout = 5\n", "2", "a time from 100ms to 3600s"},
	{"[limits]\nbody_timeout = 99ms\n", "2", "a time from 100ms to 3600s"},
	{"[limits]\nbody_timeout = 2h\n", "2", "a time from 100ms to 3600s"},
};

static void a_fault_is_told_once_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		struct conf conf;
		char place[16];

		snprintf(place, sizeof(place), "f:%s: ", bads[i].line);
		assert_int_equal(parse(&conf, bads[i].text), -EINVAL);
		conf_done(&conf);
		if (errs.total != 1 || strncmp(errs.v[0].sentence, place, strlen(place)) != 0 ||
		    !strstr(errs.v[0].sentence, bads[i].words))
			fail_msg("%s\n%zu: %s", bads[i].text, errs.total, errs.v[0].sentence);
	}
}

static void all_faults_of_a_file_are_told(void **state)
{
	struct conf conf;

	(void)state;
	assert_int_equal(parse(&conf, "x\n[agent]\nsocket\n[oh]\na = 1\n[tls]\nkye = /k\n"
				      "[limits]\nbody = big\nconnections = 5\nconnections = 6"),
			 -EINVAL);
	assert_int_equal(errs.total, 6);
	conf_done(&conf);
}

static void a_line_that_is_cut_in_two_by_the_library_is_refused(void **state)
{
	struct conf conf;
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text), "[tls]\n#%300s\nkey = /%200s\ncertificate = /c\n", "key = /x",
		 "key = /y");
	assert_int_equal(parse(&conf, text), -EINVAL);
	assert_int_equal(errs.total, 1);
	assert_non_null(strstr(errs.v[0].sentence, "f:3: a line has at most"));
	assert_string_equal(conf.http.access.key, "");
	assert_string_equal(conf.http.access.certificate, "/c");
	conf_done(&conf);
}

static void what_is_printed_is_read_the_same(void **state)
{
	struct conf conf, again;
	cleanup_text struct text printed = {0}, long_list = {0}, twice = {0};

	(void)state;
	text_add(&long_list,
		 "[agent]\nsocket = /s\n[limits]\nbody = 4097\nbody_timeout = 1501ms\n"
		 "[tcp]\nlisten=[::1]:1\n[tls]\nadmins = a long name, *\nreaders = r,\n");
	for (unsigned i = 0; i < 100; i++)
		text_addf(&long_list, "  reader number %u,\n", i);
	assert_int_equal(parse(&conf, long_list.s), 0);
	conf_print(&conf, &printed);
	assert_int_equal(parse(&again, printed.s), 0);
	for (unsigned i = 0; i < conf_n_settings; i++) {
		cleanup_text struct text a = {0}, b = {0};

		conf_show(&conf, &conf_settings[i], &a);
		conf_show(&again, &conf_settings[i], &b);
		assert_string_equal(text_str(&a), text_str(&b));
	}
	assert_int_equal(again.http.access.readers.len, 101);
	conf_print(&again, &twice);
	assert_string_equal(twice.s, printed.s);
	conf_done(&conf);
	conf_done(&again);
}

static void the_sample_file_is_what_the_table_says(void **state)
{
	struct conf conf = {0};
	cleanup_text struct text sample = {0}, printed = {0};
	struct err err = {0};

	(void)state;
	if (file_read("packaging/ipipd.conf", CONF_FILE_MAX, 0, &sample, &err) < 0)
		fail_msg("%s", err.sentence);
	conf_defaults(&conf);
	conf_print(&conf, &printed);
	if (strcmp(sample.s, printed.s) != 0)
		fail_msg("packaging/ipipd.conf is old: ipipd --config /dev/null --print config");
	conf_done(&conf);
}

static void a_fault_about_a_setting_is_told_where_it_was_set(void **state)
{
	static const struct {
		const char *at, *sentence;
	} cases[] = {
		{"tls.key", "f:3: no"},
		{"tls.certificate", "tls.certificate: no"},
		{"", "no"},
	};
	struct conf conf;

	(void)state;
	assert_int_equal(parse(&conf, "[tls]\n\nkey = /k\n"), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		errs = (struct errs){0};
		errs_add(&errs, -EINVAL, "", cases[i].at, "no");
		conf_locate(&conf, &errs);
		assert_string_equal(errs.v[0].sentence, cases[i].sentence);
	}
	conf_done(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_type),
		cmocka_unit_test(a_list_goes_on_in_lines_that_begin_with_a_blank),
		cmocka_unit_test(a_later_file_replaces_what_an_earlier_said),
		cmocka_unit_test(a_fault_is_told_once_with_its_line),
		cmocka_unit_test(all_faults_of_a_file_are_told),
		cmocka_unit_test(a_line_that_is_cut_in_two_by_the_library_is_refused),
		cmocka_unit_test(what_is_printed_is_read_the_same),
		cmocka_unit_test(the_sample_file_is_what_the_table_says),
		cmocka_unit_test(a_fault_about_a_setting_is_told_where_it_was_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
