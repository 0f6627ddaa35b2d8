/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Small text files, read whole. */

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
