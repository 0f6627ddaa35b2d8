/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One resource at a time: list, read, create, replace, patch, delete. Each writer decides
 * whether the change may be, and leaves storing it to api_write.c.
 */
#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"
#include "daemon/api_write.h"
#include "model/view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DELETE_WAIT_MS = 5000, LABEL_PAIR = LABEL_KEY_MAX + 1 + LABEL_VALUE_MAX + 1 };

static const struct resource *find(const struct api_call *call)
{
	return declaration_find(&call->agent->declaration, call->kind->id, call->name, NULL);
}

const struct resource *api_find(const struct api_call *call)
{
	const struct resource *resource = find(call);

	if (!resource)
		api_problem(call->request, "not-found", "there is no %s \"%.64s\"",
			    call->kind->noun, call->name);
	return resource;
}

/* As k=v: which "=" is between them, the query does not tell. */
static bool is_label(const struct label *label, const struct label *wanted)
{
	char have[LABEL_PAIR], want[LABEL_PAIR];

	snprintf(have, sizeof(have), "%s=%s", label->key, label->value);
	snprintf(want, sizeof(want), "%s=%s", wanted->key, wanted->value);
	return strcmp(have, want) == 0;
}

static bool has_labels(const struct resource *resource, const struct labels *wanted)
{
	for (uint32_t i = 0; i < wanted->len; i++) {
		bool found = false;

		for (uint32_t j = 0; j < resource->labels.len && !found; j++)
			found = is_label(&resource->labels.v[j], &wanted->v[i]);
		if (!found)
			return false;
	}
	return true;
}

static bool is_listed(const struct api_call *call, const struct resource *resource)
{
	return has_labels(resource, &call->params.label) &&
	       (!api_given(call, "state") || api_json_state(call->agent, call->kind, resource) ==
						     (enum state)call->params.state);
}

/* A list on its way: what comes next is looked for from `at` on. */
struct listing {
	struct api_call call; /* its request lives as long */
	struct view *view;
	size_t at;
	uint32_t n;
	const char *last; /* of those written */
	bool ended;
};

/* Where the list goes on after that name. */
static size_t first_after(const struct api_call *call)
{
	size_t at;

	if (!call->params.after)
		return 0;
	bool found = declaration_find(&call->agent->declaration, call->kind->id, call->params.after,
				      &at);
	return at + found;
}

static void end_list(struct listing *listing, bool more, struct text *piece)
{
	text_add_char(piece, ']');
	json_member_number(piece, "revision", listing->view->revision);
	json_add_name(piece, "next");
	if (more)
		json_add_string(piece, listing->last);
	else
		text_add(piece, "null");
	text_add(piece, "}\n");
	listing->ended = true;
}

static void list_on(void *user, struct text *piece)
{
	struct listing *listing = user;
	const struct api_call *call = &listing->call;
	const struct resources *list = &listing->view->kind[call->kind->id];

	if (listing->ended)
		return;
	if (!listing->n)
		text_add(piece, "{\"items\":[");
	for (; listing->at < list->len && piece->len < HTTP_PIECE; listing->at++) {
		const struct resource *resource = list->v[listing->at];

		if (!is_listed(call, resource))
			continue;
		if (listing->n == call->params.limit) {
			end_list(listing, true, piece);
			return;
		}
		text_add(piece, listing->n++ ? "," : "");
		api_json_add_document(piece, call->agent, call->kind, resource);
		listing->last = resource->name;
	}
	if (listing->at == list->len)
		end_list(listing, false, piece);
}

static void listing_done(void *user)
{
	struct listing *listing = user;

	view_close(&listing->call.agent->declaration, listing->view);
	free(listing);
}

void api_resource_list(struct api_call *call)
{
	static const char *const headers[] = {"Content-Type", "application/json", NULL};
	struct listing *listing = xcalloc(1, sizeof(*listing));

	*listing = (struct listing){
		.call = *call,
		.view = view_open(&call->agent->declaration),
		.at = first_after(call),
	};
	http_respond_stream(
		call->request, 200, headers,
		&(struct http_stream){.next = list_on, .done = listing_done, .user = listing});
}

void api_resource_get(struct api_call *call)
{
	const struct resource *resource = api_find(call);

	if (resource)
		api_json_respond_resource(call->agent, call->request, 200, call->kind, resource);
}

/* If-Match and If-None-Match of a write; false: 412 was answered. */
static bool precondition_holds(const struct api_call *call, const struct resource *current)
{
	const char *match = http_header(call->request, "If-Match");
	const char *none_match = http_header(call->request, "If-None-Match");

	if (match && (!current || !api_json_matches_generation(match, API_STRONG, current))) {
		api_problem(call->request, "precondition-failed",
			    current ? "%s \"%s\" was changed since: If-Match does not name its "
				      "generation"
				    : "there is no %s \"%s\" for If-Match to name",
			    call->kind->noun, call->name);
		return false;
	}
	if (none_match && current && api_json_matches_generation(none_match, API_WEAK, current)) {
		api_problem(call->request, "precondition-failed", "%s \"%s\" exists",
			    call->kind->noun, call->name);
		return false;
	}
	return true;
}

static bool may_change(const struct api_call *call, const struct resource *current)
{
	if (!current || !current->deleting)
		return true;
	api_problem(call->request, "deleting", "%s \"%s\" is being deleted", call->kind->noun,
		    current->name);
	return false;
}

static bool generation_holds(const struct api_call *call, const struct resource *current,
			     uint64_t generation)
{
	uint64_t now = current ? current->generation : 0;

	if (!generation || generation == now)
		return true;
	if (current)
		api_problem_at(call->request, "generation-mismatch", "/generation",
			       "the current generation is %" PRIu64 ", not %" PRIu64, now,
			       generation);
	else
		api_problem_at(call->request, "generation-mismatch", "/generation",
			       "the resource does not exist, so it has no generation %" PRIu64,
			       generation);
	return false;
}

/* wanted, over current or (NULL) as a new one: the last checks, then the write. */
static void declare(struct api_call *call, const struct resource *wanted,
		    const struct resource *current)
{
	cleanup_changes struct api_changes changes = {0};
	struct api_waiter waiter = {
		.what = API_WAIT_READY,
		.kind = call->kind,
		.status = current ? 200 : 201,
		.wait_ms = call->params.wait * UINT64_C(1000),
	};
	const struct resource *next = current;
	struct errs errs;

	errs_clear(&errs);
	if (!current || !kind_same(call->kind, wanted, current)) {
		if (declaration_check_put(&call->agent->declaration, call->kind->id, wanted,
					  &errs)) {
			api_problem_errs(call->request, &errs);
			return;
		}
		struct api_change change = {call->kind,
					    api_write_next(call->kind, wanted, current)};
		vec_push(&changes, change);
		next = change.resource;
	}
	waiter.declared = kind_copy(call->kind, next, NULL);
	snprintf(waiter.name, sizeof(waiter.name), "%s", next->name);
	snprintf(waiter.uid, sizeof(waiter.uid), "%s", next->uid);
	api_write(call, &changes, &waiter);
	free(waiter.declared);
}

static json_t *parse(struct api_call *call, struct errs *errs)
{
	json_t *document = NULL;

	if (json_parse(call->request->body, call->request->body_len, NULL, &document, errs))
		api_problem_errs(call->request, errs);
	return document;
}

/* The resource in the document, in the request's arena; NULL when a problem was answered, of
 * which errs may have a part already. */
static struct resource *decode(struct api_call *call, const json_t *document, uint64_t *generation,
			       struct errs *errs)
{
	struct resource *wanted = NULL;

	if (json_decode(call->kind, document, NULL, call->name, &call->request->arena, &wanted,
			generation, errs) == 0 &&
	    !errs->total)
		return wanted;
	api_problem_errs(call->request, errs);
	return NULL;
}

/* A list has no ETag, so that only `*` names it (RFC 9110, 13.1.1). */
static bool list_precondition_holds(const struct api_call *call)
{
	const char *match = http_header(call->request, "If-Match");

	if (!match || strcmp(match, "*") == 0)
		return true;
	api_problem(call->request, "precondition-failed",
		    "the list of %ss has no ETag that If-Match could name", call->kind->noun);
	return false;
}

void api_resource_post(struct api_call *call)
{
	if (!list_precondition_holds(call))
		return;
	struct errs errs;
	errs_clear(&errs);
	json_t *document = parse(call, &errs);
	uint64_t generation = 0;
	struct resource *wanted = document ? decode(call, document, &generation, &errs) : NULL;

	json_decref(document);
	if (!wanted)
		return;
	call->name = wanted->name;
	const struct resource *current = find(call);
	if (!may_change(call, current))
		return;
	if (current)
		api_problem_at(call->request, "already-exists", "/name", "%s \"%s\" exists",
			       call->kind->noun, wanted->name);
	else if (generation_holds(call, NULL, generation))
		declare(call, wanted, NULL);
}

static bool name_is_possible(struct api_call *call)
{
	const char *fault = resource_name_fault(call->name);

	if (fault)
		api_problem_at(call->request, "invalid-resource", "/name", "%s", fault);
	return !fault;
}

void api_resource_put(struct api_call *call)
{
	const struct resource *current = find(call);
	uint64_t generation = 0;
	struct errs errs;

	errs_clear(&errs);
	if (!name_is_possible(call) || !may_change(call, current) ||
	    !precondition_holds(call, current))
		return;
	json_t *document = parse(call, &errs);
	struct resource *wanted = document ? decode(call, document, &generation, &errs) : NULL;
	json_decref(document);
	if (wanted && generation_holds(call, current, generation))
		declare(call, wanted, current);
}

void api_resource_patch(struct api_call *call)
{
	const struct resource *current = api_find(call);
	struct errs errs = {0};
	uint64_t generation = 0;

	if (!current || !may_change(call, current) || !precondition_holds(call, current))
		return;
	json_t *patch = parse(call, &errs);
	if (!patch)
		return;
	json_check_removed(call->kind, patch, &errs);
	json_t *document = json_merge_patch(json_encode(call->kind, current), patch);
	struct resource *wanted = decode(call, document, &generation, &errs);
	json_decref(document);
	json_decref(patch);
	if (wanted && generation_holds(call, current, generation))
		declare(call, wanted, current);
}

void api_resource_delete(struct api_call *call)
{
	const struct resource *current = api_find(call);
	cleanup_changes struct api_changes changes = {0};
	struct errs errs = {0};

	if (!current || !precondition_holds(call, current))
		return;
	struct api_waiter waiter = {
		.what = API_WAIT_GONE,
		.kind = call->kind,
		.status = 202,
		.wait_ms = api_given(call, "wait")       ? call->params.wait * UINT64_C(1000)
			   : api_wait_is_full(call->api) ? 0
							 : DELETE_WAIT_MS,
	};
	snprintf(waiter.name, sizeof(waiter.name), "%s", current->name);
	snprintf(waiter.uid, sizeof(waiter.uid), "%s", current->uid);
	if (!current->deleting) {
		if (declaration_check_remove(&call->agent->declaration, call->kind->id,
					     current->name, &errs)) {
			api_problem_errs(call->request, &errs);
			return;
		}
		struct api_change change = {call->kind, api_write_doomed(call->kind, current)};
		vec_push(&changes, change);
	}
	api_write(call, &changes, &waiter);
}
