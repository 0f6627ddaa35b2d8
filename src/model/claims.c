/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Claims of tunnels and exit routes: making them, finding clashes, saying who holds what. */
#include "model/claims.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* of a claim in a resource, and where it is */
struct claim_slot {
	const struct resource *owner; /* NULL: free */
	uint32_t hash, n;
};

enum { TUNNEL_CLAIMS = 2 };

static struct claim_key tunnel_key(const struct tunnel *t, size_t n)
{
	struct claim_key device = {.kind = CLAIM_DEVICE};
	struct claim_key endpoints = {
		.kind = CLAIM_ENDPOINTS,
		.numbers = {(uint64_t)t->local.host << 32 | t->remote.host},
	};

	name_copy(device.name, tunnel_device(t));
	name_copy(endpoints.name, t->underlay);
	return n ? endpoints : device;
}

/* A route without from is one from everywhere. */
static size_t from_count(const struct exit_route *e)
{
	return e->from.len ? e->from.len : 1;
}

static struct claim_key destination_key(const struct exit_route *e, size_t n)
{
	struct prefix to = e->destinations.v[n / from_count(e)];
	struct prefix from = {0};

	if (e->from.len)
		from = e->from.v[n % e->from.len];
	return (struct claim_key){
		.kind = CLAIM_DESTINATION,
		.numbers = {(uint64_t)to.addr.host << 32 | from.addr.host,
			    (uint64_t)e->metric << 16 | (uint64_t)to.len << 8 | from.len},
	};
}

size_t claims_count(enum kind_id kind, const struct resource *resource)
{
	const struct exit_route *e = (const struct exit_route *)resource;

	if (kind == KIND_TUNNEL)
		return TUNNEL_CLAIMS;
	return kind == KIND_EXIT_ROUTE ? e->destinations.len * from_count(e) : 0;
}

struct claim claims_at(enum kind_id kind, const struct resource *resource, size_t n)
{
	const struct exit_route *e = (const struct exit_route *)resource;

	if (kind == KIND_TUNNEL)
		return (struct claim){.key = tunnel_key((const struct tunnel *)resource, n),
				      .owner = resource};
	return (struct claim){.key = destination_key(e, n),
			      .owner = resource,
			      .list_index = (uint32_t)(n / from_count(e))};
}

void claims_add(struct claim_list *claims, enum kind_id kind, const struct resource *resource,
		uint32_t owner_index)
{
	size_t count = claims_count(kind, resource);

	for (size_t n = 0; n < count; n++) {
		struct claim claim = claims_at(kind, resource, n);

		claim.owner_index = owner_index;
		vec_push(claims, claim);
	}
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

static void place(struct claim_index *index, struct claim_slot slot)
{
	size_t at = slot.hash & (index->size - 1);

	while (index->slots[at].owner)
		at = (at + 1) & (index->size - 1);
	index->slots[at] = slot;
	index->used++;
}

/* Never more than half full, or a search for what is not there would take long. */
static void make_room(struct claim_index *index, size_t more)
{
	struct claim_index old = *index;

	if ((index->used + more) * 2 <= index->size)
		return;
	index->used = 0;
	index->size = old.size ? old.size : 16;
	while (index->size < (old.used + more) * 2)
		index->size *= 2;
	index->slots = xcalloc(index->size, sizeof(*index->slots));
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].owner)
			place(index, old.slots[i]);
	free(old.slots);
}

void claims_insert(struct claim_index *index, const struct resource *resource)
{
	size_t count = claims_count(index->kind, resource);

	make_room(index, count);
	for (size_t n = 0; n < count; n++) {
		struct claim claim = claims_at(index->kind, resource, n);

		place(index, (struct claim_slot){resource, hash(&claim.key), (uint32_t)n});
	}
}

/* What stands behind a gap must still be found: it moves up, unless it would pass its place. */
static void close_gap(struct claim_index *index, size_t gap)
{
	size_t mask = index->size - 1;

	for (size_t at = (gap + 1) & mask; index->slots[at].owner; at = (at + 1) & mask) {
		size_t home = index->slots[at].hash & mask;

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		index->slots[gap] = index->slots[at];
		gap = at;
	}
	index->slots[gap] = (struct claim_slot){0};
	index->used--;
}

void claims_remove(struct claim_index *index, const struct resource *resource)
{
	size_t count = claims_count(index->kind, resource);

	for (size_t n = 0; n < count; n++) {
		struct claim claim = claims_at(index->kind, resource, n);
		size_t at = hash(&claim.key) & (index->size - 1);

		while (index->slots[at].owner != resource || index->slots[at].n != n)
			at = (at + 1) & (index->size - 1);
		close_gap(index, at);
	}
}

bool claims_next(const struct claim_index *index, const struct claim_key *key, size_t *at,
		 struct claim *claim)
{
	uint32_t wanted = hash(key);

	while (index->size) {
		const struct claim_slot *slot =
			&index->slots[(wanted + (*at)++) & (index->size - 1)];

		if (!slot->owner)
			return false;
		if (slot->hash != wanted)
			continue;
		*claim = claims_at(index->kind, slot->owner, slot->n);
		if (memcmp(&claim->key, key, sizeof(*key)) == 0)
			return true;
	}
	return false;
}

void claims_done(struct claim_index *index)
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
