/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the outcome of a pass to the status of one resource: the state of each of its
 * objects, then the one word for all of them. Who is told, and when, is reconcile's.
 */
#include "daemon/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/outcome.h"
#include "daemon/purge.h"

const char *const state_names[STATES] = {
	[STATE_PENDING] = "pending",   [STATE_READY] = "ready",       [STATE_FAILED] = "failed",
	[STATE_CONFLICT] = "conflict", [STATE_DISABLED] = "disabled", [STATE_DELETING] = "deleting",
};

const char *const object_state_names[] = {
	[OBJECT_IN_SYNC] = "in-sync",   [OBJECT_STATE_FOUND] = "found",
	[OBJECT_MISSING] = "missing",   [OBJECT_DIFFERS] = "differs",
	[OBJECT_FOREIGN] = "foreign",   [OBJECT_FAILED] = "failed",
	[OBJECT_CONTESTED] = "differs",
};

static int op_ref_compare(const void *a, const void *b)
{
	const struct op_ref *x = a, *y = b;

	return (x->want > y->want) - (x->want < y->want);
}

void outcome_index(struct outcome *outcome)
{
	vec_clear(&outcome->refs);
	for (size_t i = 0; i < outcome->ops->len; i++) {
		const struct op *op = &outcome->ops->v[i];

		if (!op->want)
			continue;
		vec_push(&outcome->refs, ((struct op_ref){op->want, op}));
		if (op->want->marks & OBJECT_SHARED)
			vec_push(&outcome->shared, ((struct op_ref){op->want, op}));
	}
	vec_sort(&outcome->refs, op_ref_compare);
}

void outcome_done(struct outcome *outcome)
{
	vec_done(&outcome->refs);
	vec_done(&outcome->shared);
}

static const struct op *op_for(const struct outcome *outcome, const struct object *want)
{
	struct op_ref key = {.want = want};
	const struct op_ref *ref = outcome->refs.len
					   ? bsearch(&key, outcome->refs.v, outcome->refs.len,
						     sizeof(key), op_ref_compare)
					   : NULL;

	return ref ? ref->op : NULL;
}

struct verdict {
	enum object_state state;
	const struct op *op; /* that explains it; NULL: none */
};

static struct verdict judge(const struct outcome *outcome, enum kind_id kind,
			    const struct object *want)
{
	const struct op *op = op_for(outcome, want);

	if (op && op->verb == OP_CONFLICT)
		return (struct verdict){OBJECT_FOREIGN, op};
	if (op && op->held)
		return (struct verdict){OBJECT_CONTESTED, op};
	if (contests_has(outcome->contests, kind, want, outcome->now_ms))
		return (struct verdict){OBJECT_CONTESTED, NULL};
	if (op && op->verb != OP_FOUND) {
		if (op->done && !op->result)
			return (struct verdict){OBJECT_IN_SYNC, NULL};
		if (op->result && op->result != -ECANCELED)
			return (struct verdict){OBJECT_FAILED, op};
		return (struct verdict){op->verb == OP_ADD ? OBJECT_MISSING : OBJECT_DIFFERS, op};
	}
	if (!op && !outcome->partial && !objects_find(outcome->observed, kind, want))
		return (struct verdict){OBJECT_MISSING, NULL};
	const struct object *owned = objects_find(outcome->owned, kind, want);
	return (struct verdict){
		owned && owned->marks & OBJECT_FOUND ? OBJECT_STATE_FOUND : OBJECT_IN_SYNC, NULL};
}

static enum reason reason_of(int number)
{
	switch (-number) {
	case EOPNOTSUPP:
		return REASON_KERNEL_MODULE_MISSING;
	case EPERM:
	case EACCES:
		return REASON_PERMISSION_DENIED;
	case ENOMEM:
	case ENOBUFS:
		return REASON_OUT_OF_MEMORY;
	default:
		return REASON_KERNEL_ERROR;
	}
}

static void say(struct status *status, enum state state, enum reason reason, const char *message)
{
	status->state = state;
	status->reason = reason;
	free(status->message);
	status->message = message && *message ? xstrdup(message) : NULL;
}

/* What tells whose it is: the differences do not. */
static const char *holder(const struct op *op, struct arena *arena)
{
	if (op->kind == KIND_LINK)
		return arena_printf(arena, "driver %s, ", ((const struct link *)op->have)->driver);
	if (op->kind == KIND_ROUTE)
		return arena_printf(arena, "protocol %u, ",
				    ((const struct route *)op->have)->protocol);
	return "";
}

static const char *foreign(const struct op *op, const char *key, struct arena *arena)
{
	const struct link *have = (const struct link *)op->have;

	/* of a device of another driver no other field says anything */
	if (op->kind == KIND_LINK && strcmp(have->driver, "ipip") != 0)
		return arena_printf(
			arena,
			"link %s: %s%sdevice of another owner has this name, untouched; "
			"give the tunnel another \"device\"",
			key, have->driver, *have->driver ? " " : "a ");
	return arena_printf(arena, "%s %s: %s (%s%s), untouched", kinds[op->kind]->noun, key,
			    op->why, holder(op, arena), outcome_differences(op, arena));
}

/* The sentence for an object that is not as declared. */
static const char *trouble(const struct contests *contests, const struct verdict *v,
			   enum kind_id kind, const struct object *want, struct arena *arena)
{
	const char *key = kind_key_text(kinds[kind], want, arena);

	if (v->op && v->op->message)
		return v->op->message;
	if (v->state == OBJECT_CONTESTED)
		return contests_words(contests, kind, want, arena);
	if (v->state == OBJECT_FOREIGN && v->op)
		return foreign(v->op, key, arena);
	return arena_printf(arena, "%s %s is %s", kinds[kind]->noun, key,
			    object_state_names[v->state]);
}

/* A name or endpoints that another device holds are a conflict, not a failure of the kernel. */
static bool is_taken(const struct op *op)
{
	return op && op->kind == KIND_LINK && op->result == -EEXIST;
}

/* Worse things are said over lesser ones. */
static void weigh(struct status *status, const struct verdict *v, const char *message)
{
	switch (v->state) {
	case OBJECT_FAILED:
		if (is_taken(v->op))
			say(status, STATE_CONFLICT,
			    v->op->duplicate ? REASON_DUPLICATE_ENDPOINTS : REASON_FOREIGN_OBJECT,
			    message);
		else if (status->state != STATE_FAILED && status->state != STATE_CONFLICT)
			say(status, STATE_FAILED, reason_of(v->op->result), message);
		return;
	case OBJECT_FOREIGN:
		if (status->state != STATE_CONFLICT)
			say(status, STATE_CONFLICT, REASON_FOREIGN_OBJECT, message);
		return;
	case OBJECT_CONTESTED:
		if (status->state != STATE_CONFLICT)
			say(status, STATE_CONFLICT, REASON_CONTESTED, message);
		return;
	case OBJECT_MISSING:
	case OBJECT_DIFFERS:
		if (status->state == STATE_READY)
			say(status, STATE_PENDING, REASON_DEPENDENCY_FAILED, message);
		return;
	case OBJECT_IN_SYNC:
	case OBJECT_STATE_FOUND:
		return;
	}
}

static bool is_troubled(enum object_state state)
{
	return state != OBJECT_IN_SYNC && state != OBJECT_STATE_FOUND;
}

bool status_lists(const struct kind *of, enum kind_id kind, enum object_state state)
{
	bool is_nft = kind == KIND_NFT_SET || kind == KIND_NFT_ELEMENT;

	return is_troubled(state) || !(of == &tunnel_kind && is_nft);
}

static void list(struct status *status, enum kind_id kind, const struct object *want,
		 enum object_state state, const char *message, struct arena *arena)
{
	if (!status->objects)
		status->objects = xcalloc(STATUS_OBJECTS_MAX, sizeof(*status->objects));
	status->objects[status->objects_len++] = (struct status_object){
		.kind = kind,
		.state = state,
		.key = xstrdup(kind_key_text(kinds[kind], want, arena)),
		.message = message ? xstrdup(message) : NULL,
	};
}

/* Nothing was left to do: what is claimed is there, or its hold says why not. */
static void count_objects(struct status *status, const struct outcome *outcome,
			  const struct expansion *e)
{
	for (size_t i = e->claims_from; i < e->claims_to; i++) {
		const struct claim *claim = &outcome->claims->v[i];

		status->objects_total += !(claim->object->marks & OBJECT_COVERED) &&
					 status_lists(e->kind, claim->kind, OBJECT_IN_SYNC);
	}
}

/* The troubled objects first, then the others, as far as there is room. */
static void judge_objects(struct status *status, const struct outcome *outcome,
			  const struct expansion *e, struct arena *arena)
{
	for (int troubled = 1; troubled >= 0; troubled--)
		for (size_t i = e->claims_from; i < e->claims_to; i++) {
			const struct claim *claim = &outcome->claims->v[i];
			const struct object *want = objects_find(outcome->desired, claim->kind,
								 claim->object);

			if (!want)
				continue; /* another's element covers it */
			struct verdict v = judge(outcome, claim->kind, want);
			if (is_troubled(v.state) != (troubled == 1) ||
			    !status_lists(e->kind, claim->kind, v.state))
				continue;
			const char *message = troubled ? trouble(outcome->contests, &v, claim->kind,
								 want, arena)
						       : NULL;
			weigh(status, &v, message);
			status->objects_total++;
			/* without trouble reconcile_details tells them anew */
			if ((troubled || status->objects) &&
			    status->objects_len < STATUS_OBJECTS_MAX)
				list(status, claim->kind, want, v.state, message, arena);
		}
}

/* Does every resource of that kind hang on shared objects of this one? */
static bool hangs_on(enum kind_id resource, enum kind_id object)
{
	switch (resource) {
	case KIND_EXIT_ROUTE:
		return object == KIND_RULE;
	case KIND_NAT_RULE:
		return object == KIND_SYSCTL || object <= KIND_NFT_CHAIN;
	default:
		return object == KIND_NFT_TABLE;
	}
}

/* Rules, chains and the like are claimed by nobody: their trouble is told by all who need them. */
static void judge_shared(struct status *status, const struct outcome *outcome,
			 const struct expansion *e, struct arena *arena)
{
	for (size_t i = 0; i < outcome->shared.len; i++) {
		const struct op_ref *ref = &outcome->shared.v[i];
		struct verdict v = judge(outcome, ref->op->kind, ref->want);

		if (!hangs_on(e->kind->id, ref->op->kind) || !is_troubled(v.state))
			continue;
		/* a tunnel whose link cannot be made says so itself */
		if (ref->op->result == -ECANCELED && object_device(ref->op->kind, ref->want))
			continue;
		const char *message = trouble(outcome->contests, &v, ref->op->kind, ref->want,
					      arena);
		weigh(status, &v, message);
		status->objects_total++;
		if (status->objects_len < STATUS_OBJECTS_MAX)
			list(status, ref->op->kind, ref->want, v.state, message, arena);
	}
}

/* What is left of it, in the kernel's own words. */
static void judge_removal(struct status *status, const struct outcome *outcome,
			  const struct expansion *e, struct arena *arena)
{
	const struct resource *head = e->effective;

	say(status, STATE_DELETING, REASON_DELETING, "its objects are being removed");
	for (size_t i = 0; i < outcome->ops->len; i++) {
		const struct op *op = &outcome->ops->v[i];

		if (op->verb != OP_DELETE || !op->result || !purge_may_belong(e->kind, head, op))
			continue;
		if (!status->objects_total++)
			say(status, STATE_DELETING, reason_of(op->result), op->message);
		if (status->objects_len < STATUS_OBJECTS_MAX)
			list(status, op->kind, op->have, OBJECT_FAILED, op->message, arena);
	}
}

void status_of(const struct outcome *outcome, const struct expansion *e,
	       const struct status *dependency, struct arena *arena, struct status *status)
{
	const struct resource *head = e->effective;

	*status = (struct status){.generation = head->generation};
	if (head->deleting) {
		judge_removal(status, outcome, e, arena);
		return;
	}
	if (!head->enabled) {
		say(status, STATE_DISABLED, REASON_DISABLED, "");
		return;
	}
	say(status, STATE_READY, REASON_IN_SYNC, "");
	if (outcome->ops->len || outcome->contests->contested || e->hold.reason ||
	    (dependency && dependency->objects)) {
		judge_shared(status, outcome, e, arena);
		judge_objects(status, outcome, e, arena);
	} else {
		count_objects(status, outcome, e);
	}
	if (status->state == STATE_FAILED || status->state == STATE_CONFLICT)
		return;
	if (e->hold.reason)
		say(status, STATE_PENDING, e->hold.reason, e->hold.message);
	else if (dependency && dependency->state != STATE_READY)
		say(status, STATE_PENDING, REASON_DEPENDENCY_FAILED,
		    arena_printf(arena, "its tunnel is %s: %s", state_names[dependency->state],
				 status_message(dependency)));
}

const char *outcome_differences(const struct op *op, struct arena *arena)
{
	cleanup_text struct text text = {0};
	const struct kind *kind = kinds[op->kind];

	for (unsigned i = 0; op->want && op->have && i < kind->n_fields; i++) {
		if (!(op->differs >> i & 1))
			continue;
		text_addf(&text, "%s%s ", text.len ? ", " : "", kind->fields[i].name);
		field_show(&kind->fields[i], op->have, &text);
		text_add(&text, " instead of ");
		field_show(&kind->fields[i], op->want, &text);
	}
	return arena_strdup(arena, text_str(&text));
}

const char *status_message(const struct status *status)
{
	return status->message ? status->message : "";
}

void status_done(struct status *status)
{
	for (uint32_t i = 0; i < status->objects_len; i++) {
		free((char *)(uintptr_t)status->objects[i].key);
		free((char *)(uintptr_t)status->objects[i].message);
	}
	free(status->objects);
	free(status->message);
	*status = (struct status){0};
}
