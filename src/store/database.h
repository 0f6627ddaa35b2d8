/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Inside store/ only: the database file. Whatever comes out of database_open is ours, of
 * no newer version, undamaged, locked against other writers, and set up for durability.
 */

#include <sqlite3.h>
#include <stdbool.h>

#include "base/attributes.h"
#include "base/err.h"

enum { DATABASE_APPLICATION_ID = 0x69706970 }; /* "ipip"; also in db/0001 */

struct database {
	sqlite3 *db;
	int lock_fd; /* -1: none */
};

/*
 * Makes the directory (one level, 0700) and the file (0600) when they are missing.
 * version is the newest schema that the caller knows. A file that is refused is left as
 * it was. -EBUSY, -ENOTSUP, -EUCLEAN as store_open.
 */
int database_open(struct database *database, const char *path, unsigned version,
		  struct err *err) must_check;
/* Statements must be finalized before. */
void database_close(struct database *database);
