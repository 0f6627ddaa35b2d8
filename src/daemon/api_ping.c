/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ping through a tunnel, for a client who waits for its end. */
#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"
#include "daemon/ping.h"

enum { COUNT_DEFAULT = 3 };

struct api_ping {
	struct api *api;
	struct http_request *request;
	struct addr target;
	struct ping *ping;
};

struct ping_body {
	uint64_t set;
	struct addr target;
	uint32_t count;
};

static const struct field body_fields[] = {
	F_ADDR(ping_body, target, .doc = "default: the other address of the tunnel's /30 or /31"),
	F_U32(ping_body, count, .min = 1, .max = PING_COUNT_MAX, .dflt = COUNT_DEFAULT,
	      .doc = "how many requests"),
};

const struct kind api_ping_body = {
	.noun = "ping",
	.doc = "what a ping through a tunnel is to ask",
	.fields = body_fields,
	.n_fields = ARRAY_LEN(body_fields),
	.size = sizeof(struct ping_body),
};

static bool read_body(struct http_request *request, struct ping_body *body)
{
	struct errs errs = {0};
	json_t *document = NULL;

	kind_defaults(&api_ping_body, body);
	if (!request->body_len)
		return true;
	int rc = json_parse(request->body, request->body_len, NULL, &document, &errs);
	if (!rc)
		rc = json_decode_plain(&api_ping_body, document, &request->arena, body, &errs);
	json_decref(document);
	if (rc)
		api_problem_errs(request, &errs);
	return !rc;
}

/* The other address of the first /30 or /31; 0 when there is none. */
static struct addr other_end(const struct tunnel *tunnel)
{
	for (uint32_t i = 0; i < tunnel->addresses.len; i++) {
		struct prefix p = tunnel->addresses.v[i];

		if (p.len == 31)
			return (struct addr){p.addr.host ^ 1};
		if (p.len == 30)
			return (struct addr){p.addr.host ^ 3};
	}
	return (struct addr){0};
}

static void forget(struct api_ping *waiting)
{
	struct api_pings *pings = &waiting->api->pings;

	for (size_t i = 0; i < pings->len; i++)
		if (pings->v[i] == waiting)
			pings->v[i] = pings->v[--pings->len];
	ping_free(waiting->ping);
	free(waiting);
}

static json_t *rtt_document(const struct ping_result *result)
{
	if (!result->received)
		return json_null();
	return json_pack("{s:f, s:f, s:f}", "min", (double)result->min_us / 1000, "avg",
			 (double)result->avg_us / 1000, "max", (double)result->max_us / 1000);
}

static void finished(void *user, const struct ping_result *result)
{
	struct api_ping *waiting = user;
	char text[ADDR_TEXT];

	api_json_respond(waiting->request, 200, NULL,
			 json_pack("{s:s, s:i, s:i, s:o}", "target",
				   addr_text(waiting->target, text), "sent", (int)result->sent,
				   "received", (int)result->received, "rtt_ms",
				   rtt_document(result)));
	forget(waiting);
}

static void start(struct api_call *call, const struct tunnel *tunnel, const struct ping_body *body)
{
	struct ping_question question = {
		.device = tunnel_device(tunnel),
		.source = tunnel->addresses.len ? tunnel->addresses.v[0].addr : (struct addr){0},
		.target = body->target,
		.count = body->count,
	};
	struct api_ping *waiting = xcalloc(1, sizeof(*waiting));
	struct err err = {0};

	*waiting = (struct api_ping){call->api, call->request, body->target, NULL};
	if (ping_start(&waiting->ping, call->agent->loop, &question, finished, waiting, &err)) {
		free(waiting);
		api_problem(call->request, "not-ready", "no ping through %s: %s", question.device,
			    err.sentence);
		return;
	}
	vec_push(&call->api->pings, waiting);
}

static bool has_device(struct api_call *call, const struct tunnel *tunnel)
{
	bool has = reconcile_uses_device(call->agent->reconcile, tunnel_device(tunnel));

	if (!has)
		api_problem(call->request, "not-ready", "there is no device %s of this tunnel",
			    tunnel_device(tunnel));
	return has;
}

void api_ping_post(struct api_call *call)
{
	const struct tunnel *tunnel = (const struct tunnel *)api_find(call);
	struct ping_body body = {0};

	if (!tunnel || !read_body(call->request, &body) || !has_device(call, tunnel) ||
	    api_wait_refused(call->api, call->request))
		return;
	if (!body.target.host)
		body.target = other_end(tunnel);
	if (body.target.host)
		start(call, tunnel, &body);
	else
		api_problem_at(call->request, "invalid-resource", "/target",
			       "required: the tunnel has no address in a /30 or /31, whose other "
			       "address it could be");
}

void api_ping_gone(struct api *api, struct http_request *request)
{
	for (size_t i = 0; i < api->pings.len; i++)
		if (api->pings.v[i]->request == request) {
			forget(api->pings.v[i]);
			return;
		}
}

void api_ping_stop_all(struct api *api)
{
	for (size_t i = api->pings.len; i-- > 0;)
		forget(api->pings.v[i]);
	vec_done(&api->pings);
}
