/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The query of a request target, split and decoded. libmicrohttpd's own arguments are not
 * used: they end at an encoded NUL.
 */

#include <stddef.h>

struct arena;

struct http_parameter {
	const char *name, *value; /* value "" when it has none */
};

struct http_parameters {
	struct http_parameter *v;
	size_t len;
};

/* query: what follows '?', NULL for none; its escapes are valid (http_guard_target). */
struct http_parameters http_query_parse(const char *query, struct arena *arena);
