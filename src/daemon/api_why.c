/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET /v1/why: this host's part of a path, and what keeps replies from coming. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"
#include "daemon/api_why_json.h"

enum { PORT_TCP = 443, PORT_UDP = 53 };

static const uint8_t protocols[] = {IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP};

static bool has_module(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/module/%.64s", name);
	return access(path, F_OK) == 0;
}

static const struct status *status_of(void *user, enum kind_id kind, const char *name)
{
	return reconcile_status(((struct agent *)user)->reconcile, kind, name);
}

static struct why_world world_of(struct agent *agent)
{
	return (struct why_world){
		.kernel = agent->kernel,
		.declaration = &agent->declaration,
		.facts = reconcile_facts(agent->reconcile),
		.status = status_of,
		.user = agent,
		.has_module = has_module,
	};
}

/* Not one that a socket which asks for any would get. */
static uint16_t random_id(void)
{
	uint16_t id = 0;

	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) < 0)
		id = (uint16_t)loop_now_us();
	return (uint16_t)(1024 + id % 31000);
}

static bool refuse(struct api_call *call, const char *sentence)
{
	api_problem(call->request, "bad-request", "%s", sentence);
	return false;
}

static bool fill(struct api_call *call, struct why_question *q)
{
	const struct api_params *params = &call->params;

	*q = (struct why_question){
		.exit = api_given(call, "peer"),
		.to = params->to,
		.from = params->from,
		.protocol = protocols[params->protocol],
		.id = params->id,
		.port = params->port,
		.peer = params->peer,
		.local = params->local,
		.probe = params->probe,
	};
	memcpy(q->in, params->in, sizeof(q->in));
	if (q->protocol == IPPROTO_ICMP && q->port)
		return refuse(call, "query parameter \"port\" does not go with icmp");
	if (q->exit && !q->from.host)
		return refuse(call, "query parameter \"peer\" needs \"from\"");
	if (q->exit && q->in[0])
		return refuse(call, "query parameter \"in\" does not go with \"peer\"");
	if (!q->exit && q->local.host)
		return refuse(call, "query parameter \"local\" goes with \"peer\" only");
	if (q->exit && q->probe && !q->id)
		return refuse(call, "query parameter \"probe\" needs \"id\" with \"peer\"");
	if (q->protocol != IPPROTO_ICMP && !q->port)
		q->port = q->protocol == IPPROTO_TCP ? PORT_TCP : PORT_UDP;
	if (!q->exit && !q->id)
		q->id = random_id();
	return true;
}

void api_why_get(struct api_call *call)
{
	uint64_t began_ms = loop_now_ms();
	struct why_world world = world_of(call->agent);
	struct why_checks checks;
	struct why_question question;
	struct why_known known = {0};

	if (!fill(call, &question))
		return;
	if (question.probe && call->request->caller.role != HTTP_ROLE_ADMIN) {
		api_problem(call->request, "forbidden", "%s may not send probes",
			    call->request->caller.name);
		return;
	}
	why_ask(&world, &question, &known);
	why_judge(&known, &checks);
	api_json_respond(call->request, 200, NULL,
			 api_why_json(&known, &checks, (unsigned)(loop_now_ms() - began_ms)));
}
