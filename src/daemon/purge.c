/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which deleted resources are gone from the kernel, and their end in the store. */
#include "daemon/purge.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"

bool purge_may_belong(const struct kind *kind, const struct resource *resource, const struct op *op)
{
	const char *device = object_device(op->kind, op_object(op));
	bool nft = object_is_nft(op->kind);

	switch (kind->id) {
	case KIND_TUNNEL:
		return nft || (device &&
			       strcmp(device, tunnel_device((const struct tunnel *)resource)) == 0);
	case KIND_EXIT_ROUTE:
		return op->kind == KIND_ROUTE || op->kind == KIND_RULE;
	default:
		return nft || op->kind == KIND_SYSCTL;
	}
}

static bool is_removed(const struct purge *purge, const struct kind *kind,
		       const struct resource *resource)
{
	for (size_t i = 0; i < purge->ops->len; i++) {
		const struct op *op = &purge->ops->v[i];

		if (op->verb == OP_DELETE && op->result && purge_may_belong(kind, resource, op))
			return false;
	}
	return true;
}

static int purge_one(struct store *store, struct declaration *declaration, enum kind_id kind,
		     const struct resource *resource, const struct purge *purge, struct err *err)
{
	char name[RESOURCE_NAME];

	snprintf(name, sizeof(name), "%s", resource->name);
	int error = store_begin(store, err);
	if (error == 0)
		error = store_delete(store, kinds[kind], name, err);
	if (error < 0)
		return error;
	declaration_remove(declaration, kind, name);
	purge->purged(purge->user, kind, name);
	return 0;
}

/* Users first: exit routes refer to tunnels. */
void purge_deleted(struct store *store, struct declaration *declaration, const struct purge *purge)
{
	struct err err = {0};
	int error = 0;

	for (int k = RESOURCE_KINDS - 1; k >= 0; k--) {
		const struct resources *list = &declaration->kind[k];

		for (size_t i = list->len; i-- > 0 && error == 0;) {
			const struct resource *resource = list->v[i];

			if (resource->deleting && resource->revision <= purge->revision &&
			    is_removed(purge, kinds[k], resource))
				error = purge_one(store, declaration, (enum kind_id)k, resource,
						  purge, &err);
		}
	}
	if (error == 0 && store_in_transaction(store)) {
		error = store_set_revision(store, declaration->revision, &err);
		failpoint("purge.commit");
		if (error == 0)
			error = store_commit(store, &err);
		failpoint("purge.committed");
	}
	if (error == 0)
		return;
	/* what is left in the database is deleting still, and is purged after the next start */
	store_rollback(store);
	log_warning("deleted resources stay in the database for now: %s", err.sentence);
}
