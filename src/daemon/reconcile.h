/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The reconciler: level-triggered passes over declared and observed. A pass is a straight
 * line: observe, expand, plan, ledger, apply, status; then the waiters are woken.
 */

#include "daemon/orphans.h"
#include "daemon/status_detail.h"
#include "daemon/totals.h"
#include "kernel/kernel.h"
#include "store/store.h"

struct loop;
struct metrics;
struct reconcile;

struct reconcile_config {
	unsigned coalesce_ms;                    /* after a write or event before a pass: 5 */
	unsigned period_ms;                      /* the periodic look: 30000, +-20 % */
	unsigned backoff_min_ms, backoff_max_ms; /* after a failure: 200 … 30000 */
	struct metrics *metrics;                 /* that it fills */
};

/* The declaration is the agent's; reconcile reads it, and purges what was deleting and is gone. */
int reconcile_new(struct reconcile **reconcile, struct loop *loop, struct kernel *kernel,
		  struct store *store, struct declaration *declaration, bool database_created,
		  const struct reconcile_config *config, struct err *err) must_check;
void reconcile_free(struct reconcile *reconcile);

/* So many resources changed (and are committed): a pass comes soon, sooner when it is awaited. */
void reconcile_touch(struct reconcile *reconcile, size_t changes, bool awaited);
/* A full pass comes next turn. delete_orphans: orphans go with it. */
void reconcile_now(struct reconcile *reconcile, bool delete_orphans);
/* Called after each pass, in the order of registration. */
void reconcile_on_pass(struct reconcile *reconcile, void (*passed)(void *user), void *user);

/* Called when somebody else changed nftables, whatever it was about. */
void reconcile_on_ruleset(struct reconcile *reconcile, void (*changed)(void *user), void *user);

/* Revision that the last pass which judged all covered; full passes finished so far. */
uint64_t reconcile_covered(const struct reconcile *reconcile);
uint64_t reconcile_passes(const struct reconcile *reconcile);
/* That number, when the first full pass is over that begins from now on. */
uint64_t reconcile_next_pass(const struct reconcile *reconcile);

/* Of a resource of the declaration; never NULL: pending before the first pass. */
const struct status *reconcile_status(struct reconcile *reconcile, enum kind_id kind,
				      const char *name);

/* What the status does not keep. All is the arena's. */
void reconcile_details(struct reconcile *reconcile, const struct kind *kind,
		       const struct resource *resource, struct arena *arena,
		       struct status_details *details);

/*
 * What a full pass would do, with this declaration (NULL: the one in force, so it is drift),
 * and with the orphans released or not. Observes the kernel, stores nothing. Ops and their
 * objects are the arena's.
 */
int reconcile_plan(struct reconcile *reconcile, const struct declaration *declaration,
		   bool delete_orphans, struct arena *arena, struct ops *ops,
		   struct err *err) must_check;

struct pass_report {
	uint64_t number;     /* 0: none yet */
	int64_t finished_ms; /* since the epoch */
	uint32_t duration_us;
	const char *trigger; /* "start", "write", "event", "timer", "retry", "request"; "verify":
			      * a pass over what events named left something to judge */
	uint32_t ops, failed;
	int error; /* observe failed: negative errno, 0 */
	char message[320];
};

struct reconcile_report {
	bool ready; /* the first pass is over and the last one could observe */
	struct pass_report last_pass;
	uint64_t drift_repaired; /* ops that no write is behind */
	const struct orphan *orphans;
	size_t n_orphans;
	size_t contested;           /* objects that are repaired again and again */
	struct state_counts states; /* as passes judged them */
};

void reconcile_report(const struct reconcile *reconcile, struct reconcile_report *report);
/* Reads the kernel's counters, for the totals of the metrics. They stay as they are when that
 * fails. */
int reconcile_count(struct reconcile *reconcile, struct err *err) must_check;
/* Adds what the kernel has counted for that rule, of its sources and back to them (TOTAL_OUT …);
 * as of some seconds ago where there is very much to read. */
int reconcile_rule_counters(struct reconcile *reconcile, const struct nat_rule *rule,
			    struct element_stats sum[static TOTAL_DIRECTIONS],
			    struct err *err) must_check;
/* Is a device of that name there, ours or found equal, as of the last look? */
bool reconcile_uses_device(const struct reconcile *reconcile, const char *device);
/* The facts of the last look: own addresses, links. */
const struct facts *reconcile_facts(const struct reconcile *reconcile);

/* --flush: takes everything of ours out of the kernel, now, synchronously, and counts it. */
int reconcile_flush(struct kernel *kernel, struct store *store, unsigned *removed,
		    struct err *err) must_check;
