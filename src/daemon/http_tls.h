/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Within http*.c: certificate, key and client CAs as they were read once. A connection keeps
 * those that it began with until it ends; its client is judged by the newest.
 */

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <time.h>

#include "daemon/http.h"

/* TLS 1.2 with forward secrecy and AEAD, or 1.3 */
#define HTTP_TLS_PRIORITIES                                                                        \
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"           \
	"-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:%SERVER_PRECEDENCE"

struct http_tls;

/* NULL and 0 when the configuration has no TLS. Every fault goes to errs. */
int http_tls_load(struct http_tls **tls, const struct http_access_config *config,
		  struct errs *errs) must_check;
struct http_tls *http_tls_ref(struct http_tls *tls);
void http_tls_unref(struct http_tls *tls);

/* When the certificate ends; 0: it does not say. */
time_t http_tls_expires(const struct http_tls *tls);
/* What the library wants to be told of, or it does not start; it finds none. */
gnutls_certificate_retrieve_function2 http_tls_no_certificate;
/* Before the handshake. False: without memory. */
bool http_tls_begin(struct http_tls *tls, gnutls_session_t session);

/*
 * Who has proven, by his certificate, to be who? Fills role and name, or fault; untouched
 * when there is no certificate.
 */
void http_tls_caller(const struct http_tls *tls, const struct http_access_config *config,
		     gnutls_session_t session, struct http_caller *caller);
