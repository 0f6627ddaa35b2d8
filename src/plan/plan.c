/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The merge of desired, observed and owned, row by row of the planner's table (design.md).
 * The order of the ops is order.c's; what a kind's objects are, expand's; how they are applied,
 * the kernel adapters'.
 */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "plan/builder.h"

/* One key of the merge: what each of the three arrays has under it. */
struct row {
	enum kind_id kind;
	struct arena *arena;
	const struct object *desired, *observed, *owned;
};

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool name_in(const char *const *names, size_t n, const char *name)
{
	return n && bsearch(&name, names, n, sizeof(name), name_compare);
}

static const char *why_differs(struct builder *b, enum kind_id kind, uint64_t differs)
{
	cleanup_text struct text text = {0};

	for (unsigned i = 0; i < kinds[kind]->n_fields; i++)
		if (differs >> i & 1)
			text_addf(&text, "%s%s", text.len ? ", " : "", kinds[kind]->fields[i].name);
	text_add(&text, differs & (differs - 1) ? " differ" : " differs");
	return arena_strdup(b->arena, text_str(&text));
}

/* The ledger is read anew while ops are applied: what an op needs of it is copied. */
static const struct object *have_of(const struct row *row)
{
	if (row->observed || !row->owned)
		return row->observed;
	return kind_copy(kinds[row->kind], row->owned, row->arena);
}

static void emit(struct ops *ops, enum op_verb verb, const struct row *row, uint64_t differs,
		 const char *why)
{
	vec_push(ops, ((struct op){
			      .verb = verb,
			      .kind = row->kind,
			      .want = verb == OP_DELETE || verb == OP_FORGET ? NULL : row->desired,
			      .have = have_of(row),
			      .why = why,
			      .differs = differs,
		      }));
}

static uint64_t mask_of(enum kind_id kind, uint32_t flag)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < kinds[kind]->n_fields; i++)
		if (kinds[kind]->fields[i].flags & flag)
			mask |= UINT64_C(1) << i;
	return mask;
}

/* Does one of the differing rows refuse a change in place? */
static bool needs_replace(const struct row *row, uint64_t differs)
{
	const struct kind *kind = kinds[row->kind];

	if (differs & mask_of(row->kind, FIELD_RECREATE))
		return true;
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];

		if (!(differs >> i & 1) || !(field->flags & FIELD_RECREATE_ZERO))
			continue;
		if (!field_number(field, row->desired) != !field_number(field, row->observed))
			return true;
	}
	return false;
}

static bool adoptable(enum kind_id kind)
{
	return kind == KIND_LINK || kind == KIND_ADDRESS || kind == KIND_ROUTE;
}

static uint32_t owned_marks(const struct row *row)
{
	return row->owned ? row->owned->marks : 0;
}

static bool is_ours(const struct row *row)
{
	return (row->observed && row->observed->marks & OBJECT_OURS) ||
	       owned_marks(row) & (OBJECT_OURS | OBJECT_ORPHAN);
}

/* A sysctl has no owner but the one who changes what we found as it is wanted; and on our own
 * devices nobody. */
static bool has_owner(const struct row *row)
{
	if (row->kind != KIND_SYSCTL)
		return true;
	return owned_marks(row) & OBJECT_FOUND && !(row->observed->marks & OBJECT_ON_OURS) &&
	       !kind_differences(&sysctl_kind, row->desired, row->owned);
}

/* Desired, and in the kernel, but not ours. */
static void decide_foreign(struct builder *b, const struct row *row, uint64_t differs)
{
	differs &= ~mask_of(row->kind, FIELD_MARK);
	if (row->desired->marks & OBJECT_ADOPT && adoptable(row->kind) &&
	    !needs_replace(row, differs)) {
		emit(&b->up, OP_ADOPT, row, differs, "adopt is declared");
		return;
	}
	if (!differs) {
		if (!(owned_marks(row) & OBJECT_FOUND))
			emit(&b->up, OP_FOUND, row, 0, "an equal one of another owner is used");
		return;
	}
	if (!has_owner(row)) {
		emit(&b->up, OP_CHANGE, row, differs, why_differs(b, row->kind, differs));
		return;
	}
	emit(&b->up, OP_CONFLICT, row, differs,
	     row->kind == KIND_SYSCTL ? "changed by its owner"
	     : row->desired->marks & OBJECT_ADOPT
		     ? "one of another owner is there, of a form that cannot be adopted"
		     : "one of another owner is there");
}

static bool has_rule(const struct rows *rules, const struct nft_rule *rule)
{
	const struct nft_rule *v = rules->v;

	for (uint32_t i = 0; i < rules->len; i++)
		if (!kind_differences(&nft_rule_kind, &v[i], rule))
			return true;
	return false;
}

/* While orphans stand in our table, their rules stay in a chain that is declared: in front, but
 * a drop behind ours, or it would close what is declared. */
static const struct object *keep_orphan_rules(struct builder *b, const struct row *row)
{
	const struct nft_chain *want = (const struct nft_chain *)row->desired;
	const struct nft_chain *have = (const struct nft_chain *)row->observed;
	const struct nft_rule *had = have->rules.v;
	struct nft_chain *merged = arena_memdup(b->arena, want, sizeof(*want));
	struct nft_rule *v = arena_array(b->arena, (size_t)want->rules.len + have->rules.len,
					 sizeof(*v));

	merged->rules = (struct rows){v, 0};
	for (int drops = 0; drops <= 1; drops++) {
		for (uint32_t i = 0; i < have->rules.len; i++)
			if (had[i].verdict != NFT_VERDICT_OTHER &&
			    (had[i].verdict == NFT_VERDICT_DROP) == (drops == 1) &&
			    !has_rule(&want->rules, &had[i]))
				v[merged->rules.len++] = had[i];
		if (drops)
			break;
		memcpy(v + merged->rules.len, want->rules.v, want->rules.len * sizeof(*v));
		merged->rules.len += want->rules.len;
	}
	return &merged->head;
}

static bool stands(const struct builder *b, const char *device)
{
	return name_in(b->standing.v, b->standing.len, device) ||
	       (b->input->partial && !name_in(b->known.v, b->known.len, device));
}

/* Is its device there, and for a route up, or for a link: may it be made? */
static bool has_ground(const struct builder *b, const struct row *row)
{
	const char *device = object_device(row->kind, row->desired);

	if (row->kind == KIND_LINK)
		return !(row->desired->marks & OBJECT_KEEP);
	if (row->kind == KIND_ROUTE && name_in(b->idle.v, b->idle.len, device))
		return false;
	return !device || stands(b, device);
}

static void decide_desired(struct builder *b, const struct row *row)
{
	if (!row->observed) {
		if (has_ground(b, row))
			emit(&b->up, OP_ADD, row, 0, "not there");
		return;
	}
	uint64_t differs = object_differences(row->kind, row->desired, row->observed);
	if (!is_ours(row)) {
		decide_foreign(b, row, differs);
		return;
	}
	if (differs && row->kind == KIND_ROUTE && !has_ground(b, row)) {
		emit(&b->down, OP_DELETE, row, 0, "leads elsewhere, and its device cannot take it");
		return;
	}
	if (differs) {
		emit(&b->up, needs_replace(row, differs) ? OP_REPLACE : OP_CHANGE, row, differs,
		     why_differs(b, row->kind, differs));
		return;
	}
	if (owned_marks(row) & OBJECT_ORPHAN)
		emit(&b->up, OP_FOUND, row, 0, "an orphan is declared again");
}

static bool holds_elements(enum kind_id kind)
{
	return kind == KIND_NFT_TABLE || kind == KIND_NFT_SET || kind == KIND_NFT_CHAIN;
}

static void decide_undesired(struct builder *b, const struct row *row)
{
	uint32_t marks = owned_marks(row);

	if (!row->observed) {
		if (row->owned)
			emit(&b->down, OP_FORGET, row, 0, "gone");
		return;
	}
	if (marks & OBJECT_ORPHAN && !(row->observed->marks & OBJECT_DOOMED))
		return;
	if (b->nft_orphans && holds_elements(row->kind))
		return; /* an orphan's rules and elements hang on it */
	if (is_ours(row)) {
		struct row with_ledger = *row;

		/* the ledger has what a sysctl was before */
		if (row->kind == KIND_SYSCTL)
			with_ledger.observed = NULL;
		emit(&b->down, OP_DELETE, &with_ledger, 0, "not declared");
	} else if (row->owned) {
		emit(&b->down, OP_FORGET, row, 0,
		     marks ? "was found, and is left in place"
			   : "was of another device of that name");
	}
}

static bool sits_on_gone(const struct builder *b, enum kind_id kind, const void *object)
{
	if (!b->gone.len && !b->remade_sets.len)
		return false;
	const char *device = kind == KIND_LINK ? NULL : object_device(kind, object);
	if (kind == KIND_NFT_ELEMENT)
		return name_in(b->remade_sets.v, b->remade_sets.len,
			       ((const struct nft_element *)object)->set_name);
	return device && name_in(b->gone.v, b->gone.len, device);
}

/* Its link goes, but only after the ups: what is to move elsewhere moves without a gap. */
static bool stands_until_ups(const struct builder *b, const struct row *row)
{
	const char *device = object_device(row->kind, row->observed);

	return device && !stands(b, device);
}

static void decide(struct builder *b, const struct row *row)
{
	struct row r = *row;
	/* a device that goes with routes on it costs a walk through all tables (fib_flush in
	 * net/ipv4/fib_frontend.c): they go before it */
	bool goes_itself = r.desired || r.kind == KIND_ROUTE;

	if (r.observed && sits_on_gone(b, r.kind, r.observed) &&
	    !(goes_itself && stands_until_ups(b, &r)))
		r.observed = NULL;
	/* a new device begins with the sysctls of default: the old record is void */
	if (r.desired && sits_on_gone(b, r.kind, r.desired))
		r.owned = NULL;
	if (r.desired && r.observed && r.kind == KIND_NFT_CHAIN && b->nft_orphans)
		r.desired = keep_orphan_rules(b, &r);
	if (r.desired)
		decide_desired(b, &r);
	else
		decide_undesired(b, &r);
}

/* Calls for every key that one of the three has, in order. */
static void merge(struct builder *b, enum kind_id kind,
		  void (*visit)(struct builder *b, const struct row *row))
{
	const struct object_list *d = &b->input->desired->kind[kind];
	const struct object_list *o = &b->input->observed->kind[kind];
	const struct object_list *w = &b->input->owned->kind[kind];
	size_t i = 0, j = 0, k = 0;

	while (i < d->len || j < o->len || k < w->len) {
		struct row row = {.kind = kind, .arena = b->arena};
		const struct object *desired = i < d->len ? d->v[i] : NULL;
		const struct object *observed = j < o->len ? o->v[j] : NULL;
		const struct object *owned = k < w->len ? w->v[k] : NULL;
		int order = object_order(kind, desired, observed);
		int last = object_order(kind, order <= 0 ? desired : observed, owned);

		if (last <= 0 && order <= 0 && desired)
			row.desired = d->v[i++];
		if (last <= 0 && order >= 0 && observed)
			row.observed = o->v[j++];
		if (last >= 0 && owned)
			row.owned = w->v[k++];
		visit(b, &row);
	}
}

/* Who stands, who goes: asked before anything that sits on a link is decided. */
static void note_link(struct builder *b, const struct row *row)
{
	const struct object *any = row->desired ? row->desired : row->observed;
	const struct object *some = any ? any : row->owned;
	struct ops *lists[] = {&b->up, &b->down};
	bool gone = false, added = false, in_conflict = false;

	decide(b, row);
	vec_push(&b->known, ((const struct link *)some)->device);
	if (!any)
		return;
	const char *name = ((const struct link *)any)->device;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct op *last = lists[i]->len ? &lists[i]->v[lists[i]->len - 1] : NULL;

		if (!last || last->kind != KIND_LINK ||
		    strcmp(((const struct link *)op_object(last))->device, name) != 0)
			continue;
		gone |= last->verb == OP_DELETE || last->verb == OP_REPLACE;
		added |= last->verb == OP_ADD;
		in_conflict |= last->verb == OP_CONFLICT;
	}
	if (in_conflict && row->observed && !((const struct link *)row->observed)->up)
		vec_push(&b->idle, name);
	if (gone || added)
		vec_push(&b->gone, name);
	if (row->observed ? row->desired || !gone : added)
		vec_push(&b->standing, name);
}

static void note_set(struct builder *b, const struct row *row)
{
	size_t before = b->up.len;

	decide(b, row);
	if (b->up.len > before && b->up.v[b->up.len - 1].verb == OP_REPLACE)
		vec_push(&b->remade_sets, ((const struct nft_set *)row->desired)->name);
}

void plan_build(const struct plan_input *input, struct arena *arena, struct ops *ops)
{
	struct builder b = {.input = input, .arena = arena};

	for (unsigned kind = KIND_NFT_TABLE; kind <= KIND_NFT_CHAIN; kind++)
		for (size_t i = 0; i < input->owned->kind[kind].len; i++)
			if (input->owned->kind[kind].v[i]->marks & OBJECT_ORPHAN)
				b.nft_orphans = true;

	merge(&b, KIND_LINK, note_link);
	order_untie(&b);
	vec_sort(&b.gone, name_compare);
	vec_sort(&b.standing, name_compare);
	vec_sort(&b.known, name_compare);
	vec_sort(&b.idle, name_compare);
	merge(&b, KIND_NFT_SET, note_set);
	vec_sort(&b.remade_sets, name_compare);
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++)
		if (kind != KIND_LINK && kind != KIND_NFT_SET)
			merge(&b, kind, decide);
	order_ops(&b, ops);
	vec_done(&b.up);
	vec_done(&b.down);
	vec_done(&b.gone);
	vec_done(&b.standing);
	vec_done(&b.idle);
	vec_done(&b.known);
	vec_done(&b.remade_sets);
}
