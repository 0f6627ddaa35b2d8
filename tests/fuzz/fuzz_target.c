/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the target of a request. What is refused has a sentence; of what is not, the path
 * has a route or none, and each parameter of the query is no longer than it was.
 */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "daemon/api_routes.h"
#include "daemon/http_guard.h"
#include "daemon/http_query.h"

static bool is_a_route(const char *template)
{
	for (unsigned i = 0; i < api_routes_count; i++)
		if (strcmp(api_routes[i].path, template) == 0)
			return true;
	return false;
}

static void read_path(char *path)
{
	struct http_request request = {.path = path};
	const char *template = api_template_of(&request);

	assert(!template || is_a_route(template));
	arena_done(&request.arena);
}

static void read_query(const char *query)
{
	cleanup_arena struct arena arena = {0};
	struct http_parameters parameters = http_query_parse(query, &arena);
	size_t len = 0;

	for (size_t i = 0; i < parameters.len; i++)
		len += strlen(parameters.v[i].name) + strlen(parameters.v[i].value);
	assert(len <= strlen(query));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	cleanup_text struct text text = {0};

	text_add_len(&text, (const char *)bytes, size);
	text_str(&text);
	if (!text.s)
		return 0;
	const char *fault = http_guard_target(text.s);
	if (fault) {
		assert(*fault);
		return 0;
	}
	char *query = strchr(text.s, '?');
	if (query)
		*query++ = '\0';
	read_path(text.s);
	if (query)
		read_query(query);
	return 0;
}
