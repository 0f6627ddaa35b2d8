/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ops to one batch, in an order in which every reference holds at each step: rules go before
 * the chains and sets that they name, and come after them.
 */
#include "kernel/nft.h"

#include <errno.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>

#include "kernel/nft_batch.h"

struct applying {
	struct nft *nft;
	struct arena *arena;
	struct op *ops;
	size_t n;
	struct nft_batch batch;
	struct objects named, replaced; /* by the ops: all, and the sets that are replaced */
	struct objects now;             /* the table as it is, read only when a set is replaced */
	const char *set;                /* the last one that set_is_interval was asked for */
	bool interval;
	int result; /* of building */
};

/* The objects of the ops, sorted, so that each can be found. */
static void index_ops(struct applying *applying)
{
	for (size_t i = 0; i < applying->n; i++) {
		const struct op *op = &applying->ops[i];
		struct object *object = (struct object *)op_object(op);

		vec_push(&applying->named.kind[op->kind], object);
		if (op->kind == KIND_NFT_SET && op->verb == OP_REPLACE)
			vec_push(&applying->replaced.kind[op->kind], object);
	}
	objects_sort(&applying->named);
	objects_sort(&applying->replaced);
}

static const struct nft_set *set_named(const struct objects *objects, const char *name)
{
	struct nft_set key = {0};

	strncpy(key.name, name, sizeof(key.name) - 1);
	return (const struct nft_set *)objects_find(objects, KIND_NFT_SET, &key);
}

/* Of the set as it is before the batch, or as it will be. One answer is kept: ops come set
 * by set. */
static bool set_is_interval(struct applying *applying, const struct nft_element *element,
			    bool after)
{
	const char *name = element->set_name;

	if (applying->set && strcmp(applying->set, name) == 0)
		return applying->interval;
	const struct nft_set *set = after ? set_named(&applying->named, name) : NULL;
	for (size_t i = 0; !set && i < applying->nft->sets.len; i++)
		if (strcmp(applying->nft->sets.v[i].name, name) == 0)
			set = &applying->nft->sets.v[i];
	applying->set = name;
	applying->interval = set ? set->interval : !*element->device && element->prefix.len < 32;
	return applying->interval;
}

static bool leaves(const struct op *op)
{
	return op->verb == OP_DELETE || op->verb == OP_REPLACE;
}

static bool comes(const struct op *op)
{
	return op->verb == OP_ADD || op->verb == OP_REPLACE;
}

static bool changes(const struct op *op)
{
	return op->verb == OP_CHANGE || op->verb == OP_ADOPT;
}

static void add_rules(struct applying *applying, const struct nft_chain *chain)
{
	const struct nft_rule *rules = chain->rules.v;

	for (uint32_t i = 0; i < chain->rules.len && !applying->result; i++)
		applying->result = nft_batch_add_rule(&applying->batch, chain->name, &rules[i]);
}

/* The steps of a batch, in order. Each looks at every op and takes those that it is for. */

static void step_table(struct applying *applying, const struct op *op)
{
	if (op->kind == KIND_NFT_TABLE && (comes(op) || changes(op)))
		nft_batch_add_table(&applying->batch, (const struct nft_table *)op->want);
}

static void step_flush(struct applying *applying, const struct op *op)
{
	if (op->kind == KIND_NFT_CHAIN && (leaves(op) || changes(op)))
		nft_batch_flush_chain(&applying->batch,
				      ((const struct nft_chain *)op_object(op))->name);
}

static void step_delete_chain(struct applying *applying, const struct op *op)
{
	if (op->kind == KIND_NFT_CHAIN && leaves(op))
		nft_batch_delete_chain(&applying->batch,
				       ((const struct nft_chain *)op_object(op))->name);
}

static void step_delete_element(struct applying *applying, const struct op *op)
{
	const struct nft_element *element = (const struct nft_element *)op_object(op);

	if (op->kind == KIND_NFT_ELEMENT && (leaves(op) || changes(op)))
		nft_batch_delete_element(&applying->batch, element,
					 set_is_interval(applying, element, false));
}

static void step_delete_set(struct applying *applying, const struct op *op)
{
	if (op->kind == KIND_NFT_SET && leaves(op))
		nft_batch_delete_set(&applying->batch,
				     ((const struct nft_set *)op_object(op))->name);
}

static void step_add_set(struct applying *applying, const struct op *op)
{
	if (op->kind == KIND_NFT_SET && (comes(op) || changes(op)))
		nft_batch_add_set(&applying->batch, (const struct nft_set *)op->want);
}

static void step_add_element(struct applying *applying, const struct op *op)
{
	const struct nft_element *element = (const struct nft_element *)op->want;

	if (op->kind == KIND_NFT_ELEMENT && (comes(op) || changes(op)))
		nft_batch_add_element(&applying->batch, element,
				      set_is_interval(applying, element, true));
}

static void step_add_chain(struct applying *applying, const struct op *op)
{
	const struct nft_chain *chain = (const struct nft_chain *)op->want;

	if (op->kind != KIND_NFT_CHAIN || op->verb == OP_DELETE)
		return;
	if (comes(op))
		nft_batch_add_chain(&applying->batch, chain);
	else
		nft_batch_set_policy(&applying->batch, chain);
	add_rules(applying, chain);
}

static void run_step(struct applying *applying,
		     void (*step)(struct applying *applying, const struct op *op))
{
	applying->set = NULL;
	for (size_t i = 0; i < applying->n && !applying->result; i++) {
		applying->batch.op = i;
		step(applying, &applying->ops[i]);
	}
	applying->batch.op = NFT_NO_OP;
}

static bool is_named(const struct applying *applying, enum kind_id kind, const void *object)
{
	return objects_find(&applying->named, kind, object);
}

static bool depends(const struct applying *applying, const struct nft_chain *chain)
{
	const struct objects *replaced = &applying->replaced;
	const struct nft_rule *rule = chain->rules.v;

	if (is_named(applying, KIND_NFT_CHAIN, chain))
		return false;
	for (uint32_t i = 0; i < chain->rules.len; i++, rule++)
		if (rule->verdict == NFT_VERDICT_OTHER || set_named(replaced, rule->iif_set) ||
		    set_named(replaced, rule->oif_set) || set_named(replaced, rule->saddr_set) ||
		    set_named(replaced, rule->daddr_set) || set_named(replaced, rule->snat_map))
			return true;
	return false;
}

/* Rules name sets, so those that no op speaks of go before a set that is replaced … */
static void flush_dependents(struct applying *applying)
{
	const struct object_list *chains = &applying->now.kind[KIND_NFT_CHAIN];

	for (size_t i = 0; i < chains->len; i++) {
		const struct nft_chain *chain = (const struct nft_chain *)chains->v[i];

		if (depends(applying, chain))
			nft_batch_flush_chain(&applying->batch, chain->name);
	}
}

/* … and come again after it. Its elements are ops: the plan takes them for gone. */
static void refill_dependents(struct applying *applying)
{
	const struct object_list *chains = &applying->now.kind[KIND_NFT_CHAIN];

	for (size_t i = 0; i < chains->len && !applying->result; i++) {
		const struct nft_chain *chain = (const struct nft_chain *)chains->v[i];
		const struct nft_rule *rules = chain->rules.v;

		for (uint32_t r = 0; depends(applying, chain) && r < chain->rules.len; r++)
			if (rules[r].verdict != NFT_VERDICT_OTHER && !applying->result)
				applying->result = nft_batch_add_rule(&applying->batch, chain->name,
								      &rules[r]);
	}
}

/*
 * What hangs on a replaced set is asked of the kernel, not remembered. That reading must be
 * of the generation that the ops were planned on.
 */
static int read_dependents(struct applying *applying, struct err *err)
{
	uint32_t generation = applying->nft->generation;

	if (applying->replaced.kind[KIND_NFT_SET].len == 0)
		return 0;
	int r = nft_observe(applying->nft, applying->arena, &applying->now, err);
	if (r)
		return r;
	objects_sort(&applying->now);
	if (generation && generation != applying->nft->generation)
		return err_set(err, -ERESTART, "nft: batch: the ruleset changed meanwhile");
	return 0;
}

static bool deletes_table(const struct applying *applying)
{
	for (size_t i = 0; i < applying->n; i++)
		if (applying->ops[i].kind == KIND_NFT_TABLE && applying->ops[i].verb == OP_DELETE)
			return true;
	return false;
}

static void build(struct applying *applying)
{
	nft_batch_begin(&applying->batch, applying->nft);
	/* the table takes along whatever is in it, also what we have no word for */
	if (deletes_table(applying)) {
		nft_batch_delete_table(&applying->batch);
		return;
	}
	run_step(applying, step_table);
	run_step(applying, step_flush);
	flush_dependents(applying);
	run_step(applying, step_delete_element);
	run_step(applying, step_delete_set); /* a verdict map names chains */
	run_step(applying, step_delete_chain);
	run_step(applying, step_add_set);
	run_step(applying, step_add_element);
	run_step(applying, step_add_chain);
	refill_dependents(applying);
}

/* An element must be written as its set is, so sets that were made are remembered. */
static void remember_sets(struct applying *applying)
{
	struct nft_known_sets *sets = &applying->nft->sets;

	for (size_t i = 0; i < applying->n; i++) {
		const struct op *op = &applying->ops[i];
		size_t at = 0;

		if (op->kind != KIND_NFT_SET || !op->want)
			continue;
		const struct nft_set *set = (const struct nft_set *)op->want;
		while (at < sets->len && strcmp(sets->v[at].name, set->name) != 0)
			at++;
		*(at < sets->len ? &sets->v[at] : vec_add(sets)) = *set;
	}
}

static const char *object_text(const struct op *op, struct arena *arena)
{
	return arena_printf(arena, "%s %s", kinds[op->kind]->noun,
			    kind_key_text(kinds[op->kind], op_object(op), arena));
}

/* What strerror cannot say: these answers mean a module that is not there. */
static const char *hint(const struct nft_failure *failure)
{
	int number = failure->error.number;

	if (failure->type == NFT_MSG_NEWCHAIN && (number == -ENOENT || number == -EOPNOTSUPP))
		return " (kernel module of the chain's type missing?)";
	if (failure->type == NFT_MSG_NEWRULE && (number == -ENOENT || number == -EOPNOTSUPP))
		return " (set, or kernel module of an expression, missing?)";
	return "";
}

static void finish(struct applying *applying, int culprit_result, size_t culprit,
		   const char *message)
{
	for (size_t i = 0; i < applying->n; i++) {
		struct op *op = &applying->ops[i];
		bool whole = culprit == NFT_NO_OP || culprit == i;

		op->done = true;
		op->result = whole ? culprit_result : -ECANCELED;
		op->message = message;
	}
}

static void fail(struct applying *applying, const struct nft_failure *failure)
{
	const char *about = "";

	if (failure->op != NFT_NO_OP)
		about = arena_printf(applying->arena, "%s: ",
				     object_text(&applying->ops[failure->op], applying->arena));
	finish(applying, failure->error.number, failure->op,
	       arena_printf(applying->arena, "nft: batch: %s%s%s", about, failure->error.words,
			    hint(failure)));
}

static void apply_batch(struct applying *applying)
{
	struct nft_failure failure;

	build(applying);
	if (applying->result) {
		finish(applying, applying->result, NFT_NO_OP,
		       "nft: batch: a rule of no form that the kernel has");
	} else if (nft_batch_commit(&applying->batch, &failure) < 0) {
		fail(applying, &failure);
	} else {
		remember_sets(applying);
		finish(applying, 0, NFT_NO_OP, NULL);
	}
	nft_batch_done(&applying->batch);
}

void nft_apply(struct nft *nft, struct arena *arena, struct op *ops, size_t n)
{
	struct applying applying = {.nft = nft, .arena = arena, .ops = ops, .n = n};
	struct err err = {0};

	if (n == 0)
		return;
	index_ops(&applying);
	int r = read_dependents(&applying, &err);
	if (r)
		finish(&applying, r, NFT_NO_OP, arena_strdup(arena, err.sentence));
	else
		apply_batch(&applying);
	objects_done(&applying.named);
	objects_done(&applying.replaced);
	objects_done(&applying.now);
}
