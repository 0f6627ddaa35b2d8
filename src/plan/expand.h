/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Resources and facts to kernel objects: one pure function per kind. What a resource needs
 * is claimed: shared objects (rules, chains, sysctls) have several claims.
 */

#include "model/declaration.h"
#include "model/facts.h"
#include "model/object.h"
#include "model/reason.h"

/* Why a resource cannot be whole yet, whatever the kernel says: a pending state. */
struct hold {
	enum reason reason; /* REASON_NONE: it can */
	const char *message;
};

/* What expand says of one resource. */
struct expansion {
	const struct resource *resource; /* the declaration's: gone with the next write */
	const struct kind *kind;
	void *effective; /* a struct of the kind: every default and auto resolved, lists and
	                      * strings left out; of expand_one the set mask has the rows that the
	                      * client left to the agent */
	struct hold hold;
	size_t claims_from, claims_to; /* of claims */
};

/* One object that a resource needs; found again by its key, for equal ones are merged. */
struct claim {
	enum kind_id kind;
	const struct object *object;
};

struct claims vec_of(struct claim);
struct expansions vec_of(struct expansion);

struct expand_input {
	const struct declaration *declaration;
	const struct facts *facts;
	const struct objects *owned; /* the ledger: whose forwarding was switched on by us */
	uint32_t database_id;
	/* from prefix -> table number of OUR_TABLE_FIRST + 1 …, kept in the store */
	const struct from_numbers *from_numbers;
};

struct expand_output {
	struct objects desired;       /* sorted; in the arena given */
	struct expansions expansions; /* in order of kind and name */
	struct claims claims;         /* sorted runs, one for each expansion */
	struct arena *scratch;        /* of what is not desired: effective. NULL: as desired */
	uint64_t inputs;              /* digest of all that the declaration was expanded with */
};

void expand(const struct expand_input *input, struct arena *arena, struct expand_output *out);
/* What output.inputs would be. While it and the declaration's revision are the same, so is all the
 * output. */
uint64_t expand_inputs(const struct expand_input *input);
/* What one resource of the declaration needs: one expansion and its claims, nothing shared. */
void expand_one(const struct expand_input *input, const struct kind *kind,
		const struct resource *resource, struct arena *arena, struct expand_output *out);
void expand_done(struct expand_output *out);

/* Names of a NAT rule's sets: its shape's, for /32 sources and for shorter prefixes. */
struct nat_sets {
	char out[2][SET_NAME]; /* forward, by source; they count */
	char in[2][SET_NAME];  /* forward, replies by destination; they count */
	char nat[2][SET_NAME]; /* postrouting: set, or map with snat */
	char to[SET_NAME];     /* destinations; "" for any */
};

enum { NAT_HOSTS, NAT_NETS };

void nat_sets_of(const struct nat_rule *rule, struct nat_sets *sets);
/* The elements that stand for it in the two sets of a kind, sorted: what another source covers
 * is none. Into the arena. */
void nat_sources_of(const struct nat_rule *rule, struct arena *arena, struct prefixes of[static 2]);

/* The remotes that the kernel must be asked about: of enabled tunnels. */
void expand_questions(const struct declaration *declaration, struct vec_remotes *out);
