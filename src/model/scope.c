/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scope grows until it is everything; looking is the kernel adapters' business. */
#include "model/scope.h"

#include <string.h>

#include "model/op.h"

bool scope_is_empty(const struct scope *scope)
{
	if (scope->everything || scope->whole)
		return false;
	return !objects_count(&scope->keys);
}

bool scope_is_whole(const struct scope *scope, enum kind_id kind)
{
	return scope->everything || scope->whole >> kind & 1;
}

void scope_add(struct scope *scope, enum kind_id kind, const void *key)
{
	if (scope_is_whole(scope, kind))
		return;
	if (scope->keys.kind[kind].len == SCOPE_KEYS_MAX) {
		scope_add_whole(scope, kind);
		return;
	}
	scope->keys.arena = &scope->arena;
	memcpy(objects_add(&scope->keys, kind), key, kinds[kind]->size);
}

void scope_add_whole(struct scope *scope, enum kind_id kind)
{
	if (kind == KIND_LINK || kind == KIND_SYSCTL)
		scope->everything = true;
	else if (object_is_nft(kind))
		for (unsigned nft = KIND_NFT_TABLE; nft <= KIND_NFT_CHAIN; nft++)
			scope->whole |= 1U << nft;
	else
		scope->whole |= 1U << kind;
}

void scope_join(struct scope *to, const struct scope *from)
{
	to->everything |= from->everything;
	to->whole |= from->whole;
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++)
		for (size_t i = 0; i < from->keys.kind[kind].len; i++)
			scope_add(to, kind, from->keys.kind[kind].v[i]);
}

void scope_pick(const struct scope *scope, enum kind_id kind, const struct objects *from,
		struct objects *to)
{
	bool whole = scope_is_whole(scope, kind);
	const struct object_list *list = whole ? &from->kind[kind] : &scope->keys.kind[kind];

	for (size_t i = 0; i < list->len; i++) {
		struct object *object = whole ? list->v[i] : objects_find(from, kind, list->v[i]);

		if (object)
			object_list_push(&to->kind[kind], object);
	}
}

void scope_done(struct scope *scope)
{
	objects_done(&scope->keys);
	arena_done(&scope->arena);
	*scope = (struct scope){0};
}
