/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Small text files, read whole; and the directory that a file is in. */

#include <stddef.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "base/err.h"
#include "base/text.h"

/*
 * At most max bytes, none of them NUL. A file with any of the forbidden mode bits (0077: for its
 * owner alone) is refused, and then also one that is neither ours nor root's. -ENOENT and others
 * of open(2), -EPERM, -EFBIG, -EINVAL; the sentence begins with the path.
 */
int file_read(const char *path, size_t max, mode_t forbidden, struct text *text,
	      struct err *err) must_check;

/* The directory of a path, "." of a bare name: the caller's to free. */
char *file_parent(const char *path);
/* Makes it (one level) when it is missing, with that mode whatever the umask. 1: it was made; 0: it
 * is there; negative errno of mkdir(2) and chmod(2). */
int file_make_parent(const char *path, mode_t mode) must_check;
