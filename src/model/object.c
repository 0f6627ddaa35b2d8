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

/* Most pairs are told apart by their ranks; equal ones stay in the order in which they came. */
struct sort_row {
	uint64_t rank[KEY_RANK];
	struct object *object;
	uint32_t position;
	bool is_whole; /* the rank says it all */
};

enum { SORT_FEW = 8 }; /* are sorted by insertion */

static int key_compare(const struct kind *kind, const struct sort_row *x, const struct sort_row *y)
{
	for (int i = 0; i < KEY_RANK; i++)
		if (x->rank[i] != y->rank[i])
			return x->rank[i] < y->rank[i] ? -1 : 1;
	return x->is_whole ? 0 : kind_key_compare(kind, x->object, y->object);
}

static int sort_row_compare(const void *a, const void *b, void *kind)
{
	const struct sort_row *x = a, *y = b;
	int order = key_compare(kind, x, y);

	return order ? order : (x->position > y->position) - (x->position < y->position);
}

static void sort_few(const struct kind *kind, struct sort_row *v, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		struct sort_row row = v[i];
		size_t at = i;

		for (; at && sort_row_compare(&v[at - 1], &row, (void *)(uintptr_t)kind) > 0; at--)
			v[at] = v[at - 1];
		v[at] = row;
	}
}

static uint64_t middle_of(uint64_t a, uint64_t b, uint64_t c)
{
	if (a > b)
		return middle_of(b, a, c);
	return c < a ? a : c > b ? b : c;
}

static void swap(struct sort_row *a, struct sort_row *b)
{
	struct sort_row was = *a;

	*a = *b;
	*b = was;
}

/*
 * Multikey quicksort (Bentley, Sedgewick: Fast Algorithms for Sorting and Searching Strings,
 * 1997) by the words of the ranks, from that word on. Keys are a client's to choose: where it
 * gets too deep, and where ranks do not tell, it is left to the library.
 */
static void sort_rows(const struct kind *kind, struct sort_row *v, size_t len, unsigned word,
		      unsigned depth)
{
	while (len > SORT_FEW && word < KEY_RANK && depth--) {
		uint64_t pivot = middle_of(v[0].rank[word], v[len / 2].rank[word],
					   v[len - 1].rank[word]);
		size_t low = 0, at = 0, high = len;

		while (at < high)
			if (v[at].rank[word] < pivot)
				swap(&v[low++], &v[at++]);
			else if (v[at].rank[word] > pivot)
				swap(&v[at], &v[--high]);
			else
				at++;
		sort_rows(kind, v, low, word, depth);
		sort_rows(kind, v + high, len - high, word, depth);
		v += low;
		len = high - low;
		word++;
	}
	if (len <= SORT_FEW)
		sort_few(kind, v, len);
	else
		qsort_r(v, len, sizeof(*v), sort_row_compare, (void *)(uintptr_t)kind);
}

static unsigned depth_max(size_t len)
{
	return 2 * (unsigned)(64 - __builtin_clzll(len)) + KEY_RANK;
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
		rows[i].position = (uint32_t)i;
		rows[i].is_whole = kind_key_rank(kind, list->v[i], rows[i].rank);
	}
	sort_rows(kind, rows, list->len, 0, depth_max(list->len));
	size_t kept = 0;
	for (size_t i = 0; i < list->len; i++)
		if (!i || key_compare(kind, &rows[i - 1], &rows[i]) != 0)
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
