/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Within http*.c: responses of libmicrohttpd. The caller owns what is made. */

#include <microhttpd.h>

#include "daemon/http.h"

struct MHD_Response *http_response_of(const char *body, size_t len)
	__attribute__((returns_nonnull));
/* For HEAD all of it is written, to tell how long it is. */
struct MHD_Response *http_response_stream(const struct http_stream *stream, const char *method)
	__attribute__((returns_nonnull));
/* Pairs name, value; ends in NULL. headers may be NULL. */
void http_response_headers(struct MHD_Response *response, const char *const *headers);
