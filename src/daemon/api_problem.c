/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Problem documents: one table of codes with their status and title. Refusals are logged
 * here and nowhere else.
 */
#include "daemon/api_problem.h"

#include "base/log.h"
#include "daemon/api_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
const struct api_problem api_problems[] = {
	/* the first stands in for an unknown code */
	{"internal", 500, "Internal error",
	 .instance = "/v1/tunnels/tun_a",
	 .detail = "the request cannot be served"},
	{"malformed-json", 400, "Malformed JSON",
	 .instance = "/v1/tunnels/tun_a", .pointer = "",
	 .detail = "line 1, column 1: string or '}' expected"},
	{"bad-request", 400, "Bad request",
	 .instance = "/v1/tunnels/tun_a",
	 .detail = "unknown query parameter \"dryrun\"; did you mean \"dry_run\"?"},
	{"unauthenticated", 401, "Authentication required", .header = "WWW-Authenticate",
	 .value = "Bearer realm=\"ipipd\"",
	 .instance = "/v1/status",
	 .detail = "this request needs a token or a client certificate"},
	{"forbidden", 403, "Not allowed for this caller",
	 .instance = "/v1/reconcile",
	 .detail = "token grafana may only read"},
	{"not-found", 404, "Not found",
	 .instance = "/v1/tunnels/tun_z",
	 .detail = "there is no tunnel \"tun_z\""},
	{"method-not-allowed", 405, "Method not allowed",
	 .instance = "/v1/status",
	 .detail = "this resource cannot be DELETE; allowed: GET, HEAD"},
	{"request-timeout", 408, "Request timeout",
	 .instance = "/v1/tunnels/tun_a",
	 .detail = "the request was not whole in time"},
	{"already-exists", 409, "Already exists",
	 .instance = "/v1/tunnels", .pointer = "/name",
	 .detail = "tunnel \"tun_a\" exists"},
	{"generation-mismatch", 409, "Generation is not the current one",
	 .instance = "/v1/tunnels/tun_a", .pointer = "/generation",
	 .detail = "the current generation is 1, not 7"},
	{"endpoints-in-use", 409, "Endpoints are in use",
	 .instance = "/v1/tunnels/tun_b", .pointer = "/remote",
	 .detail = "tunnel/tun_a has the same local, remote and underlay"},
	{"interface-name-taken", 409, "Interface name is taken",
	 .instance = "/v1/tunnels/tun_b", .pointer = "/device",
	 .detail = "tunnel/tun_a has the device tun_a"},
	{"resource-in-use", 409, "Resource is in use",
	 .instance = "/v1/tunnels/tun_a", .pointer = "",
	 .detail = "exit-route/qq uses it"},
	{"sources-overlap", 409, "Sources overlap",
	 .instance = "/v1/nat-rules/other", .pointer = "/sources",
	 .detail = "nat-rule/exit does something else with some of these sources, at the same "
		   "priority, interfaces and destinations"},
	{"destination-in-use", 409, "Destination is in use",
	 .instance = "/v1/exit-routes/other", .pointer = "/destinations/0",
	 .detail = "exit-route/qq has 180.163.26.39/32 with the same from and metric"},
	{"deleting", 409, "Resource is being deleted",
	 .instance = "/v1/tunnels/tun_a",
	 .detail = "tunnel \"tun_a\" is being deleted"},
	{"event-gap", 410, "Events are no longer kept",
	 .instance = "/v1/events",
	 .detail = "events up to 41 are no longer kept"},
	{"precondition-failed", 412, "Precondition failed",
	 .instance = "/v1/tunnels/tun_a",
	 .detail = "tunnel \"tun_a\" was changed since: If-Match does not name its generation"},
	{"body-too-large", 413, "Body too large",
	 .instance = "/v1/tunnels/tun_a",
	 .detail = "a body here has at most 65536 bytes"},
	{"unsupported-media-type", 415, "Unsupported media type",
	 .instance = "/v1/tunnels/tun_a",
	 .detail = "the body must be of Content-Type application/json"},
	{"invalid-resource", 422, "Invalid resource",
	 .instance = "/v1/tunnels/tun_a", .pointer = "/ttl",
	 .detail = "must be a whole number from 0 to 255, not 300"},
	{"unknown-field", 422, "Unknown field",
	 .instance = "/v1/tunnels/tun_a", .pointer = "/remot",
	 .detail = "no member of tunnel has this name; did you mean \"remote\"?"},
	{"unresolved-reference", 422, "Unresolved reference",
	 .instance = "/v1/exit-routes/qq", .pointer = "/tunnel",
	 .detail = "no tunnel \"tun_z\" is declared"},
	{"source-required", 422, "Source required",
	 .instance = "/v1/exit-routes/other", .pointer = "/source",
	 .detail = "10.9.9.9 is not in the addresses of any tunnel, packets from it would not "
		   "go through one"},
	{"too-many-requests", 429, "Too many requests", .header = "Retry-After", .value = "1",
	 .instance = "/v1/tunnels/tun_a",
	 .detail = "too many requests wait already"},
	{"headers-too-large", 431, "Headers too large",
	 .instance = "/v1/status",
	 .detail = "target and headers together have at most 16 KB here"},
	{"not-ready", 503, "Not ready",
	 .instance = "/readyz",
	 .detail = "observe: Interrupted system call"},
	{"database-unavailable", 503, "Database unavailable",
	 .instance = "/v1/tunnels/tun_b",
	 .detail = "the declaration cannot be stored: database: disk I/O error"},
};
/* clang-format on */

const unsigned api_problems_count = ARRAY_LEN(api_problems);

static const struct api_problem *find(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(api_problems); i++)
		if (strcmp(api_problems[i].code, code) == 0)
			return &api_problems[i];
	return &api_problems[0];
}

static void log_refusal(const struct http_request *request, unsigned status, const char *code,
			const char *detail)
{
	log_line(status >= 500 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		 "request %s: %.20s %.200s by %s (%s) refused: %u %s: %s", request->id,
		 request->method ? request->method : "?", request->path ? request->path : "?",
		 request->caller.name, request->caller.address, status, code, detail);
}

/* The cut of a sentence at its buffer's end may fall within a character. */
static json_t *utf8(const char *s)
{
	size_t len = strlen(s);
	json_t *value = json_stringn(s, len);

	for (int cut = 0; !value && cut < 4 && len > 0; cut++)
		value = json_stringn(s, --len);
	return value ? value : json_string("(not printable)");
}

static json_t *faults(const struct errs *errs)
{
	json_t *list = json_array();

	for (size_t i = 0; errs && i < errs->len; i++) {
		const struct err *err = &errs->v[i];

		json_array_append_new(list,
				      json_pack("{s:o, s:s, s:o}", "pointer", utf8(err->pointer),
						"code", err->code, "detail", utf8(err->sentence)));
	}
	return list;
}

json_t *api_problem_document(const struct api_problem *problem, unsigned status, const char *detail,
			     const char *instance, const char *request_id, const struct errs *errs)
{
	char type[64];

	snprintf(type, sizeof(type), "urn:ipipd:problem:%s", problem->code);
	return json_pack("{s:s, s:s, s:i, s:o, s:o, s:s, s:s, s:o}", "type", type, "title",
			 problem->title, "status", (int)status, "detail", utf8(detail), "instance",
			 utf8(instance), "code", problem->code, "request_id", request_id, "errors",
			 faults(errs));
}

static void respond(struct http_request *request, unsigned status,
		    const struct api_problem *problem, const char *const header[2],
		    const struct errs *errs, const char *detail)
{
	const char *headers[] = {"Content-Type",
				 "application/problem+json",
				 "Cache-Control",
				 "no-store",
				 header ? header[0] : problem->header,
				 header ? header[1] : problem->value,
				 NULL};

	if (request->tentative) {
		request->again = true;
		return;
	}
	log_refusal(request, status, problem->code, detail);
	api_json_respond(request, status, headers,
			 api_problem_document(problem, status, detail,
					      request->path ? request->path : "", request->id,
					      errs));
}

void api_problem(struct http_request *request, const char *code, const char *fmt, ...)
{
	const struct api_problem *problem = find(code);
	char detail[ERR_SENTENCE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	respond(request, problem->status, problem, NULL, NULL, detail);
}

void api_problem_header(struct http_request *request, const char *code, const char *name,
			const char *value, const char *sentence)
{
	const struct api_problem *problem = find(code);

	respond(request, problem->status, problem, (const char *const[]){name, value}, NULL,
		sentence);
}

void api_problem_errs(struct http_request *request, const struct errs *errs)
{
	const struct err *first = &errs->v[0];
	const struct api_problem *problem = find(first->code);
	char listed[48] = "", detail[ERR_SENTENCE + 96];

	if (errs->total > errs->len)
		snprintf(listed, sizeof(listed), ", the first %zu are listed", errs->len);
	if (errs->total > 1)
		snprintf(detail, sizeof(detail), "%zu faults%s; the first: %s", errs->total, listed,
			 first->sentence);
	else
		snprintf(detail, sizeof(detail), "%s", first->sentence);
	respond(request, problem->status, problem, NULL, errs, detail);
}

void api_problem_at(struct http_request *request, const char *code, const char *pointer,
		    const char *fmt, ...)
{
	struct errs errs = {0};
	char sentence[ERR_SENTENCE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	errs_add(&errs, -1, code, pointer, "%s", sentence);
	api_problem_errs(request, &errs);
}

void api_problem_refuse(struct http_request *request, unsigned status, const char *code,
			const char *sentence)
{
	respond(request, status, find(code), NULL, NULL, sentence);
}
