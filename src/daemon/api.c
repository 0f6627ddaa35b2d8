/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dispatch: what holds for every request before it is served: path, method, role, query and
 * content type. The table of routes is in api_routes.c, what a route does in the other api_*.c.
 */
#include "daemon/api.h"

#include "base/percent.h"
#include "base/words.h"
#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/api_params.h"
#include "daemon/api_plan.h"
#include "daemon/api_problem.h"
#include "daemon/api_routes.h"
#include "daemon/api_write.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SEGMENTS_MAX = 4 };

struct path {
	const char *segment[SEGMENTS_MAX]; /* decoded */
	unsigned len;
};

static bool split(const char *s, struct path *path, struct arena *arena)
{
	if (*s != '/')
		return false;
	while (*s == '/') {
		size_t len = strcspn(++s, "/");

		if (path->len == SEGMENTS_MAX || len == 0)
			return false;
		char *segment = arena_strndup(arena, s, len);
		if (!percent_decode(segment))
			return false;
		path->segment[path->len++] = segment;
		s += len;
	}
	return true;
}

static const struct kind *kind_of(const char *segment)
{
	for (unsigned i = 0; i < RESOURCE_KINDS; i++)
		if (strcmp(kinds[i]->path, segment) == 0)
			return kinds[i];
	return NULL;
}

/* Does the path have this template's form? What stands for {kind} and {name} goes to call. */
static bool matches(const char *template, const struct path *path, struct api_call *call)
{
	unsigned at = 0;

	call->kind = strncmp(template, "/v1/tunnels/", 12) == 0 ? &tunnel_kind : NULL;
	call->name = NULL;
	for (; *template == '/'; at++) {
		size_t len = strcspn(++template, "/");
		const char *segment = at < path->len ? path->segment[at] : NULL;

		if (!segment)
			return false;
		if (strncmp(template, "{kind}", len) == 0 && !(call->kind = kind_of(segment)))
			return false;
		if (strncmp(template, "{name}", len) == 0)
			call->name = segment;
		if (*template != '{' &&
		    (strncmp(template, segment, len) != 0 || segment[len] != '\0'))
			return false;
		template += len;
	}
	return at == path->len;
}

const char *api_template_of(struct http_request *request)
{
	struct api_call call = {.request = request};
	struct path path = {0};

	if (split(request->path, &path, &request->arena))
		for (unsigned i = 0; i < api_routes_count; i++)
			if (matches(api_routes[i].path, &path, &call))
				return api_routes[i].path;
	return NULL;
}

static void refuse_method(struct http_request *request, const char *allowed)
{
	char sentence[160];

	snprintf(sentence, sizeof(sentence), "%s cannot be %s; allowed: %s", "this resource",
		 request->method, allowed);
	api_problem_header(request, "method-not-allowed", "Allow", allowed, sentence);
}

/* Answered for everything but what is open: also what there is, is not everybody's. */
static bool is_known(const struct api_route *route, struct http_request *request)
{
	bool is_open = route && route->flags & ROUTE_OPEN;

	if (is_open || request->caller.role != HTTP_ROLE_NONE)
		return true;
	bool can_prove = strcmp(request->caller.address, "unix") != 0;
	api_problem_refuse(request, can_prove ? 401 : 403,
			   can_prove ? "unauthenticated" : "forbidden", request->caller.fault);
	return false;
}

/* What a slip of the pen, or a path without /v1, was to name; NULL: that is not known. */
static const char *meant(const struct path *path)
{
	bool is_versioned = path->len && strcmp(path->segment[0], "v1") == 0;
	struct guess guess = guess_at(path->len > is_versioned ? path->segment[is_versioned] : "");

	for (unsigned i = 0; i < RESOURCE_KINDS; i++)
		guess_offer(&guess, kinds[i]->path);
	for (size_t i = 0; i < api_routes_count; i++)
		if (strncmp(api_routes[i].path, "/v1/", 4) == 0 &&
		    !strpbrk(api_routes[i].path + 4, "/{"))
			guess_offer(&guess, api_routes[i].path + 4);
	return is_versioned && !guess.edits ? NULL : guess.meant;
}

static void answer_not_found(struct http_request *request, const struct path *path)
{
	const char *word = meant(path);

	api_problem(request, "not-found", "there is nothing at this path%s%s%s",
		    word ? "; did you mean /v1/" : "", word ? word : "", word ? "?" : "");
}

/* The route of the request; NULL when 401, 403, 404 or 405 was answered. */
static const struct api_route *find_route(struct api_call *call)
{
	struct http_request *request = call->request;
	bool is_head = strcmp(request->method, "HEAD") == 0;
	const char *method = is_head ? "GET" : request->method;
	struct path path = {0};
	char allowed[64] = "";
	bool well_formed = split(request->path, &path, &request->arena);

	for (size_t i = 0; well_formed && i < api_routes_count; i++) {
		const struct api_route *route = &api_routes[i];

		if (!matches(route->path, &path, call))
			continue;
		if (!request->route)
			request->route = route->path;
		if (strcmp(route->method, method) == 0)
			return is_known(route, request) ? route : NULL;
		bool get = strcmp(route->method, "GET") == 0;
		size_t len = strlen(allowed);
		snprintf(allowed + len, sizeof(allowed) - len, "%s%s", len ? ", " : "",
			 get ? "GET, HEAD" : route->method);
	}
	if (!is_known(NULL, request))
		return NULL;
	if (*allowed)
		refuse_method(request, allowed);
	else
		answer_not_found(request, &path);
	return NULL;
}

static bool role_suffices(const struct api_route *route, struct http_request *request)
{
	if (route->flags & ROUTE_OPEN)
		return true;
	if (route->flags & ROUTE_ADMIN && request->caller.role != HTTP_ROLE_ADMIN) {
		api_problem(request, "forbidden", "%s may only read", request->caller.name);
		return false;
	}
	return true;
}

static bool is_type(const char *header, const char *type)
{
	static const char charset[] = "charset=";
	size_t len = strlen(type);

	if (!header || strncasecmp(header, type, len) != 0)
		return false;
	header += len + strspn(header + len, " \t");
	if (*header != ';')
		return *header == '\0';
	header += 1 + strspn(header + 1, " \t");
	return strncasecmp(header, charset, strlen(charset)) != 0 ||
	       strcasecmp(header + strlen(charset), "utf-8") == 0 ||
	       strcasecmp(header + strlen(charset), "\"utf-8\"") == 0;
}

static bool body_is_acceptable(const struct api_route *route, struct http_request *request)
{
	const char *wanted = route->flags & ROUTE_MERGE ? "application/merge-patch+json"
							: "application/json";
	char sentence[96];

	if (!request->body_len)
		return true;
	if (!(route->flags & ROUTE_BODY)) {
		api_problem(request, "bad-request", "this request takes no body");
		return false;
	}
	if (is_type(http_header(request, "Content-Type"), wanted))
		return true;
	snprintf(sentence, sizeof(sentence), "the body must be of Content-Type %s", wanted);
	api_problem_header(request, "unsupported-media-type",
			   route->flags & ROUTE_MERGE ? "Accept-Patch" : "Accept", wanted,
			   sentence);
	return false;
}

static void serve(void *user, struct http_request *request)
{
	struct api *api = user;
	struct api_call call = {.api = api, .agent = api->agent, .request = request};
	const struct api_route *route = find_route(&call);

	if (!route || !role_suffices(route, request) || !api_params_read(&call, route->params) ||
	    !body_is_acceptable(route, request))
		return;
	if ((route->flags & ROUTE_PLAN || call.params.dry_run) && api_plan_refused(&call))
		return;
	/* nobody must see what is not durable, nor be refused because of it */
	request->again = api->turn_open && !(route->flags & ROUTE_STORES);
	if (!request->again) {
		request->tentative = api->turn_open;
		route->serve(&call);
		request->tentative = false;
	}
	if (request->again)
		vec_push(&api->postponed, request);
	else
		http_drop_body(request);
}

static void gone(void *user, struct http_request *request)
{
	struct api *api = user;

	for (size_t i = 0; i < api->postponed.len; i++)
		if (api->postponed.v[i] == request)
			api->postponed.v[i] = NULL;
	api_wait_gone(api, request);
	api_ping_gone(api, request);
	api_why_gone(api, request);
}

static void refuse(void *user, struct http_request *request, unsigned status, const char *code,
		   const char *sentence)
{
	(void)user;
	api_problem_refuse(request, status, code, sentence);
}

static void answered(void *user, struct http_request *request, unsigned status)
{
	struct api *api = user;

	metrics_request(
		&api->agent->metrics,
		&(struct metrics_request){
			.route = request->route ? request->route : api_template_of(request),
			.method = request->method,
			.status = status,
			.duration_us = request->whole_us ? loop_now_us() - request->whole_us : 0,
		});
}

static void refused(void *user, unsigned status)
{
	struct api *api = user;

	metrics_request(&api->agent->metrics, &(struct metrics_request){.status = status});
}

static void end_turn(void *user)
{
	struct api *api = user;
	struct api_postponed postponed = api->postponed;

	api_write_commit(api);
	api->postponed = (struct api_postponed){0};
	for (size_t i = 0; i < postponed.len; i++)
		if (postponed.v[i])
			serve(api, postponed.v[i]);
	vec_done(&postponed);
	api_events_tell(api);
}

/* The loop must not sleep over an open transaction. */
static uint64_t may_sleep_ms(void *user)
{
	const struct api *api = user;

	return api->turn_open || api->postponed.len ? 0 : UINT64_MAX;
}

struct api *api_new(struct agent *agent, const struct events_config *events)
{
	struct api *api = xcalloc(1, sizeof(*api));

	/* without memory jansson leaves members out of an answer, or takes a body for malformed */
	json_set_alloc_funcs(xmalloc, free);
	api->agent = agent;
	api->handler = (struct http_handler){serve, gone, refuse, answered, refused, api};
	api_events_init(api, events);
	api->deadline = loop_timer_new(agent->loop, api_wait_deadline, api);
	reconcile_on_pass(agent->reconcile, api_wait_pass, api);
	return api;
}

void api_join_loop(struct api *api)
{
	loop_hook(api->agent->loop, end_turn, may_sleep_ms, api);
}

static void free_waiters(struct api_waiters *waiters)
{
	for (size_t i = 0; i < waiters->len; i++)
		api_wait_free(waiters->v[i]);
	vec_done(waiters);
}

void api_free(struct api *api)
{
	if (!api)
		return;
	api_ping_stop_all(api);
	api_why_stop(api);
	api_events_done(api);
	loop_timer_free(api->agent->loop, api->deadline);
	free_waiters(&api->uncommitted);
	free_waiters(&api->waiting);
	vec_done(&api->postponed);
	text_done(&api->openapi);
	free(api);
}

const struct http_handler *api_handler(struct api *api)
{
	return &api->handler;
}
