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

/* Adds the claims of a resource; nothing for kinds that claim nothing. */
void claims_add(struct claim_list *claims, enum kind_id kind, const struct resource *resource,
		uint32_t owner_index);
/* For qsort: by key, then by the owner's index. */
int claims_compare(const void *a, const void *b);
bool claims_clash(const struct claim *a, const struct claim *b);

/* An index over a list that no longer changes. */
struct claim_index {
	const struct claim_list *claims;
	uint32_t *slots; /* position + 1; 0: free */
	uint32_t mask;
};

void claims_index(struct claim_index *index, const struct claim_list *claims);
/* The claim of the list with that key, NULL when there is none. */
const struct claim *claims_find(const struct claim_index *index, const struct claim_key *key);
void claims_index_done(struct claim_index *index);

/* Adds the fault that claim is taken by holder; at goes in front of the pointer. */
int claims_fault(const struct claim *claim, const struct claim *holder, const char *at,
		 struct errs *errs);
