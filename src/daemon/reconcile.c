/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to look, and what a look means: passes are started here, made of rounds (pass.c) until
 * one finds nothing left that it could do, and their outcome becomes statuses (status.c).
 */
#include "daemon/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "daemon/numbers.h"
#include "daemon/purge.h"
#include "daemon/reconcile_state.h"

enum {
	ROUNDS_MAX = 4, /* in one pass: side effects of ours settle in two */
	RACES_MAX = 16, /* that one pass may lose before it has failed */
	QUIET_MS = 100, /* without a pass: what comes then waits for nothing else to come */
	EVENT_DELAY_MAX_MS = 500,
	PACE = 4, /* times the last pass's duration, before the next */
	PACE_MAX_MS = 250,
};

/* A pass at that time, or sooner when one is due sooner. The first trigger names it. */
static void schedule(struct reconcile *r, const char *trigger, uint64_t at_ms)
{
	uint64_t due = loop_timer_at(r->timer);

	if (!r->trigger && trigger)
		r->trigger = trigger;
	if (!due || at_ms < due)
		loop_timer_arm(r->loop, r->timer, at_ms ? at_ms : 1);
}

/* The periodic look: 20 % early or late, so that a fleet does not beat in step. */
static void set_period(struct reconcile *r)
{
	unsigned period = r->config.period_ms, spread = period * 2 / 5;
	uint16_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = UINT16_MAX / 2;
	period += spread * random / UINT16_MAX - spread / 2;
	log_debug("everything is looked at again in %u ms", period);
	r->full_due_ms = loop_now_ms() + period;
}

static void publish_statuses(struct reconcile *r)
{
	struct outcome outcome = {
		.desired = &r->round.expanded.desired,
		.observed = &r->round.observed,
		.owned = &r->ledger.owned,
		.claims = &r->round.expanded.claims,
		.ops = &r->round.ops,
		.contests = &r->contests,
		.now_ms = loop_now_ms(),
		.partial = r->partial,
	};

	outcome_index(&outcome);
	statuses_publish(&r->statuses, &outcome, &r->round.expanded.expansions, &r->round.arena,
			 &r->events);
	outcome_done(&outcome);
}

/* A resource of the same name may come later: it is not to be taken for this one. */
static void drop_status(void *user, enum kind_id kind, const char *name)
{
	statuses_drop(&((struct reconcile *)user)->statuses, kind, name);
}

/*
 * More may come with it, unless nothing came for a while. What fails makes events of its own
 * (a link made and unmade): they must not make us spin.
 */
static unsigned delay_ms(const struct reconcile *r, bool event)
{
	if (event && r->held_until_ms)
		return EVENT_DELAY_MAX_MS; /* the fight goes on */
	if (event && r->backoff_ms)
		return r->backoff_ms < EVENT_DELAY_MAX_MS ? r->backoff_ms : EVENT_DELAY_MAX_MS;
	if (loop_turn_ms(r->loop) > r->finished_ms + QUIET_MS)
		return 0;
	/* where writes stream in and nobody waits, passes take a fifth of the time */
	uint64_t paced = event || r->awaited ? 0 : PACE * r->took_us / 1000;
	if (paced > PACE_MAX_MS)
		paced = PACE_MAX_MS;
	return paced > r->config.coalesce_ms ? (unsigned)paced : r->config.coalesce_ms;
}

static void rearm(struct reconcile *r, bool failed)
{
	uint64_t now = loop_now_ms();

	r->running = false;
	if (!failed) {
		r->backoff_ms = 0;
	} else {
		r->backoff_ms = r->backoff_ms ? r->backoff_ms * 2 : r->config.backoff_min_ms;
		if (r->backoff_ms > r->config.backoff_max_ms)
			r->backoff_ms = r->config.backoff_max_ms;
	}
	if (r->trigger) /* asked for while this one ran */
		schedule(r, r->trigger, now + delay_ms(r, strcmp(r->trigger, "event") == 0));
	else if (failed)
		schedule(r, "retry", now + r->backoff_ms);
	schedule(r, NULL, r->full_due_ms);
	if (r->held_until_ms)
		schedule(r, "contested", r->held_until_ms);
	uint64_t peace_ms = contests_end_ms(&r->contests, now);
	if (peace_ms)
		schedule(r, NULL, peace_ms);
}

static void keep_desired(struct reconcile *r)
{
	objects_done(&r->desired);
	arena_done(&r->desired_arena);
	r->desired = r->round.expanded.desired;
	r->desired_arena = r->round.desired_arena;
	r->inputs = r->round.expanded.inputs;
	r->version = r->ledger.version;
	r->round.expanded.desired = (struct objects){0};
	r->round.desired_arena = (struct arena){0};
}

/* Of a pass that expanded the declaration, and saw all that it is judged by. */
static void judge(struct reconcile *r)
{
	publish_statuses(r);
	r->calm = !r->round.ops.len && !r->contests.contested;
	orphans_list(&r->orphans, &r->ledger, &r->round.arena);
	r->report.orphans = r->orphans.v;
	r->report.n_orphans = r->orphans.len;
	keep_desired(r);
}

static void publish(struct reconcile *r)
{
	if (!r->round.known) /* else all is as it was judged last */
		judge(r);
	purge_deleted(r->store, r->declaration,
		      &(struct purge){r->revision, &r->round.ops, drop_status, r});
	r->covered = r->revision;
}

/* Of a pass over everything, which could observe it. */
static void publish_full(struct reconcile *r)
{
	bool asked = r->outdated || strcmp(r->running_trigger, "request") == 0;

	r->report.last_pass.failed = round_failed(&r->round, r->failing && !asked);
	r->at_rest = !r->round.ops.len && !r->contests.contested;
	publish(r);
	facts_done(&r->facts);
	r->facts = r->round.facts;
	r->round.facts = (struct facts){0};
}

/*
 * Of a pass over a few objects. What it could not put right is everybody's business, what it did
 * put right may end somebody's trouble, and whose a sysctl is decides what is closed: then
 * everything is looked at, and judged.
 */
static void publish_partial(struct reconcile *r, int error)
{
	bool settled = error == 0 && !r->unsettled && !r->unnumbered;
	/* a fight is judged when it begins, not at each blow */
	bool waits = r->held_until_ms && !r->applied && statuses_troubled(&r->statuses);

	/* of what stands in conflict elsewhere this pass knows nothing */
	if (settled && r->outdated && r->at_rest && !r->round.ops.len) {
		publish(r);
		return;
	}
	if (settled && !r->outdated && !r->ledger.took &&
	    (waits || (!r->round.ops.len && !statuses_troubled(&r->statuses))))
		return;
	log_debug("it left something to judge: a pass over everything follows");
	r->scope.everything = true;
	r->trigger = "verify";
}

/* Once, until one has not failed. */
static void tell_failure(struct reconcile *r)
{
	const struct pass_report *pass = &r->report.last_pass;
	const char *first = pass->failed ? round_failure(&r->round) : "";
	char message[400];

	snprintf(message, sizeof(message), "%u of %zu operations failed; the first: %.300s",
		 pass->failed, r->round.ops.len, first);
	if (!r->failing && (pass->error || pass->failed))
		event_log_add(&r->events, &(struct event){
						  .type = EVENT_PASS_FAILED,
						  .message = pass->error ? pass->message : message,
					  });
	r->failing = pass->error || pass->failed;
}

/* What the pass did and found, if that is news; the database is left alone otherwise. */
static void tell(struct reconcile *r)
{
	if (!r->partial) {
		tell_failure(r);
		drift_settle(&r->outstanding);
	}
	event_log_commit(
		&r->events,
		&(struct event_origin){.revision = r->revision, .trigger = r->running_trigger},
		r->store);
}

static void finish(struct reconcile *r, int error, const struct err *err)
{
	struct pass_report *pass = &r->report.last_pass;

	pass->number++;
	pass->finished_ms = loop_wall_ms();
	pass->duration_us = (uint32_t)(loop_now_us() - r->started_us);
	pass->trigger = r->running_trigger;
	pass->ops = r->applied;
	pass->failed = 0;
	pass->error = r->partial ? 0 : error;
	snprintf(pass->message, sizeof(pass->message), "%.300s", pass->error ? err->sentence : "");
	if (r->partial)
		publish_partial(r, error);
	else if (error == 0)
		publish_full(r);
	else
		log_warning("the kernel could not be observed: %s", err->sentence);
	if (!r->partial) {
		set_period(r);
		r->full_passes++;
		r->desired_known = error == 0;
		r->report.ready = error == 0;
	}
	if (r->applied)
		log_info("pass %llu (%s): %u changed, %u failed", (unsigned long long)pass->number,
			 pass->trigger, pass->ops, pass->failed);
	failpoint("pass.judged");
	tell(r);
	vec_done(&r->remotes);
	round_done(&r->round);
	scope_done(&r->looking);
	r->finished_ms = loop_now_ms();
	r->took_us = loop_now_us() - r->started_us;
	bool failed = !r->partial && (error < 0 || pass->failed || r->unsettled || r->unnumbered);
	metrics_pass(r->config.metrics,
		     &(struct metrics_pass){pass->trigger, (uint64_t)pass->finished_ms,
					    pass->duration_us, !r->partial, failed});
	rearm(r, failed);
	for (size_t i = 0; i < r->listeners.len; i++)
		r->listeners.v[i].passed(r->listeners.v[i].user);
}

/* 1: the ledger says something else now. */
static int look_after_orphans(struct reconcile *r, struct err *err)
{
	bool orphaned = r->look_for_orphans ||
			orphans_came(&r->ledger, &r->round.observed, store_database_id(r->store)),
	     released = r->delete_orphans;
	int error = 0;

	if (orphaned)
		error = ledger_orphan(&r->ledger, &r->round.observed, round_desired(&r->round),
				      &r->round.facts, err);
	if (error == 0)
		r->look_for_orphans = false;
	if (error == 0 && released)
		error = ledger_release_orphans(&r->ledger, err);
	if (error < 0)
		return error;
	r->delete_orphans = false;
	return orphaned || released;
}

/* Events and writes concern a few objects, and the rest is as it was. */
static bool can_be_partial(const struct reconcile *r)
{
	bool few = r->trigger &&
		   (strcmp(r->trigger, "event") == 0 || strcmp(r->trigger, "write") == 0);
	/* what was in trouble may be so because of what changes now */
	bool judged = r->covered == r->declaration->revision || r->at_rest;

	return few && judged && !r->scope.everything && r->desired_known && !r->backoff_ms &&
	       !r->look_for_orphans && !r->delete_orphans && loop_turn_ms(r->loop) < r->full_due_ms;
}

/* True: the ledger says something new, from which more may follow (a found link's address). */
static bool settle(struct reconcile *r)
{
	struct err err = {0};
	int written = ledger_settle(&r->ledger, &r->round.ops, &r->round.facts, &err);

	r->unsettled = written < 0;
	if (written < 0)
		log_warning("the ledger could not be written: %s", err.sentence);
	return written > 0;
}

/*
 * 1: a link was found equal, and is used from now on: what stands on it is desired, too, and
 * would be taken away by this plan where it is ours that lost its marks. Look once more.
 */
static int plan(struct reconcile *r, const struct round_input *input)
{
	round_plan(&r->round, &r->ledger);
	if (r->round.known && r->round.ops.len) {
		round_expand_anew(&r->round, input);
		round_plan(&r->round, &r->ledger);
	}
	r->held_until_ms = contests_hold(&r->contests, &r->round.ops, &r->round.arena,
					 loop_now_ms());
	if (!round_finds_link(&r->round) || ++r->rounds >= ROUNDS_MAX || !settle(r))
		return 0;
	round_done(&r->round);
	return 1;
}

/* What is declared is taken as of now. */
static void take_declaration(struct reconcile *r)
{
	struct err err = {0};

	r->revision = r->declaration->revision;
	r->outdated = r->revision != r->covered;
	if (!r->outdated && r->partial)
		return;
	/* without a number a `from` has no routes yet; the rest goes on */
	r->unnumbered = numbers_keep(&r->from_numbers, r->store, r->declaration, &err) < 0;
	if (r->unnumbered)
		log_warning("table numbers could not be kept: %s", err.sentence);
}

static int look_partially(struct reconcile *r, const struct round_input *input, struct err *err)
{
	const struct known known = {&r->desired, &r->facts, r->outdated, r->rounds + r->races == 0};
	int error = round_look_at(&r->round, input, &r->looking, &known, err);

	scope_forget_told(&r->looking);
	if (error == 0 && r->outdated && !round_stands(&r->round, input)) {
		round_done(&r->round); /* what is desired was made out before this was seen */
		return 1;
	}
	if (error == 0)
		return plan(r, input);
	if (error != -EAGAIN)
		return error;
	round_done(&r->round);
	r->partial = false;
	return 1;
}

/* 1: in this turn at a part of it. */
static int look(struct reconcile *r, struct err *err)
{
	struct round_input input = {
		.kernel = r->kernel,
		.store = r->store,
		.declaration = r->declaration,
		.ledger = &r->ledger,
		.from_numbers = &r->from_numbers,
		.remotes = r->scope.everything ? NULL : &r->remotes,
		.inputs = r->inputs,
		.version = r->version,
	};

	if (r->partial) {
		take_declaration(r);
		return look_partially(r, &input, err);
	}
	int error = round_observe(&r->round, &input, err);
	if (error)
		return error;
	take_declaration(r);
	if (r->desired_known && r->calm && !r->outdated && !r->contests.contested)
		input.known = &r->desired;
	round_expand(&r->round, &input);
	if (!r->orphans_done)
		error = look_after_orphans(r, err);
	r->orphans_done = error > 0;
	if (r->orphans_done)
		round_done(&r->round); /* what is desired depends on them: look once more */
	return error ? error : plan(r, &input);
}

static void begin(struct reconcile *r)
{
	r->running = r->looks = true;
	r->running_trigger = r->trigger ? r->trigger : "timer";
	r->partial = can_be_partial(r);
	r->drift = r->covered == r->declaration->revision && !r->delete_orphans &&
		   strcmp(r->running_trigger, "start") != 0;
	drift_begin(&r->outstanding);
	r->looking = r->scope;
	r->scope = (struct scope){0};
	if (strcmp(r->running_trigger, "verify") != 0) /* that one goes on with the last one's */
		r->blamed = (struct culprit){0};
	culprit_join(&r->blamed, &r->culprit);
	r->culprit = (struct culprit){0};
	r->trigger = NULL;
	r->awaited = false;
	r->started_us = loop_now_us();
	r->rounds = r->races = r->applied = 0;
	r->ledger.took = false;
	failpoint("pass.begin");
}

/* When it is repaired: what a process is called takes time to read. A write that came while the
 * pass looked may be behind the ops of this round. */
static void note_drift(struct reconcile *r, unsigned applied)
{
	const struct ops *ops = &r->round.ops;
	bool unasked = r->drift && !r->outdated;
	const char *culprit = unasked && ops->len ? reconcile_blame(r) : NULL;

	metrics_ops(r->config.metrics, ops, unasked);
	drift_note(&r->outstanding, ops, unasked, culprit, &r->events);
	if (!unasked)
		return;
	contests_note(&r->contests, ops, loop_now_ms());
	r->report.drift_repaired += applied;
}

/* After the ops. True: a change of ours may have had side effects, and we look once more before
 * anybody is told. */
static bool end_round(struct reconcile *r)
{
	unsigned applied = round_applied(&r->round);
	bool settled = settle(r);

	r->applied += applied;
	note_drift(r, applied);
	if (round_lost_race(&r->round) && ++r->races < RACES_MAX)
		return true;
	return (applied || settled) && ++r->rounds < ROUNDS_MAX;
}

/* What we did changed no way to a remote, unless one leads over a tunnel of ours: the next round
 * asks only when an event says that somebody may have changed one. */
static void keep_remotes(struct reconcile *r)
{
	if (r->partial || facts_lead_over_ours(&r->round.facts))
		return;
	vec_done(&r->remotes);
	r->remotes = r->round.facts.remotes;
	r->round.facts.remotes = (struct vec_remotes){0};
}

static void step(struct reconcile *r)
{
	struct err err = {0};
	int more = 0;

	if (!r->running)
		begin(r);
	if (r->looks) {
		do
			more = look(r, &err);
		while (more > 0 && !r->full_passes); /* until then nobody has an answer */
		r->looks = more > 0;
	}
	if (more == 0 && !r->round.next)
		reconcile_count_before(r, &r->round.ops);
	if (more == 0)
		more = round_apply(&r->round, r->kernel, &r->ledger);
	if (more == 0 && end_round(r)) {
		keep_remotes(r);
		round_again(&r->round);
		r->looks = true;
		more = 1;
	}
	if (more > 0)
		loop_timer_arm(r->loop, r->timer, loop_now_ms());
	else
		finish(r, more, &err);
}

static void fire(void *user)
{
	struct reconcile *r = user;

	/* the turn's transaction belongs to its writers: theirs commits first */
	if (store_in_transaction(r->store)) {
		loop_timer_arm(r->loop, r->timer, loop_now_ms() + 1);
		return;
	}
	step(r);
}

static void kernel_ready(void *user)
{
	struct reconcile *r = user;
	struct kernel_events events = {.culprit = r->culprit};

	r->kernel->vt->events_read(r->kernel, &r->scope, &events);
	r->culprit = events.culprit;
	reconcile_count_gone(r, &events.gone);
	r->config.metrics->overruns += events.overrun;
	if (events.ruleset && r->ruleset.passed)
		r->ruleset.passed(r->ruleset.user);
	if (!events.look)
		return;
	log_debug("kernel event%s, by port %u, nftables' by %u", events.overrun ? " (overrun)" : "",
		  r->culprit.port, r->culprit.nft_port);
	unsigned delay = delay_ms(r, true);
	if (events.more && delay < r->config.coalesce_ms)
		delay = r->config.coalesce_ms;
	schedule(r, "event", loop_turn_ms(r->loop) + delay);
}

int reconcile_new(struct reconcile **reconcile, struct loop *loop, struct kernel *kernel,
		  struct store *store, struct declaration *declaration, bool database_created,
		  const struct reconcile_config *config, struct err *err)
{
	struct reconcile *r = xcalloc(1, sizeof(*r));
	char looked[8] = "";

	r->loop = loop;
	r->kernel = kernel;
	r->store = store;
	r->declaration = declaration;
	r->config = *config;
	int error = ledger_open(&r->ledger, store, kernel, err);
	if (error == 0)
		error = store_from_load(store, &r->from_numbers, err);
	if (error == 0)
		error = store_meta_get(store, "looked_for_orphans", looked, sizeof(looked), err);
	if (error < 0) {
		ledger_close(&r->ledger);
		vec_done(&r->from_numbers);
		free(r);
		return error;
	}
	r->look_for_orphans = database_created || !looked[0];
	r->timer = loop_timer_new(loop, fire, r);
	if (kernel->vt->events_fd(kernel) >= 0)
		r->watch = loop_watch_fd(loop, kernel->vt->events_fd(kernel), kernel_ready, r);
	schedule(r, "start", loop_now_ms());
	*reconcile = r;
	return 0;
}

void reconcile_free(struct reconcile *r)
{
	if (!r)
		return;
	if (r->watch)
		loop_unwatch(r->loop, r->watch);
	loop_timer_free(r->loop, r->timer);
	round_done(&r->round);
	scope_done(&r->scope);
	scope_done(&r->looking);
	objects_done(&r->desired);
	arena_done(&r->desired_arena);
	vec_done(&r->remotes);
	contests_done(&r->contests);
	drift_done(&r->outstanding);
	event_log_done(&r->events);
	statuses_done(&r->statuses);
	facts_done(&r->facts);
	vec_done(&r->orphans);
	vec_done(&r->listeners);
	vec_done(&r->from_numbers);
	ledger_close(&r->ledger);
	free(r);
}

void reconcile_touch(struct reconcile *r, size_t changes, bool awaited)
{
	r->backoff_ms = 0;
	r->scope.everything |= changes > SCOPE_KEYS_MAX;
	r->awaited |= awaited;
	schedule(r, "write", loop_now_ms() + delay_ms(r, false));
}

void reconcile_now(struct reconcile *r, bool delete_orphans)
{
	r->backoff_ms = 0;
	r->delete_orphans |= delete_orphans;
	r->scope.everything = true;
	schedule(r, "request", loop_now_ms());
}

void reconcile_on_pass(struct reconcile *r, void (*passed)(void *user), void *user)
{
	vec_push(&r->listeners, ((struct pass_listener){passed, user}));
}
