/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What an agent with another database made: kept until it is declared, or released.
 */

#include "daemon/ledger.h"

struct orphan {
	enum kind_id kind;
	char key[96];
};

struct orphans vec_of(struct orphan);

/* Is there a link of another database's agent that is not known as orphan? */
bool orphans_came(const struct ledger *ledger, const struct objects *observed,
		  uint32_t database_id);
/* Those of the ledger, anew. */
void orphans_list(struct orphans *orphans, const struct ledger *ledger, struct arena *arena);
