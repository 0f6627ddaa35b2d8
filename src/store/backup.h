/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Inside store/ only: a copy of the database as it was before its migration, for who goes back to
 * the version before. PATH.schema-N holds schema N; there is one of each, the newest.
 */

#include <sqlite3.h>

#include "base/attributes.h"
#include "base/err.h"
#include "base/text.h"

/* A consistent copy of a database that has this schema, durable when it is 0. One of the same name
 * is replaced by it; where it fails (-ENOSPC: no room) that one stays, and nothing is left. */
int backup_make(sqlite3 *db, unsigned version, struct err *err) must_check;
/* Says how to go back to a backup of this schema or an older one, for who knows no newer. */
void backup_add_advice(sqlite3 *db, unsigned version, struct text *text);
