/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Within model/: what a resource wants for itself alone. A claim is a key of fixed size, so
 * that whatever the kind, two claims clash when their bytes are equal.
 */

#include "base/vec.h"
#include "model/resource.h"

enum claim_kind { CLAIM_DEVICE, CLAIM_ENDPOINTS, CLAIM_DESTINATION };

/* No padding: hashed and compared as bytes. */
struct claim_key {
	uint64_t kind; /* enum claim_kind */
	uint64_t numbers[2];
	char name[IFNAMSIZ];
};

struct claim {
	struct claim_key key;
	const struct resource *owner;
	uint32_t owner_index; /* of the owner in its list */
	uint32_t list_index;  /* of the destination in its list */
};

struct claim_list vec_of(struct claim);

/* How many it makes; 0 for kinds that claim nothing. */
size_t claims_count(enum kind_id kind, const struct resource *resource);
/* The n-th of them. */
struct claim claims_at(enum kind_id kind, const struct resource *resource, size_t n);
/* Adds them all. */
void claims_add(struct claim_list *claims, enum kind_id kind, const struct resource *resource,
		uint32_t owner_index);
/* For qsort: by key, then by the owner's index. */
int claims_compare(const void *a, const void *b);
bool claims_clash(const struct claim *a, const struct claim *b);

/* Who claims what, of the resources of one kind; {0} but for the kind is an empty one. A key
 * may be there more than once: what is being deleted keeps its own. */
struct claim_index {
	enum kind_id kind;
	struct claim_slot *slots; /* hash table, a power of two */
	size_t size, used;
};

void claims_insert(struct claim_index *index, const struct resource *resource);
void claims_remove(struct claim_index *index, const struct resource *resource);
/* Steps through the claims of that key: *at is 0 at first. False at the end. */
bool claims_next(const struct claim_index *index, const struct claim_key *key, size_t *at,
		 struct claim *claim);
void claims_done(struct claim_index *index);

/* Adds the fault that claim is taken by holder; at goes in front of the pointer. */
int claims_fault(const struct claim *claim, const struct claim *holder, const char *at,
		 struct errs *errs);
