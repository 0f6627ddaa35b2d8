/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans that nobody applies, and the pass that somebody asks for. */
#include "daemon/api_plan.h"

#include "base/log.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"

enum { RECONCILE_WAIT_MS = 30000 };

json_t *api_plan_make(struct api_call *call, const struct declaration *declaration)
{
	struct agent *agent = call->agent;
	struct arena *arena = &call->request->arena;
	struct ops ops = {0};
	struct err err = {0};
	json_t *plan = NULL;

	if (reconcile_plan(agent->reconcile, declaration,
			   call->params.orphans == API_ORPHANS_DELETE, arena, &ops, &err))
		api_problem(call->request, "not-ready", "the kernel cannot be observed: %s",
			    err.sentence);
	else
		plan = api_json_plan(&ops, agent->declaration.revision, arena);
	vec_done(&ops);
	return plan;
}

static unsigned count_resources(const struct declaration *declaration)
{
	size_t n = 0;

	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		n += declaration->kind[k].len;
	return (unsigned)n;
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
		json_t *plan = api_plan_make(call, NULL);
		if (plan)
			api_json_respond(call->request, 200, NULL,
					 json_pack("{s:o}", "plan", plan));
		return;
	}
	if (waiter.wait_ms && api_wait_refused(call->api, call->request))
		return;
	log_notice("request %s: full pass asked for by %s%s", call->request->id,
		   call->request->caller.name, delete_orphans ? ", orphans go" : "");
	reconcile_now(agent->reconcile, delete_orphans);
	api_wait_settle(call->api, &waiter);
}
