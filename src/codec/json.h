/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Resources to JSON and back, by walking the field tables. Faults of a body come all at
 * once, each with a JSON pointer, a code of api.md and a sentence.
 */

#include <jansson.h>

#include "base/text.h"
#include "model/declaration.h"
#include "model/op.h"

enum { JSON_DEPTH_MAX = 16 };

/* A place in a document, as a chain from the inside out. NULL: the document itself. */
struct json_at {
	const struct json_at *in;
	const char *name; /* of a member; NULL: an element of a list */
	size_t index;
};
/* As a JSON pointer (RFC 6901), which is worth its time only where there is a fault to tell. */
void json_pointer(const struct json_at *at, char pointer[static ERR_POINTER]);

/*
 * Parses one value of at most len bytes: UTF-8, depth at most JSON_DEPTH_MAX, no duplicate
 * members, no NUL. Adds one malformed-json fault and returns -EINVAL otherwise. When
 * consumed is not NULL, text may follow the value and consumed tells where it ended.
 */
int json_parse(const char *s, size_t len, size_t *consumed, json_t **value,
	       struct errs *errs) must_check;

/*
 * Decodes a resource document: every declared member is checked by its row, then, when all
 * of them passed, kind->check. Agent's members (uid, generation, created_at, updated_at,
 * status) are accepted; generation, when there, goes to *generation (else 0). Defaults are
 * filled in. at: where the document stands in the body. path_name: the
 * name that the URL gives, which the document may repeat; NULL: the document must have one.
 * Result in the arena. -EINVAL with faults in errs.
 */
int json_decode(const struct kind *kind, const json_t *document, const struct json_at *at,
		const char *path_name, struct arena *arena, struct resource **resource,
		uint64_t *generation, struct errs *errs) must_check;

/* Decodes a document that is no resource into object, a zeroed struct of that kind: members by
 * their rows, defaults. -EINVAL with faults in errs. */
int json_decode_plain(const struct kind *kind, const json_t *document, struct arena *arena,
		      void *object, struct errs *errs) must_check;

/* Adds the unknown members that a patch sets to null: decoding its outcome misses them. */
void json_check_removed(const struct kind *kind, const json_t *patch, struct errs *errs);

/* RFC 7396. Takes the reference to target over (and may change it); the caller owns the result. */
json_t *json_merge_patch(json_t *target, const json_t *patch);

/* Writing: behind the text, without blanks, as jansson would with JSON_COMPACT. */

/* In quotes, escaped. Names that others gave are any bytes: what is not UTF-8 becomes "?". */
void json_add_string(struct text *text, const char *s);
/* "NAME": what follows is its value. Behind another member it begins with a comma. */
void json_add_name(struct text *text, const char *name);
void json_member_string(struct text *text, const char *name, const char *s);
void json_member_number(struct text *text, const char *name, uint64_t number);
void json_member_time(struct text *text, const char *name, int64_t ms);
/* Members for the rows in the mask, in the table's order. */
void json_add_members(struct text *text, const struct kind *kind, const void *object,
		      uint64_t rows);
/* What such a member holds. */
void json_add_value(struct text *text, const struct field *field, const void *object);
/*
 * What differs between two of a kind: [{"field","old","new"}…]; NULL is one that is not there.
 * Of secrets the name alone. A long value is told by its length ("old_length": members of a
 * list, bytes of a text), of two lists with the first of the members that came and went, and how
 * many those are ("added", "added_length" …); where there are many, the last ones by their names.
 */
void json_add_changes(struct text *text, const struct kind *kind, const void *before,
		      const void *after);
/* Members of the declared fields, as they were sent; name first. */
void json_add_declared(struct text *text, const struct kind *kind, const struct resource *resource);
/* An object of the KEY and all set fields of a kernel object, for a plan's want and have. */
void json_add_object(struct text *text, const struct kind *kind, const void *object);

/* The declared fields as a value, for what is to be changed in it; the caller owns it. */
json_t *json_encode(const struct kind *kind, const struct resource *resource);

/*
 * A config document, read one element at a time, never as one tree: puts each resource
 * into the declaration, which is empty at first. A list that is not there is an empty one.
 * Pointers of faults begin with /tunnels/3, its position in the document. errs is empty at
 * first; a malformed-json fault stands in it alone. The generation
 * of a resource is the one that the document gave, else 0; its revision is that position.
 */
int json_read_config(const char *s, size_t len, struct declaration *declaration,
		     struct errs *errs) must_check;

/* "2026-11-23T09:30:00.123Z" */
void json_time(int64_t ms, char buf[static 32]);
