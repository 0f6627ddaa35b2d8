/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorted sets of kernel objects. */
#include "model/object.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void object_list_push(struct object_list *list, struct object *object)
{
	if (list->len == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 16;
		list->v = xrealloc(list->v, list->cap * sizeof(struct object *));
	}
	list->v[list->len++] = object;
}

struct object *objects_add(struct objects *objects, enum kind_id kind)
{
	struct object *object = arena_alloc(objects->arena, kinds[kind]->size);

	object_list_push(&objects->kind[kind], object);
	return object;
}

/* qsort has no context and is not stable: sort (kind, position) along with the pointer. Most
 * pairs are told apart by their ranks. */
struct sort_row {
	uint64_t rank[KEY_RANK];
	const struct kind *kind; /* NULL: the rank says it all */
	struct object *object;
	size_t position;
};

static int key_compare(const struct sort_row *x, const struct sort_row *y)
{
	for (int i = 0; i < KEY_RANK; i++)
		if (x->rank[i] != y->rank[i])
			return x->rank[i] < y->rank[i] ? -1 : 1;
	return x->kind ? kind_key_compare(x->kind, x->object, y->object) : 0;
}

static int sort_row_compare(const void *a, const void *b)
{
	const struct sort_row *x = a, *y = b;
	int order = key_compare(x, y);

	return order ? order : (x->position > y->position) - (x->position < y->position);
}

static bool is_sorted(const struct kind *kind, const struct object_list *list)
{
	for (size_t i = 1; i < list->len; i++)
		if (kind_key_compare(kind, list->v[i - 1], list->v[i]) >= 0)
			return false;
	return true;
}

static void list_sort(const struct kind *kind, struct object_list *list)
{
	if (is_sorted(kind, list))
		return;
	struct sort_row *rows = xcalloc(list->len, sizeof(*rows));
	for (size_t i = 0; i < list->len; i++) {
		rows[i].object = list->v[i];
		rows[i].position = i;
		if (!kind_key_rank(kind, list->v[i], rows[i].rank))
			rows[i].kind = kind;
	}
	qsort(rows, list->len, sizeof(*rows), sort_row_compare);
	size_t kept = 0;
	for (size_t i = 0; i < list->len; i++)
		if (!i || key_compare(&rows[i - 1], &rows[i]) != 0)
			list->v[kept++] = rows[i].object;
	list->len = kept;
	free(rows);
}

void objects_sort(struct objects *objects)
{
	for (unsigned i = OBJECT_KIND_FIRST; i < OBJECT_KIND_END; i++)
		list_sort(kinds[i], &objects->kind[i]);
}

struct object *objects_find(const struct objects *objects, enum kind_id kind, const void *key)
{
	const struct object_list *list = &objects->kind[kind];
	size_t from = 0, to = list->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = kind_key_compare(kinds[kind], list->v[middle], key);

		if (order == 0)
			return list->v[middle];
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

int object_order(enum kind_id kind, const struct object *a, const struct object *b)
{
	if (!a || !b)
		return !a - !b;
	return kind_key_compare(kinds[kind], a, b);
}

size_t objects_count(const struct objects *objects)
{
	size_t count = 0;

	for (unsigned i = 0; i < KINDS; i++)
		count += objects->kind[i].len;
	return count;
}

void objects_done(struct objects *objects)
{
	for (unsigned i = 0; i < KINDS; i++)
		free(objects->kind[i].v);
	*objects = (struct objects){.arena = objects->arena};
}

void alias_format(char alias[static ALIAS_TEXT], uint32_t database_id, const char *name)
{
	uint32_t wire = htonl(database_id);
	char *end = hex_write((const uint8_t *)&wire, sizeof(wire), stpcpy(alias, "ipipd:"));

	*end++ = ':';
	/* a resource's name fits */
	*stpncpy(end, name, (size_t)(alias + ALIAS_TEXT - 1 - end)) = '\0';
}

bool alias_parse(const char *alias, uint32_t *database_id)
{
	char hex[9] = {0};

	if (strncmp(alias, "ipipd:", 6) != 0 || strlen(alias) < 15 || alias[14] != ':')
		return false;
	memcpy(hex, alias + 6, 8);
	if (strspn(hex, "0123456789abcdef") != 8)
		return false;
	*database_id = (uint32_t)strtoul(hex, NULL, 16);
	return true;
}
