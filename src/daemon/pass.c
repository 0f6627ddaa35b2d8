/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The straight line of a round, and which op blocks which. */
#include "daemon/pass.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "daemon/loop.h"

#include <errno.h>
#include <string.h>

/*
 * Of a turn of the loop, so that nobody waits long for the API; an nft batch is never split.
 * Links go in groups, each with the grace periods of one: these take their time.
 */
enum {
	SLICE_MS = 20,
	SLICE_GROUP_MS = 1000,
	SLICE_MIN = 16,
	SLICE_FIRST = 64,
	SLICE_GROUP_FIRST = 256,
	SLICE_MAX = 2048,
};

/* Sysctls are read with the links: as objects for the keys that are wanted or recorded. */
static void observe_sysctls(struct round *round, const struct object_list *keys)
{
	for (size_t i = 0; i < keys->len; i++) {
		const struct sysctl *key = (const struct sysctl *)keys->v[i];
		const struct fact_link *link = facts_link(&round->facts, key->device);

		if (!link)
			continue;
		struct sysctl *s = (struct sysctl *)objects_add(&round->observed, KIND_SYSCTL);
		memcpy(s->device, key->device, sizeof(s->device));
		s->name = key->name;
		s->value = key->name == SYSCTL_FORWARDING ? link->forwarding : link->rp_filter;
		s->head.set = kind_compared(&sysctl_kind);
		s->head.marks = link->ours ? OBJECT_ON_OURS : 0;
	}
}

static struct expand_input expand_input(const struct round *round, const struct round_input *input)
{
	return (struct expand_input){
		.declaration = input->declaration,
		.facts = &round->facts,
		.owned = &input->ledger->owned,
		.database_id = store_database_id(input->store),
		.from_numbers = input->from_numbers,
	};
}

static void drop_expanded(struct round *round)
{
	expand_done(&round->expanded);
	arena_done(&round->desired_arena);
	arena_done(&round->rest_arena);
	round->expanded = (struct expand_output){.scratch = &round->rest_arena};
	round->is_expanded = false;
}

void round_expand_anew(struct round *round, const struct round_input *input)
{
	const struct expand_input from = expand_input(round, input);

	drop_expanded(round);
	expand(&from, &round->desired_arena, &round->expanded);
	round->known = NULL;
	round->is_expanded = true;
	round->revision = input->declaration->revision;
}

bool round_stands(const struct round *round, const struct round_input *input)
{
	const struct expand_input from = expand_input(round, input);

	return round->is_expanded && round->revision == input->declaration->revision &&
	       round->expanded.inputs == expand_inputs(&from);
}

/* Devices are the first key of links, addresses and sysctls: each has its run in the list. */
static void add_run(struct scope *scope, enum kind_id kind, const struct object_list *list,
		    const char *device)
{
	size_t from = 0, to = list->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(object_device(kind, list->v[middle]), device) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	for (; from < list->len && strcmp(object_device(kind, list->v[from]), device) == 0; from++)
		scope_add(scope, kind, list->v[from]);
}

static void add_devices(struct scope *scope, const struct object_list *addresses)
{
	for (size_t i = 0; i < addresses->len; i++) {
		struct link key = {0};

		if (addresses->v[i]->marks & OBJECT_TOLD_GONE)
			continue;
		memcpy(key.device, object_device(KIND_ADDRESS, addresses->v[i]), IFNAMSIZ);
		scope_add(scope, KIND_LINK, &key);
	}
}

static bool goes_along(const struct route *route, const struct object_list *links,
		       const struct object_list *addresses)
{
	for (size_t i = 0; i < links->len; i++)
		if (strcmp(((const struct link *)links->v[i])->device, route->device) == 0)
			return true;
	for (size_t i = 0; i < addresses->len && route->prefsrc.host; i++)
		if (!(addresses->v[i]->marks & OBJECT_TOLD_GONE) &&
		    ((const struct address *)addresses->v[i])->prefix.addr.host ==
			    route->prefsrc.host)
			return true;
	return false;
}

static void add_routes(struct scope *scope, const struct object_list *links,
		       const struct object_list *routes)
{
	const struct object_list *addresses = &scope->keys.kind[KIND_ADDRESS];

	if (scope_is_whole(scope, KIND_ADDRESS))
		scope_add_whole(scope, KIND_ROUTE);
	for (size_t i = 0; i < routes->len && !scope_is_whole(scope, KIND_ROUTE); i++)
		if (goes_along((const struct route *)routes->v[i], links, addresses))
			scope_add(scope, KIND_ROUTE, routes->v[i]);
}

/* What is on a link goes with it, or goes unsaid when it is down, and so do routes from an
 * address, on whatever device: all of it is looked at. An address that was told to be gone is put
 * back first. */
static void widen(struct scope *to, const struct scope *from, const struct objects *desired,
		  const struct objects *owned)
{
	const struct object_list *links = &to->keys.kind[KIND_LINK];

	scope_join(to, from);
	add_devices(to, &from->keys.kind[KIND_ADDRESS]);
	for (size_t i = 0; i < links->len; i++) {
		const char *device = ((const struct link *)links->v[i])->device;

		for (unsigned kind = KIND_ADDRESS; kind <= KIND_SYSCTL; kind++) {
			add_run(to, kind, &desired->kind[kind], device);
			add_run(to, kind, &owned->kind[kind], device);
		}
	}
	add_routes(to, links, &desired->kind[KIND_ROUTE]);
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++)
		if (scope_is_whole(to, kind))
			to->keys.kind[kind].len = 0;
	objects_sort(&to->keys);
}

static void pick(const struct objects *from, const struct scope *scope, struct objects *to)
{
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++)
		scope_pick(scope, kind, from, to);
}

/* Remotes of which nothing is known yet. What is known of the others stays: an event that
 * could change it makes everything be looked at. */
static void ask_new_remotes(struct round *round, const struct round_input *input)
{
	struct vec_remotes all = {0}, unknown = {0};
	size_t at = 0;

	expand_questions(input->declaration, &all);
	for (size_t i = 0; i < all.len; i++)
		if (!facts_remote_near(&round->facts, all.v[i].remote, all.v[i].underlay, &at))
			vec_push(&unknown, all.v[i]);
	if (unknown.len)
		input->kernel->vt->ask_remotes(input->kernel, &round->arena, &unknown);
	for (size_t i = 0; i < unknown.len; i++)
		vec_push(&round->facts.remotes, unknown.v[i]);
	if (unknown.len)
		facts_sort(&round->facts);
	vec_done(&all);
	vec_done(&unknown);
}

int round_observe(struct round *round, const struct round_input *input, struct err *err)
{
	if (round->part == 0) {
		round->observed.arena = &round->arena;
		if (input->remotes) {
			round->facts.remotes = *input->remotes;
			*input->remotes = (struct vec_remotes){0};
		}
	}
	int r = input->kernel->vt->observe(input->kernel, round->part++, &round->arena,
					   &round->observed, &round->facts, err);
	if (r == 0)
		failpoint("pass.observed");
	return r;
}

const struct objects *round_desired(const struct round *round)
{
	if (round->partial)
		return &round->desired;
	return round->known ? round->known : &round->expanded.desired;
}

/* Of a ledger that changed the orphans may be others, too. */
static bool is_known(struct round *round, const struct round_input *input)
{
	const struct expand_input from = expand_input(round, input);

	if (!input->known || input->ledger->version != input->version ||
	    expand_inputs(&from) != input->inputs)
		return false;
	log_debug("nothing changed of what the declaration is expanded with");
	drop_expanded(round);
	round->known = input->known;
	return true;
}

void round_expand(struct round *round, const struct round_input *input)
{
	facts_sort(&round->facts);
	ask_new_remotes(round, input);
	ledger_check_devices(input->ledger, &input->ledger->owned, &round->facts);
	if (!round_stands(round, input) && !is_known(round, input))
		round_expand_anew(round, input);
	observe_sysctls(round, &round_desired(round)->kind[KIND_SYSCTL]);
	observe_sysctls(round, &input->ledger->owned.kind[KIND_SYSCTL]);
	objects_sort(&round->observed);
}

int round_look(struct round *round, const struct round_input *input, struct err *err)
{
	int r;

	do
		r = round_observe(round, input, err);
	while (r > 0);
	if (r == 0)
		round_expand(round, input);
	return r;
}

static int look_at(struct round *round, const struct round_input *input, const struct scope *scope,
		   const struct objects *desired, struct err *err)
{
	int r = scope->everything
			? err_set(err, -EAGAIN, "everything is to be looked at")
			: input->kernel->vt->observe_some(input->kernel, &round->arena, scope,
							  &round->observed, &round->facts, err);

	if (r < 0)
		return r;
	pick(desired, scope, &round->desired);
	pick(&input->ledger->owned, scope, &round->owned);
	ledger_check_devices(input->ledger, &round->owned, &round->facts);
	observe_sysctls(round, &round->desired.kind[KIND_SYSCTL]);
	observe_sysctls(round, &round->owned.kind[KIND_SYSCTL]);
	objects_sort(&round->observed);
	return 0;
}

int round_look_at(struct round *round, const struct round_input *input, struct scope *scope,
		  const struct known *known, struct err *err)
{
	const struct objects *desired = known->desired;
	struct scope wide = {0};

	log_debug("a pass over what events named and writes changed");
	round->partial = true;
	round->facts = *known->facts;
	round->observed.arena = &round->arena;
	if (known->outdated) {
		desired = &round->expanded.desired;
		if (!round->is_expanded || round->revision != input->declaration->revision) {
			ask_new_remotes(round, input);
			round_expand_anew(round, input);
			scope_add_changes(scope, known->desired, desired, known->untouched);
		}
	}
	widen(&wide, scope, desired, &input->ledger->owned);
	round->believed = scope_is_told(scope);
	int r = look_at(round, input, &wide, desired, err);
	*known->facts = round->facts;
	scope_done(&wide);
	return r;
}

void round_plan(struct round *round, const struct ledger *ledger)
{
	vec_clear(&round->ops);
	round->next = 0;
	plan_build(&(struct plan_input){round_desired(round), &round->observed,
					round->partial ? &round->owned : &ledger->owned,
					round->partial},
		   &round->arena, &round->ops);
	failpoint("pass.planned");
}

/* Ops of nft that follow each other are one batch: what goes and what comes instead, without
 * a gap. */
static bool same_stage(const struct op *a, const struct op *b)
{
	bool down_a = a->verb == OP_DELETE, down_b = b->verb == OP_DELETE;

	return object_is_nft(a->kind) ? object_is_nft(b->kind)
				      : down_a == down_b && a->kind == b->kind;
}

/* Before and after the ops of a stage, as its first op tells. */
static void stage_failpoint(const struct op *op, bool after)
{
	/* clang-format off */
	static const char *const failpoints[][2][2] = {
		[KIND_LINK] = {{"add.link", "added.link"}, {"delete.link", "deleted.link"}},
		[KIND_ADDRESS] = {{"add.address", "added.address"},
				  {"delete.address", "deleted.address"}},
		[KIND_SYSCTL] = {{"add.sysctl", "added.sysctl"},
				 {"delete.sysctl", "deleted.sysctl"}},
		[KIND_ROUTE] = {{"add.route", "added.route"}, {"delete.route", "deleted.route"}},
		[KIND_RULE] = {{"add.rule", "added.rule"}, {"delete.rule", "deleted.rule"}},
		[KIND_NFT_TABLE] = {{"add.nft", "added.nft"}, {"delete.nft", "deleted.nft"}},
	};
	/* clang-format on */
	enum kind_id kind = object_is_nft(op->kind) ? KIND_NFT_TABLE : op->kind;

	failpoint(failpoints[kind][op->verb == OP_DELETE][after]);
}

static bool is_applied(const struct op *op)
{
	return op->verb != OP_FOUND && op->verb != OP_FORGET && op->verb != OP_CONFLICT;
}

/* Because of another op, that failed or is held. */
static void block(struct op *op, const struct op *by, const char *message)
{
	op->done = true;
	op->held |= by && by->held;
	op->result = -ECANCELED;
	op->message = message;
}

static bool opens(const struct op *op)
{
	const struct sysctl *s = (const struct sysctl *)op->want;

	return op->kind == KIND_SYSCTL && s && s->name == SYSCTL_FORWARDING && s->value;
}

static const char *waits_for(struct round *round, const struct op *base)
{
	return arena_printf(&round->arena, "waits for %s %s", kinds[base->kind]->noun,
			    kind_key_text(kinds[base->kind], op_object(base), &round->arena));
}

/* Sets stand in the table, elements and the rules of chains on the sets. */
static bool stands_on(const struct op *op, const struct op *base)
{
	return object_is_nft(op->kind) && op->verb != OP_DELETE &&
	       (base->kind == KIND_NFT_TABLE || base->kind == KIND_NFT_SET);
}

/* An op that failed blocks only what depends on it: the same link, or NAT and forwarding. */
static void check_blocked(struct round *round, struct op *op)
{
	const char *device = object_device(op->kind, op_object(op));

	if (op->done)
		return;
	/* what goes does not wait: it may be what keeps a device open */
	for (size_t i = 0; device && op->verb != OP_DELETE && i < round->failed_links.len; i++)
		if (strcmp(object_device(KIND_LINK, round->failed_links.v[i]->want), device) == 0) {
			block(op, round->failed_links.v[i],
			      waits_for(round, round->failed_links.v[i]));
			return;
		}
	if (round->nft_failed && stands_on(op, round->nft_failed))
		block(op, round->nft_failed, waits_for(round, round->nft_failed));
	if (round->nft_failed && opens(op))
		block(op, round->nft_failed,
		      "waits for the nft table, without which forwarding would leak");
	if (round->closing_failed && op->verb == OP_DELETE && object_is_nft(op->kind))
		block(op, NULL, "waits until forwarding is off, without which it would leak");
}

static void note_failures(struct round *round, const struct op *op)
{
	if (!op->done || !op->result)
		return;
	if (op->kind == KIND_LINK && op->want)
		vec_push(&round->failed_links, op);
	/* what another has, or what waits for that, may never come; the rest may the next time */
	round->ground_failed |= (op->kind == KIND_LINK || op->kind == KIND_ADDRESS) &&
				op->result != -EEXIST && op->result != -ECANCELED;
	if (object_is_nft(op->kind) && op->verb != OP_DELETE && !round->nft_failed)
		round->nft_failed = op;
	if (op->kind == KIND_SYSCTL && op->verb == OP_DELETE)
		round->closing_failed = true;
}

/*
 * A route that the kernel cannot make what is declared, because its source is nowhere, does not
 * stay what it was: what stands would depend on what was declared before. (A source that goes
 * takes its routes along, too.) Unless it is only late.
 */
static void remove_refused(struct round *round, struct kernel *kernel, const struct op *ops,
			   size_t n)
{
	struct ops refused = {0};

	for (size_t i = 0; i < n && !round->ground_failed; i++)
		if (ops[i].kind == KIND_ROUTE && ops[i].verb == OP_CHANGE &&
		    ops[i].result == -EINVAL)
			vec_push(&refused, ((struct op){
						   .verb = OP_DELETE,
						   .kind = KIND_ROUTE,
						   .have = ops[i].have,
						   .why = "cannot become what is declared",
					   }));
	if (refused.len) {
		log_warning("routes that cannot become what is declared are removed: %zu",
			    refused.len);
		kernel->vt->apply(kernel, &round->arena, refused.v, refused.len);
	}
	vec_done(&refused);
}

/* A run of ops of one stage that are not blocked; the kernel gets them at once. */
static void apply_run(struct round *round, struct kernel *kernel, size_t from, size_t to)
{
	size_t start = from;

	for (size_t i = from; i <= to; i++) {
		if (i < to && !round->ops.v[i].done)
			continue;
		for (size_t j = start; j < i; j++)
			round->ops.v[j].asked = true;
		if (i > start)
			kernel->vt->apply(kernel, &round->arena, &round->ops.v[start], i - start);
		remove_refused(round, kernel, &round->ops.v[start], i - start);
		start = i + 1;
	}
	for (size_t i = from; i < to; i++)
		if (round->ops.v[i].asked)
			note_failures(round, &round->ops.v[i]);
}

static bool goes_in_a_group(const struct op *op)
{
	return op->kind == KIND_LINK && op->verb == OP_DELETE;
}

static size_t first_slice(const struct op *op)
{
	return goes_in_a_group(op) ? SLICE_GROUP_FIRST : SLICE_FIRST;
}

/* The next slice by what this one took: stages differ by far in what an op of theirs costs. */
static void measure_slice(struct round *round, const struct op *first, uint64_t took_ms)
{
	uint64_t budget_ms = goes_in_a_group(first) ? SLICE_GROUP_MS : SLICE_MS;

	if (round->next < round->ops.len && !same_stage(first, &round->ops.v[round->next]))
		round->slice = first_slice(&round->ops.v[round->next]);
	else if (took_ms > budget_ms && round->slice > SLICE_MIN)
		round->slice /= 2;
	else if (took_ms < budget_ms / 2 && round->slice < SLICE_MAX)
		round->slice *= 2;
}

bool round_apply(struct round *round, struct kernel *kernel, struct ledger *ledger)
{
	struct ops *ops = &round->ops;
	const struct op *last = NULL;
	bool slices = ops->len > SLICE_MIN;
	uint64_t begin_ms = slices ? loop_now_ms() : 0;

	if (!round->slice && ops->len)
		round->slice = first_slice(&ops->v[0]);
	size_t slice_end = round->next + round->slice;

	while (round->next < ops->len && round->next < slice_end) {
		struct op *first = &ops->v[round->next];
		size_t end = round->next + 1;

		if (!is_applied(first)) {
			round->next++;
			continue;
		}
		while (end < ops->len && is_applied(&ops->v[end]) &&
		       same_stage(first, &ops->v[end]) &&
		       (end < slice_end || object_is_nft(first->kind)))
			end++;
		for (size_t i = round->next; i < end; i++) {
			check_blocked(round, &ops->v[i]);
			note_failures(round, &ops->v[i]);
		}
		ledger_intend(ledger, first, end - round->next, &round->facts);
		stage_failpoint(first, false);
		apply_run(round, kernel, round->next, end);
		stage_failpoint(first, true);
		round->next = end;
		last = first;
	}
	if (last && slices)
		measure_slice(round, last, loop_now_ms() - begin_ms);
	return round->next < ops->len;
}

void round_again(struct round *round)
{
	if (!round->partial) /* else they are lent */
		facts_done(&round->facts);
	objects_done(&round->observed);
	objects_done(&round->desired);
	objects_done(&round->owned);
	vec_done(&round->ops);
	vec_done(&round->failed_links);
	arena_give_back(&round->arena);
	*round = (struct round){
		.expanded = round->expanded,
		.desired_arena = round->desired_arena,
		.rest_arena = round->rest_arena,
		.is_expanded = round->is_expanded,
		.revision = round->revision,
	};
}

void round_done(struct round *round)
{
	drop_expanded(round);
	round_again(round);
}
