/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which table a `from` prefix has. What goes into the tables is expand's. */
#include "daemon/numbers.h"

#include <errno.h>

#include "base/failpoint.h"
#include "model/object.h"

static int number_from(struct from_numbers *numbers, struct store *store, struct prefix from,
		       struct err *err)
{
	bool used[OUR_TABLE_LAST - OUR_TABLE_FIRST + 1] = {true};

	for (size_t i = 0; i < numbers->len; i++) {
		if (prefix_compare(&numbers->v[i].from, &from) == 0)
			return 0;
		used[numbers->v[i].table - OUR_TABLE_FIRST] = true;
	}
	for (uint32_t i = 1; i < ARRAY_LEN(used); i++) {
		struct from_number number = {from, OUR_TABLE_FIRST + i};

		if (used[i])
			continue;
		vec_push(numbers, number);
		return store ? store_from_put(store, &number, err) : 0;
	}
	return err_set(err, -ENOSPC, "no table is left for another \"from\" prefix");
}

int numbers_add(struct from_numbers *numbers, struct store *store,
		const struct declaration *declaration, struct err *err)
{
	const struct resources *exits = &declaration->kind[KIND_EXIT_ROUTE];
	int error = 0;

	for (size_t i = 0; i < exits->len; i++) {
		const struct exit_route *e = (const struct exit_route *)exits->v[i];

		for (uint32_t f = 0; f < e->from.len && error == 0; f++)
			if (e->from.v[f].len)
				error = number_from(numbers, store, e->from.v[f], err);
	}
	return error;
}

static bool is_used(const struct declaration *declaration, struct prefix from)
{
	const struct resources *exits = &declaration->kind[KIND_EXIT_ROUTE];

	for (size_t i = 0; i < exits->len; i++) {
		const struct exit_route *e = (const struct exit_route *)exits->v[i];

		for (uint32_t f = 0; f < e->from.len; f++)
			if (prefix_compare(&e->from.v[f], &from) == 0)
				return true;
	}
	return false;
}

/* Numbers of prefixes that nobody names any more are free for others. */
static int drop_unused(struct from_numbers *numbers, struct store *store,
		       const struct declaration *declaration, struct err *err)
{
	size_t kept = 0;
	int error = 0;

	for (size_t i = 0; i < numbers->len; i++) {
		if (error == 0 && !is_used(declaration, numbers->v[i].from))
			error = store_from_delete(store, numbers->v[i].from, err);
		else
			numbers->v[kept++] = numbers->v[i];
	}
	numbers->len = kept;
	return error;
}

static bool is_same(const struct from_numbers *a, const struct from_numbers *b)
{
	for (size_t i = 0; i < a->len && i < b->len; i++)
		if (a->v[i].table != b->v[i].table ||
		    prefix_compare(&a->v[i].from, &b->v[i].from) != 0)
			return false;
	return a->len == b->len;
}

void numbers_copy(struct from_numbers *to, const struct from_numbers *from)
{
	for (size_t i = 0; i < from->len; i++)
		vec_push(to, from->v[i]);
}

int numbers_keep(struct from_numbers *numbers, struct store *store,
		 const struct declaration *declaration, struct err *err)
{
	struct from_numbers changed = {0};
	int error = store_begin(store, err);

	numbers_copy(&changed, numbers);
	/* the new ones first: a number that becomes free has routes until the pass is over */
	if (error == 0)
		error = numbers_add(&changed, store, declaration, err);
	if (error == 0 || error == -ENOSPC) {
		int dropped = drop_unused(&changed, store, declaration, err);

		if (error == 0)
			error = dropped;
		else if (dropped == 0)
			error = numbers_add(&changed, store, declaration, err);
	}
	bool same = is_same(&changed, numbers);
	if (error < 0 || same) {
		store_rollback(store);
	} else {
		failpoint("numbers.commit");
		error = store_commit(store, err);
		failpoint("numbers.committed");
	}
	if (error == 0 && !same) {
		vec_done(numbers);
		*numbers = changed;
	} else {
		vec_done(&changed);
	}
	return error;
}
