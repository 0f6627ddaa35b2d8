/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One step of a plan, as a value: printed, returned by the API, applied by kernel/.
 */

#include "base/vec.h"
#include "model/object.h"

enum op_verb {
	OP_ADD,
	OP_CHANGE,  /* in place, without a gap */
	OP_REPLACE, /* delete and add: a RECREATE field differs */
	OP_DELETE,
	OP_ADOPT,    /* a foreign one: marked ours, and changed */
	OP_FOUND,    /* ledger only: an equal one of somebody else's is used */
	OP_FORGET,   /* ledger only: gone, and no longer wanted */
	OP_CONFLICT, /* reported, never applied */
};

struct op {
	enum op_verb verb;
	enum kind_id kind;
	const struct object *want; /* NULL: delete, forget */
	const struct object *have; /* NULL: add, or nothing observed */
	const char *why;           /* a few words: "declared", "mtu differs", "not declared" */
	uint64_t differs;          /* change, replace, adopt, conflict: rows of the kind's table */

	/* filled when it was applied */
	bool asked;          /* the kernel was */
	bool done;           /* tried: result says how it went */
	int result;          /* 0, or negative errno; -ECANCELED: blocked by another op */
	bool duplicate;      /* -EEXIST of a link: another device has its endpoints */
	bool held;           /* not tried now: somebody fights for it */
	const char *message; /* on failure: what was attempted, the kernel's own words */
};

struct ops vec_of(struct op);

extern const char *const op_verb_names[];

/* the object that the op is about: want, else have */
const struct object *op_object(const struct op *op);
/* "link", "tun_a" … the device that the op depends on, NULL when on none */
const char *object_device(enum kind_id kind, const void *object);
/* Is it a part of our nftables table? Those are applied as one batch. */
bool object_is_nft(enum kind_id kind);
