/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Claims of tunnels and exit routes: making them, finding clashes, saying who holds what. */
#include "model/claims.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void add_tunnel(struct claim_list *claims, const struct tunnel *t, uint32_t index)
{
	struct claim claim = {.owner = &t->head, .owner_index = index};

	claim.key.kind = CLAIM_DEVICE;
	strncpy(claim.key.name, tunnel_device(t), sizeof(claim.key.name) - 1);
	vec_push(claims, claim);
	claim.key = (struct claim_key){
		.kind = CLAIM_ENDPOINTS,
		.numbers = {(uint64_t)t->local.host << 32 | t->remote.host},
	};
	strncpy(claim.key.name, t->underlay, sizeof(claim.key.name) - 1);
	vec_push(claims, claim);
}

static void add_destination(struct claim_list *claims, const struct exit_route *e,
			    struct claim claim, struct prefix from)
{
	struct prefix to = e->destinations.v[claim.list_index];

	claim.key = (struct claim_key){
		.kind = CLAIM_DESTINATION,
		.numbers = {(uint64_t)to.addr.host << 32 | from.addr.host,
			    (uint64_t)e->metric << 16 | (uint64_t)to.len << 8 | from.len},
	};
	vec_push(claims, claim);
}

static void add_exit_route(struct claim_list *claims, const struct exit_route *e, uint32_t index)
{
	static struct prefix everywhere;
	const struct prefixes from = e->from.len ? e->from : (struct prefixes){&everywhere, 1};
	struct claim claim = {.owner = &e->head, .owner_index = index};

	for (uint32_t i = 0; i < e->destinations.len; i++) {
		claim.list_index = i;
		for (uint32_t j = 0; j < from.len; j++)
			add_destination(claims, e, claim, from.v[j]);
	}
}

void claims_add(struct claim_list *claims, enum kind_id kind, const struct resource *resource,
		uint32_t owner_index)
{
	if (kind == KIND_TUNNEL)
		add_tunnel(claims, (const struct tunnel *)resource, owner_index);
	else if (kind == KIND_EXIT_ROUTE)
		add_exit_route(claims, (const struct exit_route *)resource, owner_index);
}

bool claims_clash(const struct claim *a, const struct claim *b)
{
	return memcmp(&a->key, &b->key, sizeof(a->key)) == 0;
}

int claims_compare(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = memcmp(&x->key, &y->key, sizeof(x->key));

	return order ? order
		     : (x->owner_index > y->owner_index) - (x->owner_index < y->owner_index);
}

/* Multiply and fold, word by word. Keys come from the declared addresses: a client that
 * makes them collide slows its own writes down only, and up to a bound. */
static uint32_t hash(const struct claim_key *key)
{
	uint64_t words[sizeof(*key) / sizeof(uint64_t)], h = 0;

	memcpy(words, key, sizeof(words));
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return (uint32_t)(h ^ h >> 32);
}

void claims_index(struct claim_index *index, const struct claim_list *claims)
{
	uint32_t size = 16;

	while (size < claims->len * 2)
		size *= 2;
	*index = (struct claim_index){claims, xcalloc(size, sizeof(uint32_t)), size - 1};
	for (size_t i = 0; i < claims->len; i++) {
		uint32_t slot = hash(&claims->v[i].key) & index->mask;

		while (index->slots[slot])
			slot = (slot + 1) & index->mask;
		index->slots[slot] = (uint32_t)i + 1;
	}
}

const struct claim *claims_find(const struct claim_index *index, const struct claim_key *key)
{
	uint32_t slot = hash(key) & index->mask;

	for (; index->slots[slot]; slot = (slot + 1) & index->mask) {
		const struct claim *claim = &index->claims->v[index->slots[slot] - 1];

		if (memcmp(&claim->key, key, sizeof(*key)) == 0)
			return claim;
	}
	return NULL;
}

void claims_index_done(struct claim_index *index)
{
	free(index->slots);
	*index = (struct claim_index){0};
}

static int destination_fault(const struct claim *claim, const char *holder, const char *at,
			     struct errs *errs)
{
	const struct exit_route *e = (const struct exit_route *)claim->owner;
	char pointer[ERR_POINTER], text[PREFIX_TEXT];

	snprintf(pointer, sizeof(pointer), "%s/destinations/%u", at, claim->list_index);
	return errs_add(errs, -EEXIST, "destination-in-use", pointer,
			"exit-route/%s has %s with the same from and metric", holder,
			prefix_text(e->destinations.v[claim->list_index], text));
}

int claims_fault(const struct claim *claim, const struct claim *holder, const char *at,
		 struct errs *errs)
{
	char pointer[ERR_POINTER];
	const char *name = holder->owner->name;

	switch ((enum claim_kind)claim->key.kind) {
	case CLAIM_DEVICE:
		snprintf(pointer, sizeof(pointer), "%s/device", at);
		return errs_add(errs, -EEXIST, "interface-name-taken", pointer,
				"tunnel/%s has the device %.15s", name, claim->key.name);
	case CLAIM_ENDPOINTS:
		snprintf(pointer, sizeof(pointer), "%s/remote", at);
		return errs_add(errs, -EEXIST, "endpoints-in-use", pointer,
				"tunnel/%s has the same local, remote and underlay", name);
	case CLAIM_DESTINATION:
		return destination_fault(claim, name, at, errs);
	}
	return -EEXIST;
}
