/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scope grows until it is everything; looking is the kernel adapters' business. */
#include "model/scope.h"

#include <assert.h>
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

struct object *scope_add(struct scope *scope, enum kind_id kind, const void *key)
{
	const struct object_list *list = &scope->keys.kind[kind];
	struct object *added = NULL;

	if (scope_is_whole(scope, kind))
		return NULL;
	for (size_t i = 0; i < list->len && !added; i++)
		if (kind_key_compare(kinds[kind], list->v[i], key) == 0)
			added = list->v[i];
	if (!added && list->len == SCOPE_KEYS_MAX) {
		scope_add_whole(scope, kind);
		return NULL;
	}
	scope->keys.arena = &scope->arena;
	if (!added)
		added = objects_add(&scope->keys, kind);
	memcpy(added, key, kinds[kind]->size);
	return added;
}

enum { TOLD = OBJECT_TOLD | OBJECT_TOLD_GONE };

bool scope_is_told(const struct scope *scope)
{
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++)
		for (size_t i = 0; i < scope->keys.kind[kind].len; i++)
			if (scope->keys.kind[kind].v[i]->marks & TOLD)
				return true;
	return false;
}

void scope_believe(const struct scope *scope, enum kind_id kind, struct objects *observed,
		   struct object_list *untold)
{
	const struct object_list *keys = &scope->keys.kind[kind];

	for (size_t i = 0; i < keys->len; i++) {
		struct object *key = keys->v[i];

		if (!(key->marks & TOLD))
			object_list_push(untold, key);
		if (!(key->marks & OBJECT_TOLD))
			continue;
		struct object *object = objects_add(observed, kind);
		memcpy(object, key, kinds[kind]->size);
		object->marks &= ~(uint32_t)TOLD;
	}
}

void scope_forget_told(struct scope *scope)
{
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++)
		for (size_t i = 0; i < scope->keys.kind[kind].len; i++)
			scope->keys.kind[kind].v[i]->marks &= ~(uint32_t)TOLD;
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

static void add_change(struct scope *scope, enum kind_id kind, const struct object *before,
		       const struct object *after, bool is_news)
{
	const struct kind *k = kinds[kind];

	if (before && after && before->marks == after->marks &&
	    !kind_differences(k, before, after) && !kind_differences(k, after, before))
		return;
	if (object_is_nft(kind) && kind != KIND_NFT_ELEMENT) {
		scope_add_whole(scope, kind); /* elements hang on it */
		return;
	}
	const struct object *named = before ? before : after;
	assert(named);
	struct object *key = scope_add(scope, kind, named);
	if (key && !before && is_news && kind == KIND_ROUTE)
		key->marks |= OBJECT_TOLD_GONE;
}

void scope_add_changes(struct scope *scope, const struct objects *before,
		       const struct objects *after, bool is_news)
{
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *b = &before->kind[kind], *a = &after->kind[kind];
		size_t i = 0, j = 0;

		while ((i < b->len || j < a->len) && !scope_is_whole(scope, kind)) {
			const struct object *was = i < b->len ? b->v[i] : NULL;
			const struct object *is = j < a->len ? a->v[j] : NULL;

			if (was && is && memcmp(was, is, kinds[kind]->size) == 0) {
				i++; /* nearly all of them */
				j++;
				continue;
			}
			int order = object_order(kind, was, is);
			add_change(scope, kind, order <= 0 ? was : NULL, order >= 0 ? is : NULL,
				   is_news);
			i += order <= 0;
			j += order >= 0;
		}
	}
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
