/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a pass looks at: everything; or some kinds whole, and of the others only the objects
 * that events named. A scope is gathered from events and only says where to look, never what
 * is there.
 */

#include "base/arena.h"
#include "model/object.h"

enum { SCOPE_KEYS_MAX = 64 }; /* of one kind; past them the kind is looked at whole */

struct scope {
	bool everything;
	uint32_t whole;      /* bit of an enum kind_id; those of nft only all together */
	struct objects keys; /* only their KEY fields mean anything; may hold one key twice */
	struct arena arena;  /* of the keys */
};

/* {0} is an empty scope. */
bool scope_is_empty(const struct scope *scope);
bool scope_is_whole(const struct scope *scope, enum kind_id kind);
void scope_add(struct scope *scope, enum kind_id kind, const void *key);
/* Of links and sysctls there is no whole but everything: facts hang on them. */
void scope_add_whole(struct scope *scope, enum kind_id kind);
/* What from covers is covered by to as well. */
void scope_join(struct scope *to, const struct scope *from);
/* Whatever is under a key in one of them and not the same in the other. */
void scope_add_changes(struct scope *scope, const struct objects *before,
		       const struct objects *after);
/* Those of a sorted list that the scope names, pushed to the other; the objects are not copied. */
void scope_pick(const struct scope *scope, enum kind_id kind, const struct objects *from,
		struct objects *to);
void scope_done(struct scope *scope);
