/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every op can be asked, whatever its kind. */
#include "model/op.h"

const char *const op_verb_names[] = {
	[OP_ADD] = "add",       [OP_CHANGE] = "change",     [OP_REPLACE] = "replace",
	[OP_DELETE] = "delete", [OP_ADOPT] = "adopt",       [OP_FOUND] = "found",
	[OP_FORGET] = "forget", [OP_CONFLICT] = "conflict",
};

const struct object *op_object(const struct op *op)
{
	return op->want ? op->want : op->have;
}

bool object_is_nft(enum kind_id kind)
{
	return kind >= KIND_NFT_TABLE && kind <= KIND_NFT_CHAIN;
}

const char *object_device(enum kind_id kind, const void *object)
{
	const struct field *field = kind_field(kinds[kind], "device");
	const char *device = field ? field_in(field, object) : NULL;

	return device && *device && kind != KIND_NFT_ELEMENT ? device : NULL;
}
