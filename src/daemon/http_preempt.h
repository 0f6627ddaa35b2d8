/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Within http*.c: what the library refuses before it asks us gets a page of HTML from it. It logs
 * that first: then a problem can be said on the connection, and nothing after it.
 */

#include "daemon/http_exchange.h"

/* The request that the library is about to refuse with that page, and what is wrong with it as a
 * sentence; NULL: it cannot be told for certain. */
struct exchange *http_preempt_find(const struct http *http, unsigned status, const char *page,
				   const char **sentence);
/* Says the whole answer, and ends what is sent: the library's own goes nowhere. */
void http_preempt_say(const struct exchange *x, unsigned status, const char *const *headers,
		      const char *body, size_t len);
