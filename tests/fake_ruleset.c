/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Somebody else's chains and rules, as scripts made them. */
#include "fake_kernel.h"

#include <string.h>

void fake_ruleset_add_chain(struct fake *fake, const struct ruleset_chain *chain)
{
	struct ruleset_chain *added = vec_add(&fake->foreign.chains);

	*added = *chain;
	added->family = xstrdup(chain->family);
	added->table = xstrdup(chain->table);
	added->name = xstrdup(chain->name);
	added->read = true;
	fake->foreign.changed = true;
}

bool fake_ruleset_add_rule(struct fake *fake, const char *family, const char *table,
			   const char *chain, const struct ruleset_rule *rule)
{
	const struct ruleset_chains *chains = &fake->foreign.chains;

	for (size_t i = 0; i < chains->len; i++) {
		if (strcmp(chains->v[i].family, family) != 0 ||
		    strcmp(chains->v[i].table, table) != 0 || strcmp(chains->v[i].name, chain) != 0)
			continue;
		vec_push(&fake->foreign.rules, ((struct fake_foreign_rule){i, *rule}));
		fake->foreign.changed = true;
		return true;
	}
	return false;
}

void fake_ruleset_clear(struct fake *fake)
{
	struct ruleset_chains *chains = &fake->foreign.chains;

	for (size_t i = 0; i < chains->len; i++) {
		free((char *)(uintptr_t)chains->v[i].family);
		free((char *)(uintptr_t)chains->v[i].table);
		free((char *)(uintptr_t)chains->v[i].name);
	}
	vec_done(chains);
	vec_done(&fake->foreign.rules);
	fake->foreign.changed = true;
}

int fake_rulesets(struct kernel *kernel, struct ruleset *ruleset, unused_ struct err *err)
{
	const struct fake_ruleset *foreign = &((const struct fake *)kernel)->foreign;

	for (size_t i = 0; i < foreign->chains.len; i++) {
		struct ruleset_chain *chain = vec_add(&ruleset->chains);

		*chain = foreign->chains.v[i];
		chain->family = arena_strdup(&ruleset->arena, chain->family);
		chain->table = arena_strdup(&ruleset->arena, chain->table);
		chain->name = arena_strdup(&ruleset->arena, chain->name);
		chain->first = (uint32_t)ruleset->rules.len;
		for (size_t r = 0; r < foreign->rules.len; r++)
			if (foreign->rules.v[r].chain == i)
				vec_push(&ruleset->rules, foreign->rules.v[r].rule);
		chain->len = (uint32_t)ruleset->rules.len - chain->first;
	}
	ruleset_sort(ruleset);
	return 0;
}
