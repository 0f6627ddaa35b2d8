/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans that nobody applies, and the pass that somebody asks for. */
#include "daemon/api_plan.h"

#include "base/log.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"
#include "daemon/audit.h"

#include <stdlib.h>

enum {
	RECONCILE_WAIT_MS = 30000,
	PLANS_MAX = 1, /* long ones: a slow client keeps all of its plan's objects */
};

/* A plan on its way to the client. */
struct answer {
	struct api *api;
	const char *begin, *end; /* of the document, around the ops and the revision */
	struct arena arena;      /* has what the ops point to */
	struct ops ops;
	uint64_t revision;
	size_t at; /* the next op */
	bool ended;
};

static void write_on(void *user, struct text *piece)
{
	struct answer *answer = user;
	cleanup_arena struct arena words = {0};

	if (answer->ended)
		return;
	if (answer->at == 0)
		text_addf(piece, "%s{\"ops\":[", answer->begin);
	for (; answer->at < answer->ops.len && piece->len < HTTP_PIECE; answer->at++) {
		text_add(piece, answer->at ? "," : "");
		api_json_add_op(piece, &answer->ops.v[answer->at], &words);
	}
	if (answer->at < answer->ops.len)
		return;
	text_add_char(piece, ']');
	json_member_number(piece, "revision", answer->revision);
	text_addf(piece, "}%s\n", answer->end);
	answer->ended = true;
}

static void answer_free(struct answer *answer)
{
	vec_done(&answer->ops);
	arena_give_back(&answer->arena);
	free(answer);
}

static void answer_done(void *user)
{
	struct answer *answer = user;

	answer->api->plans--;
	answer_free(answer);
}

static bool is_too_many(const struct api *api, struct http_request *request)
{
	if (api->plans < PLANS_MAX)
		return false;
	api_problem_header(request, "too-many-requests", "Retry-After", "1",
			   "another long plan is on its way to a client already");
	return true;
}

/* Before it costs anything, if its body says so: a plan is longer than the text of what is new. */
bool api_plan_refused(struct api_call *call)
{
	return call->request->body_len > HTTP_PIECE && is_too_many(call->api, call->request);
}

/* What fits into one piece goes at once, so that no client holds its objects. */
static void tell(struct http_request *request, struct answer *answer)
{
	static const char *const headers[] = {"Content-Type", "application/json", NULL};
	cleanup_text struct text piece = {0};

	write_on(answer, &piece);
	if (answer->ended) {
		http_respond(request, 200, headers, piece.s, piece.len);
		answer_free(answer);
		return;
	}
	if (is_too_many(answer->api, request)) {
		answer_free(answer);
		return;
	}
	answer->api->plans++;
	answer->at = 0;
	http_respond_stream(
		request, 200, headers,
		&(struct http_stream){.next = write_on, .done = answer_done, .user = answer});
}

static void respond(struct api_call *call, const struct declaration *declaration, const char *begin,
		    const char *end)
{
	struct agent *agent = call->agent;
	struct err err = {0};

	struct answer *answer = xcalloc(1, sizeof(*answer));
	*answer = (struct answer){
		.api = call->api,
		.begin = begin,
		.end = end,
		.revision = agent->declaration.revision,
	};
	if (reconcile_plan(agent->reconcile, declaration,
			   call->params.orphans == API_ORPHANS_DELETE, &answer->arena, &answer->ops,
			   &err)) {
		api_problem(call->request, "not-ready", "the kernel cannot be observed: %s",
			    err.sentence);
		answer_free(answer);
		return;
	}
	tell(call->request, answer);
}

void api_plan_respond(struct api_call *call, const struct declaration *declaration)
{
	respond(call, declaration, "", "");
}

void api_plan_respond_dry(struct api_call *call, const struct declaration *declaration)
{
	respond(call, declaration, "{\"plan\":", "}");
}

static unsigned count_resources(const struct declaration *declaration)
{
	size_t n = 0;

	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		n += declaration->kind[k].len;
	return (unsigned)n;
}

/* The event is durable before they go. False: it cannot be, and 503 was answered. */
static bool tell_orphans(struct api_call *call)
{
	struct reconcile_report report;
	struct err err = {0};

	reconcile_report(call->agent->reconcile, &report);
	if (!audit_orphans(call, &report, &err))
		return true;
	api_problem(call->request, "database-unavailable",
		    "who removes the orphans cannot be stored: %s", err.sentence);
	return false;
}

void api_plan_reconcile(struct api_call *call)
{
	struct agent *agent = call->agent;
	bool delete_orphans = call->params.orphans == API_ORPHANS_DELETE;
	struct api_waiter waiter = {
		.request = call->request,
		.what = API_WAIT_PASS,
		.status = 200,
		.passes = reconcile_next_pass(agent->reconcile),
		.unchanged = count_resources(&agent->declaration),
		.wait_ms = api_given(call, "wait") ? call->params.wait * UINT64_C(1000)
						   : RECONCILE_WAIT_MS,
	};

	if (call->params.dry_run) {
		api_plan_respond_dry(call, NULL);
		return;
	}
	if (waiter.wait_ms && api_wait_refused(call->api, call->request))
		return;
	if (delete_orphans && !tell_orphans(call))
		return;
	log_notice("request %s: full pass asked for by %s from %s%s", call->request->id,
		   call->request->caller.name, call->request->caller.address,
		   delete_orphans ? ", orphans go" : "");
	reconcile_now(agent->reconcile, delete_orphans);
	api_wait_settle(call->api, &waiter);
}
