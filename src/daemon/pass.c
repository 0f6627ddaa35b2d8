/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The straight line of a round, and which op blocks which. */
#include "daemon/pass.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SLICE = 512 }; /* ops in one turn of the loop; an nft batch is never split */

/* Sysctls are read with the links: as objects for the keys that are wanted or recorded. */
static void observe_sysctls(struct round *round, const struct object_list *keys)
{
	for (size_t i = 0; i < keys->len; i++) {
		const struct sysctl *key = (const struct sysctl *)keys->v[i];
		const struct fact_link *link = facts_link(&round->facts, key->device);

		if (!link)
			continue;
		struct sysctl *s = (struct sysctl *)objects_add(&round->observed, KIND_SYSCTL);
		snprintf(s->device, sizeof(s->device), "%s", key->device);
		s->name = key->name;
		s->value = key->name == SYSCTL_FORWARDING ? link->forwarding : link->rp_filter;
		s->head.set = kind_compared(&sysctl_kind);
	}
}

int round_look(struct round *round, const struct round_input *input, struct err *err)
{
	struct remote_questions questions = {0};

	*round = (struct round){0};
	round->observed.arena = &round->arena;
	expand_questions(input->declaration, &questions);
	for (size_t i = 0; i < questions.len; i++)
		vec_push(&round->facts.remotes, questions.v[i]);
	vec_done(&questions);
	int r = input->kernel->vt->observe(input->kernel, &round->arena, &round->observed,
					   &round->facts, err);
	if (r < 0)
		return r;
	facts_sort(&round->facts);
	ledger_check_devices(input->ledger, &round->facts);
	expand(
		&(struct expand_input){
			.declaration = input->declaration,
			.facts = &round->facts,
			.owned = &input->ledger->owned,
			.database_id = store_database_id(input->store),
			.from_numbers = input->from_numbers,
		},
		&round->arena, &round->expanded);
	observe_sysctls(round, &round->expanded.desired.kind[KIND_SYSCTL]);
	observe_sysctls(round, &input->ledger->owned.kind[KIND_SYSCTL]);
	objects_sort(&round->observed);
	return 0;
}

void round_plan(struct round *round, const struct ledger *ledger)
{
	vec_clear(&round->ops);
	round->next = 0;
	plan_build(&(struct plan_input){&round->expanded.desired, &round->observed, &ledger->owned},
		   &round->arena, &round->ops);
}

/* Ops of nft that follow each other are one batch: what goes and what comes instead, without
 * a gap. */
static bool same_stage(const struct op *a, const struct op *b)
{
	bool down_a = a->verb == OP_DELETE, down_b = b->verb == OP_DELETE;

	return object_is_nft(a->kind) ? object_is_nft(b->kind)
				      : down_a == down_b && a->kind == b->kind;
}

static bool is_applied(const struct op *op)
{
	return op->verb != OP_FOUND && op->verb != OP_FORGET && op->verb != OP_CONFLICT;
}

static void block(struct op *op, const char *message)
{
	op->done = true;
	op->result = -ECANCELED;
	op->message = message;
}

static bool opens(const struct op *op)
{
	const struct sysctl *s = (const struct sysctl *)op->want;

	return op->kind == KIND_SYSCTL && s && s->name == SYSCTL_FORWARDING && s->value;
}

/* An op that failed blocks only what depends on it: the same link, or NAT and forwarding. */
static void check_blocked(struct round *round, struct op *op)
{
	const char *device = object_device(op->kind, op_object(op));

	for (size_t i = 0; device && i < round->failed_links.len; i++)
		if (strcmp(round->failed_links.v[i], device) == 0) {
			block(op, arena_printf(&round->arena, "waits for link %s", device));
			return;
		}
	if (round->nft_failed && opens(op))
		block(op, "waits for the nft table, without which forwarding would leak");
	if (round->closing_failed && op->verb == OP_DELETE && object_is_nft(op->kind))
		block(op, "waits until forwarding is off, without which it would leak");
}

static void note_failures(struct round *round, const struct op *op)
{
	if (!op->done || !op->result)
		return;
	if (op->kind == KIND_LINK && op->want)
		vec_push(&round->failed_links, ((const struct link *)op->want)->device);
	if (object_is_nft(op->kind) && op->verb != OP_DELETE)
		round->nft_failed = true;
	if (op->kind == KIND_SYSCTL && op->verb == OP_DELETE)
		round->closing_failed = true;
}

/* A run of ops of one stage that are not blocked; the kernel gets them at once. */
static void apply_run(struct round *round, struct kernel *kernel, size_t from, size_t to)
{
	size_t start = from;

	for (size_t i = from; i <= to; i++) {
		if (i < to && !round->ops.v[i].done)
			continue;
		if (i > start)
			kernel->vt->apply(kernel, &round->arena, &round->ops.v[start], i - start);
		start = i + 1;
	}
	for (size_t i = from; i < to; i++)
		note_failures(round, &round->ops.v[i]);
}

bool round_apply(struct round *round, struct kernel *kernel, struct ledger *ledger)
{
	struct ops *ops = &round->ops;
	size_t slice_end = round->next + SLICE;

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
		for (size_t i = round->next; i < end; i++)
			check_blocked(round, &ops->v[i]);
		ledger_intend(ledger, first, end - round->next, &round->facts);
		apply_run(round, kernel, round->next, end);
		round->next = end;
	}
	return round->next < ops->len;
}

void round_done(struct round *round)
{
	facts_done(&round->facts);
	objects_done(&round->observed);
	expand_done(&round->expanded);
	vec_done(&round->ops);
	vec_done(&round->failed_links);
	arena_done(&round->arena);
	*round = (struct round){0};
}
