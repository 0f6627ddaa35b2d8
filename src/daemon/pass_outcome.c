/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of a round: what was done, what failed, and what only lost a race. */
#include "daemon/pass.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

unsigned round_applied(const struct round *round)
{
	unsigned applied = 0;

	for (size_t i = 0; i < round->ops.len; i++)
		applied += round->ops.v[i].done && !round->ops.v[i].result;
	return applied;
}

static bool is_failed(const struct op *op)
{
	return op->done && op->result && !op->held;
}

static const char *words_of(const struct op *op)
{
	return op->message ? op->message : strerror(-op->result);
}

unsigned round_failed(const struct round *round, bool again)
{
	unsigned failed = 0;

	for (size_t i = 0; i < round->ops.len; i++) {
		const struct op *op = &round->ops.v[i];

		if (!is_failed(op))
			continue;
		failed++;
		if (op->result != -ECANCELED)
			log_line(again ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, "%s", words_of(op));
	}
	return failed;
}

const char *round_failure(const struct round *round)
{
	for (size_t i = 0; i < round->ops.len; i++)
		if (is_failed(&round->ops.v[i]) && round->ops.v[i].result != -ECANCELED)
			return words_of(&round->ops.v[i]);
	return "";
}

/* The look saw no such thing: it came after it. (Of links the adapter tells what is in the way.) */
static bool came_meanwhile(const struct op *op)
{
	return op->verb == OP_ADD && op->kind != KIND_LINK && op->result == -EEXIST;
}

bool round_lost_race(const struct round *round)
{
	for (size_t i = 0; i < round->ops.len; i++) {
		const struct op *op = &round->ops.v[i];

		if (op->result == -ERESTART || came_meanwhile(op) ||
		    (round->believed && is_failed(op))) {
			log_debug("the %s changed under a batch",
				  object_is_nft(op->kind) ? "ruleset" : kinds[op->kind]->noun);
			return true;
		}
	}
	return false;
}

bool round_finds_link(const struct round *round)
{
	for (size_t i = 0; i < round->ops.len; i++)
		if (round->ops.v[i].verb == OP_FOUND && round->ops.v[i].kind == KIND_LINK)
			return true;
	return false;
}
