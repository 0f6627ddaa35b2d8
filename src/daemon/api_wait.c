/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting requests: who waits for what, and the answer when it came or the time is over. */
#include "daemon/api_wait.h"

#include "base/failpoint.h"
#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"

#include <string.h>

bool api_wait_is_full(const struct api *api)
{
	size_t waiting = api->waiting.len + api->pings.len;

	for (size_t i = 0; i < api->uncommitted.len; i++)
		waiting += api->uncommitted.v[i]->wait_ms > 0;
	return waiting >= API_WAITING_MAX;
}

struct api_waiter *api_wait_keep(struct api_waiter *waiter)
{
	struct api_waiter *kept = xmalloc(sizeof(*kept));

	*kept = *waiter;
	waiter->declared = NULL;
	return kept;
}

void api_wait_free(struct api_waiter *kept)
{
	free(kept->declared);
	free(kept);
}

bool api_wait_refused(struct api *api, struct http_request *request)
{
	if (!api_wait_is_full(api))
		return false;
	api_problem(request, "too-many-requests", "too many requests wait already");
	return true;
}

/* The resource that it waits for, or NULL when it is gone (or another has its name). */
static const struct resource *resource_of(struct api *api, const struct api_waiter *waiter)
{
	const struct resource *resource = declaration_find(&api->agent->declaration,
							   waiter->kind->id, waiter->name, NULL);

	return resource && strcmp(resource->uid, waiter->uid) == 0 ? resource : NULL;
}

static bool is_as_written(const struct resource *resource, const struct api_waiter *waiter)
{
	return resource && resource->generation == waiter->declared->generation;
}

/* Of what was written with that revision, and not again since. */
static bool nothing_is_pending(struct api *api, uint64_t revision)
{
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		const struct resources *list = &api->agent->declaration.kind[k];

		for (size_t i = 0; i < list->len; i++)
			if (list->v[i]->revision == revision &&
			    api_json_state(api->agent, kinds[k], list->v[i]) == STATE_PENDING)
				return false;
	}
	return true;
}

static bool is_over(struct api *api, const struct api_waiter *waiter)
{
	struct reconcile *reconcile = api->agent->reconcile;

	switch (waiter->what) {
	case API_WAIT_READY:
		return !resource_of(api, waiter) ||
		       api_json_state(api->agent, waiter->kind, waiter->declared) != STATE_PENDING;
	case API_WAIT_GONE:
		return !resource_of(api, waiter) ||
		       reconcile_covered(reconcile) >= waiter->revision;
	case API_WAIT_CONFIG:
		return reconcile_covered(reconcile) >= waiter->revision &&
		       nothing_is_pending(api, waiter->revision);
	case API_WAIT_PASS:
		return reconcile_passes(reconcile) >= waiter->passes;
	}
	return true;
}

static void add_not_ready(struct text *text, struct agent *agent)
{
	const char *comma = "";

	json_add_name(text, "not_ready");
	text_add_char(text, '[');
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		const struct resources *resources = &agent->declaration.kind[k];

		for (size_t i = 0; i < resources->len; i++) {
			const struct resource *resource = resources->v[i];
			enum state state = api_json_state(agent, kinds[k], resource);

			if (state == STATE_READY || state == STATE_DISABLED)
				continue;
			text_add(text, comma);
			api_json_add_not_ready(text, agent, kinds[k], resource);
			comma = ",";
		}
	}
	text_add_char(text, ']');
}

/* A pass that was asked for, and could not observe the kernel, did nothing. */
static bool pass_failed(struct api *api, const struct api_waiter *waiter)
{
	struct reconcile_report report;

	reconcile_report(api->agent->reconcile, &report);
	if (waiter->what != API_WAIT_PASS || !report.last_pass.error)
		return false;
	api_problem(waiter->request, "not-ready", "the kernel cannot be observed: %s",
		    report.last_pass.message);
	return true;
}

static void answer_counts(struct api *api, const struct api_waiter *waiter)
{
	cleanup_text struct text text = {0};

	if (pass_failed(api, waiter))
		return;
	text_add_char(&text, '{');
	json_member_number(&text, "revision",
			   waiter->what == API_WAIT_CONFIG ? waiter->revision
							   : api->agent->declaration.revision);
	json_member_number(&text, "created", waiter->created);
	json_member_number(&text, "updated", waiter->updated);
	json_member_number(&text, "deleted", waiter->deleted);
	json_member_number(&text, "unchanged", waiter->unchanged);
	add_not_ready(&text, api->agent);
	text_add_char(&text, '}');
	api_json_respond_text(waiter->request, &text);
}

/* What another client wrote over it, or deleted, is not this one's to be told: with its ETag he
 * would undo what he never saw. */
static void answer_written(struct api *api, const struct api_waiter *waiter)
{
	const struct resource *resource = resource_of(api, waiter);

	if (!resource)
		waiter->declared->deleting = true;
	api_json_respond_resource(api->agent, waiter->request, waiter->status, waiter->kind,
				  is_as_written(resource, waiter) ? resource : waiter->declared);
}

static void answer(struct api *api, const struct api_waiter *waiter)
{
	const struct resource *resource = NULL;

	if (!waiter->request)
		return;
	failpoint("reply.write");
	switch (waiter->what) {
	case API_WAIT_READY:
		answer_written(api, waiter);
		break;
	case API_WAIT_GONE:
		resource = resource_of(api, waiter);
		if (resource)
			api_json_respond_resource(api->agent, waiter->request, waiter->status,
						  waiter->kind, resource);
		else
			http_respond(waiter->request, 204, NULL, "", 0);
		break;
	case API_WAIT_CONFIG:
	case API_WAIT_PASS:
		answer_counts(api, waiter);
		break;
	}
	failpoint("reply.written");
}

/* The timer stands at the earliest deadline of those that wait. */
static void arm(struct api *api)
{
	uint64_t first_ms = UINT64_MAX;

	for (size_t i = 0; i < api->waiting.len; i++)
		if (api->waiting.v[i]->request->deadline_ms < first_ms)
			first_ms = api->waiting.v[i]->request->deadline_ms;
	if (first_ms == UINT64_MAX)
		loop_timer_disarm(api->agent->loop, api->deadline);
	else
		loop_timer_arm(api->agent->loop, api->deadline, first_ms);
}

static void remove_at(struct api_waiters *waiters, size_t at)
{
	api_wait_free(waiters->v[at]);
	waiters->v[at] = waiters->v[--waiters->len];
}

void api_wait_settle(struct api *api, struct api_waiter *waiter)
{
	if (!waiter->request)
		return;
	if (!waiter->wait_ms || is_over(api, waiter)) {
		answer(api, waiter);
		return;
	}
	struct api_waiter *kept = api_wait_keep(waiter);
	kept->request->deadline_ms = loop_now_ms() + waiter->wait_ms;
	vec_push(&api->waiting, kept);
	arm(api);
}

static void answer_those(struct api *api, bool (*ready)(struct api *, const struct api_waiter *))
{
	for (size_t i = api->waiting.len; i-- > 0;) {
		if (!ready(api, api->waiting.v[i]))
			continue;
		answer(api, api->waiting.v[i]);
		remove_at(&api->waiting, i);
	}
	arm(api);
}

void api_wait_pass(void *user)
{
	answer_those(user, is_over);
}

static bool is_late(struct api *api, const struct api_waiter *waiter)
{
	(void)api;
	return waiter->request->deadline_ms <= loop_now_ms();
}

void api_wait_deadline(void *user)
{
	answer_those(user, is_late);
}

void api_wait_gone(struct api *api, struct http_request *request)
{
	for (size_t i = 0; i < api->uncommitted.len; i++)
		if (api->uncommitted.v[i]->request == request)
			api->uncommitted.v[i]->request = NULL; /* what it wrote stays */
	for (size_t i = 0; i < api->waiting.len; i++)
		if (api->waiting.v[i]->request == request) {
			remove_at(&api->waiting, i);
			break;
		}
	arm(api);
}
