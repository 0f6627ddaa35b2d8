/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting repairs by object. What a contested one means for a resource is status.c's. */
#include "daemon/contest.h"

#include <errno.h>

#include "base/cleanup.h"

struct contest {
	uint64_t key; /* digest of kind and key; 0: free */
	uint64_t since_ms, last_ms;
	uint32_t repairs;  /* since since_ms */
	uint64_t until_ms; /* contested until then; 0: it is not */
};

uint64_t contests_digest(enum kind_id kind, const void *object)
{
	cleanup_arena struct arena arena = {0};
	uint64_t hash = UINT64_C(14695981039346656037) ^ kind; /* FNV-1a */

	for (const char *p = kind_key_text(kinds[kind], object, &arena); *p; p++)
		hash = (hash ^ (uint8_t)*p) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}

/* The row of that key, or the free one where it would be. */
static struct contest *find(const struct contests *contests, uint64_t key)
{
	size_t at = key & (contests->cap - 1);

	while (contests->v[at].key && contests->v[at].key != key)
		at = (at + 1) & (contests->cap - 1);
	return &contests->v[at];
}

static bool is_over(const struct contest *contest, uint64_t now_ms)
{
	return now_ms - contest->last_ms > CONTEST_WINDOW_MS;
}

/* Room for more, without those that are over. */
static void rehash(struct contests *contests, size_t cap, uint64_t now_ms)
{
	struct contest *old = contests->v;
	size_t n = contests->cap;

	contests->v = xcalloc(cap, sizeof(*contests->v));
	contests->cap = cap;
	contests->len = contests->contested = 0;
	contests->swept_ms = now_ms;
	for (size_t i = 0; i < n; i++) {
		if (!old[i].key || is_over(&old[i], now_ms))
			continue;
		*find(contests, old[i].key) = old[i];
		contests->len++;
		contests->contested += old[i].until_ms > now_ms;
	}
	free(old);
}

static void note(struct contests *contests, const struct op *op, uint64_t now_ms)
{
	uint64_t key = contests_digest(op->kind, op_object(op));

	if (contests->len * 2 >= contests->cap)
		rehash(contests, contests->cap ? contests->cap * 2 : 64, now_ms);
	else if (contests->len == CONTEST_MAX && now_ms != contests->swept_ms)
		rehash(contests, contests->cap, now_ms);
	struct contest *contest = find(contests, key);
	if (!contest->key && contests->len == CONTEST_MAX)
		return;
	contests->len += !contest->key;
	if (!contest->key || now_ms - contest->since_ms > CONTEST_WINDOW_MS)
		*contest = (struct contest){
			.key = key, .since_ms = now_ms, .until_ms = contest->until_ms};
	contest->last_ms = now_ms;
	if (++contest->repairs < CONTEST_REPAIRS && contest->until_ms <= now_ms)
		return;
	contests->contested += contest->until_ms <= now_ms;
	contest->until_ms = now_ms + CONTEST_WINDOW_MS;
}

void contests_note(struct contests *contests, const struct ops *ops, uint64_t now_ms)
{
	for (size_t i = 0; i < ops->len; i++)
		if (ops->v[i].done && !ops->v[i].result)
			note(contests, &ops->v[i], now_ms);
}

static const struct contest *contested(const struct contests *contests, enum kind_id kind,
				       const void *object, uint64_t now_ms)
{
	if (!contests->contested)
		return NULL;
	const struct contest *contest = find(contests, contests_digest(kind, object));
	return contest->key && contest->until_ms > now_ms ? contest : NULL;
}

uint64_t contests_hold(struct contests *contests, struct ops *ops, struct arena *arena,
		       uint64_t now_ms)
{
	uint64_t first_ms = 0;

	if (contests->contested)
		rehash(contests, contests->cap, now_ms);
	for (size_t i = 0; i < ops->len && contests->contested; i++) {
		struct op *op = &ops->v[i];
		const struct contest *contest = contested(contests, op->kind, op_object(op),
							  now_ms);

		if (!contest || now_ms - contest->last_ms >= CONTEST_PAUSE_MS)
			continue;
		op->done = op->held = true;
		op->result = -ECANCELED;
		op->message = contests_words(contests, op->kind, op_object(op), arena);
		uint64_t at_ms = contest->last_ms + CONTEST_PAUSE_MS;
		if (!first_ms || at_ms < first_ms)
			first_ms = at_ms;
	}
	return first_ms;
}

uint64_t contests_end_ms(const struct contests *contests, uint64_t now_ms)
{
	uint64_t first_ms = 0;

	for (size_t i = 0; contests->contested && i < contests->cap; i++) {
		uint64_t end_ms = contests->v[i].key ? contests->v[i].until_ms : 0;

		if (end_ms > now_ms && (!first_ms || end_ms < first_ms))
			first_ms = end_ms;
	}
	return first_ms;
}

bool contests_has(const struct contests *contests, enum kind_id kind, const void *object,
		  uint64_t now_ms)
{
	return contested(contests, kind, object, now_ms);
}

const char *contests_words(const struct contests *contests, enum kind_id kind, const void *object,
			   struct arena *arena)
{
	return arena_printf(arena,
			    "%s %s is changed by somebody again and again, and repaired once in "
			    "%d s%s%s",
			    kinds[kind]->noun, kind_key_text(kinds[kind], object, arena),
			    CONTEST_PAUSE_MS / 1000, *contests->culprit ? "; last by " : "",
			    contests->culprit);
}

void contests_done(struct contests *contests)
{
	free(contests->v);
	*contests = (struct contests){0};
}
