/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Inside store/ only: bringing a database to a newer schema. */

#include <sqlite3.h>

#include "base/attributes.h"
#include "base/err.h"

/*
 * Runs the texts from the database's user_version on, each in one transaction with its number: a
 * text that fails leaves the version before it. A database that has a schema is backed up before;
 * where that fails, it stays as it is.
 */
int migrate_run(sqlite3 *db, const char *const *texts, unsigned count, struct err *err) must_check;
