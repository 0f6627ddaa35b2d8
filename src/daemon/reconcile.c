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
#include <time.h>

#include "base/log.h"
#include "daemon/loop.h"
#include "daemon/numbers.h"
#include "daemon/pass.h"
#include "daemon/purge.h"
#include "daemon/statuses.h"

enum {
	ROUNDS_MAX = 4, /* in one pass: side effects of ours settle in two */
	EVENT_DELAY_MAX_MS = 500,
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
	bool unsettled; /* the ledger could not be written after the last round */

	/* the pass that is due, and the one that is under way */
	const char *trigger; /* of the next pass; NULL: the periodic one */
	bool running;
	const char *running_trigger;
	uint64_t started_ms; /* monotonic */
	uint64_t revision;   /* of the declaration when its last round looked */
	unsigned rounds, applied;
	struct round round;
	unsigned backoff_ms;

	struct statuses statuses;
	struct facts facts;
	uint64_t covered;
	struct reconcile_report report;
	struct orphans vec_of(struct orphan) orphans;
	void (*passed)(void *user);
	void *passed_user;
};

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

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
static void schedule_period(struct reconcile *r)
{
	unsigned period = r->config.period_ms, spread = period * 2 / 5;
	uint16_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = UINT16_MAX / 2;
	schedule(r, NULL, loop_now_ms() + period - spread / 2 + spread * random / UINT16_MAX);
}

static void publish_statuses(struct reconcile *r)
{
	struct outcome outcome = {
		.desired = &r->round.expanded.desired,
		.observed = &r->round.observed,
		.owned = &r->ledger.owned,
		.claims = &r->round.expanded.claims,
		.ops = &r->round.ops,
	};

	outcome_index(&outcome);
	statuses_publish(&r->statuses, &outcome, &r->round.expanded.expansions, wall_ms(),
			 &r->round.arena);
	outcome_done(&outcome);
}

static void publish_orphans(struct reconcile *r)
{
	vec_clear(&r->orphans);
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *list = &r->ledger.owned.kind[kind];

		for (size_t i = 0; i < list->len; i++) {
			if (!(list->v[i]->marks & OBJECT_ORPHAN))
				continue;
			struct orphan *orphan = vec_add(&r->orphans);
			orphan->kind = kind;
			snprintf(orphan->key, sizeof(orphan->key), "%s",
				 kind_key_text(kinds[kind], list->v[i], &r->round.arena));
		}
	}
	r->report.orphans = r->orphans.v;
	r->report.n_orphans = r->orphans.len;
}

/* A resource of the same name may come later: it is not to be taken for this one. */
static void drop_status(void *user, enum kind_id kind, const char *name)
{
	statuses_drop(&((struct reconcile *)user)->statuses, kind, name);
}

static void count_failures(struct reconcile *r)
{
	struct pass_report *pass = &r->report.last_pass;

	pass->failed = 0;
	for (size_t i = 0; i < r->round.ops.len; i++) {
		const struct op *op = &r->round.ops.v[i];

		if (!op->done || !op->result)
			continue;
		pass->failed++;
		if (op->result != -ECANCELED)
			log_warning("%s", op->message ? op->message : strerror(-op->result));
	}
}

/* What fails makes events of its own (a link made and unmade): they must not make us spin. */
static unsigned event_delay_ms(const struct reconcile *r)
{
	if (!r->backoff_ms)
		return r->config.coalesce_ms;
	return r->backoff_ms < EVENT_DELAY_MAX_MS ? r->backoff_ms : EVENT_DELAY_MAX_MS;
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
		schedule(r, r->trigger,
			 now + (strcmp(r->trigger, "event") ? r->config.coalesce_ms
							    : event_delay_ms(r)));
	else if (failed)
		schedule(r, "retry", now + r->backoff_ms);
	else
		schedule_period(r);
}

static void finish(struct reconcile *r, int error, const struct err *err)
{
	struct pass_report *pass = &r->report.last_pass;

	pass->number++;
	pass->finished_ms = wall_ms();
	pass->duration_us = (uint32_t)((loop_now_ms() - r->started_ms) * 1000);
	pass->trigger = r->running_trigger;
	pass->ops = r->applied;
	pass->error = error;
	snprintf(pass->message, sizeof(pass->message), "%.300s", error ? err->sentence : "");
	if (error == 0) {
		count_failures(r);
		publish_statuses(r);
		publish_orphans(r);
		purge_deleted(r->store, r->declaration,
			      &(struct purge){r->revision, &r->round.ops, drop_status, r});
		if (r->covered == r->revision && strcmp(r->running_trigger, "start") != 0)
			r->report.drift_repaired += r->applied;
		r->covered = r->revision;
		facts_done(&r->facts);
		r->facts = r->round.facts;
		r->round.facts = (struct facts){0};
	} else {
		log_warning("the kernel could not be observed: %s", err->sentence);
	}
	r->report.ready = error == 0;
	if (r->applied)
		log_info("pass %llu (%s): %u changed, %u failed", (unsigned long long)pass->number,
			 pass->trigger, pass->ops, pass->failed);
	round_done(&r->round);
	rearm(r, error < 0 || pass->failed || r->unsettled);
	if (r->passed)
		r->passed(r->passed_user);
}

/* A link of another database's agent that is not known as orphan. Declared or not: it did
 * not come alone. */
static bool is_foreign_database(const struct reconcile *r)
{
	const struct object_list *links = &r->round.observed.kind[KIND_LINK];
	uint32_t id, ours = store_database_id(r->store);

	for (size_t i = 0; i < links->len; i++) {
		const struct link *link = (const struct link *)links->v[i];

		if (!(link->head.marks & OBJECT_DOOMED) && alias_parse(link->alias, &id) &&
		    id != ours && !objects_find(&r->ledger.owned, KIND_LINK, link))
			return true;
	}
	return false;
}

/* 1: the ledger says something else now. */
static int look_after_orphans(struct reconcile *r, struct err *err)
{
	bool orphaned = r->look_for_orphans || is_foreign_database(r), released = r->delete_orphans;
	int error = 0;

	if (orphaned)
		error = ledger_orphan(&r->ledger, &r->round.observed, &r->round.expanded.desired,
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

static int look(struct reconcile *r, struct err *err)
{
	struct round_input input = {
		.kernel = r->kernel,
		.store = r->store,
		.declaration = r->declaration,
		.ledger = &r->ledger,
		.from_numbers = &r->from_numbers,
	};
	int error = numbers_keep(&r->from_numbers, r->store, r->declaration, err);

	/* without a number a `from` has no routes yet; the rest goes on */
	if (error < 0)
		log_warning("table numbers could not be kept: %s", err->sentence);
	r->revision = r->declaration->revision;
	error = round_look(&r->round, &input, err);
	if (error == 0)
		error = look_after_orphans(r, err);
	if (error > 0) { /* what is desired depends on what is ours */
		round_done(&r->round);
		error = round_look(&r->round, &input, err);
	}
	if (error == 0)
		round_plan(&r->round, &r->ledger);
	return error;
}

/* How many ops of this round changed the kernel. */
static unsigned count_applied(const struct round *round)
{
	unsigned applied = 0;

	for (size_t i = 0; i < round->ops.len; i++)
		applied += round->ops.v[i].done && !round->ops.v[i].result;
	return applied;
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

static void step(struct reconcile *r)
{
	struct err err = {0};
	int error = 0;

	if (!r->running) {
		r->running = true;
		r->running_trigger = r->trigger ? r->trigger : "timer";
		r->trigger = NULL;
		r->started_ms = loop_now_ms();
		r->rounds = r->applied = 0;
		error = look(r, &err);
	}
	if (error == 0 && round_apply(&r->round, r->kernel, &r->ledger)) {
		loop_timer_arm(r->loop, r->timer, loop_now_ms());
		return;
	}
	unsigned applied = 0;
	bool settled = false;
	if (error == 0) {
		applied = count_applied(&r->round);
		r->applied += applied;
		settled = settle(r);
	}
	if (error < 0 || !(applied || settled) || ++r->rounds == ROUNDS_MAX) {
		finish(r, error, &err);
		return;
	}
	/* a change of ours may have had side effects: look once more before anybody is told */
	round_done(&r->round);
	error = look(r, &err);
	if (error < 0)
		finish(r, error, &err);
	else
		loop_timer_arm(r->loop, r->timer, loop_now_ms());
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
	struct kernel_events events = {0};

	r->kernel->vt->events_read(r->kernel, &events);
	if (!events.look && !events.overrun)
		return;
	log_debug("kernel event%s, by port %u", events.overrun ? " (overrun)" : "", events.port);
	schedule(r, "event", loop_now_ms() + event_delay_ms(r));
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
	statuses_done(&r->statuses);
	facts_done(&r->facts);
	vec_done(&r->orphans);
	vec_done(&r->from_numbers);
	ledger_close(&r->ledger);
	free(r);
}

void reconcile_touch(struct reconcile *r)
{
	r->backoff_ms = 0;
	schedule(r, "write", loop_now_ms() + r->config.coalesce_ms);
}

void reconcile_now(struct reconcile *r, bool delete_orphans)
{
	r->backoff_ms = 0;
	r->delete_orphans |= delete_orphans;
	schedule(r, "request", loop_now_ms());
}

void reconcile_on_pass(struct reconcile *r, void (*passed)(void *user), void *user)
{
	r->passed = passed;
	r->passed_user = user;
}

uint64_t reconcile_covered(const struct reconcile *r)
{
	return r->covered;
}

uint64_t reconcile_passes(const struct reconcile *r)
{
	return r->report.last_pass.number;
}

const struct status *reconcile_status(struct reconcile *r, enum kind_id kind, const char *name)
{
	static const struct status untried = {.state = STATE_PENDING, .reason = "NotTried"};
	const struct status *found = statuses_find(&r->statuses, kind, name);

	return found ? found : &untried;
}

static void detail(struct reconcile *r, const struct kind *kind, const struct claim *claim,
		   struct arena *arena, struct status_details *details)
{
	const struct object *owned = objects_find(&r->ledger.owned, claim->kind, claim->object);
	struct status_object *objects = (struct status_object *)(uintptr_t)details->objects;

	if (!status_lists(kind, claim->kind, OBJECT_IN_SYNC))
		return;
	objects[details->objects_len++] = (struct status_object){
		.kind = claim->kind,
		.state = owned && owned->marks & OBJECT_FOUND ? OBJECT_STATE_FOUND : OBJECT_IN_SYNC,
		.key = kind_key_text(kinds[claim->kind], claim->object, arena),
	};
}

void reconcile_details(struct reconcile *r, const struct kind *kind,
		       const struct resource *resource, struct arena *arena,
		       struct status_details *details)
{
	const struct status *status = reconcile_status(r, kind->id, resource->name);
	struct expand_output out = {0};

	*details = (struct status_details){.objects = status->objects,
					   .objects_len = status->objects_len};
	if (!r->report.last_pass.number || resource->deleting)
		return;
	expand_one(
		&(struct expand_input){
			.declaration = r->declaration,
			.facts = &r->facts,
			.owned = &r->ledger.owned,
			.database_id = store_database_id(r->store),
			.from_numbers = &r->from_numbers,
		},
		kind, resource, arena, &out);
	details->effective = out.expansions.v[0].effective;
	if (!status->objects && status->generation >= resource->generation) {
		details->objects = arena_array(arena, STATUS_OBJECTS_MAX,
					       sizeof(*details->objects));
		for (size_t i = 0; i < out.claims.len && details->objects_len < STATUS_OBJECTS_MAX;
		     i++)
			detail(r, kind, &out.claims.v[i], arena, details);
	}
	expand_done(&out);
}

int reconcile_plan(struct reconcile *r, const struct declaration *declaration, bool delete_orphans,
		   struct arena *arena, struct ops *ops, struct err *err)
{
	struct ledger released = {.owned.arena = arena};
	struct from_numbers numbers = {0};
	struct round round = {0};

	for (size_t i = 0; i < r->from_numbers.len; i++)
		vec_push(&numbers, r->from_numbers.v[i]);
	struct round_input input = {
		.kernel = r->kernel,
		.store = r->store,
		.declaration = declaration ? declaration : r->declaration,
		.ledger = &r->ledger,
		.from_numbers = &numbers,
	};
	int error = numbers_add(&numbers, NULL, input.declaration, err);
	if (error == 0)
		error = round_look(&round, &input, err);
	if (error == 0) {
		if (delete_orphans)
			ledger_without_orphans(&r->ledger, &released.owned);
		round_plan(&round, delete_orphans ? &released : &r->ledger);
		for (size_t i = 0; i < round.ops.len; i++)
			vec_push(ops, round.ops.v[i]);
		/* the ops point into the round's memory: the caller's arena takes it over */
		arena_join(arena, &round.arena);
	}
	round_done(&round);
	objects_done(&released.owned);
	vec_done(&numbers);
	return error;
}

void reconcile_report(const struct reconcile *r, struct reconcile_report *report)
{
	*report = r->report;
}

const struct facts *reconcile_facts(const struct reconcile *r)
{
	return &r->facts;
}
