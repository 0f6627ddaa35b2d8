/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking a whole table: defaults, keys, differences, copies. */
#include "model/kind.h"

#include "base/words.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <string.h>

#include "base/text.h"

const struct field *kind_field(const struct kind *kind, const char *name)
{
	for (unsigned i = 0; i < kind->n_fields; i++)
		if (strcmp(kind->fields[i].name, name) == 0)
			return &kind->fields[i];
	return NULL;
}

const char *kind_suggest(const struct kind *kind, const char *name)
{
	struct guess guess = guess_at(name);

	for (unsigned i = 0; i < kind->n_fields; i++)
		guess_offer(&guess, kind->fields[i].name);
	return guess.meant;
}

uint64_t kind_bit(const struct kind *kind, const struct field *field)
{
	assert(field >= kind->fields && field < kind->fields + kind->n_fields);
	return UINT64_C(1) << (field - kind->fields);
}

uint64_t kind_all(const struct kind *kind)
{
	return UINT64_MAX >> (64 - kind->n_fields);
}

uint64_t kind_compared(const struct kind *kind)
{
	uint64_t rows = kind_all(kind);

	for (unsigned i = 0; i < kind->n_fields; i++)
		if (kind->fields[i].flags & FIELD_IGNORE)
			rows &= ~(UINT64_C(1) << i);
	return rows;
}

void kind_defaults(const struct kind *kind, void *object)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];

		if (field_set_mask(object) >> i & 1)
			continue;
		switch (field->type) {
		case FIELD_BOOL:
		case FIELD_U8:
		case FIELD_U16:
		case FIELD_U32:
		case FIELD_S32:
		case FIELD_CHOICE:
		case FIELD_ADDR:
			field_store(field, object, field->dflt);
			break;
		case FIELD_NAME:
		case FIELD_STRING:
		case FIELD_PREFIX:
		case FIELD_PREFIXES:
		case FIELD_LABELS:
		case FIELD_ROWS:
			memset(field_of(field, object), 0, field->size);
			break;
		}
	}
}

int kind_key_compare(const struct kind *kind, const void *a, const void *b)
{
	/* the keys stand first in every table: tests/unit/model/test_tables.c */
	for (unsigned i = 0; i < kind->n_fields && kind->fields[i].flags & FIELD_KEY; i++) {
		int order = field_compare(&kind->fields[i], a, b);
		if (order)
			return order;
	}
	return 0;
}

/* A buffer that is filled from the highest byte on. */
struct rank {
	uint8_t bytes[KEY_RANK * 8];
	size_t len;
	bool full;
};

/* Of so few bytes that the compiler knows: no call. */
static inline void rank_put(struct rank *rank, const void *bytes, size_t len)
{
	size_t room = sizeof(rank->bytes) - rank->len;

	if (len <= room) {
		memcpy(rank->bytes + rank->len, bytes, len);
		rank->len += len;
		return;
	}
	memcpy(rank->bytes + rank->len, bytes, room);
	rank->len += room;
	rank->full = true;
}

static void rank_number(struct rank *rank, uint32_t number)
{
	uint32_t wire = htonl(number);

	rank_put(rank, &wire, sizeof(wire));
}

static void rank_name(struct rank *rank, const char *name, size_t size)
{
	size_t room = sizeof(rank->bytes) - rank->len;
	size_t len = strnlen(name, size < room ? size : room);

	memcpy(rank->bytes + rank->len, name, len);
	rank->len += len;
	rank_put(rank, "", 1); /* ends it, below every other byte */
}

static void rank_field(struct rank *rank, const struct field *field, const void *object)
{
	const void *p = field_in(field, object);
	const struct prefix *prefix = p;

	if (field->type == FIELD_NAME) {
		rank_name(rank, p, field->size);
	} else if (field->type == FIELD_PREFIX) {
		rank_number(rank, prefix->addr.host);
		rank_put(rank, &prefix->len, 1);
	} else if (field->size == 1) {
		rank_put(rank, p, 1);
	} else {
		rank_number(rank, (uint32_t)field_number(field, object) ^
					  (field->type == FIELD_S32 ? UINT32_C(1) << 31 : 0));
	}
}

bool kind_key_rank(const struct kind *kind, const void *object, uint64_t words[static KEY_RANK])
{
	struct rank rank = {0};

	for (unsigned i = 0; i < kind->n_fields && kind->fields[i].flags & FIELD_KEY; i++)
		rank_field(&rank, &kind->fields[i], object);
	for (size_t i = 0; i < KEY_RANK; i++) {
		memcpy(&words[i], rank.bytes + i * 8, 8);
		words[i] = be64toh(words[i]);
	}
	return !rank.full;
}

uint64_t kind_differences(const struct kind *kind, const void *want, const void *have)
{
	uint64_t set = field_set_mask(want), differ = 0;

	for (unsigned i = 0; i < kind->n_fields; i++) {
		uint64_t bit = UINT64_C(1) << i;

		if (!(set & bit) || kind->fields[i].flags & FIELD_IGNORE)
			continue;
		if (!(field_set_mask(have) & bit) ||
		    field_compare(&kind->fields[i], want, have) != 0)
			differ |= bit;
	}
	return differ;
}

bool kind_same(const struct kind *kind, const void *a, const void *b)
{
	return field_set_mask(a) == field_set_mask(b) && !kind_differences(kind, a, b);
}

/* What hangs on the members of one struct is moved behind them in a single block. */
struct copier {
	char *next; /* NULL while only counting */
	size_t size;
};

static void *copier_take(struct copier *copier, const void *from, size_t size)
{
	size_t room = (size + 15) & ~(size_t)15;
	void *p = NULL;

	copier->size += room;
	if (copier->next) {
		p = size ? memcpy(copier->next, from, size) : NULL;
		copier->next += room;
	}
	return p;
}

static void copy_labels(struct copier *copier, struct labels *labels)
{
	struct label *to = copier_take(copier, labels->v, labels->len * sizeof(*labels->v));

	for (uint32_t i = 0; i < labels->len; i++) {
		const struct label *from = &labels->v[i];
		const char *key = copier_take(copier, from->key, strlen(from->key) + 1);
		const char *value = copier_take(copier, from->value, strlen(from->value) + 1);

		if (to)
			to[i] = (struct label){key, value};
	}
	if (copier->next)
		labels->v = to;
}

/* object is the copy itself, or (while counting) a shallow copy that may be read */
static void copy_members(const struct kind *kind, void *object, struct copier *copier)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];
		void *p = field_of(field, object), *moved;

		switch (field->type) {
		case FIELD_STRING: {
			const char **s = p;

			if (!*s)
				break;
			moved = copier_take(copier, *s, strlen(*s) + 1);
			if (copier->next)
				*s = moved;
			break;
		}
		case FIELD_PREFIXES: {
			struct prefixes *list = p;

			moved = copier_take(copier, list->v, list->len * sizeof(*list->v));
			if (copier->next)
				list->v = moved;
			break;
		}
		case FIELD_ROWS: {
			struct rows *rows = p;

			moved = copier_take(copier, rows->v, rows->len * (*field->refers_to)->size);
			if (copier->next)
				rows->v = moved;
			break;
		}
		case FIELD_LABELS:
			copy_labels(copier, p);
			break;
		case FIELD_BOOL:
		case FIELD_U8:
		case FIELD_U16:
		case FIELD_U32:
		case FIELD_S32:
		case FIELD_NAME:
		case FIELD_CHOICE:
		case FIELD_ADDR:
		case FIELD_PREFIX:
			break;
		}
	}
}

void *kind_copy(const struct kind *kind, const void *object, struct arena *arena)
{
	struct copier copier = {0};

	/* while counting nothing is written: the cast is safe */
	copier_take(&copier, object, kind->size);
	copy_members(kind, (void *)(uintptr_t)object, &copier);
	char *copy = arena ? arena_alloc(arena, copier.size) : xmalloc(copier.size);
	copier = (struct copier){.next = copy};
	copier_take(&copier, object, kind->size);
	copy_members(kind, copy, &copier);
	return copy;
}

/* Of a part of a key that has a word of its own. */
static bool says_nothing(const struct field *field, const void *object)
{
	const void *value = field_in(field, object);

	if (field->type == FIELD_PREFIX)
		return !((const struct prefix *)value)->len;
	return field_number(field, object) == (field->type == FIELD_S32 ? -1 : 0);
}

const char *kind_key_text(const struct kind *kind, const void *object, struct arena *arena)
{
	cleanup_text struct text text = {0};

	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];

		if (!(field->flags & FIELD_KEY) || !(field_set_mask(object) >> i & 1) ||
		    (field->key_word && says_nothing(field, object)))
			continue;
		size_t before = text.len;
		text_add(&text, before ? " " : "");
		if (field->key_word)
			text_addf(&text, "%s%s", field->key_word, *field->key_word ? " " : "");
		size_t start = text.len;
		field_show(field, object, &text);
		if (text.len == start)
			text_cut(&text, before);
	}
	return arena_strdup(arena, text_str(&text));
}
