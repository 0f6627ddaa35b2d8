/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a row of the ledger is written and when it goes. Its rows in SQL are store/'s. */
#include "daemon/ledger.h"

#include <errno.h>
#include <string.h>

#include "kernel/kernel.h"

static int reload(struct ledger *ledger, struct err *err)
{
	struct arena arena = {0};
	struct objects owned = {.arena = &arena};
	int r = store_ledger_load(ledger->store, ledger->boot_id, ledger->namespace_cookie, &owned,
				  err);

	if (r < 0) {
		objects_done(&owned);
		arena_done(&arena);
		return r;
	}
	objects_sort(&owned);
	objects_done(&ledger->owned);
	arena_done(&ledger->arena);
	ledger->arena = arena;
	ledger->owned = owned;
	ledger->owned.arena = &ledger->arena;
	return 0;
}

int ledger_open(struct ledger *ledger, struct store *store, struct err *err)
{
	*ledger = (struct ledger){.store = store};
	int r = kernel_boot_id(ledger->boot_id);
	if (r == 0)
		r = kernel_namespace_cookie(&ledger->namespace_cookie);
	if (r < 0)
		return err_set(err, r, "boot id and network namespace cannot be told: %s",
			       strerror(-r));
	return reload(ledger, err);
}

void ledger_close(struct ledger *ledger)
{
	objects_done(&ledger->owned);
	arena_done(&ledger->arena);
}

/* Kinds whose mark the kernel does not keep. */
static bool is_recorded(enum kind_id kind)
{
	return kind == KIND_ADDRESS || kind == KIND_SYSCTL;
}

static bool makes_ours(const struct op *op)
{
	switch (op->verb) {
	case OP_ADD:
	case OP_CHANGE:
	case OP_REPLACE:
	case OP_ADOPT:
		return true;
	case OP_DELETE:
	case OP_FOUND:
	case OP_FORGET:
	case OP_CONFLICT:
		break;
	}
	return false;
}

static uint32_t sysctl_before(const struct sysctl *want, const struct facts *facts)
{
	const struct fact_link *link = facts_link(facts, want->device);

	if (want->name == SYSCTL_FORWARDING)
		return link ? link->forwarding : facts->default_forwarding;
	return link ? link->rp_filter : facts->default_rp_filter;
}

static int put(struct ledger *ledger, const struct op *op, uint32_t marks,
	       const struct facts *facts, struct err *err)
{
	cleanup_arena struct arena arena = {0};
	struct object *row = kind_copy(kinds[op->kind], op_object(op), &arena);

	row->marks = marks;
	if (op->kind == KIND_SYSCTL && facts) {
		struct sysctl *s = (struct sysctl *)row;

		s->before = sysctl_before(s, facts);
		row->set |= object_bit(sysctl_kind, "before");
	}
	return store_ledger_put(ledger->store, op->kind, row, err);
}

/* What the row of this op must become before it is applied: 0 when nothing changes. */
static int intend(struct ledger *ledger, const struct op *op, const struct facts *facts,
		  bool *wrote, struct err *err)
{
	const struct object *owned = objects_find(&ledger->owned, op->kind, op_object(op));

	if (!makes_ours(op))
		return 0;
	if (is_recorded(op->kind)) {
		bool same = owned && owned->marks == OBJECT_OURS &&
			    !kind_differences(kinds[op->kind], op->want, owned);

		/* a device made anew keeps no record of what was before */
		if (same && op->verb != OP_ADD)
			return 0;
		*wrote = true;
		return put(ledger, op, OBJECT_OURS, facts, err);
	}
	if (!owned)
		return 0;
	*wrote = true;
	return store_ledger_delete(ledger->store, op->kind, owned, err);
}

static int transaction(struct ledger *ledger, struct op *ops, size_t n, const struct facts *facts,
		       struct err *err)
{
	bool wrote = false;
	int r = store_begin(ledger->store, err);

	for (size_t i = 0; i < n && r == 0; i++)
		r = intend(ledger, &ops[i], facts, &wrote, err);
	if (r < 0 || !wrote) {
		store_rollback(ledger->store);
		return r;
	}
	r = store_commit(ledger->store, err);
	return r < 0 ? r : reload(ledger, err);
}

static bool needs_intent(const struct ledger *ledger, const struct op *op)
{
	return makes_ours(op) &&
	       (is_recorded(op->kind) || objects_find(&ledger->owned, op->kind, op_object(op)));
}

void ledger_intend(struct ledger *ledger, struct op *ops, size_t n, const struct facts *facts)
{
	static const char refused[] = "the ledger could not be written";
	struct err err = {0};
	bool any = false;

	for (size_t i = 0; i < n && !any; i++)
		any = needs_intent(ledger, &ops[i]);
	if (!any)
		return;
	int r = transaction(ledger, ops, n, facts, &err);
	for (size_t i = 0; i < n && r < 0; i++)
		if (needs_intent(ledger, &ops[i])) {
			ops[i].done = true;
			ops[i].result = r;
			ops[i].message = refused;
		}
}

static int settle(struct ledger *ledger, const struct op *op, bool *wrote, struct err *err)
{
	const struct object *owned = objects_find(&ledger->owned, op->kind, op_object(op));
	bool gone = op->verb == OP_FORGET || (op->verb == OP_DELETE && op->done && !op->result);

	if (op->verb == OP_FOUND) {
		bool orphan = owned && owned->marks & OBJECT_ORPHAN;

		*wrote = true;
		if (orphan && !is_recorded(op->kind))
			return store_ledger_delete(ledger->store, op->kind, owned, err);
		return put(ledger, op, orphan ? OBJECT_OURS : OBJECT_FOUND, NULL, err);
	}
	if (!gone || !owned)
		return 0;
	*wrote = true;
	return store_ledger_delete(ledger->store, op->kind, owned, err);
}

int ledger_settle(struct ledger *ledger, const struct ops *ops, struct err *err)
{
	bool wrote = false;
	int r = 0;

	for (size_t i = 0; i < ops->len && r == 0; i++) {
		const struct op *op = &ops->v[i];

		if (op->verb != OP_FOUND && op->verb != OP_FORGET && op->verb != OP_DELETE)
			continue;
		if (!store_in_transaction(ledger->store))
			r = store_begin(ledger->store, err);
		if (r == 0)
			r = settle(ledger, op, &wrote, err);
	}
	if (!store_in_transaction(ledger->store))
		return r;
	if (r < 0 || !wrote) {
		store_rollback(ledger->store);
		return r;
	}
	r = store_commit(ledger->store, err);
	return r < 0 ? r : reload(ledger, err);
}

static int orphan_list(struct ledger *ledger, enum kind_id kind, const struct objects *observed,
		       const struct objects *desired, struct err *err)
{
	const struct object_list *list = &observed->kind[kind];
	uint32_t id, ours = store_database_id(ledger->store);

	for (size_t i = 0; i < list->len; i++) {
		const struct object *o = list->v[i];
		const struct link *link = (const struct link *)o;

		if (!(o->marks & OBJECT_OURS) || o->marks & OBJECT_DOOMED)
			continue;
		if (kind == KIND_LINK && alias_parse(link->alias, &id) && id == ours)
			continue;
		if (objects_find(desired, kind, o) || objects_find(&ledger->owned, kind, o))
			continue;
		struct op op = {.verb = OP_FOUND, .kind = kind, .have = o};
		int r = put(ledger, &op, OBJECT_ORPHAN, NULL, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int ledger_orphan(struct ledger *ledger, const struct objects *observed,
		  const struct objects *desired, struct err *err)
{
	int r = store_begin(ledger->store, err);

	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END && r == 0; kind++)
		r = orphan_list(ledger, kind, observed, desired, err);
	if (r == 0)
		r = store_meta_set(ledger->store, "looked_for_orphans", "yes", err);
	if (r < 0) {
		store_rollback(ledger->store);
		return r;
	}
	r = store_commit(ledger->store, err);
	return r < 0 ? r : reload(ledger, err);
}

int ledger_release_orphans(struct ledger *ledger, struct err *err)
{
	int r = store_begin(ledger->store, err);

	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *list = &ledger->owned.kind[kind];

		for (size_t i = 0; i < list->len && r == 0; i++)
			if (list->v[i]->marks & OBJECT_ORPHAN)
				r = store_ledger_delete(ledger->store, kind, list->v[i], err);
	}
	if (r < 0) {
		store_rollback(ledger->store);
		return r;
	}
	r = store_commit(ledger->store, err);
	return r < 0 ? r : reload(ledger, err);
}
