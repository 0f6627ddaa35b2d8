/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Within http*.c: responses of libmicrohttpd. The caller owns what is made. */

#include <microhttpd.h>
#include <stdbool.h>

#include "daemon/http.h"

struct MHD_Response *http_response_of(const char *body, size_t len)
	__attribute__((returns_nonnull));
/*
 * A body on its way. wait is asked where a stream that follows has nothing to say: true, and it
 * is not read until somebody resumes it; false, and it ends.
 */
struct http_body;
struct http_body *http_body_new(const struct http_stream *stream, bool (*wait)(void *user),
				void *user) __attribute__((returns_nonnull));
/* Nothing more is written of it, its stream is done: whoever writes it may forget it. */
void http_body_end(struct http_body *body);
/* Owns the body. For HEAD all of it is written, to tell how long it is. */
struct MHD_Response *http_response_stream(struct http_body *body, const char *method)
	__attribute__((returns_nonnull));
/* Pairs name, value; ends in NULL. headers may be NULL. */
void http_response_headers(struct MHD_Response *response, const char *const *headers);
