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
		list->cap = list->cap ? list->cap + list->cap / 2 : 16;
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

/* Most pairs are told apart by their ranks. */
struct sort_row {
	uint64_t rank[KEY_RANK];
	struct object *object;
	bool is_whole; /* the rank says it all */
};

static inline int row_compare(const struct kind *kind, const struct sort_row *x,
			      const struct sort_row *y)
{
	for (int i = 0; i < KEY_RANK; i++)
		if (x->rank[i] != y->rank[i])
			return x->rank[i] < y->rank[i] ? -1 : 1;
	return x->is_whole && y->is_whole ? 0 : kind_key_compare(kind, x->object, y->object);
}

/* Rows by reference, in ascending runs: the n-th from end[n - 1], or 0, to end[n]. */
struct sorting {
	const struct kind *kind;
	const struct sort_row **v, **spare;
	size_t *end;
	size_t runs;
};

static void find_runs(struct sorting *s, size_t len)
{
	for (size_t i = 1; i <= len; i++)
		if (i == len || row_compare(s->kind, s->v[i - 1], s->v[i]) > 0)
			s->end[s->runs++] = i;
}

/* Equal ones of the first run come before those of the second. */
static void merge(struct sorting *s, size_t from, size_t middle, size_t end)
{
	size_t a = from, b = middle, at = from;

	while (a < middle && b < end)
		s->spare[at++] = row_compare(s->kind, s->v[a], s->v[b]) <= 0 ? s->v[a++]
									     : s->v[b++];
	memcpy(&s->spare[at], a < middle ? &s->v[a] : &s->v[b], (end - at) * sizeof(*s->v));
}

/*
 * Natural merge sort (Knuth, The Art of Computer Programming 3, 5.2.4): what is desired comes in
 * ascending runs, of a set or of a list of prefixes each.
 */
static void merge_runs(struct sorting *s)
{
	while (s->runs > 1) {
		size_t kept = 0, from = 0;

		for (size_t run = 0; run < s->runs; run += 2) {
			size_t last = run + 1 < s->runs ? run + 1 : run;
			size_t end = s->end[last];

			merge(s, from, s->end[run], end);
			s->end[kept++] = from = end;
		}
		s->runs = kept;
		const struct sort_row **sorted = s->spare;
		s->spare = s->v;
		s->v = sorted;
	}
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
	/* filled as far as it is read */
	struct sort_row *rows = xmalloc(list->len * sizeof(*rows));
	const struct sort_row **v = xmalloc(2 * list->len * sizeof(struct sort_row *));
	size_t *end = xmalloc(list->len * sizeof(size_t)), kept = 0;
	struct sorting sorting = {kind, v, v + list->len, end, 0};
	for (size_t i = 0; i < list->len; i++) {
		rows[i].object = list->v[i];
		rows[i].is_whole = kind_key_rank(kind, list->v[i], rows[i].rank);
		v[i] = &rows[i];
	}
	find_runs(&sorting, list->len);
	merge_runs(&sorting);
	for (size_t i = 0; i < list->len; i++)
		if (!i || row_compare(kind, sorting.v[i - 1], sorting.v[i]) != 0)
			list->v[kept++] = sorting.v[i]->object;
	list->len = kept;
	free(end);
	free(v);
	free(rows);
}

void objects_sort(struct objects *objects)
{
	for (unsigned i = OBJECT_KIND_FIRST; i < OBJECT_KIND_END; i++)
		list_sort(kinds[i], &objects->kind[i]);
}

/* The list's length when there is none. */
static size_t position(const struct kind *kind, const struct object_list *list, const void *key)
{
	size_t from = 0, to = list->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = kind_key_compare(kind, list->v[middle], key);

		if (order == 0)
			return middle;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return list->len;
}

struct object *objects_find(const struct objects *objects, enum kind_id kind, const void *key)
{
	const struct object_list *list = &objects->kind[kind];
	size_t at = position(kinds[kind], list, key);

	return at < list->len ? list->v[at] : NULL;
}

struct object *objects_find_near(const struct objects *objects, enum kind_id kind, const void *key,
				 size_t *at)
{
	const struct object_list *list = &objects->kind[kind];

	for (size_t i = *at; i < list->len && i <= *at + 1; i++)
		if (kind_key_compare(kinds[kind], list->v[i], key) == 0)
			return list->v[*at = i];
	*at = position(kinds[kind], list, key);
	return *at < list->len ? list->v[*at] : NULL;
}

int object_order(enum kind_id kind, const struct object *a, const struct object *b)
{
	if (!a || !b)
		return !a - !b;
	return kind_key_compare(kinds[kind], a, b);
}

uint64_t object_differences(enum kind_id kind, const struct object *want, const struct object *have)
{
	/* nearly all are the same to the byte */
	if (!(want->set & ~have->set) &&
	    memcmp(want + 1, have + 1, kinds[kind]->size - sizeof(*want)) == 0)
		return 0;
	return kind_differences(kinds[kind], want, have);
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
