/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Problem documents (RFC 9457): every answer of 4xx and 5xx, logged once where it is made. */

#include "daemon/http.h"

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
