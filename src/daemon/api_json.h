/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the API says as JSON: resource documents with status and ETag, plans, reports. */

#include "codec/json.h"
#include "daemon/agent.h"

enum { API_ETAG = 40 }; /* "D-B" with its quotes, NUL included */

/* The state to show: of the declared generation, which a pass may not have seen yet. */
enum state api_json_state(struct agent *agent, const struct kind *kind,
			  const struct resource *resource);
/* How many resources are in each state, as it is to show. Adds to n. */
void api_json_count_states(struct agent *agent, uint64_t n[static RESOURCE_KINDS][STATES]);
/* The whole document of a resource. */
void api_json_add_document(struct text *text, struct agent *agent, const struct kind *kind,
			   const struct resource *resource);
/* {"verb","kind","key",…}: a member of a plan's ops. What it is made of goes to the arena. */
void api_json_add_op(struct text *text, const struct op *op, struct arena *arena);
/* {"kind","name","state","reason","message"}, for a resource that is not ready. */
void api_json_add_not_ready(struct text *text, struct agent *agent, const struct kind *kind,
			    const struct resource *resource);

/* "D-B": D over uid and generation, B over the body. */
void api_json_etag(const struct resource *resource, const char *body, size_t len,
		   char etag[static API_ETAG]);
/* How entity tags are compared (RFC 9110): W/"a" is like "a" for If-None-Match only. */
enum api_comparison { API_WEAK, API_STRONG };

/* Does a list of entity tags name this resource's generation, whatever its state? */
bool api_json_matches_generation(const char *list, enum api_comparison comparison,
				 const struct resource *resource);
/* Does it name this tag? */
bool api_json_matches(const char *list, enum api_comparison comparison, const char *etag);

/* Answers with the document that was written, 200. */
void api_json_respond_text(struct http_request *request, struct text *text);
/* Adds the value and the end of its line, and drops the reference to it. */
void api_json_text(json_t *value, struct text *text);
/* Answers with the value, and drops the reference to it. */
void api_json_respond(struct http_request *request, unsigned status, const char *const *headers,
		      json_t *value);
/* Answers with the document of a resource, with its ETag, and Location when it is 201. */
void api_json_respond_resource(struct agent *agent, struct http_request *request, unsigned status,
			       const struct kind *kind, const struct resource *resource);
