/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing: a savepoint for each write, one commit for all writers of a turn. What a failed
 * commit took back is read again from the store.
 */
#include "daemon/api_write.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "daemon/api_json.h"
#include "daemon/api_plan.h"
#include "daemon/api_problem.h"
#include "daemon/audit.h"
#include "daemon/loop.h"
#include "daemon/uuid.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct resource *api_write_next(const struct kind *kind, const struct resource *wanted,
				const struct resource *current)
{
	struct resource *next = kind_copy(kind, wanted, NULL);

	next->deleting = false;
	next->updated_ms = loop_wall_ms();
	if (current) {
		memcpy(next->uid, current->uid, sizeof(next->uid));
		next->generation = current->generation + 1;
		next->created_ms = current->created_ms;
		return next;
	}
	uuid_random(next->uid);
	next->generation = 1;
	next->created_ms = next->updated_ms;
	return next;
}

struct resource *api_write_doomed(const struct kind *kind, const struct resource *current)
{
	struct resource *doomed = kind_copy(kind, current, NULL);

	doomed->deleting = true;
	doomed->updated_ms = loop_wall_ms();
	return doomed;
}

void api_write_free(struct api_changes *changes)
{
	for (size_t i = 0; i < changes->len; i++)
		free(changes->v[i].resource);
	vec_done(changes);
}

static void shadow_drop(struct resources *list, size_t at)
{
	assert(list->v);
	memmove(list->v + at, list->v + at + 1, (--list->len - at) * sizeof(*list->v));
}

static void shadow_insert(struct resources *list, size_t at, struct resource *resource)
{
	*vec_add(list) = NULL;
	memmove(list->v + at + 1, list->v + at, (list->len - 1 - at) * sizeof(*list->v));
	list->v[at] = resource;
}

void api_write_shadow(struct declaration *shadow, const struct declaration *declaration,
		      const struct api_changes *changes)
{
	*shadow = (struct declaration){.revision = declaration->revision};
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (size_t i = 0; i < declaration->kind[k].len; i++)
			vec_push(&shadow->kind[k], declaration->kind[k].v[i]);
	for (size_t i = 0; i < changes->len; i++) {
		struct resource *resource = changes->v[i].resource;
		enum kind_id id = changes->v[i].kind->id;
		struct resources *list = &shadow->kind[id];
		size_t at;
		bool is_there = declaration_find(shadow, id, resource->name, &at);

		if (is_there && resource->deleting)
			shadow_drop(list, at);
		else if (is_there && list->v)
			list->v[at] = resource;
		else
			shadow_insert(list, at, resource);
	}
}

void api_write_shadow_done(struct declaration *shadow)
{
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		vec_done(&shadow->kind[k]);
}

static int store_all(const struct api_call *call, const struct api_changes *changes,
		     struct event_log *events, uint64_t revision, struct err *err)
{
	struct store *store = call->agent->store;
	int rc = store_savepoint(store, err);

	for (size_t i = 0; !rc && i < changes->len; i++) {
		changes->v[i].resource->revision = revision;
		rc = store_put(store, changes->v[i].kind, changes->v[i].resource, err);
	}
	if (!rc)
		rc = audit_store(call, events, revision, err);
	if (!rc)
		rc = store_release(store, err);
	else
		store_rollback_to(store);
	return rc;
}

/* Stores, then declares. False: nothing changed, and 503 was answered. */
static bool apply(struct api_call *call, struct api_changes *changes)
{
	struct agent *agent = call->agent;
	uint64_t revision = agent->declaration.revision + 1;
	cleanup_events struct event_log events = {0};
	struct err err = {0};

	audit_gather(call, changes, &events);
	int rc = store_begin(agent->store, &err);
	call->api->turn_open |= rc == 0;
	if (!rc)
		rc = store_all(call, changes, &events, revision, &err);
	if (rc) {
		api_problem(call->request, "database-unavailable",
			    "the declaration cannot be stored: %s", err.sentence);
		if (call->api->turn_open && !store_in_transaction(agent->store))
			api_write_commit(call->api); /* it took the turn's other writes along */
		return false;
	}
	failpoint("declaration.stored");
	audit_log(call, &events);
	call->api->turn_changes += changes->len;
	for (size_t i = 0; i < changes->len; i++) {
		declaration_put(&agent->declaration, changes->v[i].kind->id,
				take_ptr(changes->v[i].resource));
	}
	agent->declaration.revision = revision;
	return true;
}

static void dry_run(struct api_call *call, const struct api_changes *changes)
{
	struct declaration shadow;

	api_write_shadow(&shadow, &call->agent->declaration, changes);
	api_plan_respond_dry(call, &shadow);
	api_write_shadow_done(&shadow);
}

void api_write(struct api_call *call, struct api_changes *changes, struct api_waiter *waiter)
{
	struct api *api = call->api;

	waiter->request = call->request;
	if (call->params.dry_run) {
		if (call->request->tentative)
			call->request->again = true;
		else
			dry_run(call, changes);
		return;
	}
	if (waiter->wait_ms && api_wait_refused(api, call->request))
		return;
	if (changes->len && !apply(call, changes))
		return;
	waiter->revision = call->agent->declaration.revision;
	if (!api->turn_open) {
		api_wait_settle(api, waiter);
		return;
	}
	vec_push(&api->uncommitted, api_wait_keep(waiter));
}

/* What memory has and the store has not is forgotten. */
static void reload(struct agent *agent)
{
	struct declaration stored = {0};
	struct err err = {0};

	if (store_load(agent->store, &stored, &err)) {
		log_error("the declaration cannot be read again: %s", err.sentence);
		declaration_done(&stored);
		return;
	}
	declaration_replace(&agent->declaration, &stored);
}

static bool is_awaited(const struct api_waiters *writers)
{
	for (size_t i = 0; i < writers->len; i++)
		if (writers->v[i]->wait_ms)
			return true;
	return false;
}

void api_write_commit(struct api *api)
{
	struct agent *agent = api->agent;
	struct api_waiters writers = api->uncommitted;
	struct err err = {0};

	if (!api->turn_open)
		return;
	api->turn_open = false;
	api->uncommitted = (struct api_waiters){0};
	failpoint("declaration.commit");
	int rc = store_in_transaction(agent->store)
			 ? store_commit(agent->store, &err)
			 : err_set(&err, -EIO, "the transaction was rolled back");
	failpoint("declaration.committed");
	if (rc) {
		store_rollback(agent->store);
		reload(agent);
	} else {
		reconcile_touch(agent->reconcile, api->turn_changes, is_awaited(&writers));
	}
	for (size_t i = 0; i < writers.len; i++) {
		if (!rc)
			api_wait_settle(api, writers.v[i]);
		else if (writers.v[i]->request)
			api_problem(writers.v[i]->request, "database-unavailable",
				    "the declaration cannot be stored: %s", err.sentence);
		api_wait_free(writers.v[i]);
	}
	api->turn_changes = 0;
	vec_done(&writers);
}
