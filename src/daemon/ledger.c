/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a row of the ledger is written and when it goes. Its rows in SQL are store/'s. */
#include "daemon/ledger.h"

#include <errno.h>
#include <string.h>

#include "base/failpoint.h"
#include "kernel/kernel.h"

static int load(struct ledger *ledger, struct err *err)
{
	cleanup_arena struct arena arena = {0};
	struct objects stored = {.arena = &arena};
	int r = store_ledger_load(ledger->store, ledger->boot_id, ledger->namespace_cookie, &stored,
				  err);

	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END && r == 0; kind++)
		for (size_t i = 0; i < stored.kind[kind].len; i++)
			object_list_push(&ledger->owned.kind[kind],
					 kind_copy(kinds[kind], stored.kind[kind].v[i], NULL));
	objects_done(&stored);
	return r;
}

int ledger_open(struct ledger *ledger, struct store *store, struct kernel *kernel, struct err *err)
{
	*ledger = (struct ledger){.store = store, .kernel = kernel};
	int r = kernel_boot_id(ledger->boot_id);
	if (r == 0)
		r = kernel_namespace_cookie(&ledger->namespace_cookie);
	if (r < 0)
		return err_set(err, r, "boot id and network namespace cannot be told: %s",
			       strerror(-r));
	return load(ledger, err);
}

void ledger_close(struct ledger *ledger)
{
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++)
		for (size_t i = 0; i < ledger->owned.kind[kind].len; i++)
			free(ledger->owned.kind[kind].v[i]);
	objects_done(&ledger->owned);
}

/* Written; memory follows when the transaction is committed. */
static int note(struct ledger *ledger, enum kind_id kind, const struct object *row, bool gone,
		struct err *err)
{
	int r = gone ? store_ledger_delete(ledger->store, kind, row, err)
		     : store_ledger_put(ledger->store, kind, row, err);

	if (r == 0)
		vec_push(&ledger->changes,
			 ((struct ledger_change){kind, gone, kind_copy(kinds[kind], row, NULL)}));
	return r;
}

static int put_row(struct ledger *ledger, enum kind_id kind, const struct object *row,
		   struct err *err)
{
	return note(ledger, kind, row, false, err);
}

static int remove_row(struct ledger *ledger, enum kind_id kind, const struct object *row,
		      struct err *err)
{
	return note(ledger, kind, row, true, err);
}

static int change_compare(const void *a, const void *b)
{
	const struct ledger_change *x = a, *y = b;

	return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind)
				  : kind_key_compare(kinds[x->kind], x->row, y->row);
}

/* The changes of one kind, sorted, merged into its list. They take the rows over. */
static void merge_changes(struct object_list *list, const struct ledger_change *changes, size_t n)
{
	const struct kind *kind = kinds[changes[0].kind];
	struct object_list merged = {0};
	size_t i = 0;

	for (size_t c = 0; c < n; c++) {
		while (i < list->len && kind_key_compare(kind, list->v[i], changes[c].row) < 0)
			object_list_push(&merged, list->v[i++]);
		if (i < list->len && kind_key_compare(kind, list->v[i], changes[c].row) == 0)
			free(list->v[i++]);
		if (changes[c].gone)
			free(changes[c].row);
		else
			object_list_push(&merged, changes[c].row);
	}
	while (i < list->len)
		object_list_push(&merged, list->v[i++]);
	free(list->v);
	*list = merged;
}

/* Commits what was written, if it is whole; memory follows the store. 1: something changed. */
static int end_transaction(struct ledger *ledger, int r, struct err *err)
{
	struct ledger_changes changes = ledger->changes;

	ledger->changes = (struct ledger_changes){0};
	if (r == 0 && store_in_transaction(ledger->store)) {
		failpoint("ledger.commit");
		r = store_commit(ledger->store, err);
		failpoint("ledger.committed");
	} else {
		store_rollback(ledger->store);
	}
	vec_sort(&changes, change_compare);
	for (size_t from = 0, to; from < changes.len; from = to) {
		for (to = from; to < changes.len && changes.v[to].kind == changes.v[from].kind;
		     to++)
			if (r < 0)
				free(changes.v[to].row);
		if (r == 0)
			merge_changes(&ledger->owned.kind[changes.v[from].kind], &changes.v[from],
				      to - from);
	}
	bool changed = changes.len;
	ledger->version += changed && r == 0;
	vec_done(&changes);
	return r < 0 ? r : changed;
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

/* Of the device that a row was written for; NULL: the row is of no device. */
static uint32_t *row_ifindex(enum kind_id kind, struct object *row)
{
	if (kind == KIND_ADDRESS)
		return &((struct address *)row)->ifindex;
	if (kind == KIND_LINK)
		return &((struct link *)row)->ifindex;
	return kind == KIND_SYSCTL ? &((struct sysctl *)row)->ifindex : NULL;
}

void ledger_check_devices(struct ledger *ledger, const struct objects *rows,
			  const struct facts *facts)
{
	static const enum kind_id of_devices[] = {KIND_LINK, KIND_ADDRESS, KIND_SYSCTL};

	for (size_t k = 0; k < ARRAY_LEN(of_devices); k++) {
		const struct object_list *list = &rows->kind[of_devices[k]];

		for (size_t i = 0; i < list->len; i++) {
			const struct fact_link *link = facts_link(
				facts, object_device(of_devices[k], list->v[i]));

			/* an orphan is known by its mark, too, whoever made it anew */
			if (of_devices[k] == KIND_LINK && list->v[i]->marks & OBJECT_ORPHAN)
				continue;
			if (!link || link->ifindex == *row_ifindex(of_devices[k], list->v[i]))
				continue;
			ledger->version += list->v[i]->marks != 0;
			list->v[i]->marks = 0;
		}
	}
}

/*
 * What is to be put back one day: what was found there, not what we wrote since. A device
 * that was made in this pass began with the defaults.
 */
static uint32_t sysctl_before(const struct sysctl *want, const struct sysctl *owned,
			      const struct facts *facts)
{
	const struct fact_link *link = facts_link(facts, want->device);

	if (owned && owned->head.marks && owned->ifindex == want->ifindex)
		return owned->head.marks & OBJECT_FOUND ? owned->value : owned->before;
	if (link && link->ifindex != want->ifindex)
		link = NULL;
	if (want->name == SYSCTL_FORWARDING)
		return link ? link->forwarding : facts->default_forwarding;
	return link ? link->rp_filter : facts->default_rp_filter;
}

static int put(struct ledger *ledger, const struct op *op, uint32_t marks,
	       const struct facts *facts, struct err *err)
{
	cleanup_arena struct arena arena = {0};
	struct object *row = kind_copy(kinds[op->kind], op_object(op), &arena);
	uint32_t *ifindex = row_ifindex(op->kind, row);

	row->marks = marks;
	if (ifindex) {
		*ifindex = ledger->kernel->vt->ifindex(ledger->kernel,
						       object_device(op->kind, row));
		row->set = op->kind == KIND_LINK ? row->set | object_bit(link_kind, "ifindex")
						 : kind_all(kinds[op->kind]);
	}
	if (op->kind == KIND_SYSCTL) {
		struct sysctl *s = (struct sysctl *)row;
		const struct object *owned = objects_find(&ledger->owned, op->kind, s);

		s->before = sysctl_before(s, (const struct sysctl *)owned, facts);
		ledger->took |= marks == OBJECT_OURS && owned && owned->marks & OBJECT_FOUND;
		/* as on a device that was there, where this is no op but a find */
		if (op->verb == OP_ADD && s->before == s->value)
			s->head.marks = OBJECT_FOUND;
	}
	return put_row(ledger, op->kind, row, err);
}

/* Does the ledger say already what the op is about to make true? */
static bool is_noted(const struct ledger *ledger, const struct op *op, struct object *owned)
{
	const char *device = object_device(op->kind, op_object(op));

	return owned && owned->marks == OBJECT_OURS &&
	       *row_ifindex(op->kind, owned) ==
		       ledger->kernel->vt->ifindex(ledger->kernel, device) &&
	       !kind_differences(kinds[op->kind], op->want, owned);
}

/* What the row of this op must become before it is applied. */
static int intend(struct ledger *ledger, const struct op *op, const struct facts *facts,
		  struct err *err)
{
	struct object *owned = objects_find(&ledger->owned, op->kind, op_object(op));

	if (!makes_ours(op) || op->done)
		return 0;
	if (is_recorded(op->kind))
		return is_noted(ledger, op, owned) ? 0 : put(ledger, op, OBJECT_OURS, facts, err);
	return owned ? remove_row(ledger, op->kind, owned, err) : 0;
}

static int transaction(struct ledger *ledger, struct op *ops, size_t n, const struct facts *facts,
		       struct err *err)
{
	int r = store_begin(ledger->store, err);

	for (size_t i = 0; i < n && r == 0; i++)
		r = intend(ledger, &ops[i], facts, err);
	failpoint("intent.commit");
	r = end_transaction(ledger, r, err);
	failpoint("intent.committed");
	return r;
}

static bool needs_intent(const struct ledger *ledger, const struct op *op)
{
	return makes_ours(op) && !op->done &&
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

static int settle(struct ledger *ledger, const struct op *op, const struct facts *facts,
		  struct err *err)
{
	const struct object *owned = objects_find(&ledger->owned, op->kind, op_object(op));
	bool gone = op->verb == OP_FORGET || (op->verb == OP_DELETE && op->done && !op->result);

	if (op->verb == OP_FOUND) {
		bool orphan = owned && owned->marks & OBJECT_ORPHAN;

		if (orphan && !is_recorded(op->kind))
			return remove_row(ledger, op->kind, owned, err);
		return put(ledger, op, orphan ? OBJECT_OURS : OBJECT_FOUND, facts, err);
	}
	return gone && owned ? remove_row(ledger, op->kind, owned, err) : 0;
}

int ledger_settle(struct ledger *ledger, const struct ops *ops, const struct facts *facts,
		  struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < ops->len && r == 0; i++) {
		const struct op *op = &ops->v[i];

		if (op->verb != OP_FOUND && op->verb != OP_FORGET && op->verb != OP_DELETE)
			continue;
		if (!store_in_transaction(ledger->store))
			r = store_begin(ledger->store, err);
		if (r == 0)
			r = settle(ledger, op, facts, err);
	}
	failpoint("settle.commit");
	r = end_transaction(ledger, r, err);
	failpoint("settle.committed");
	return r;
}

static int orphan_list(struct ledger *ledger, enum kind_id kind, const struct objects *observed,
		       const struct objects *desired, const struct facts *facts, struct err *err)
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
		int r = put(ledger, &op, OBJECT_ORPHAN, facts, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * The other agent's ledger is not ours to read, but its closing rule names the devices whose
 * forwarding it switched on. Of any other sysctl of its nobody knows what was there before.
 */
static int orphan_opened(struct ledger *ledger, const struct objects *observed,
			 const struct facts *facts, struct err *err)
{
	const struct object_list *elements = &observed->kind[KIND_NFT_ELEMENT];

	for (size_t i = 0; i < elements->len; i++) {
		const struct nft_element *e = (const struct nft_element *)elements->v[i];
		const struct fact_link *link = facts_link(facts, e->device);
		struct sysctl row = {
			.head = {.set = kind_all(&sysctl_kind), .marks = OBJECT_ORPHAN},
			.name = SYSCTL_FORWARDING,
			.value = 1};

		if (strcmp(e->set_name, OUR_SET_OPENED) != 0 || !link || !link->forwarding)
			continue;
		memcpy(row.device, e->device, sizeof(row.device));
		row.ifindex = link->ifindex;
		if (objects_find(&ledger->owned, KIND_SYSCTL, &row))
			continue;
		int r = put_row(ledger, KIND_SYSCTL, &row.head, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int ledger_orphan(struct ledger *ledger, const struct objects *observed,
		  const struct objects *desired, const struct facts *facts, struct err *err)
{
	int r = store_begin(ledger->store, err);

	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END && r == 0; kind++)
		r = orphan_list(ledger, kind, observed, desired, facts, err);
	if (r == 0)
		r = orphan_opened(ledger, observed, facts, err);
	if (r == 0)
		r = store_meta_set(ledger->store, "looked_for_orphans", "yes", err);
	failpoint("orphans.commit");
	r = end_transaction(ledger, r, err);
	failpoint("orphans.committed");
	return r < 0 ? r : 0;
}

/* Where the kernel keeps the mark, no row is needed; else the row says it. */
static int release(struct ledger *ledger, enum kind_id kind, const struct object *orphan,
		   struct err *err)
{
	cleanup_arena struct arena arena = {0};

	if (!is_recorded(kind))
		return remove_row(ledger, kind, orphan, err);
	struct object *row = kind_copy(kinds[kind], orphan, &arena);
	row->marks = OBJECT_OURS;
	return put_row(ledger, kind, row, err);
}

int ledger_release_orphans(struct ledger *ledger, struct err *err)
{
	int r = store_begin(ledger->store, err);

	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *list = &ledger->owned.kind[kind];

		for (size_t i = 0; i < list->len && r == 0; i++)
			if (list->v[i]->marks & OBJECT_ORPHAN)
				r = release(ledger, kind, list->v[i], err);
	}
	failpoint("release.commit");
	r = end_transaction(ledger, r, err);
	failpoint("release.committed");
	return r < 0 ? r : 0;
}

void ledger_without_orphans(const struct ledger *ledger, struct objects *owned)
{
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *list = &ledger->owned.kind[kind];

		for (size_t i = 0; i < list->len; i++) {
			bool orphan = list->v[i]->marks & OBJECT_ORPHAN;

			if (orphan && !is_recorded(kind))
				continue;
			struct object *copy = objects_add(owned, kind);
			memcpy(copy, list->v[i], kinds[kind]->size);
			if (orphan)
				copy->marks = OBJECT_OURS;
		}
	}
}
