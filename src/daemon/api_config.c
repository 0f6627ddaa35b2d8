/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole declaration as one document: given, replaced or merged in one transaction, and
 * planned without being stored.
 */
#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/api_plan.h"
#include "daemon/api_problem.h"
#include "daemon/api_write.h"
#include "model/view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REVISION_TAG = 24 };

static void revision_tag(const struct declaration *declaration, char tag[static REVISION_TAG])
{
	snprintf(tag, REVISION_TAG, "\"%" PRIu64 "\"", declaration->revision);
}

/* The document as far as it is written: what comes next is a resource of that kind's list. */
struct reading {
	struct declaration *declaration;
	struct view *view;
	unsigned kind;
	size_t at;
	bool begun; /* the kind's list has a member */
};

static void open_list(const struct reading *reading, struct text *piece)
{
	text_add(piece, reading->kind ? ",\n\"" : "{\"");
	text_add(piece, kinds[reading->kind]->member);
	text_add(piece, "\":[");
}

static void close_list(struct reading *reading, struct text *piece)
{
	reading->kind++;
	reading->at = 0;
	reading->begun = false;
	text_add(piece, reading->kind < RESOURCE_KINDS ? "]" : "]}\n");
}

static void add_next(struct reading *reading, struct text *piece)
{
	const struct resources *list = &reading->view->kind[reading->kind];

	if (reading->at == 0)
		open_list(reading, piece);
	if (reading->at == list->len) {
		close_list(reading, piece);
		return;
	}
	const struct resource *resource = list->v[reading->at++];
	if (resource->deleting)
		return;
	text_add(piece, reading->begun ? ",\n{" : "{");
	json_add_declared(piece, kinds[reading->kind], resource);
	text_add_char(piece, '}');
	reading->begun = true;
}

static void read_on(void *user, struct text *piece)
{
	struct reading *reading = user;

	while (reading->kind < RESOURCE_KINDS && piece->len < HTTP_PIECE)
		add_next(reading, piece);
}

static void reading_done(void *user)
{
	struct reading *reading = user;

	view_close(reading->declaration, reading->view);
	free(reading);
}

void api_config_get(struct api_call *call)
{
	struct declaration *declaration = &call->agent->declaration;
	const char *known = http_header(call->request, "If-None-Match");
	char tag[REVISION_TAG];
	const char *const headers[] = {"ETag", tag, "Content-Type", "application/json", NULL};

	revision_tag(declaration, tag);
	if (known && api_json_matches(known, API_WEAK, tag)) {
		http_respond(call->request, 304, (const char *const[]){"ETag", tag, NULL}, "", 0);
		return;
	}
	struct reading *reading = xcalloc(1, sizeof(*reading));
	*reading = (struct reading){declaration, view_open(declaration), 0, 0, false};
	http_respond_stream(
		call->request, 200, headers,
		&(struct http_stream){.next = read_on, .done = reading_done, .user = reading});
}

/* What a config does to the declaration. */
struct comparison {
	struct api_changes changes;
	unsigned created, updated, deleted, unchanged;
	struct errs errs;
};

/* A resource of the document against the one of its name (NULL: none). Its generation and
 * revision are the document's: json_read_config. */
static void compare_one(const struct kind *kind, const struct resource *wanted,
			const struct resource *current, struct comparison *comparison)
{
	char pointer[ERR_POINTER];

	if (current && current->deleting) {
		snprintf(pointer, sizeof(pointer), "/%s/%" PRIu64, kind->member, wanted->revision);
		errs_add(&comparison->errs, -EEXIST, "deleting", pointer,
			 "%s \"%s\" is being deleted", kind->noun, current->name);
		return;
	}
	if (wanted->generation && (!current || wanted->generation != current->generation)) {
		snprintf(pointer, sizeof(pointer), "/%s/%" PRIu64 "/generation", kind->member,
			 wanted->revision);
		errs_add(&comparison->errs, -EEXIST, "generation-mismatch", pointer,
			 "%s \"%s\": generation %" PRIu64 " is not the current one", kind->noun,
			 wanted->name, wanted->generation);
		return;
	}
	if (current && kind_same(kind, wanted, current)) {
		comparison->unchanged++;
		return;
	}
	struct api_change change = {kind, api_write_next(kind, wanted, current)};
	vec_push(&comparison->changes, change);
	*(current ? &comparison->updated : &comparison->created) += 1;
}

static void compare_kind(const struct kind *kind, const struct resources *wanted,
			 const struct resources *current, bool prune, struct comparison *comparison)
{
	size_t i = 0, j = 0;

	while (i < wanted->len || j < current->len) {
		int order = i == wanted->len    ? 1
			    : j == current->len ? -1
						: strcmp(wanted->v[i]->name, current->v[j]->name);

		if (order <= 0) {
			compare_one(kind, wanted->v[i], order ? NULL : current->v[j], comparison);
			i++;
			j += order == 0;
			continue;
		}
		if (prune && !current->v[j]->deleting) {
			struct api_change change = {kind, api_write_doomed(kind, current->v[j])};
			vec_push(&comparison->changes, change);
			comparison->deleted++;
		} else {
			comparison->unchanged += !current->v[j]->deleting;
		}
		j++;
	}
}

/*
 * The check speaks of positions in the sorted lists; the client counts in his document. A
 * fault of something that is not in it has no place there.
 */
static void place_fault(struct err *err, const struct declaration *checked,
			const struct declaration *wanted)
{
	char rest[ERR_POINTER];

	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		size_t len = strlen(kinds[k]->member), at;
		int end = 0;

		if (err->pointer[0] != '/' ||
		    strncmp(err->pointer + 1, kinds[k]->member, len) != 0 ||
		    sscanf(err->pointer + 1 + len, "/%zu%n", &at, &end) != 1)
			continue;
		if (at >= checked->kind[k].len)
			return;
		const struct resource *resource = declaration_find(
			wanted, kinds[k]->id, checked->kind[k].v[at]->name, NULL);
		snprintf(rest, sizeof(rest), "%s", err->pointer + 1 + len + end);
		if (resource)
			snprintf(err->pointer, sizeof(err->pointer), "/%s/%" PRIu64 "%.80s",
				 kinds[k]->member, resource->revision, rest);
		else
			err->pointer[0] = '\0';
		return;
	}
}

static int check_whole(const struct declaration *current, const struct declaration *wanted,
		       struct comparison *comparison)
{
	struct declaration shadow;

	api_write_shadow(&shadow, current, &comparison->changes);
	int rc = declaration_check_merge(&(struct declaration_merge){current, wanted, &shadow},
					 &comparison->errs);
	for (size_t i = 0; i < comparison->errs.len; i++)
		place_fault(&comparison->errs.v[i], &shadow, wanted);
	api_write_shadow_done(&shadow);
	return rc;
}

/*
 * Compares the body with what is declared, and checks the outcome as a whole. What the
 * config removes frees its names and endpoints at once. False: a problem was answered.
 */
static bool compare(struct api_call *call, struct comparison *comparison)
{
	const struct declaration *current = &call->agent->declaration;
	cleanup_(declaration_done) struct declaration wanted = {0};

	int rc = json_read_config(call->request->body, call->request->body_len, &wanted,
				  &comparison->errs);
	for (unsigned k = 0; !rc && k < RESOURCE_KINDS; k++)
		compare_kind(kinds[k], &wanted.kind[k], &current->kind[k], call->params.prune,
			     comparison);
	if (!rc && !comparison->errs.len)
		rc = check_whole(current, &wanted, comparison);
	if (!rc && !comparison->errs.len)
		return true;
	api_problem_errs(call->request, &comparison->errs);
	return false;
}

/* There always is a config. */
static bool precondition_holds(struct api_call *call)
{
	const char *match = http_header(call->request, "If-Match");
	const char *none_match = http_header(call->request, "If-None-Match");
	const char *fault = NULL;
	char tag[REVISION_TAG];

	revision_tag(&call->agent->declaration, tag);
	if (match && !api_json_matches(match, API_STRONG, tag))
		fault = "which If-Match does not name";
	else if (none_match && api_json_matches(none_match, API_WEAK, tag))
		fault = "which If-None-Match names";
	if (fault)
		api_problem(call->request, "precondition-failed", "the revision is %s, %s", tag,
			    fault);
	return !fault;
}

void api_config_put(struct api_call *call)
{
	struct comparison comparison = {0};

	if (precondition_holds(call) && compare(call, &comparison)) {
		struct api_waiter waiter = {
			.what = API_WAIT_CONFIG,
			.status = 200,
			.created = comparison.created,
			.updated = comparison.updated,
			.deleted = comparison.deleted,
			.unchanged = comparison.unchanged,
			.wait_ms = call->params.wait * UINT64_C(1000),
		};
		api_write(call, &comparison.changes, &waiter);
	}
	api_write_free(&comparison.changes);
}

void api_config_plan(struct api_call *call)
{
	struct comparison comparison = {0};
	struct declaration shadow;

	if (!call->request->body_len) {
		api_plan_respond(call, NULL);
	} else if (compare(call, &comparison)) {
		api_write_shadow(&shadow, &call->agent->declaration, &comparison.changes);
		api_plan_respond(call, &shadow);
		api_write_shadow_done(&shadow);
	}
	api_write_free(&comparison.changes);
}
