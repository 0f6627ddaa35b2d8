/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others ask of the reconciler: statuses, reports, and what a pass would do. */
#include "base/text.h"
#include "daemon/numbers.h"
#include "daemon/reconcile_state.h"

uint64_t reconcile_covered(const struct reconcile *r)
{
	return r->covered;
}

uint64_t reconcile_passes(const struct reconcile *r)
{
	return r->full_passes;
}

uint64_t reconcile_next_pass(const struct reconcile *r)
{
	return r->full_passes + 1 + (r->running && !r->partial);
}

const struct status *reconcile_status(struct reconcile *r, enum kind_id kind, const char *name)
{
	static const struct status untried = {.state = STATE_PENDING, .reason = REASON_NOT_TRIED};
	const struct status *found = statuses_find(&r->statuses, kind, name);

	return found ? found : &untried;
}

void reconcile_details(struct reconcile *r, const struct kind *kind,
		       const struct resource *resource, struct arena *arena,
		       struct status_details *details)
{
	const struct status *status = reconcile_status(r, kind->id, resource->name);

	*details = (struct status_details){.objects = status->objects,
					   .objects_len = status->objects_len};
	if (r->full_passes && !resource->deleting)
		status_detail(
			&(struct expand_input){
				.declaration = r->declaration,
				.facts = &r->facts,
				.owned = &r->ledger.owned,
				.database_id = store_database_id(r->store),
				.from_numbers = &r->from_numbers,
			},
			kind, resource, status, arena, details);
}

int reconcile_plan(struct reconcile *r, const struct declaration *declaration, bool delete_orphans,
		   struct arena *arena, struct ops *ops, struct err *err)
{
	struct ledger released = {.owned.arena = arena};
	struct from_numbers numbers = {0};
	struct round round = {0};

	numbers_copy(&numbers, &r->from_numbers);
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
		*ops = round.ops;
		round.ops = (struct ops){0};
		/* the ops point into the round's memory: the caller's arena takes it over */
		arena_join(arena, &round.arena);
		arena_join(arena, &round.desired_arena);
	}
	round_done(&round);
	objects_done(&released.owned);
	vec_done(&numbers);
	return error;
}

void reconcile_report(const struct reconcile *r, struct reconcile_report *report)
{
	*report = r->report;
	report->states = r->statuses.counts;
	report->contested = r->contests.contested;
}

bool reconcile_found_device(const struct reconcile *r, const char *device)
{
	struct link key = {.head.set = kind_all(&link_kind)};

	name_copy(key.device, device);
	const struct object *owned = objects_find(&r->ledger.owned, KIND_LINK, &key);
	return owned && owned->marks & OBJECT_FOUND;
}

bool reconcile_uses_device(const struct reconcile *r, const char *device)
{
	const struct fact_link *link = facts_link(&r->facts, device);

	return link && (link->ours || reconcile_found_device(r, device));
}

const struct facts *reconcile_facts(const struct reconcile *r)
{
	return &r->facts;
}

const char *reconcile_blame(struct reconcile *r)
{
	struct culprit culprit = r->blamed;

	culprit_join(&culprit, &r->culprit);
	if (!culprit.changed)
		return NULL;
	culprit_words(&culprit, r->contests.culprit);
	return r->contests.culprit;
}

void reconcile_on_ruleset(struct reconcile *r, void (*changed)(void *user), void *user)
{
	r->ruleset = (struct pass_listener){changed, user};
}
