/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake kernel's answers to ops: what the kernel would refuse is refused here too. */
#include "failpoint.h"
#include "fake_kernel.h"

#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <string.h>

enum { MTU_IPIP = 1480, PROTO_IPIP = 4 };

static bool same_endpoints(const struct link *a, const struct link *b)
{
	return a->local.host == b->local.host && a->remote.host == b->remote.host &&
	       strcmp(a->underlay, b->underlay) == 0;
}

/* any to any is tunl0's, in every namespace */
static bool endpoints_are_taken(const struct fake *fake, const struct link *link)
{
	const struct object_list *list = &fake->state.kind[KIND_LINK];

	if (!link->local.host && !link->remote.host && !*link->underlay)
		return true;
	for (size_t i = 0; i < list->len; i++) {
		const struct link *other = (const struct link *)list->v[i];

		if (strcmp(other->driver, "ipip") == 0 && same_endpoints(other, link) &&
		    strcmp(other->device, link->device) != 0)
			return true;
	}
	return false;
}

static int link_add(struct fake *fake, const struct link *want)
{
	struct link made = *want;

	if (fake_state_link(fake, want->device) || endpoints_are_taken(fake, want))
		return -EEXIST;
	if (*want->underlay && !fake_state_link(fake, want->underlay))
		return -ENODEV;
	made.proto = PROTO_IPIP;
	if (!made.mtu)
		made.mtu = MTU_IPIP;
	fake_state_put_link(fake, &made);
	return 0;
}

static int link_change(struct fake *fake, const struct link *want)
{
	const struct link *have = fake_state_link(fake, want->device);

	if (!have)
		return -ENODEV;
	struct link changed = *have;
	fake_state_merge(KIND_LINK, &changed, want);
	if (strcmp(changed.driver, have->driver) != 0)
		return -EOPNOTSUPP;
	if (!changed.remote.host != !have->remote.host || changed.external != have->external)
		return -EINVAL;
	if (strcmp(changed.driver, "ipip") == 0 && endpoints_are_taken(fake, &changed))
		return -EEXIST;
	/* one that is gone meanwhile stays what it was */
	if (*changed.underlay && strcmp(changed.underlay, have->underlay) != 0 &&
	    !fake_state_link(fake, changed.underlay))
		return -ENODEV;
	fake_state_put_link(fake, &changed);
	return 0;
}

static int link_delete(struct fake *fake, const struct link *have)
{
	if (!fake_state_link(fake, have->device))
		return -ENODEV;
	fake_state_remove_link(fake, have->device);
	return 0;
}

static int address_add(struct fake *fake, const struct address *want)
{
	if (!fake_state_link(fake, want->device))
		return -ENODEV;
	if (fake_state_find(fake, KIND_ADDRESS, want))
		return -EEXIST;
	fake_state_put_address(fake, want);
	return 0;
}

static int address_delete(struct fake *fake, const struct address *have)
{
	if (!fake_state_link(fake, have->device))
		return -ENODEV;
	if (!fake_state_find(fake, KIND_ADDRESS, have))
		return -EADDRNOTAVAIL;
	fake_state_remove_address(fake, have);
	return 0;
}

static int sysctl_write(struct fake *fake, const struct sysctl *want, uint32_t value)
{
	struct sysctl *sysctl = (struct sysctl *)fake_state_find(fake, KIND_SYSCTL, want);

	if (!sysctl)
		return -ENOENT;
	sysctl->value = value;
	return 0;
}

/* As the adapter does: only what we wrote, and no 0 while the host forwards at large. */
static int sysctl_put_back(struct fake *fake, const struct sysctl *have)
{
	struct sysctl *sysctl = (struct sysctl *)fake_state_find(fake, KIND_SYSCTL, have);

	if (!sysctl || sysctl->value != have->value)
		return 0;
	if (have->name == SYSCTL_FORWARDING && !have->before && fake->ip_forward)
		return 0;
	sysctl->value = have->before;
	return 0;
}

static int route_put(struct fake *fake, const struct route *want)
{
	const struct link *link = fake_state_link(fake, want->device);

	if (!link)
		return -ENODEV;
	if (!link->up)
		return -ENETDOWN;
	if (want->prefsrc.host && !fake_state_is_own(fake, want->prefsrc))
		return -EINVAL;
	fake_state_put(fake, KIND_ROUTE, want);
	return 0;
}

static int element_add(struct fake *fake, const struct nft_element *want)
{
	struct nft_set key = {.head.set = kind_all(&nft_set_kind)};
	const struct object_list *list = &fake->state.kind[KIND_NFT_ELEMENT];

	memcpy(key.name, want->set_name, sizeof(key.name));
	const struct nft_set *set = (const struct nft_set *)fake_state_find(fake, KIND_NFT_SET,
									    &key);
	if (!set)
		return -ENOENT;
	if (set->type == NFT_SET_IPV4_ADDR && !set->interval && want->prefix.len != 32)
		return -EINVAL;
	for (size_t i = 0; set->interval && i < list->len; i++) {
		const struct nft_element *other = (const struct nft_element *)list->v[i];

		if (strcmp(other->set_name, want->set_name) == 0 &&
		    prefix_overlaps(other->prefix, want->prefix))
			return -EEXIST;
	}
	if (fake_state_find(fake, KIND_NFT_ELEMENT, want))
		return -EEXIST;
	fake_state_put(fake, KIND_NFT_ELEMENT, want);
	return 0;
}

static int nft_add(struct fake *fake, enum kind_id kind, const struct object *want)
{
	if (kind == KIND_NFT_ELEMENT)
		return element_add(fake, (const struct nft_element *)want);
	if (kind != KIND_NFT_TABLE && !fake->state.kind[KIND_NFT_TABLE].len)
		return -ENOENT;
	if (fake_state_find(fake, kind, want))
		return -EEXIST;
	fake_state_put(fake, kind, want);
	return 0;
}

static void drop_elements(struct fake *fake, const char *set)
{
	struct object_list *list = &fake->state.kind[KIND_NFT_ELEMENT];

	for (size_t i = list->len; i-- > 0;)
		if (strcmp(((struct nft_element *)list->v[i])->set_name, set) == 0)
			fake_state_remove(fake, KIND_NFT_ELEMENT, list->v[i]);
}

static int nft_delete(struct fake *fake, enum kind_id kind, const struct object *have)
{
	if (!fake_state_find(fake, kind, have))
		return -ENOENT;
	if (kind == KIND_NFT_TABLE)
		fake_state_clear_nft(fake);
	else if (kind == KIND_NFT_SET)
		drop_elements(fake, ((const struct nft_set *)have)->name);
	fake_state_remove(fake, kind, have);
	return 0;
}

static int add(struct fake *fake, enum kind_id kind, const struct object *want)
{
	switch (kind) {
	case KIND_LINK:
		return link_add(fake, (const struct link *)want);
	case KIND_ADDRESS:
		return address_add(fake, (const struct address *)want);
	case KIND_SYSCTL:
		return sysctl_write(fake, (const struct sysctl *)want,
				    ((const struct sysctl *)want)->value);
	case KIND_ROUTE:
		if (fake_state_find(fake, kind, want))
			return -EEXIST;
		return route_put(fake, (const struct route *)want);
	case KIND_RULE:
		if (fake_state_find(fake, kind, want))
			return -EEXIST;
		fake_state_put(fake, kind, want);
		return 0;
	case KIND_NFT_TABLE:
	case KIND_NFT_SET:
	case KIND_NFT_ELEMENT:
	case KIND_NFT_CHAIN:
		return nft_add(fake, kind, want);
	case KIND_TUNNEL:
	case KIND_EXIT_ROUTE:
	case KIND_NAT_RULE:
	case KIND_NFT_RULE:
		break;
	}
	return -EOPNOTSUPP;
}

static int change(struct fake *fake, enum kind_id kind, const struct object *want)
{
	if (kind == KIND_LINK)
		return link_change(fake, (const struct link *)want);
	if (kind == KIND_SYSCTL)
		return add(fake, kind, want);
	if (kind == KIND_ROUTE) /* NLM_F_REPLACE | NLM_F_CREATE */
		return route_put(fake, (const struct route *)want);
	struct object *have = fake_state_find(fake, kind, want);
	if (!have)
		return -ENOENT;
	fake_state_put(fake, kind, want);
	return 0;
}

static int delete (struct fake *fake, enum kind_id kind, const struct object *have)
{
	switch (kind) {
	case KIND_LINK:
		return link_delete(fake, (const struct link *)have);
	case KIND_ADDRESS:
		return address_delete(fake, (const struct address *)have);
	case KIND_SYSCTL:
		return sysctl_put_back(fake, (const struct sysctl *)have);
	case KIND_ROUTE:
	case KIND_RULE:
		if (!fake_state_find(fake, kind, have))
			return kind == KIND_ROUTE ? -ESRCH : -ENOENT;
		fake_state_remove(fake, kind, have);
		return 0;
	case KIND_NFT_TABLE:
	case KIND_NFT_SET:
	case KIND_NFT_ELEMENT:
	case KIND_NFT_CHAIN:
		return nft_delete(fake, kind, have);
	case KIND_TUNNEL:
	case KIND_EXIT_ROUTE:
	case KIND_NAT_RULE:
	case KIND_NFT_RULE:
		break;
	}
	return -EOPNOTSUPP;
}

static bool matches(const char *pattern, const char *word)
{
	return strcmp(pattern, "*") == 0 || strcmp(pattern, word) == 0;
}

static const struct fake_failure *failure_of(const struct fake *fake, const struct op *op,
					     const char *key)
{
	for (size_t i = 0; i < fake->failures.len; i++) {
		const struct fake_failure *failure = &fake->failures.v[i];

		if (matches(failure->kind, kinds[op->kind]->noun) &&
		    matches(failure->verb, op_verb_names[op->verb]) &&
		    fnmatch(failure->key, key, 0) == 0)
			return failure;
	}
	return NULL;
}

static int perform(struct fake *fake, const struct op *op)
{
	switch (op->verb) {
	case OP_ADD:
		return add(fake, op->kind, op->want);
	case OP_CHANGE:
	case OP_ADOPT:
		return change(fake, op->kind, op->want);
	case OP_REPLACE: {
		int ret = delete (fake, op->kind, op->have ? op->have : op->want);

		return ret < 0 ? ret : add(fake, op->kind, op->want);
	}
	case OP_DELETE:
		return delete (fake, op->kind, op->have);
	case OP_FOUND:
	case OP_FORGET:
	case OP_CONFLICT:
		break;
	}
	return -EOPNOTSUPP; /* of the planner's own: never to be applied */
}

/* Of a link that is there already: where it is not the name, it is the endpoints. */
static bool is_duplicate(const struct fake *fake, const struct op *op, int result)
{
	return result == -EEXIST && op->kind == KIND_LINK &&
	       (op->verb != OP_ADD ||
		!fake_state_link(fake, ((const struct link *)op->want)->device));
}

static void fail(struct op *op, int result, const char *words, struct arena *arena)
{
	const char *key = kind_key_text(kinds[op->kind], op_object(op), arena);

	op->result = result;
	op->message = arena_printf(arena, "%s %s: %s: %s", kinds[op->kind]->noun, key,
				   op_verb_names[op->verb], words);
}

static void apply_one(struct fake *fake, struct arena *arena, struct op *op)
{
	const char *key = kind_key_text(kinds[op->kind], op_object(op), arena);
	const struct fake_failure *failure = failure_of(fake, op, key);

	op->done = true;
	op->result = 0;
	op->message = NULL;
	if (failure) {
		fail(op, failure->number, failure->text, arena);
		return;
	}
	if (fake->slow_apply_ms)
		poll(NULL, 0, (int)fake->slow_apply_ms);
	int ret = failpoint_error("fake.apply");
	if (ret == 0)
		ret = perform(fake, op);
	op->duplicate = is_duplicate(fake, op, ret);
	if (ret < 0)
		fail(op, ret, strerror(-ret), arena);
}

static bool has_set(const struct fake *fake, const char *name, bool map)
{
	struct nft_set key = {.head.set = kind_all(&nft_set_kind)};

	if (!*name)
		return true;
	memcpy(key.name, name, sizeof(key.name));
	const struct nft_set *set = (const struct nft_set *)fake_state_find(fake, KIND_NFT_SET,
									    &key);
	return set && set->map == map;
}

/* nft looks at references when the batch is committed */
static bool references_hold(const struct fake *fake)
{
	const struct object_list *list = &fake->state.kind[KIND_NFT_CHAIN];

	for (size_t i = 0; i < list->len; i++) {
		const struct rows *rows = &((const struct nft_chain *)list->v[i])->rules;

		for (uint32_t j = 0; j < rows->len; j++) {
			const struct nft_rule *rule = (const struct nft_rule *)rows->v + j;

			if (!has_set(fake, rule->iif_set, false) ||
			    !has_set(fake, rule->oif_set, false) ||
			    !has_set(fake, rule->saddr_set, false) ||
			    !has_set(fake, rule->daddr_set, false) ||
			    !has_set(fake, rule->snat_map, true))
				return false;
		}
	}
	return true;
}

static void apply_batch(struct fake *fake, struct arena *arena, struct op *ops, size_t n)
{
	struct objects before = {0};
	size_t failed = n;

	fake_state_copy_nft(&fake->state, &before);
	for (size_t i = 0; i < n && failed == n; i++) {
		apply_one(fake, arena, &ops[i]);
		if (ops[i].result)
			failed = i;
	}
	if (failed == n && !references_hold(fake)) {
		failed = n - 1;
		fail(&ops[failed], -ENOENT, strerror(ENOENT), arena);
	}
	if (failed < n)
		fake_state_copy_nft(&before, &fake->state);
	for (size_t i = 0; failed < n && i < n; i++) {
		ops[i].done = true;
		if (i != failed)
			fail(&ops[i], -ECANCELED, "its batch failed", arena);
	}
	struct fake scratch = {.state = before};
	fake_state_done(&scratch);
}

void fake_apply(struct kernel *kernel, struct arena *arena, struct op *ops, size_t n)
{
	struct fake *fake = (struct fake *)kernel;

	if (n && ops[0].kind <= KIND_NFT_CHAIN)
		apply_batch(fake, arena, ops, n);
	else
		for (size_t i = 0; i < n; i++) {
			apply_one(fake, arena, &ops[i]);
			if (failpoint_is_due("fake.applied")) /* with what was done up to here */
				fake_state_save(fake);
			failpoint("fake.applied");
		}
	fake_state_save(fake);
}
