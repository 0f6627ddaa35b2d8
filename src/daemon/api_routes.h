/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The table of routes: what dispatch needs, and what the OpenAPI document says of each. A new
 * route is one row.
 */

#include "daemon/api_call.h"

enum {
	ROUTE_OPEN = 1 << 0,   /* for everybody, known or not */
	ROUTE_ADMIN = 1 << 1,  /* not for a reader */
	ROUTE_STORES = 1 << 2, /* takes part in the turn's transaction */
	ROUTE_BODY = 1 << 3,   /* has a body, if only an empty one */
	ROUTE_MERGE = 1 << 4,  /* whose type is that of a merge patch */
	ROUTE_BARE = 1 << 5,   /* which may be left out */
	ROUTE_PLAN = 1 << 6,   /* answers with a plan */
	ROUTE_WRITE = ROUTE_ADMIN | ROUTE_STORES,
};

/* Two answers of one status: either. */
struct api_answer {
	unsigned status;     /* 2xx or 3xx; 0 ends the list */
	const char *schema;  /* of components/schemas; NULL: no body, or any text */
	const char *headers; /* names of api_openapi_parts.c, in words; ?: it may be absent */
	const char *media;   /* NULL: application/json when there is a schema; else the body is
			      * a stream of such documents, or any text */
};

enum { API_ANSWERS_MAX = 4 };

/*
 * {kind} of the path stands for the kinds of resources: the document has an operation for each,
 * but not for one that lacks a schema of an answer. In texts and names of schemas {Kind} is
 * "ExitRoute", {noun} is "exit route".
 */
struct api_route {
	const char *method;
	const char *path;
	unsigned flags;
	void (*serve)(struct api_call *call);
	const char *params; /* names of api_params.c, in words */

	/* for the document */
	const char *id;      /* operationId */
	const char *summary; /* a few words */
	const char *doc;     /* sentences */
	const char *headers; /* of the request: names of api_openapi_parts.c, in words */
	const char *body;    /* schema */
	struct api_answer answers[API_ANSWERS_MAX];
	const char *problems; /* statuses in words, beside those that hold for every route */
};

/* Of the templates that the path has, the first, so that equal ones are one pointer; NULL: none. */
const char *api_template_of(struct http_request *request);

extern const struct api_route api_routes[];
extern const unsigned api_routes_count;
