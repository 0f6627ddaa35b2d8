/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /v1/why: this host's part of a path, and what keeps replies from coming. Without probes it
 * is answered at once. With them the near end sends, and answers when all is back or lost; the
 * far end watches: its headers go out when it does, for whoever walks the path to begin then.
 */
#include "daemon/api_why.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/api_call.h"
#include "daemon/api_problem.h"
#include "daemon/hazard_scan.h"
#include "daemon/why_probe.h"

enum { PORT_TCP = 443, PORT_UDP = 53, BURST = 10, REFILL_MS = 2000, SWEEP_MS = 500 };

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

/* Below the ports that a socket gets which asks for none. */
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

static bool goes_together(struct api_call *call, const struct why_question *q)
{
	if (q->protocol == IPPROTO_ICMP && q->port)
		return refuse(call, "query parameter \"port\" does not go with icmp");
	if (q->exit && !q->from.host)
		return refuse(call, "query parameter \"peer\" needs \"from\"");
	if (q->exit && q->in[0])
		return refuse(call, "query parameter \"in\" does not go with \"peer\"");
	if (!q->exit && q->local.host)
		return refuse(call, "query parameter \"local\" goes with \"peer\" only");
	if (!q->exit && (q->peer_mtu || call->params.sent))
		return refuse(call, "query parameters \"mtu\" and \"sent\" go with \"peer\" only");
	if (q->exit && q->probe && !q->id)
		return refuse(call, "query parameter \"probe\" needs \"id\" with \"peer\"");
	if (call->params.sent && (q->probe || !q->id))
		return refuse(call, "query parameter \"sent\" needs \"id\", and no \"probe\"");
	return true;
}

static bool read_question(struct api_call *call, struct why_question *q)
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
		.peer_mtu = params->mtu,
		.probe = params->probe,
	};
	memcpy(q->in, params->in, sizeof(q->in));
	if (!goes_together(call, q))
		return false;
	if (q->protocol != IPPROTO_ICMP && !q->port)
		q->port = q->protocol == IPPROTO_TCP ? PORT_TCP : PORT_UDP;
	if (!q->exit && !q->id)
		q->id = random_id();
	return true;
}

/* The token bucket: what it is short of comes back with time. */
static bool take_token(struct api_whys *whys)
{
	uint64_t now = loop_now_ms(), full = now + (uint64_t)BURST * REFILL_MS;

	/* spent_ms: when all that was taken will be back */
	if (whys->spent_ms < now)
		whys->spent_ms = now;
	if (whys->spent_ms + REFILL_MS > full)
		return false;
	whys->spent_ms += REFILL_MS;
	return true;
}

static bool may_probe(struct api_call *call)
{
	struct http_request *request = call->request;

	if (call->api->whys.running) {
		api_problem_header(request, "too-many-requests", "Retry-After", "1",
				   "somebody's probes are under way here");
		return false;
	}
	if (!take_token(&call->api->whys)) {
		api_problem_header(request, "too-many-requests", "Retry-After", "2",
				   "so many probes were sent that they must wait");
		return false;
	}
	return true;
}

static json_t *document(struct why_known *known, uint64_t began_ms)
{
	struct why_checks checks;

	why_judge(known, &checks);
	return api_why_json(known, &checks, (unsigned)(loop_now_ms() - began_ms));
}

/* It is broken before a probe could show anything. */
static bool breaks_at_once(const struct why_known *known)
{
	struct why_known simulated = *known;
	struct why_checks checks;

	simulated.question.probe = false;
	why_judge(&simulated, &checks);
	for (unsigned i = 0; i < checks.len; i++)
		if (checks.v[i].verdict == WHY_BROKEN)
			return checks.v[i].leg == WHY_OUT;
	return false;
}

/* A trace that could not be closed sees every packet until it is: that is tried again. */
static void sweep(void *user)
{
	struct api *api = user;
	struct kernel *kernel = api->agent->kernel;
	struct loop *loop = api->agent->loop;
	struct err err;

	if (!api->whys.running && kernel->vt->trace_close(kernel, &err) == 0)
		return;
	if (!api->whys.sweep) {
		log_warning("%s; tried again until it goes", err.sentence);
		api->whys.sweep = loop_timer_new(loop, sweep, api);
	}
	loop_timer_arm(loop, api->whys.sweep, loop_now_ms() + SWEEP_MS);
}

static void forget(struct api_why *why)
{
	struct api *api = why->api;

	api->whys.running = NULL;
	why_probe_free(why->probe);
	text_done(&why->document);
	free(why);
	sweep(api);
}

/* What was known before may be otherwise now: it is asked again. */
static void judged(struct api_why *why, const struct why_probed *probed)
{
	struct why_known known = {.probed = *probed};
	struct why_world world = world_of(why->api->agent);

	why_ask(&world, &why->question, &known);
	api_json_text(document(&known, why->began_ms), &why->document);
	if (why->question.exit) {
		http_stream_wake(why->request);
		return;
	}
	struct http_request *request = why->request;
	static const char *const headers[] = {"Content-Type", "application/json", NULL};
	http_respond(request, 200, headers, why->document.s, why->document.len);
	forget(why);
}

static void probed(void *user, const struct why_probed *probed)
{
	judged(user, probed);
}

/* White space, with which JSON may begin, until there is more. */
static void write_piece(void *user, struct text *piece)
{
	struct api_why *why = user;

	if (!why->begun)
		text_add_char(piece, '\n');
	why->begun = true;
	if (!why->document.len)
		return;
	text_add(piece, why->document.s);
	text_clear(&why->document);
	http_stream_end(why->request);
}

static void end_stream(void *user)
{
	forget(user);
}

static void start(struct api_call *call, struct why_known *known, uint64_t began_ms)
{
	static const char *const headers[] = {"Content-Type", "application/json", NULL};
	struct api_why *why = xcalloc(1, sizeof(*why));
	struct why_probe_call probe = {call->agent->kernel, call->agent->loop, probed, why};

	*why = (struct api_why){.api = call->api,
				.request = call->request,
				.question = known->question,
				.began_ms = began_ms};
	if (why_probe_start(&why->probe, &probe, known)) {
		free(why);
		api_json_respond(call->request, 200, NULL, document(known, began_ms));
		return;
	}
	call->api->whys.running = why;
	if (!known->question.exit)
		return;
	/* which are asked for next: there is time for them now */
	hazard_scan_soon(call->agent->hazards);
	http_respond_stream(call->request, 200, headers,
			    &(struct http_stream){write_piece, end_stream, why, true});
}

/* Who sent them says that he has: what is there by now is all that comes. */
static void end_watch(struct api_call *call, const struct why_question *q)
{
	struct api_why *why = call->api->whys.running;

	if (why && why->question.exit && why->probe && why->question.id == q->id &&
	    why->question.to.host == q->to.host && why->question.peer.host == q->peer.host)
		why_probe_end(why->probe);
}

void api_why_get(struct api_call *call)
{
	uint64_t began_ms = loop_now_ms();
	struct why_world world = world_of(call->agent);
	struct why_question question;
	struct why_known known = {0};

	if ((call->params.probe || call->params.sent) &&
	    call->request->caller.role != HTTP_ROLE_ADMIN) {
		api_problem(call->request, "forbidden", "%s may not send probes",
			    call->request->caller.name);
		return;
	}
	if (!read_question(call, &question))
		return;
	if (question.probe && (api_wait_refused(call->api, call->request) || !may_probe(call)))
		return;
	/* nobody would read what they showed */
	question.probe &= strcmp(call->request->method, "HEAD") != 0;
	if (call->params.sent) {
		end_watch(call, &question);
		http_respond(call->request, 204, NULL, "", 0);
		return;
	}
	why_ask(&world, &question, &known);
	if (question.probe && (question.exit || !breaks_at_once(&known)))
		start(call, &known, began_ms);
	else
		api_json_respond(call->request, 200, NULL, document(&known, began_ms));
}

void api_why_gone(struct api *api, struct http_request *request)
{
	struct api_why *why = api->whys.running;

	/* a stream's end is told by its own `done` */
	if (why && why->request == request && !why->question.exit)
		forget(why);
}

void api_why_stop(struct api *api)
{
	if (api->whys.running)
		forget(api->whys.running);
	loop_timer_free(api->agent->loop, api->whys.sweep);
	api->whys.sweep = NULL;
}
