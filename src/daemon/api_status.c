/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the agent is: its resources in numbers, its last pass, alive, ready. */
#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"

static json_t *count_states(struct agent *agent)
{
	uint64_t n[RESOURCE_KINDS][STATES] = {0};
	json_t *counts = json_object();

	api_json_count_states(agent, n);
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		json_t *of_kind = json_object();

		for (unsigned s = 0; s < STATES; s++)
			json_object_set_new(of_kind, state_names[s],
					    json_integer((json_int_t)n[k][s]));
		json_object_set_new(counts, kinds[k]->path, of_kind);
	}
	return counts;
}

static json_t *pass_document(const struct pass_report *pass)
{
	char finished[32];

	if (!pass->number)
		return json_null();
	json_time(pass->finished_ms, finished);
	return json_pack("{s:I, s:s, s:i, s:s, s:i, s:i, s:b, s:s}", "number",
			 (json_int_t)pass->number, "finished_at", finished, "duration_us",
			 (int)pass->duration_us, "trigger", pass->trigger, "ops", (int)pass->ops,
			 "failed", (int)pass->failed, "observed", pass->error == 0, "message",
			 pass->message);
}

static json_t *orphans(const struct reconcile_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->n_orphans; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "kind",
						      kinds[report->orphans[i].kind]->noun, "key",
						      report->orphans[i].key));
	return list;
}

void api_status_get(struct api_call *call)
{
	struct reconcile_report report = {0};
	struct agent *agent = call->agent;

	reconcile_report(agent->reconcile, &report);
	api_json_respond(call->request, 200, NULL,
			 json_pack("{s:b, s:I, s:o, s:o, s:I, s:o}", "ready", report.ready,
				   "revision", (json_int_t)agent->declaration.revision, "resources",
				   count_states(agent), "last_pass",
				   pass_document(&report.last_pass), "drift_repaired",
				   (json_int_t)report.drift_repaired, "orphans", orphans(&report)));
}

void api_status_livez(struct api_call *call)
{
	api_json_respond(call->request, 200, NULL, json_pack("{s:s}", "status", "alive"));
}

void api_status_readyz(struct api_call *call)
{
	struct reconcile_report report = {0};
	json_t *document;

	reconcile_report(call->agent->reconcile, &report);
	if (!report.ready) {
		api_problem(call->request, "not-ready", "%s",
			    report.last_pass.error    ? report.last_pass.message
			    : report.last_pass.number ? "the last pass did not end well"
						      : "the first pass is not over yet");
		return;
	}
	document = json_pack("{s:s}", "status", "ready");
	if (call->params.verbose)
		json_object_set_new(document, "last_pass", pass_document(&report.last_pass));
	api_json_respond(call->request, 200, NULL, document);
}
