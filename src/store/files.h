/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Inside store/ only: the database's file, and those beside it that are ours and not SQLite's. */

#include "base/attributes.h"
#include "base/err.h"

/*
 * Makes an empty file, for its owner alone, its name durable: a descriptor, or -EEXIST and others
 * of open(2). Made by root it belongs to the owner of its directory, as SQLite's own do: what
 * `ipipd --flush` leaves behind the agent's user can open.
 */
int files_make(const char *path) must_check;
/* Makes the directory (one level, 0700) of a file when it is missing. */
int files_make_directory_of(const char *path, struct err *err) must_check;
/* Makes a new name in its directory durable. */
void files_sync_name(const char *path);
