/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report of the reconciler as a sentence. */
#include "daemon/summary.h"

#include "base/text.h"

/* "2 ready, 1 failed": what there is none of is not said. */
static void add_counts(struct text *text, const size_t *counts, unsigned n,
		       const char *(*name)(unsigned i, size_t count))
{
	const char *before = "";

	for (unsigned i = 0; i < n; i++) {
		if (!counts[i])
			continue;
		text_addf(text, "%s%zu %s", before, counts[i], name(i, counts[i]));
		before = ", ";
	}
}

static const char *noun(unsigned kind, size_t count)
{
	return count == 1 ? kinds[kind]->noun : kinds[kind]->path;
}

static const char *state(unsigned state_, unused_ size_t count)
{
	return state_names[state_];
}

void summary_add(const struct reconcile_report *report, struct text *text)
{
	size_t of_kind[RESOURCE_KINDS] = {0}, of_state[STATES] = {0}, all = 0;

	if (report->last_pass.error) {
		text_addf(text, "the kernel could not be observed: %s", report->last_pass.message);
		return;
	}
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (unsigned s = 0; s < STATES; s++) {
			of_kind[k] += report->states.n[k][s];
			of_state[s] += report->states.n[k][s];
			all += report->states.n[k][s];
		}
	if (all) {
		add_counts(text, of_kind, RESOURCE_KINDS, noun);
		text_add(text, ": ");
		add_counts(text, of_state, STATES, state);
	} else {
		text_add(text, "nothing is declared");
	}
	if (report->n_orphans)
		text_addf(text, "; %zu orphan%s in the kernel", report->n_orphans,
			  report->n_orphans == 1 ? "" : "s");
}
