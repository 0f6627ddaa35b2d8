/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling orphans. Recording and releasing them is the ledger's. */
#include "daemon/orphans.h"

#include <stdio.h>

/* Declared or not: it did not come alone. */
bool orphans_came(const struct ledger *ledger, const struct objects *observed, uint32_t database_id)
{
	const struct object_list *links = &observed->kind[KIND_LINK];
	uint32_t id;

	for (size_t i = 0; i < links->len; i++) {
		const struct link *link = (const struct link *)links->v[i];

		if (!(link->head.marks & OBJECT_DOOMED) && alias_parse(link->alias, &id) &&
		    id != database_id && !objects_find(&ledger->owned, KIND_LINK, link))
			return true;
	}
	return false;
}

void orphans_list(struct orphans *orphans, const struct ledger *ledger, struct arena *arena)
{
	vec_clear(orphans);
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *list = &ledger->owned.kind[kind];

		for (size_t i = 0; i < list->len; i++) {
			if (!(list->v[i]->marks & OBJECT_ORPHAN))
				continue;
			struct orphan *orphan = vec_add(orphans);
			orphan->kind = kind;
			snprintf(orphan->key, sizeof(orphan->key), "%s",
				 kind_key_text(kinds[kind], list->v[i], arena));
		}
	}
}
