/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Within http*.c: what the library refuses before it asks us gets a page of HTML from it. It logs
 * that first: then a problem can be said on the connection, and nothing after it.
 */

#include "daemon/http_exchange.h"

/* From when a connection is there; -errno. */
int http_preempt_watch(struct connection *connection) must_check;
/*
 * Its answer is out: what came behind its request is looked at now, or, where the daemon does not
 * run, in the next run.
 */
void http_preempt_stir(struct connection *connection);
/* Its first bytes, if they are there, and the library would close on them without a word. */
void http_preempt_peek(struct connection *connection);
/* Who has something to be read; before each run. */
void http_preempt_look(const struct http_listener *listener);
/*
 * The request that the library is about to refuse with that page, and as what: status and a
 * sentence. NULL: whose it is cannot be told for certain.
 */
struct exchange *http_preempt_find(const struct http *http, const char *page, unsigned *status,
				   const char **sentence);
/* Says the whole answer, and ends what is sent: the library's own goes nowhere. */
void http_preempt_say(const struct exchange *x, unsigned status, const char *const *headers,
		      const char *body, size_t len);
