/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Fights with another manager: objects that were repaired again and again. From the tenth
 * repair in a minute on an object is contested, and repaired once in five seconds: never
 * given up, never spun on.
 */

#include "kernel/culprit.h"
#include "model/op.h"

enum {
	CONTEST_REPAIRS = 10,
	CONTEST_WINDOW_MS = 60000,
	CONTEST_PAUSE_MS = 5000,
	CONTEST_MAX = 131072, /* objects that are counted at one time; of more the first ones */
};

struct contest;

struct contests {
	struct contest *v; /* hash table, a power of two; NULL: empty */
	size_t len, cap;
	size_t contested;            /* of them, as of the last look at the clock */
	uint64_t swept_ms;           /* when those that are over were dropped last */
	char culprit[CULPRIT_WORDS]; /* who changed something last; "" */
};

/* Of kind and key; never 0. */
uint64_t contests_digest(enum kind_id kind, const void *object);
/* Counts the ops that were applied, as repairs at that time (monotonic). */
void contests_note(struct contests *contests, const struct ops *ops, uint64_t now_ms);
/*
 * Ops that must wait are done with -ECANCELED, and held. Returns when the first of them may
 * be tried, 0: none waits.
 */
uint64_t contests_hold(struct contests *contests, struct ops *ops, struct arena *arena,
		       uint64_t now_ms);
/* When the first of those that are contested now is so no more; 0: none is. */
uint64_t contests_end_ms(const struct contests *contests, uint64_t now_ms);
/* Was it repaired ten times in a minute, lately? */
bool contests_has(const struct contests *contests, enum kind_id kind, const void *object,
		  uint64_t now_ms);
/* The sentence that says so, with who did it; into the arena. */
const char *contests_words(const struct contests *contests, enum kind_id kind, const void *object,
			   struct arena *arena);
void contests_done(struct contests *contests);
