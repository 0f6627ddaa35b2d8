/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "did you mean". */
#include "base/words.h"

#include <limits.h>
#include <string.h>

/* Edit distance of two short words (Levenshtein); of longer ones, too many. */
static unsigned distance_of(const char *a, const char *b)
{
	enum { WORD = 40 };
	unsigned row[WORD + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD || m > WORD)
		return UINT_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned up = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = up;
			row[j] = best;
		}
	}
	return row[m];
}

struct guess guess_at(const char *word)
{
	return (struct guess){.word = word, .edits = (unsigned)strlen(word) / 3 + 2};
}

void guess_offer(struct guess *guess, const char *known)
{
	unsigned edits = distance_of(guess->word, known);

	if (edits >= guess->edits)
		return;
	guess->edits = edits;
	guess->meant = known;
}
