/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Settings of other programs, in directories of *.conf files as systemd, kmod and procps read
 * them: line by line, in the order in which they count. */

#include <stdbool.h>
#include <stddef.h>

struct dropin_line {
	const char *file; /* without the root */
	unsigned number;
	char *text; /* without white space around it; the reader may write into it */
};

struct dropin_reader {
	const char *root; /* in front of each path; "" but for tests */
	void (*line)(void *user, const struct dropin_line *line); /* of no comment, and not empty */
	void *user;
};

/* One file, if it is there and can be read. */
void dropins_read_file(const struct dropin_reader *reader, const char *path);
/* The first of those that is there: /etc/NAME, /run/NAME, /usr/local/lib/NAME, /usr/lib/NAME. */
void dropins_read_first(const struct dropin_reader *reader, const char *name);
/* The files of directories of that name ("sysctl.d") in the same places, by their names; of two
 * that are called the same the first counts. */
void dropins_read(const struct dropin_reader *reader, const char *name);
/* "[Section]" into section, or "key = value" apart: true, with key and value in the text. */
bool dropins_assignment(char *text, char **key, char **value);
