/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Kinds are data: each noun is a plain struct, one const table of fields, and at most two
 * functions (check here, expand in plan/). Resources are the nouns of the API; objects are
 * the nouns of the kernel.
 */

#include "base/arena.h"
#include "base/err.h"
#include "model/field.h"

enum kind_id {
	/* resources, in the order in which they refer to each other */
	KIND_TUNNEL,
	KIND_EXIT_ROUTE,
	KIND_NAT_RULE,
	/* kernel objects, in the order in which they are made */
	KIND_NFT_TABLE,
	KIND_NFT_SET,
	KIND_NFT_ELEMENT,
	KIND_NFT_CHAIN,
	KIND_LINK,
	KIND_ADDRESS,
	KIND_SYSCTL,
	KIND_ROUTE,
	KIND_RULE,
	/* rows of an nft chain: never an object of their own */
	KIND_NFT_RULE,
};

enum {
	RESOURCE_KINDS = KIND_NAT_RULE + 1,
	OBJECT_KIND_FIRST = KIND_NFT_TABLE,
	OBJECT_KIND_END = KIND_RULE + 1,
	KINDS = KIND_NFT_RULE + 1,
};

struct kind {
	enum kind_id id;
	const char *noun;   /* "exit-route" in documents, "link" */
	const char *path;   /* resources: "exit-routes", under /v1/ */
	const char *member; /* resources: "exit_routes" of a config, and the SQL table */
	const char *doc;    /* resources: one line for help */
	const struct field *fields;
	unsigned n_fields;
	size_t size; /* of the struct, bytes */
	/* Resources: rules across fields. Adds each fault to errs. */
	void (*check)(const void *resource, struct errs *errs);
};

/* All of them, at their kind_id. */
extern const struct kind *const kinds[KINDS];

/* The row of that name, NULL when there is none. */
const struct field *kind_field(const struct kind *kind, const char *name);
/* The closest name of a row, for "did you mean"; NULL when none is close. */
const char *kind_suggest(const struct kind *kind, const char *name);
/* bit of a row in the set mask */
uint64_t kind_bit(const struct kind *kind, const struct field *field);
/* the bits of all rows */
uint64_t kind_all(const struct kind *kind);
/* of those that are compared: without FIELD_IGNORE */
uint64_t kind_compared(const struct kind *kind);

/* Fills every field that is not in the set mask with its default. */
void kind_defaults(const struct kind *kind, void *object);
/* Order of the KEY fields, in the table's order. */
int kind_key_compare(const struct kind *kind, const void *a, const void *b);
/*
 * The key as bytes whose order is that of kind_key_compare, in words from the highest on, as
 * far as there is room. False: it does not fit, and equal ranks say nothing.
 */
enum { KEY_RANK = 4 };
bool kind_key_rank(const struct kind *kind, const void *object, uint64_t rank[static KEY_RANK]);
/* The rows that are set in want and differ in have (or are not set there), as a mask. */
uint64_t kind_differences(const struct kind *kind, const void *want, const void *have);
/* Same fields set, to the same values. */
bool kind_same(const struct kind *kind, const void *a, const void *b);

/*
 * A deep copy: one block with every string and list inside it. Into the arena, or, when
 * that is NULL, one malloc'ed block for a single free().
 */
void *kind_copy(const struct kind *kind, const void *object, struct arena *arena)
	__attribute__((returns_nonnull));

/* "tun_a 192.168.1.1/24": the KEY fields; into the arena */
const char *kind_key_text(const struct kind *kind, const void *object, struct arena *arena);
