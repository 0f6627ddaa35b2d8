/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One round of a pass: observe, expand, plan, then the ops applied slice by slice, so that
 * ten thousand of them never hold the API up. Reconcile decides when, and what it means.
 */

#include "daemon/ledger.h"
#include "daemon/outcome.h"
#include "kernel/kernel.h"
#include "plan/expand.h"
#include "plan/plan.h"

struct round {
	struct arena arena;
	unsigned part; /* of the look at everything: the next one */
	struct facts facts;
	struct objects observed;
	struct arena desired_arena;    /* of what is desired; outlives the round where it is kept */
	struct arena rest_arena;       /* of what else is expanded */
	struct expand_output expanded; /* partial: only when the declaration changed */
	bool is_expanded;              /* in this round or in one before; else it is empty */
	uint64_t revision;             /* of the declaration that was */
	const struct objects *known;   /* lent: what is desired, with nothing expanded; or NULL */
	bool partial;                  /* only what a scope names is observed and planned */
	bool believed;                 /* partial: the plan stands on what events told */
	struct objects desired, owned; /* partial: those that it names */
	struct ops ops;
	size_t next;                 /* the first op that was not applied yet */
	size_t slice;                /* how many ops go in one turn of the loop; 0: not known yet */
	const struct op *nft_failed; /* the first: no device may forward before NAT stands */
	bool ground_failed;          /* a link or an address, that may come the next time */
	bool closing_failed;         /* NAT stays while a device still forwards */
	struct ops_failed vec_of(const struct op *) failed_links;
};

struct round_input {
	struct kernel *kernel;
	struct store *store;
	const struct declaration *declaration;
	struct ledger *ledger;
	const struct from_numbers *from_numbers;
	struct vec_remotes *remotes; /* answered: taken over, not asked about again; or NULL */
	/* what is desired, if what else it is made of has that digest still, and the ledger that
	 * version; or NULL */
	const struct objects *known;
	uint64_t inputs, version;
};

/* Observes one part of everything. 1: there are more. A new round is {0}, or of round_again. */
int round_observe(struct round *round, const struct round_input *input, struct err *err) must_check;
/* The declaration as it is now, with what was observed. */
void round_expand(struct round *round, const struct round_input *input);
/* After a plan that stands on what was known: so that its claims can be judged. */
void round_expand_anew(struct round *round, const struct round_input *input);
/* Would the declaration expand to what it did, with all that is known now? */
bool round_stands(const struct round *round, const struct round_input *input);
const struct objects *round_desired(const struct round *round);
/* All parts, and expands. */
int round_look(struct round *round, const struct round_input *input, struct err *err) must_check;
/* What was desired, and what the host was, at the last whole look. */
struct known {
	const struct objects *desired;
	struct facts *facts; /* lent to the round, and put right */
	bool outdated;       /* the declaration changed since: it is expanded, and compared */
	bool untouched;      /* nothing was done about the difference yet */
};

/*
 * Observes only what the scope names, and what is desired otherwise than it was known to be:
 * the scope names that from now on, since what this round makes may be taken back before the
 * next. -EAGAIN: that is everything, and nothing was observed.
 */
int round_look_at(struct round *round, const struct round_input *input, struct scope *scope,
		  const struct known *known, struct err *err) must_check;
/* Plans from what was seen and the ledger as it is now. */
void round_plan(struct round *round, const struct ledger *ledger);
/* Applies about as many ops as a turn of the loop has time for. False when there is no more. */
bool round_apply(struct round *round, struct kernel *kernel, struct ledger *ledger);
/* How many of its ops changed the kernel; how many failed, each with a line in the log,
 * which is for debugging when the same was tried before. */
unsigned round_applied(const struct round *round);
unsigned round_failed(const struct round *round, bool again);
/* What the first of those said. */
const char *round_failure(const struct round *round);
/* Somebody else's change came between the look and the batch, which did nothing therefore, or
 * behind what an event told: a line in the debug log. */
bool round_lost_race(const struct round *round);
/* Somebody's link is one that is declared. */
bool round_finds_link(const struct round *round);
/* The next round of the same pass: of this one is kept what was expanded, in case it stands,
 * which a partial one takes for granted until it has looked. */
void round_again(struct round *round);
void round_done(struct round *round);
