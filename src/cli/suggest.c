/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was probably meant by a word that is not there. A command that is wrong does more harm
 * than a member that is wrong, so this is stricter than kind_suggest(): two slips at the most,
 * where a pair of swapped letters is one, in less than half of the word, or at its end.
 */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

enum { SLIPS_MAX = 2, BEGINNING_MIN = 2, WORD_MAX = 40 };

/* What other tools call our verbs. */
static const struct {
	const char *word, *ours;
} synonyms[] = {
	{"get", "show"},   {"describe", "show"}, {"ls", "list"},    {"delete", "rm"},
	{"del", "rm"},     {"remove", "rm"},     {"create", "add"}, {"new", "add"},
	{"update", "set"}, {"change", "set"},    {"edit", "set"},   {"import", "apply"},
};

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edit distance in which swapped neighbours count once. */
static unsigned slips(const char *a, const char *b)
{
	unsigned rows[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= n; i++)
		rows[i][0] = (unsigned)i;
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++)
		for (size_t j = 1; j <= m; j++) {
			unsigned best = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = least(best, least(rows[i - 1][j], rows[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = least(best, rows[i - 2][j - 2] + 1);
			rows[i][j] = best;
		}
	return rows[n][m];
}

static const char *synonym_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(synonyms); i++)
		if (strcmp(synonyms[i].word, word) == 0)
			return synonyms[i].ours;
	return word;
}

static const char *closest(const char *word, const struct candidates *candidates)
{
	const char *known = synonym_of(word), *found = NULL;
	size_t len = strlen(word + strspn(word, "-"));
	unsigned best = SLIPS_MAX + 1;

	for (size_t i = 0; i < candidates->len; i++) {
		const char *candidate = candidates->v[i];
		unsigned n = slips(known, candidate);
		bool begins = len >= BEGINNING_MIN && strncmp(candidate, word, strlen(word)) == 0;

		if (n < best && (known != word ? n == 0 : begins || 2 * n < len)) {
			best = n;
			found = candidate;
		}
	}
	return found;
}

int command_unknown(struct err *err, const char *what, const char *word,
		    const struct candidates *candidates)
{
	const char *meant = closest(word, candidates);

	if (meant)
		return err_set(err, -EINVAL, "unknown %s %s; did you mean %s?", what, word, meant);
	return err_set(err, -EINVAL, "unknown %s %s", what, word);
}

static void add_nouns(struct candidates *candidates, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vec_push(candidates, command_nouns[i].name);
}

int command_unknown_noun(struct err *err, const char *word)
{
	struct candidates candidates = {0};
	cleanup_text struct text all = {0};

	add_nouns(&candidates, command_n_resources);
	const char *meant = closest(word, &candidates);
	for (size_t i = 0; i < candidates.len; i++)
		text_addf(&all, "%s%s", i ? ", " : "", candidates.v[i]);
	vec_done(&candidates);
	if (meant)
		return err_set(err, -EINVAL, "unknown kind %s; did you mean %s?", word, meant);
	return err_set(err, -EINVAL, "unknown kind %s; there are %s", word, text_str(&all));
}

int command_unknown_verb(struct err *err, const struct noun *noun, const char *word)
{
	struct candidates candidates = {0};

	/* `ipipctl list` */
	if (!noun && command_find(&command_nouns[0], synonym_of(word)))
		return err_set(err, -EINVAL, "%s of which kind? as in `ipipctl %s %s`", word,
			       command_nouns[0].name, synonym_of(word));
	for (unsigned i = 0; noun && i < noun->n_verbs; i++)
		if (command_is_verb(noun, &noun->verbs[i]))
			vec_push(&candidates, noun->verbs[i].name);
	if (!noun)
		add_nouns(&candidates, command_n_nouns);
	for (unsigned i = 0; !noun && i < command_n_bare; i++)
		if (!command_bare[i].is_hidden)
			vec_push(&candidates, command_bare[i].name);
	int result = command_unknown(err, noun ? "verb" : "command", word, &candidates);
	vec_done(&candidates);
	return result;
}
