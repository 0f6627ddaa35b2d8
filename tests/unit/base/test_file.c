/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

struct scratch {
	char folder[32], path[48];
};

static int setup(void **state)
{
	static struct scratch scratch;

	strcpy(scratch.folder, "/tmp/ipipd-file-XXXXXX");
	assert_non_null(mkdtemp(scratch.folder));
	strcpy(scratch.path, scratch.folder);
	strcat(scratch.path, "/file");
	*state = &scratch;
	return 0;
}

static int teardown(void **state)
{
	const struct scratch *scratch = *state;

	unlink(scratch->path);
	return rmdir(scratch->folder);
}

static void write_file(const char *path, const char *bytes, size_t len, mode_t mode)
{
	cleanup_fd int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void assert_refused(const char *path, size_t max, mode_t forbidden, int number,
			   const char *words)
{
	cleanup_text struct text text = {0};
	struct err err = {0};

	assert_int_equal(file_read(path, max, forbidden, &text, &err), number);
	assert_int_equal(text.len, 0);
	if (strncmp(err.sentence, path, strlen(path)) != 0 || !strstr(err.sentence, words))
		fail_msg("%s", err.sentence);
}

static void reads_up_to_its_limit(void **state)
{
	const struct scratch *scratch = *state;
	cleanup_text struct text text = {0};

	write_file(scratch->path, "hello\n", 6, 0644);
	assert_int_equal(file_read(scratch->path, 6, 0, &text, NULL), 0);
	assert_string_equal(text.s, "hello\n");
	assert_refused(scratch->path, 5, 0, -EFBIG, "more than 5 bytes");
	write_file(scratch->path, "", 0, 0644);
	text_clear(&text);
	assert_int_equal(file_read(scratch->path, 6, 0, &text, NULL), 0);
	assert_string_equal(text_str(&text), "");
}

static void refuses_what_is_no_text_file(void **state)
{
	const struct scratch *scratch = *state;

	assert_refused(scratch->path, 9, 0, -ENOENT, "No such file");
	assert_refused(scratch->folder, 9, 0, -EINVAL, "no regular file");
	write_file(scratch->path, "a\0b", 3, 0644);
	assert_refused(scratch->path, 9, 0, -EINVAL, "NUL");
	unlink(scratch->path);
	assert_int_equal(mkfifo(scratch->path, 0600), 0);
	assert_refused(scratch->path, 9, 0, -EINVAL, "no regular file");
}

static void refuses_a_secret_that_others_can_read(void **state)
{
	static const struct {
		mode_t mode, forbidden;
		int number;
	} cases[] = {
		{0600, 0077, 0},      {0400, 0077, 0}, {0640, 0077, -EPERM}, {0604, 0077, -EPERM},
		{0620, 0077, -EPERM}, {0640, 0007, 0}, {0644, 0007, -EPERM}, {0644, 0, 0},
	};
	const struct scratch *scratch = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_text struct text text = {0};

		write_file(scratch->path, "x", 1, cases[i].mode);
		assert_int_equal(file_read(scratch->path, 9, cases[i].forbidden, &text, NULL),
				 cases[i].number);
	}
	assert_refused(scratch->path, 9, 0077, -EPERM, "open to others (mode 0644); chmod go= ");
	assert_refused(scratch->path, 9, 0007, -EPERM, "chmod o= ");
}

static void refuses_a_secret_of_somebody_else(void **state)
{
	const struct scratch *scratch = *state;
	cleanup_text struct text text = {0};

	if (geteuid() != 0)
		skip();
	write_file(scratch->path, "x", 1, 0600);
	assert_int_equal(chown(scratch->path, 12345, (gid_t)-1), 0);
	assert_refused(scratch->path, 9, 0077, -EPERM, "belongs to uid 12345");
	assert_int_equal(file_read(scratch->path, 9, 0, &text, NULL), 0);
}

static void makes_the_directory_of_a_file_whatever_the_umask(void **state)
{
	const struct scratch *scratch = *state;
	char file[64], deep[64], folder[64];
	struct stat st;

	snprintf(folder, sizeof(folder), "%s/made", scratch->folder);
	snprintf(file, sizeof(file), "%s/file", folder);
	snprintf(deep, sizeof(deep), "%s/missing/file", folder);
	mode_t mask = umask(0077);
	assert_int_equal(file_make_parent(file, 0755), 1);
	umask(mask);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(file_make_parent(file, 0700), 0);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(file_make_parent(deep, 0700), -ENOENT);
}

static void knows_the_directory_of_a_path(unused_ void **state)
{
	static const char *const pairs[][2] = {
		{"/a/b/c", "/a/b"}, {"/a", "/"}, {"a/b", "a"}, {"a", "."}};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		cleanup_free char *parent = file_parent(pairs[i][0]);

		assert_string_equal(parent, pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_up_to_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_text_file, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_secret_that_others_can_read, setup,
						teardown),
		cmocka_unit_test_setup_teardown(refuses_a_secret_of_somebody_else, setup, teardown),
		cmocka_unit_test_setup_teardown(makes_the_directory_of_a_file_whatever_the_umask,
						setup, teardown),
		cmocka_unit_test(knows_the_directory_of_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
