/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The word that a person may have meant: of all that are offered, the first that takes the fewest
 * edits, if they are few enough for a slip of the pen.
 *
 *	struct guess guess = guess_at(word);
 *	… guess_offer(&guess, known);
 *	guess.meant
 */
struct guess {
	const char *word, *meant; /* meant NULL: none so far */
	unsigned edits;           /* fewer than that are wanted */
};

struct guess guess_at(const char *word);
void guess_offer(struct guess *guess, const char *known);
