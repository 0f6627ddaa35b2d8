/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --flush: everything of ours out of the kernel, declared or not, orphans included. */
#include "daemon/pass.h"
#include "daemon/reconcile.h"

#include <errno.h>
#include <string.h>

enum { ROUNDS_MAX = 4 };

/* One round with nothing declared. Counts what was done and what was refused. */
static int flush_round(struct kernel *kernel, struct store *store, struct ledger *ledger,
		       unsigned *done, struct err *err)
{
	static const struct declaration nothing;
	static const struct from_numbers no_numbers;
	struct round round = {0};
	struct round_input input = {
		.kernel = kernel,
		.store = store,
		.declaration = &nothing,
		.ledger = ledger,
		.from_numbers = &no_numbers,
	};
	int error = round_look(&round, &input, err);

	if (error == 0) {
		round_plan(&round, ledger);
		while (round_apply(&round, kernel, ledger))
			;
		error = ledger_settle(ledger, &round.ops, &round.facts, err);
		if (error > 0)
			error = 0;
	}
	*done = 0;
	for (size_t i = 0; i < round.ops.len && error == 0; i++) {
		const struct op *op = &round.ops.v[i];

		*done += op->done && !op->result;
		if (op->done && op->result)
			error = err_set(err, op->result, "%s %s: %s", kinds[op->kind]->noun,
					kind_key_text(kinds[op->kind], op_object(op), &round.arena),
					op->message ? op->message : strerror(-op->result));
	}
	round_done(&round);
	return error;
}

int reconcile_flush(struct kernel *kernel, struct store *store, unsigned *removed, struct err *err)
{
	struct ledger ledger;
	unsigned done = 1;
	int error = ledger_open(&ledger, store, kernel, err);

	if (error < 0)
		return error;
	error = ledger_release_orphans(&ledger, err);
	*removed = 0;
	for (int i = 0; i < ROUNDS_MAX && done && error == 0; i++) {
		error = flush_round(kernel, store, &ledger, &done, err);
		*removed += done;
	}
	ledger_close(&ledger);
	return error;
}
