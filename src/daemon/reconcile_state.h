/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Inside the reconciler: its state, which reconcile.c moves and reconcile_report.c tells. */

#include "daemon/contest.h"
#include "daemon/drift.h"
#include "daemon/loop.h"
#include "daemon/metrics.h"
#include "daemon/orphans.h"
#include "daemon/pass.h"
#include "daemon/reconcile.h"
#include "daemon/statuses.h"

struct pass_listener {
	void (*passed)(void *user);
	void *user;
};

struct reconcile {
	struct loop *loop;
	struct kernel *kernel;
	struct store *store;
	struct declaration *declaration;
	struct reconcile_config config;
	struct loop_timer *timer;
	struct loop_watch *watch;
	struct ledger ledger;
	struct from_numbers from_numbers;
	bool look_for_orphans;
	bool delete_orphans;
	bool orphans_done; /* in the look before this one, which is to be done again */
	bool unsettled;    /* the ledger could not be written after the last round */
	bool unnumbered;   /* some `from` has no table */

	/* the pass that is due, and the one under way */
	const char *trigger; /* of the next pass; NULL: the periodic one */
	struct scope scope;  /* what events named since the last pass began */
	bool running;
	bool looks;    /* the running pass has not seen yet what it is to see */
	bool partial;  /* the running pass looks only at `looking`, and at what writes changed */
	bool outdated; /* writes changed something since `covered` when its last round looked */
	struct scope looking;
	bool awaited;         /* somebody waits for what was written since the last pass began */
	uint64_t finished_ms; /* of the last pass, monotonic; 0: none */
	uint64_t took_us;     /* the last pass, from its begin until its events were stored */
	const char *running_trigger;
	uint64_t started_us; /* monotonic */
	uint64_t revision;   /* of the declaration when its last round looked */
	unsigned rounds, races, applied;
	struct round round;
	struct vec_remotes remotes; /* as the running pass was told last; none: ask */
	unsigned backoff_ms;

	struct statuses statuses;
	struct contests contests;
	struct culprit culprit; /* of the events that came since the last pass began */
	struct culprit blamed;  /* of those that the running pass sees to */
	struct drift outstanding;
	struct event_log events; /* of the running pass */
	bool failing;            /* the last pass over everything failed, and it was told */
	bool drift;              /* what the running pass repairs, nobody here has asked for */
	uint64_t held_until_ms;  /* something contested waits till then; 0: nothing */
	struct facts facts;
	uint64_t covered, full_passes;
	uint64_t full_due_ms; /* no pass from then on looks at less than everything */
	/* what is desired, as of `covered`; false: the last full pass failed, or there was none */
	bool desired_known;
	bool at_rest; /* the last full pass left nothing that it would have done */
	bool calm;    /* when the statuses were made, nothing was left to do, and nobody fought */
	/* digest of what `desired` was made of besides the declaration, and the ledger's version */
	uint64_t inputs, version;
	struct arena desired_arena;
	struct objects desired;
	struct reconcile_report report;
	struct orphans orphans;
	struct vec_of(struct pass_listener) listeners;
	struct pass_listener ruleset; /* called for others' changes of nftables */
};

/* reconcile_report.c: a foreign link that was found equal serves the tunnel, but bears no mark. */
bool reconcile_found_device(const struct reconcile *r, const char *device);
/* whose changes the running pass repairs, what came while it looked included;
 * NULL, without any event, or "": unknown. */
const char *reconcile_blame(struct reconcile *r);
/* reconcile_count.c: before ops take away what has counted, and when others did. */
void reconcile_count_before(struct reconcile *r, const struct ops *ops);
void reconcile_count_gone(struct reconcile *r, struct counted_links *gone);
