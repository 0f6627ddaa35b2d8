/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a script changed, as the kernel's events would name it, and the look at only that. As
 * in src/kernel: of devices of ours a key, of others everything, because facts hang on them.
 */
#include "fake_kernel.h"

#include <stdio.h>
#include <string.h>

void fake_look_remember(const struct fake *fake, struct fake_memory *memory)
{
	*memory = (struct fake_memory){.ip_forward = fake->ip_forward,
				       .default_rp_filter = fake->default_rp_filter};
	memory->state.arena = &memory->arena;
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++)
		for (size_t i = 0; i < fake->state.kind[kind].len; i++)
			object_list_push(&memory->state.kind[kind],
					 kind_copy(kinds[kind], fake->state.kind[kind].v[i],
						   &memory->arena));
}

static bool is_our_device(const struct fake *fake, const struct objects *before, const char *device)
{
	struct link key = {.head.set = kind_all(&link_kind)};

	snprintf(key.device, sizeof(key.device), "%s", device);
	const struct link *link = fake_state_link(fake, device);
	const struct link *was = (const struct link *)objects_find(before, KIND_LINK, &key);
	return (!link || fake_link_marks(link)) && was && fake_link_marks(was);
}

static void note_device(struct scope *scope, const char *device)
{
	struct link key = {0};

	snprintf(key.device, sizeof(key.device), "%s", device);
	scope_add(scope, KIND_LINK, &key);
}

/* As the kernel's event tells it. */
static void note_key(struct scope *scope, enum kind_id kind, const struct object *object, bool gone)
{
	struct object *key = scope_add(scope, kind, object);

	if (key && gone)
		key->marks |= OBJECT_TOLD_GONE;
}

static void note(const struct fake *fake, const struct objects *before, enum kind_id kind,
		 const struct object *object, struct scope *scope)
{
	const char *device = object_device(kind, object);
	const struct route *route = (const struct route *)object;
	bool gone = !objects_find(&fake->state, kind, object);

	switch (kind) {
	case KIND_LINK:
	case KIND_ADDRESS:
		if (!is_our_device(fake, before, device))
			scope->everything = true;
		else if (kind == KIND_ADDRESS && gone)
			note_key(scope, kind, object, gone);
		else
			note_device(scope, device);
		return;
	case KIND_RULE:
		note_key(scope, kind, object, gone);
		return;
	case KIND_ROUTE:
		if (gone && strcmp(route->device, fake->flapped) == 0)
			return; /* no event tells of those that a link takes along */
		if (route->table >= OUR_TABLE_FIRST && route->table <= OUR_TABLE_LAST)
			note_key(scope, kind, object, gone);
		else if (!is_our_device(fake, before, route->device))
			scope->everything = true; /* it may lead to a remote */
		return;
	case KIND_SYSCTL:
		scope_add(scope, kind, object);
		return;
	case KIND_NFT_ELEMENT:
		if (((const struct nft_element *)object)->device[0])
			scope_add(scope, kind, object);
		else
			scope_add_whole(scope, kind);
		return;
	default:
		scope_add_whole(scope, kind);
	}
}

void fake_look_compare(const struct fake *fake, const struct fake_memory *memory,
		       struct scope *scope)
{
	scope->everything |= memory->ip_forward != fake->ip_forward ||
			     memory->default_rp_filter != fake->default_rp_filter;
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *was = &memory->state.kind[kind];
		const struct object_list *is = &fake->state.kind[kind];
		size_t i = 0, j = 0;

		while (i < was->len || j < is->len) {
			int order = object_order(kind, i < was->len ? was->v[i] : NULL,
						 j < is->len ? is->v[j] : NULL);

			if (order || kind_differences(kinds[kind], is->v[j], was->v[i]))
				note(fake, &memory->state, kind, order < 0 ? was->v[i] : is->v[j],
				     scope);
			i += order <= 0;
			j += order >= 0;
		}
	}
	if (fake->flapped[0])
		note_device(scope, fake->flapped);
	/* a script that only lets ops fail, or no longer */
	scope->everything |= scope_is_empty(scope);
}

void fake_look_forget(struct fake_memory *memory)
{
	objects_done(&memory->state);
	arena_done(&memory->arena);
}

static void refresh_fact(const struct fake *fake, struct facts *facts, const char *device)
{
	const struct link *link = fake_state_link(fake, device);

	if (link) {
		struct fact_link fact = fake_link_fact(fake, link);
		facts_put_link(facts, &fact);
	} else {
		facts_drop_link(facts, device);
	}
}

int fake_look_at(struct kernel *kernel, struct arena *arena, const struct scope *scope,
		 struct objects *observed, struct facts *facts, struct err *err)
{
	const struct fake *fake = (const struct fake *)kernel;

	if (fake->refuse_observe)
		return err_set(err, fake->refuse_observe, "observe: %s",
			       strerror(-fake->refuse_observe));
	observed->arena = arena;
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *keys = &scope->keys.kind[kind];
		const struct object_list *list = &fake->state.kind[kind];

		for (size_t i = 0; i < keys->len && (kind == KIND_LINK || kind == KIND_SYSCTL); i++)
			refresh_fact(fake, facts, object_device(kind, keys->v[i]));
		for (size_t i = 0; i < list->len; i++) {
			const struct object *key = objects_find(&scope->keys, kind, list->v[i]);

			if (scope_is_whole(scope, kind) ||
			    (key && !(key->marks & OBJECT_TOLD_GONE)))
				fake_show(kind, list->v[i], arena, observed);
		}
	}
	fake_addr_facts(fake, facts);
	facts_sort(facts);
	objects_sort(observed);
	return 0;
}
