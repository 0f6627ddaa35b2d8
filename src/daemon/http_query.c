/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Splitting and decoding of a query. Which parameters there may be is the API's business. */
#include "daemon/http_query.h"

#include "base/arena.h"
#include "base/percent.h"

#include <string.h>

static const char *decode(const char *s, size_t len, struct arena *arena)
{
	char *decoded = arena_strndup(arena, s, len);

	for (char *c = decoded; *c; c++)
		if (*c == '+') /* as forms and most clients write a space */
			*c = ' ';
	percent_decode(decoded);
	return decoded;
}

static struct http_parameter parameter(const char *s, size_t len, struct arena *arena)
{
	const char *equals = memchr(s, '=', len);
	size_t name_len = equals ? (size_t)(equals - s) : len;

	return (struct http_parameter){
		.name = decode(s, name_len, arena),
		.value = equals ? decode(equals + 1, len - name_len - 1, arena) : "",
	};
}

static size_t count_parts(const char *query)
{
	size_t parts = 1;

	for (const char *s = query; *s; s++)
		parts += *s == '&';
	return parts;
}

struct http_parameters http_query_parse(const char *query, struct arena *arena)
{
	struct http_parameters parameters = {0};

	if (!query || !*query)
		return parameters;
	parameters.v = arena_array(arena, count_parts(query), sizeof(*parameters.v));
	while (*query) {
		size_t len = strcspn(query, "&");

		if (len)
			parameters.v[parameters.len++] = parameter(query, len, arena);
		query += len + (query[len] == '&');
	}
	return parameters;
}
