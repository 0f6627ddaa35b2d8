/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outstanding ops, by the digests of their objects. */
#include "daemon/drift.h"

#include "daemon/contest.h"
#include "daemon/outcome.h"

void drift_begin(struct drift *drift)
{
	drift->look++;
}

static int compare(const void *a, const void *b)
{
	const struct drift_op *x = a, *y = b;

	return (x->digest > y->digest) - (x->digest < y->digest);
}

static struct drift_op *find(const struct drift *drift, uint64_t digest)
{
	const struct drift_op key = {.digest = digest};

	return drift->v.len ? bsearch(&key, drift->v.v, drift->v.len, sizeof(key), compare) : NULL;
}

static bool changes_kernel(const struct op *op)
{
	return op->verb != OP_FOUND && op->verb != OP_FORGET && op->verb != OP_CONFLICT;
}

static const char *words(const struct op *op, struct arena *arena)
{
	if (!op->have)
		return "it was missing";
	return op->want ? outcome_differences(op, arena) : "it is not declared";
}

static void tell(struct event_log *log, enum event_type type, const struct op *op,
		 const char *culprit)
{
	const struct kind *kind = kinds[op->kind];
	cleanup_arena struct arena arena = {0};

	event_log_add(log, &(struct event){
				   .type = type,
				   .kind = kind,
				   .name = kind_key_text(kind, op_object(op), &arena),
				   .message = words(op, &arena),
				   .culprit = culprit,
			   });
}

/* Drops those that were not looked at since; look 0: that were repaired. */
static void drop_before(struct drift *drift, uint64_t look)
{
	size_t kept = 0;

	for (size_t i = 0; i < drift->v.len; i++)
		if (drift->v.v[i].look >= look)
			drift->v.v[kept++] = drift->v.v[i];
	drift->v.len = kept;
}

void drift_note(struct drift *drift, const struct ops *ops, bool unasked, const char *culprit,
		struct event_log *log)
{
	struct drift_ops fresh = {0};

	for (size_t i = 0; i < ops->len; i++) {
		const struct op *op = &ops->v[i];
		bool repaired = op->done && !op->result;

		if (!changes_kernel(op) || (repaired && !unasked && !drift->v.len))
			continue;
		uint64_t digest = contests_digest(op->kind, op_object(op));
		struct drift_op *known = find(drift, digest);
		if (!known && unasked)
			tell(log, EVENT_DRIFT_DETECTED, op, culprit);
		if (repaired && (known ? known->told : unasked))
			tell(log, EVENT_DRIFT_REPAIRED, op, culprit);
		if (known)
			known->look = repaired ? 0 : drift->look;
		else if (!repaired)
			vec_push(&fresh, ((struct drift_op){digest, drift->look, unasked}));
	}
	drop_before(drift, 1);
	for (size_t i = 0; i < fresh.len; i++)
		vec_push(&drift->v, fresh.v[i]);
	if (fresh.len)
		vec_sort(&drift->v, compare);
	vec_done(&fresh);
}

void drift_settle(struct drift *drift)
{
	drop_before(drift, drift->look);
}

void drift_done(struct drift *drift)
{
	vec_done(&drift->v);
}
