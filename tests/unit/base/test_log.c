/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log: one line for one event, whatever is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* What log_line writes to stderr, which is a pipe of the journal or of somebody else. */
static void logged_to(bool journal, char out[static 8192], enum log_level level, const char *text)
{
	struct stat pipe_end;
	char stream[64];
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	cleanup_fd int saved = dup(STDERR_FILENO);
	cleanup_fd int reading = ends[0];
	assert_int_equal(fstat(ends[1], &pipe_end), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)pipe_end.st_dev,
		 (unsigned long long)pipe_end.st_ino + !journal);
	setenv("JOURNAL_STREAM", stream, 1);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	log_line(level, "%s", text);
	dup2(saved, STDERR_FILENO);
	ssize_t len = read(reading, out, 8191);
	assert_true(len >= 0);
	out[len] = '\0';
}

static void logged(char out[static 8192], enum log_level level, const char *text)
{
	logged_to(true, out, level, text);
}

static void writes_no_priority_for_others(void **state)
{
	char line[8192];

	(void)state;
	logged_to(false, line, LOG_LEVEL_WARNING, "pass 1: link tun_a: no device");
	assert_string_equal(line, "pass 1: link tun_a: no device\n");
}

static void writes_the_priority_in_front(void **state)
{
	char line[8192];

	(void)state;
	logged(line, LOG_LEVEL_WARNING, "pass 1: link tun_a: no device");
	assert_string_equal(line, "<4>pass 1: link tun_a: no device\n");
}

static void keeps_a_line_a_line(void **state)
{
	char line[8192];

	(void)state;
	logged(line, LOG_LEVEL_ERROR, "a\nb\x1b[31m\x7f\r\xc3\xa9");
	assert_string_equal(line, "<3>a\\x0ab\\x1b[31m\\x7f\\x0d\xc3\xa9\n");
}

static void cuts_what_is_too_long(void **state)
{
	char line[8192], longer[3000] = {0};

	(void)state;
	memset(longer, '\n', sizeof(longer) - 1);
	logged(line, LOG_LEVEL_ERROR, longer);
	assert_int_equal(strlen(line), 3 + 4 * 1023 + 1);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void says_nothing_below_its_level(void **state)
{
	char line[8192];

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	logged(line, LOG_LEVEL_WARNING, "quiet");
	assert_string_equal(line, "");
	log_set_level(LOG_LEVEL_DEBUG);
	logged(line, LOG_LEVEL_DEBUG, "loud");
	assert_string_equal(line, "<7>loud\n");
	log_set_level(LOG_LEVEL_INFO);
}

static void knows_its_levels_by_name(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("error"), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("debug"), LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("Debug"), -EINVAL);
	assert_int_equal(log_level_parse(""), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_priority_in_front),
		cmocka_unit_test(writes_no_priority_for_others),
		cmocka_unit_test(keeps_a_line_a_line),
		cmocka_unit_test(cuts_what_is_too_long),
		cmocka_unit_test(says_nothing_below_its_level),
		cmocka_unit_test(knows_its_levels_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
