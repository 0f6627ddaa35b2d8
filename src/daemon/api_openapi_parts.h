/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What operations of the OpenAPI document refer to. The caller owns what is returned. */

#include <jansson.h>

#include "codec/openapi.h"

/* components.parameters: of the path, of the query, and headers of requests */
json_t *api_openapi_parameters(void);
/* components.headers: of answers */
json_t *api_openapi_headers(void);
/* components.responses: one for each status of the table of problems */
json_t *api_openapi_refusals(void);

/* The name of the response of that status. */
void api_openapi_refusal(unsigned status, char name[static OPENAPI_NAME]);
/* Adds a reference to that header to an answer; with ? behind it where it may be absent. */
void api_openapi_header(void *answer, const char *word);
/* Each word of a list that blanks divide; NULL has none. */
void api_openapi_words(const char *words, void (*use)(void *user, const char *word), void *user);
