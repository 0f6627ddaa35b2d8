/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a pass looks at: everything; or some kinds whole, and of the others only the objects
 * that events named. A scope says where to look. What is there it says only where the event told
 * it (OBJECT_TOLD, OBJECT_TOLD_GONE), until something is done about it: the repair begins with
 * that, and what it believed is looked at behind it.
 */

#include "base/arena.h"
#include "model/object.h"

enum { SCOPE_KEYS_MAX = 64 }; /* of one kind; past them the kind is looked at whole */

struct scope {
	bool everything;
	uint32_t whole;      /* bit of an enum kind_id; those of nft only all together */
	struct objects keys; /* only their KEY fields mean anything, unless they are told */
	struct arena arena;  /* of the keys */
};

/* {0} is an empty scope. */
bool scope_is_empty(const struct scope *scope);
bool scope_is_whole(const struct scope *scope, enum kind_id kind);
/* In place of what was said of that key before. NULL: the kind is looked at whole. */
struct object *scope_add(struct scope *scope, enum kind_id kind, const void *key);
bool scope_is_told(const struct scope *scope); /* of a key at least */
/* Of the keys of a kind, what was told to be there goes to observed, as it was told, and what was
 * not told at all to untold, whose v is the caller's. */
void scope_believe(const struct scope *scope, enum kind_id kind, struct objects *observed,
		   struct object_list *untold);
/* What was told is no news any more. */
void scope_forget_told(struct scope *scope);
/* Of links and sysctls there is no whole but everything: facts hang on them. */
void scope_add_whole(struct scope *scope, enum kind_id kind);
/* What from covers is covered by to as well. */
void scope_join(struct scope *to, const struct scope *from);
/* Whatever is under a key in one of them and not the same in the other. is_news: of what was not
 * in before, nothing is there. */
void scope_add_changes(struct scope *scope, const struct objects *before,
		       const struct objects *after, bool is_news);
/* Those of a sorted list that the scope names, pushed to the other; the objects are not copied. */
void scope_pick(const struct scope *scope, enum kind_id kind, const struct objects *from,
		struct objects *to);
void scope_done(struct scope *scope);
