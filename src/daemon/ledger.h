/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ledger in memory: what the kernel keeps no reliable mark of (sysctls, addresses), what
 * was found, and orphans. Written before the kernel call that it speaks of.
 */

#include "model/facts.h"
#include "model/op.h"
#include "store/store.h"

struct ledger {
	struct store *store;
	char boot_id[37];
	uint64_t namespace_cookie;
	struct arena arena;
	struct objects owned; /* sorted */
};

int ledger_open(struct ledger *ledger, struct store *store, struct err *err) must_check;
void ledger_close(struct ledger *ledger);

/*
 * Writes what the ops are about to make ours, in one transaction of its own, before they are
 * applied; ops whose intent could not be written get that error as their result.
 */
void ledger_intend(struct ledger *ledger, struct op *ops, size_t n, const struct facts *facts);
/* After the ops: what was found, forgotten or deleted. */
int ledger_settle(struct ledger *ledger, const struct ops *ops, struct err *err) must_check;

/* Records as orphan all that is ours by its mark and neither desired nor recorded. */
int ledger_orphan(struct ledger *ledger, const struct objects *observed,
		  const struct objects *desired, struct err *err) must_check;
/* Forgets the orphans, so that they count as ours and go. */
int ledger_release_orphans(struct ledger *ledger, struct err *err) must_check;
