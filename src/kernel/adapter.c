/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the adapters share: results of ops, and kinds of which one message is one op. */
#include "kernel/adapter.h"

#include <errno.h>
#include <string.h>

void adapter_fail(struct op *op, struct arena *arena, int result, const char *step,
		  const char *words)
{
	const struct kind *kind = kinds[op->kind];

	op->done = true;
	op->result = result;
	op->message = arena_printf(arena, "%s %s: %s: %s", kind->noun,
				   kind_key_text(kind, op_object(op), arena), step,
				   words[0] ? words : strerror(-result));
}

void adapter_succeed(struct op *op)
{
	op->done = true;
	op->result = 0;
	op->message = NULL;
}

/* A message of the batch: of which op, and whether it takes away. */
static size_t tag_of(size_t op, bool delete)
{
	return op * 2 + delete;
}

static const char *step_name(const struct op *op, bool delete)
{
	if (delete)
		return "delete";
	return op->verb == OP_ADD ? "add" : "change";
}

static void add_step(const struct kern_adapter *adapter, struct kern *kern, struct batch *batch,
		     struct op *op, size_t tag)
{
	bool delete = tag % 2;
	struct op step = *op;
	struct err err = {0};

	if (op->verb == OP_REPLACE)
		step.verb = delete ? OP_DELETE : OP_ADD;
	struct nlmsghdr *msg = adapter->build(kern, &step, &err);
	if (msg)
		batch_add(batch, msg, tag);
	else if (delete &&err.number == -ENODEV)
		adapter_succeed(op); /* gone with its device */
	else
		adapter_fail(op, batch->arena, err.number, step_name(op, delete), err.sentence);
}

void adapter_apply(const struct kern_adapter *adapter, struct kern *kern, struct arena *arena,
		   struct op *ops, size_t n)
{
	cleanup_batch struct batch batch = {.arena = arena};

	for (size_t i = 0; i < n; i++) {
		if (ops[i].verb == OP_DELETE || ops[i].verb == OP_REPLACE)
			add_step(adapter, kern, &batch, &ops[i], tag_of(i, true));
		if (ops[i].verb != OP_DELETE)
			add_step(adapter, kern, &batch, &ops[i], tag_of(i, false));
	}
	batch_send(kern->netlink, &batch);
	for (size_t i = 0; i < batch.requests.len; i++) {
		const struct request *request = &batch.requests.v[i];
		struct op *op = &ops[request->tag / 2];
		bool delete = request->tag % 2;
		bool gone = request->result == adapter->gone || request->result == -ENODEV;

		if (op->done && op->result)
			continue;
		if (!request->result || (delete &&gone))
			adapter_succeed(op);
		else
			adapter_fail(op, arena, request->result, step_name(op, delete),
				     request->words);
	}
}

int adapter_dump(struct kern *kern, struct nlmsghdr *request, struct messages *messages,
		 const char *noun, struct err *err)
{
	struct err reason = {0};
	int error = netlink_dump(kern->netlink, request, messages, &reason);

	if (error)
		return err_set(err, error, "reading %s: %s", noun, reason.sentence);
	return 0;
}
