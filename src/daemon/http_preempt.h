/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Within http*.c: what the library refuses before it asks us gets a page of HTML from it, or
 * nothing. It logs the one first, and shuts the socket for the other: then a problem can be said on
 * the connection, and nothing after it. For that, recv(), send(), shutdown(), gnutls_record_recv(),
 * gnutls_record_send() and gnutls_bye() of the whole program are this file's.
 */

#include "daemon/http_exchange.h"

/* The library's daemon runs. */
void http_preempt_run(struct http_listener *listener);
/* A request is done. What came behind it is read next, if it was answered. */
void http_preempt_next(const struct connection *connection, bool answered);
/* Whoever began to ask is told that it took too long. False: nobody did. */
bool http_preempt_late(struct connection *connection);
/* The library is about to send that page. False: it is none of those that are known. */
bool http_preempt_page(const char *page);
/* Says the whole answer, and ends what is sent: the library's own goes nowhere. */
void http_preempt_say(const struct exchange *x, unsigned status, const char *const *headers,
		      const char *body, size_t len);
