/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake kernel's objects: sorted lists, what a change entails, and how they are written. */
#include "fake_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TABLE_MAIN = 254, PROTOCOL_KERNEL = 2, SCOPE_LINK = 253 };

/* where the object of that key is, or would be */
static size_t position(const struct object_list *list, enum kind_id kind, const void *key,
		       bool *found)
{
	size_t from = 0, to = list->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (kind_key_compare(kinds[kind], list->v[middle], key) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	*found = from < list->len && kind_key_compare(kinds[kind], list->v[from], key) == 0;
	return from;
}

static void clear_list(struct object_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		free(list->v[i]);
	list->len = 0;
}

void fake_state_done(struct fake *fake)
{
	for (unsigned kind = 0; kind < KINDS; kind++)
		clear_list(&fake->state.kind[kind]);
	objects_done(&fake->state);
}

struct object *fake_state_find(const struct fake *fake, enum kind_id kind, const void *key)
{
	return objects_find(&fake->state, kind, key);
}

struct link *fake_state_link(const struct fake *fake, const char *device)
{
	struct link key = {.head.set = kind_all(&link_kind)};

	snprintf(key.device, sizeof(key.device), "%s", device);
	return (struct link *)fake_state_find(fake, KIND_LINK, &key);
}

bool fake_state_is_own(const struct fake *fake, struct addr addr)
{
	const struct object_list *list = &fake->state.kind[KIND_ADDRESS];

	for (size_t i = 0; i < list->len; i++)
		if (((struct address *)list->v[i])->prefix.addr.host == addr.host)
			return true;
	return false;
}

static void list_put(struct object_list *list, enum kind_id kind, struct object *object)
{
	bool found;
	size_t at = position(list, kind, object, &found);

	if (found) {
		free(list->v[at]);
		list->v[at] = object;
		return;
	}
	if (list->len == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 16;
		list->v = xrealloc(list->v, list->cap * sizeof(struct object *));
	}
	memmove(list->v + at + 1, list->v + at, (list->len - at) * sizeof(list->v[0]));
	list->v[at] = object;
	list->len++;
}

struct object *fake_state_put(struct fake *fake, enum kind_id kind, const void *object)
{
	struct object *copy = kind_copy(kinds[kind], object, NULL);

	copy->set = kind_all(kinds[kind]);
	copy->marks = 0;
	list_put(&fake->state.kind[kind], kind, copy);
	return copy;
}

void fake_state_remove(struct fake *fake, enum kind_id kind, const void *key)
{
	struct object_list *list = &fake->state.kind[kind];
	bool found;
	size_t at = position(list, kind, key, &found);

	if (!found)
		return;
	if (kind == KIND_NFT_ELEMENT)
		fake_count_forget(fake, (const struct nft_element *)list->v[at]);
	free(list->v[at]);
	list->len--;
	memmove(list->v + at, list->v + at + 1, (list->len - at) * sizeof(list->v[0]));
}

void fake_state_merge(enum kind_id kind, void *to, const void *from)
{
	for (unsigned i = 0; i < kinds[kind]->n_fields; i++) {
		const struct field *field = &kinds[kind]->fields[i];

		if (field_set_mask(from) >> i & 1)
			memcpy(field_of(field, to), field_in(field, from), field->size);
	}
}

void fake_state_clear_nft(struct fake *fake)
{
	for (unsigned kind = KIND_NFT_TABLE; kind <= KIND_NFT_CHAIN; kind++)
		clear_list(&fake->state.kind[kind]);
	fake_count_forget(fake, NULL);
}

void fake_state_copy_nft(const struct objects *from, struct objects *to)
{
	for (unsigned kind = KIND_NFT_TABLE; kind <= KIND_NFT_CHAIN; kind++) {
		const struct object_list *list = &from->kind[kind];

		clear_list(&to->kind[kind]);
		for (size_t i = 0; i < list->len; i++)
			list_put(&to->kind[kind], kind, kind_copy(kinds[kind], list->v[i], NULL));
	}
}

/* Removes the objects of that kind which sit on the device, and, where it is given, only the
 * routes with that source. */
static void drop(struct fake *fake, enum kind_id kind, const char *device, struct addr source)
{
	struct object_list *list = &fake->state.kind[kind];
	size_t kept = 0;

	for (size_t i = 0; i < list->len; i++) {
		const char *on = object_device(kind, list->v[i]);
		bool goes = device && on && strcmp(on, device) == 0;

		if (source.host && kind == KIND_ROUTE)
			goes = ((struct route *)list->v[i])->prefsrc.host == source.host;
		if (goes)
			free(list->v[i]);
		else
			list->v[kept++] = list->v[i];
	}
	list->len = kept;
}

static void connect_route(struct fake *fake, const struct address *address)
{
	struct route route = {
		.table = TABLE_MAIN,
		.dst = prefix_network(address->prefix),
		.prefsrc = address->prefix.addr,
		.scope = SCOPE_LINK,
		.protocol = PROTOCOL_KERNEL,
	};

	if (address->prefix.len == 32)
		return;
	memcpy(route.device, address->device, sizeof(route.device));
	fake_state_put(fake, KIND_ROUTE, &route);
}

static void set_up(struct fake *fake, const char *device, bool up)
{
	const struct object_list *list = &fake->state.kind[KIND_ADDRESS];

	if (!up)
		drop(fake, KIND_ROUTE, device, (struct addr){0});
	for (size_t i = 0; up && i < list->len; i++) {
		const struct address *address = (const struct address *)list->v[i];

		if (strcmp(address->device, device) == 0)
			connect_route(fake, address);
	}
}

static void put_sysctl(struct fake *fake, const char *device, enum sysctl_name name, uint32_t value)
{
	struct sysctl sysctl = {.name = (uint8_t)name, .value = value};

	snprintf(sysctl.device, sizeof(sysctl.device), "%s", device);
	fake_state_put(fake, KIND_SYSCTL, &sysctl);
}

void fake_state_put_link(struct fake *fake, const struct link *link)
{
	const struct link *before = fake_state_link(fake, link->device);
	bool was_there = before, was_up = before && before->up;
	uint32_t ifindex = before ? before->ifindex : ++fake->last_ifindex;

	((struct link *)fake_state_put(fake, KIND_LINK, link))->ifindex = ifindex;
	if (!was_there) {
		put_sysctl(fake, link->device, SYSCTL_FORWARDING, fake->ip_forward);
		put_sysctl(fake, link->device, SYSCTL_RP_FILTER, fake->default_rp_filter);
	}
	if (was_up != link->up)
		set_up(fake, link->device, link->up);
}

/* The first address of a device; NULL when it has none. */
static struct address *first_address(const struct fake *fake, const char *device)
{
	const struct object_list *list = &fake->state.kind[KIND_ADDRESS];

	for (size_t i = 0; i < list->len; i++)
		if (strcmp(((struct address *)list->v[i])->device, device) == 0)
			return (struct address *)list->v[i];
	return NULL;
}

void fake_state_remove_link(struct fake *fake, const char *device)
{
	struct link key = {.head.set = kind_all(&link_kind)};

	snprintf(key.device, sizeof(key.device), "%s", device);
	for (struct address *address; (address = first_address(fake, key.device));)
		fake_state_remove_address(fake, address);
	drop(fake, KIND_ROUTE, key.device, (struct addr){0});
	drop(fake, KIND_SYSCTL, key.device, (struct addr){0});
	fake_state_remove(fake, KIND_LINK, &key);
}

void fake_state_put_address(struct fake *fake, const struct address *address)
{
	const struct link *link = fake_state_link(fake, address->device);

	fake_state_put(fake, KIND_ADDRESS, address);
	if (link && link->up)
		connect_route(fake, address);
}

void fake_state_remove_address(struct fake *fake, const struct address *address)
{
	struct address gone = *address;
	const struct object_list *list = &fake->state.kind[KIND_ADDRESS];
	bool last = true;

	fake_state_remove(fake, KIND_ADDRESS, &gone);
	for (size_t i = 0; i < list->len; i++)
		last &= strcmp(((struct address *)list->v[i])->device, gone.device) != 0;
	if (!fake_state_is_own(fake, gone.prefix.addr))
		drop(fake, KIND_ROUTE, NULL, gone.prefix.addr);
	if (last)
		drop(fake, KIND_ROUTE, gone.device, (struct addr){0});
}

void fake_state_forward(struct fake *fake, bool on)
{
	const struct object_list *list = &fake->state.kind[KIND_SYSCTL];

	if (fake->ip_forward == on)
		return; /* as in the kernel: devinet_sysctl_forward() */
	fake->ip_forward = on;
	for (size_t i = 0; i < list->len; i++) {
		struct sysctl *sysctl = (struct sysctl *)list->v[i];

		if (sysctl->name == SYSCTL_FORWARDING)
			sysctl->value = on;
	}
}

/* Every part of the key in its place, as tests read it; numbers as such. */
static void key_text(const struct kind *kind, const struct object *object, struct text *text)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];
		size_t before = text->len;

		if (!(field->flags & FIELD_KEY) || !(object->set >> i & 1))
			continue;
		text_add(text, " ");
		if (field->flags & FIELD_HEX)
			text_addf(text, "%lld", (long long)field_number(field, object));
		else
			field_show(field, object, text);
		if (text->len == before + 1)
			text_cut(text, before);
	}
}

static void object_text(const struct kind *kind, const struct object *object, struct text *text)
{
	text_add(text, kind->noun);
	key_text(kind, object, text);
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];

		if (field->flags & (FIELD_KEY | FIELD_IGNORE))
			continue;
		text_addf(text, " %s=", field->name);
		field_show(field, object, text);
	}
	text_add(text, "\n");
}

void fake_state_text(const struct fake *fake, struct text *text)
{
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *list = &fake->state.kind[kind];

		for (size_t i = 0; i < list->len; i++)
			object_text(kinds[kind], list->v[i], text);
	}
	text_addf(text, "sysctl ip_forward value=%d\n", fake->ip_forward);
	text_add(text, fake->tracing || fake->trace_left ? "trace\n" : "");
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fake kernel: %s: %s\n", what, strerror(errno));
	abort();
}

static void replace_file(const struct fake *fake, const char *name, const struct text *text)
{
	cleanup_text struct text path = {0}, scratch = {0};

	text_addf(&path, "%s/%s", fake->directory, name);
	text_addf(&scratch, "%s/.%s", fake->directory, name);
	FILE *file = fopen(scratch.s, "we");
	must(file, scratch.s);
	must(fwrite(text_str(text), 1, text->len, file) == text->len, scratch.s);
	must(fclose(file) == 0 && rename(scratch.s, path.s) == 0, path.s);
}

/* Kind, then the bytes of the struct, then the rows that it points to: the same program reads
 * them back. */
static void add_memory(const struct fake *fake, struct text *text)
{
	text_add_len(text, (const char *)&fake->ip_forward, sizeof(fake->ip_forward));
	text_add_len(text, (const char *)&fake->default_rp_filter, sizeof(fake->default_rp_filter));
	text_add_len(text, (const char *)&fake->last_ifindex, sizeof(fake->last_ifindex));
	for (uint32_t kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *list = &fake->state.kind[kind];

		for (size_t i = 0; i < list->len; i++) {
			text_add_len(text, (const char *)&kind, sizeof(kind));
			text_add_len(text, (const char *)list->v[i], kinds[kind]->size);
			if (kind != KIND_NFT_CHAIN)
				continue;
			const struct rows *rows = &((struct nft_chain *)list->v[i])->rules;
			text_add_len(text, rows->v ? rows->v : "", rows->len * nft_rule_kind.size);
		}
	}
}

void fake_state_save(const struct fake *fake)
{
	cleanup_text struct text text = {0}, memory = {0};

	if (!fake->directory)
		return;
	fake_state_text(fake, &text);
	replace_file(fake, "state", &text);
	add_memory(fake, &memory);
	replace_file(fake, "memory", &memory);
}

static bool load_object(struct fake *fake, FILE *file)
{
	union {
		struct object head;
		struct link link;
		struct nft_chain chain;
		struct nft_element element;
		struct rule rule;
		struct route route;
	} object;
	cleanup_free struct nft_rule *rules = NULL;
	uint32_t kind;

	if (fread(&kind, sizeof(kind), 1, file) != 1)
		return false;
	must(kind < OBJECT_KIND_END && kinds[kind]->size <= sizeof(object), "memory");
	must(fread(&object, kinds[kind]->size, 1, file) == 1, "memory");
	if (kind == KIND_NFT_CHAIN && object.chain.rules.len) {
		rules = xcalloc(object.chain.rules.len, sizeof(*rules));
		must(fread(rules, sizeof(*rules), object.chain.rules.len, file) ==
			     object.chain.rules.len,
		     "memory");
		object.chain.rules.v = rules;
	}
	list_put(&fake->state.kind[kind], kind, kind_copy(kinds[kind], &object.head, NULL));
	return true;
}

void fake_state_load(struct fake *fake)
{
	cleanup_text struct text path = {0};

	text_addf(&path, "%s/memory", fake->directory);
	FILE *file = fopen(path.s, "re");
	if (!file)
		return;
	must(fread(&fake->ip_forward, sizeof(fake->ip_forward), 1, file) == 1, path.s);
	must(fread(&fake->default_rp_filter, sizeof(fake->default_rp_filter), 1, file) == 1,
	     path.s);
	must(fread(&fake->last_ifindex, sizeof(fake->last_ifindex), 1, file) == 1, path.s);
	while (load_object(fake, file))
		continue;
	fclose(file);
}
