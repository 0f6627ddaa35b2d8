/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans that nobody applies, and the pass that somebody asks for. */
#include "daemon/api_plan.h"

#include "base/log.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"
#include "daemon/audit.h"

enum { RECONCILE_WAIT_MS = 30000 };

/* False: a problem was answered. */
static bool add_plan(struct text *text, struct api_call *call,
		     const struct declaration *declaration)
{
	struct agent *agent = call->agent;
	struct arena *arena = &call->request->arena;
	struct ops ops = {0};
	struct err err = {0};
	int rc = reconcile_plan(agent->reconcile, declaration,
				call->params.orphans == API_ORPHANS_DELETE, arena, &ops, &err);

	if (rc)
		api_problem(call->request, "not-ready", "the kernel cannot be observed: %s",
			    err.sentence);
	else
		api_json_add_plan(text, &ops, agent->declaration.revision, arena);
	vec_done(&ops);
	return rc == 0;
}

void api_plan_respond(struct api_call *call, const struct declaration *declaration)
{
	cleanup_text struct text text = {0};

	if (add_plan(&text, call, declaration))
		api_json_respond_text(call->request, &text);
}

void api_plan_respond_dry(struct api_call *call, const struct declaration *declaration)
{
	cleanup_text struct text text = {0};

	text_add(&text, "{\"plan\":");
	if (!add_plan(&text, call, declaration))
		return;
	text_add_char(&text, '}');
	api_json_respond_text(call->request, &text);
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
	api_write_commit(call->api); /* what others wrote in this turn stays theirs */
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
