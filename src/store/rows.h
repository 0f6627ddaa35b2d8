/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Inside store/ only: all rows of one kind. */

#include "model/declaration.h"

struct store;

int rows_load(struct store *store, const struct kind *kind, struct declaration *declaration,
	      struct err *err) must_check;

/* The columns that every table of resources has besides its field table's, in order. */
enum rows_agent_column {
	ROWS_DELETING,
	ROWS_UID,
	ROWS_GENERATION,
	ROWS_REVISION,
	ROWS_CREATED_MS,
	ROWS_UPDATED_MS,
	ROWS_AGENT_COLUMNS,
};

extern const char *const rows_agent_columns[ROWS_AGENT_COLUMNS];
