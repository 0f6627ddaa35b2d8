/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which differences are news. An op that a pass could not carry out is planned again by each
 * pass after it: it is told once when it is found, if nobody here asked for it, and once when
 * it is repaired.
 */

#include "daemon/event_log.h"
#include "model/op.h"

struct drift_op {
	uint64_t digest; /* of kind and key */
	uint64_t look;   /* the last one that had it */
	bool told;
};

/* The ops that are outstanding. */
struct drift {
	struct drift_ops vec_of(struct drift_op) v; /* by digest */
	uint64_t look;
};

/* A pass begins. */
void drift_begin(struct drift *drift);
/*
 * After a round: adds what is news of its ops. unasked: no write is behind them, so what is
 * not outstanding is drift. culprit: whose change that is; NULL or "": unknown.
 */
void drift_note(struct drift *drift, const struct ops *ops, bool unasked, const char *culprit,
		struct event_log *log);
/* A pass over everything is over: what it did not have is outstanding no more. */
void drift_settle(struct drift *drift);
void drift_done(struct drift *drift);
