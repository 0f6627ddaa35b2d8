/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ledger in memory: what the kernel keeps no reliable mark of (sysctls, addresses), what
 * was found, and orphans. Written before the kernel call that it speaks of.
 */

#include "model/facts.h"
#include "model/op.h"
#include "store/store.h"

struct ledger_change {
	enum kind_id kind;
	bool gone;          /* else it is the row from now on */
	struct object *row; /* a block of its own */
};

struct ledger {
	struct store *store;
	struct kernel *kernel; /* asked for the index of a device */
	char boot_id[37];
	uint64_t namespace_cookie;
	struct objects owned; /* sorted, each a block of its own */
	uint64_t version;     /* another one after each change of what is owned */
	bool took;            /* a sysctl that was found became ours; for the caller to reset */
	/* of the transaction under way; they count when it is committed */
	struct ledger_changes vec_of(struct ledger_change) changes;
};

int ledger_open(struct ledger *ledger, struct store *store, struct kernel *kernel,
		struct err *err) must_check;
void ledger_close(struct ledger *ledger);

/*
 * An address or a sysctl is ours on the device that it was made on. Where another device has
 * the name now, the row loses its marks, in memory: it says nothing of that device. Rows are
 * all that the ledger owns, or some of them.
 */
void ledger_check_devices(struct ledger *ledger, const struct objects *rows,
			  const struct facts *facts);

/*
 * Writes what the ops are about to make ours, in one transaction of its own, before they are
 * applied; ops whose intent could not be written get that error as their result.
 */
void ledger_intend(struct ledger *ledger, struct op *ops, size_t n, const struct facts *facts);
/* After the ops: what was found, forgotten or deleted. 1: the ledger changed, 0: it did not. */
int ledger_settle(struct ledger *ledger, const struct ops *ops, const struct facts *facts,
		  struct err *err) must_check;

/*
 * Records as orphan all that is ours by its mark and neither desired nor recorded, and the
 * forwarding of the devices that the other agent had opened.
 */
int ledger_orphan(struct ledger *ledger, const struct objects *observed,
		  const struct objects *desired, const struct facts *facts,
		  struct err *err) must_check;
/* The orphans count as ours, and go. */
int ledger_release_orphans(struct ledger *ledger, struct err *err) must_check;
/* What is owned as it would be then, with nothing stored: into owned, which is empty. */
void ledger_without_orphans(const struct ledger *ledger, struct objects *owned);
