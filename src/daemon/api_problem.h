/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Problem documents (RFC 9457): every answer of 4xx and 5xx, logged once where it is made. */

#include <jansson.h>

#include "daemon/http.h"

struct api_problem {
	const char *code;
	unsigned status;
	const char *title;
	const char *header, *value; /* that goes with each of it; NULL: none */

	/* for the document, a real one; the tests ask for it */
	const char *instance, *detail;
	const char *pointer; /* of its fault; NULL: it has none */
};

extern const struct api_problem api_problems[];
extern const unsigned api_problems_count;

/* The document; the caller owns it. errs may be NULL. */
json_t *api_problem_document(const struct api_problem *problem, unsigned status, const char *detail,
			     const char *instance, const char *request_id, const struct errs *errs);

/* The code says the status. */
void api_problem(struct http_request *request, const char *code, const char *fmt, ...)
	printf_(3, 4);
/* With one header more; -status of http.c's own refusals is api_problem_refuse. */
void api_problem_header(struct http_request *request, const char *code, const char *name,
			const char *value, const char *sentence);
/* All the faults of a body; the first one's code is the problem's. */
void api_problem_errs(struct http_request *request, const struct errs *errs);
/* One fault that has a place: errs of one. */
void api_problem_at(struct http_request *request, const char *code, const char *pointer,
		    const char *fmt, ...) printf_(4, 5);
/* For a fault found below the API, which knows its status. */
void api_problem_refuse(struct http_request *request, unsigned status, const char *code,
			const char *sentence);
