/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Within http*.c: who may come in over TCP, and as what. */

#include <microhttpd.h>

#include "daemon/http_tls.h"
#include "daemon/tokens.h"

/* What was read of the files that a configuration names. */
struct http_access {
	struct http_access_config config; /* borrowed texts */
	struct tokens tokens;
	struct http_tls *tls; /* NULL: without TLS */
};

/* Are these addresses fit to be listened on, by these rules? Every fault goes to errs. */
int http_access_load(struct http_access *access, const struct http_access_config *config,
		     const struct http_names *addresses, struct errs *errs) must_check;
void http_access_done(struct http_access *access);

/* Fills in who asks, by token or certificate. NULL, or why nobody may ask this way: 403. */
const char *http_access_judge(const struct http_access *access, struct MHD_Connection *mhd, int fd,
			      struct http_caller *caller);
