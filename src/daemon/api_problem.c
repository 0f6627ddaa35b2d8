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

struct problem {
	const char *code;
	unsigned status;
	const char *title;
};

/* clang-format off */
static const struct problem problems[] = {
	{"internal", 500, "Internal error"}, /* first: stands in for an unknown code */
	{"malformed-json", 400, "Malformed JSON"},
	{"bad-request", 400, "Bad request"},
	{"unauthenticated", 401, "Authentication required"},
	{"forbidden", 403, "Not allowed for this caller"},
	{"not-found", 404, "Not found"},
	{"method-not-allowed", 405, "Method not allowed"},
	{"already-exists", 409, "Already exists"},
	{"generation-mismatch", 409, "Generation is not the current one"},
	{"endpoints-in-use", 409, "Endpoints are in use"},
	{"interface-name-taken", 409, "Interface name is taken"},
	{"resource-in-use", 409, "Resource is in use"},
	{"sources-overlap", 409, "Sources overlap"},
	{"destination-in-use", 409, "Destination is in use"},
	{"deleting", 409, "Resource is being deleted"},
	{"event-gap", 410, "Events are no longer kept"},
	{"precondition-failed", 412, "Precondition failed"},
	{"body-too-large", 413, "Body too large"},
	{"unsupported-media-type", 415, "Unsupported media type"},
	{"invalid-resource", 422, "Invalid resource"},
	{"unknown-field", 422, "Unknown field"},
	{"unresolved-reference", 422, "Unresolved reference"},
	{"source-required", 422, "Source required"},
	{"too-many-requests", 429, "Too many requests"},
	{"headers-too-large", 431, "Headers too large"},
	{"not-ready", 503, "Not ready"},
	{"database-unavailable", 503, "Database unavailable"},
};
/* clang-format on */

static const struct problem *find(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(problems); i++)
		if (strcmp(problems[i].code, code) == 0)
			return &problems[i];
	return &problems[0];
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

static void respond(struct http_request *request, unsigned status, const struct problem *problem,
		    const char *const header[2], const struct errs *errs, const char *detail)
{
	const char *headers[] = {"Content-Type",
				 "application/problem+json",
				 "Cache-Control",
				 "no-store",
				 header ? header[0] : NULL,
				 header ? header[1] : NULL,
				 NULL};
	char type[64];

	log_refusal(request, status, problem->code, detail);
	snprintf(type, sizeof(type), "urn:ipipd:problem:%s", problem->code);
	json_t *document = json_pack(
		"{s:s, s:s, s:i, s:o, s:o, s:s, s:s, s:o}", "type", type, "title", problem->title,
		"status", (int)status, "detail", utf8(detail), "instance",
		utf8(request->path ? request->path : ""), "code", problem->code, "request_id",
		request->id, "errors", faults(errs));
	api_json_respond(request, status, headers, document);
}

void api_problem(struct http_request *request, const char *code, const char *fmt, ...)
{
	const struct problem *problem = find(code);
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
	const struct problem *problem = find(code);

	respond(request, problem->status, problem, (const char *const[]){name, value}, NULL,
		sentence);
}

void api_problem_errs(struct http_request *request, const struct errs *errs)
{
	const struct err *first = &errs->v[0];
	const struct problem *problem = find(first->code);
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
	static const char *const challenge[] = {"WWW-Authenticate", "Bearer realm=\"ipipd\""};

	respond(request, status, find(code), status == 401 ? challenge : NULL, NULL, sentence);
}
