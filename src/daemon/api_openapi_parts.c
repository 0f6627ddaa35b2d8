/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Components of the OpenAPI document that operations share: parameters, headers, and an answer
 * for each status of the table of problems.
 */
#include "daemon/api_openapi_parts.h"

#include "codec/openapi.h"
#include "daemon/api_params.h"
#include "daemon/api_problem.h"
#include "daemon/api_routes.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Headers that count: of a request, or of an answer. */
static const struct header {
	const char *name;
	const char *pattern; /* NULL: any text */
	const char *doc;
} headers[] = {
	{"If-Match", NULL,
	 "entity tags of which one must name the current generation, whatever its state; or *"},
	{"If-None-Match", NULL,
	 "a read: the tags that the client has, 304 for one of them; a write: * creates only"},
	{"ETag", "^\"[0-9a-f-]+\"$",
	 "of a resource: its generation, a dash, and the document; of a config: the revision"},
	{"Location", "^/v1/", "path of what was created"},
	{"Cache-Control", NULL, "no-store: it is of this moment"},
	{"Allow", NULL, "the methods that this path has"},
	{"Accept", NULL, "the type that a body must be of"},
	{"Accept-Patch", NULL, "the type that a patch must be of"},
	{"Retry-After", "^[0-9]+$", "seconds"},
	{"Last-Event-ID", "^[0-9]+$",
	 "the id behind which events are wanted, of a request before `since`; or given"},
	{"WWW-Authenticate", "^Bearer ", "how to prove who one is"},
};

/* Of a status, beside those of its problems' rows; with ? where not each of it has the header. */
static const struct {
	unsigned status;
	const char *headers;
} refusal_headers[] = {
	{405, "Allow"},
	{415, "Accept? Accept-Patch?"},
};

void api_openapi_words(const char *words, void (*use)(void *user, const char *word), void *user)
{
	char word[40];

	while (words && *words) {
		size_t len = strcspn(words, " ");

		snprintf(word, sizeof(word), "%.*s", (int)len, words);
		use(user, word);
		words += len + strspn(words + len, " ");
	}
}

static json_t *header_schema(const struct header *header)
{
	json_t *schema = json_pack("{s:s}", "type", "string");

	if (header->pattern)
		json_object_set_new(schema, "pattern", json_string(header->pattern));
	return schema;
}

static bool may_lack(const char *word)
{
	return strchr(word, '?');
}

static void name_header(const char *word, char name[static OPENAPI_NAME])
{
	snprintf(name, OPENAPI_NAME, "%s%.*s", may_lack(word) ? "Optional-" : "",
		 (int)strcspn(word, "?"), word);
}

void api_openapi_header(void *answer, const char *word)
{
	json_t *list = json_object_get(answer, "headers");
	char name[OPENAPI_NAME], header[OPENAPI_NAME];

	if (!list) {
		list = json_object();
		json_object_set_new(answer, "headers", list);
	}
	name_header(word, name);
	snprintf(header, sizeof(header), "%.*s", (int)strcspn(word, "?"), word);
	json_object_set_new(list, header, openapi_ref("headers", name));
}

void api_openapi_refusal(unsigned status, char name[static OPENAPI_NAME])
{
	snprintf(name, OPENAPI_NAME, "Problem%u", status);
}

static json_t *example(const struct api_problem *problem)
{
	struct errs errs = {0};

	if (problem->pointer)
		errs_add(&errs, -1, problem->code, problem->pointer, "%s", problem->detail);
	return json_pack("{s:s, s:o}", "summary", problem->title, "value",
			 api_problem_document(problem, problem->status, problem->detail,
					      problem->instance, "4b796612-4", &errs));
}

static json_t *refusal(unsigned status)
{
	json_t *codes = json_array(), *examples = json_object();
	cleanup_text struct text doc = {0};
	json_t *answer = json_object();

	for (unsigned i = 0; i < api_problems_count; i++) {
		const struct api_problem *problem = &api_problems[i];

		if (problem->status != status)
			continue;
		json_array_append_new(codes, json_string(problem->code));
		json_object_set_new(examples, problem->code, example(problem));
		text_addf(&doc, "%s%s", doc.len ? "; " : "", problem->title);
		if (problem->header)
			api_openapi_header(answer, problem->header);
	}
	api_openapi_header(answer, "Cache-Control");
	for (size_t i = 0; i < ARRAY_LEN(refusal_headers); i++)
		if (refusal_headers[i].status == status)
			api_openapi_words(refusal_headers[i].headers, api_openapi_header, answer);
	json_object_set_new(answer, "description", json_string(text_str(&doc)));
	json_t *schema = json_pack("{s:[o, {s:{s:{s:i}, s:{s:o}}}]}", "allOf",
				   openapi_ref("schemas", "Problem"), "properties", "status",
				   "const", (int)status, "code", "enum", codes);
	json_object_set_new(answer, "content",
			    json_pack("{s:{s:o, s:o}}", "application/problem+json", "schema",
				      schema, "examples", examples));
	return answer;
}

json_t *api_openapi_refusals(void)
{
	json_t *responses = json_object();
	char name[OPENAPI_NAME];

	for (unsigned i = 0; i < api_problems_count; i++) {
		api_openapi_refusal(api_problems[i].status, name);
		if (!json_object_get(responses, name))
			json_object_set_new(responses, name, refusal(api_problems[i].status));
	}
	return responses;
}

/* One query parameter, as its row says. */
static json_t *query_parameter(const struct field *field)
{
	json_t *schema = openapi_field(field);
	json_t *parameter = json_pack("{s:s, s:s, s:s}", "name", field->name, "in", "query",
				      "description", field->doc);

	json_object_del(schema, "description");
	if (field->flags & FIELD_REQUIRED)
		json_object_set_new(parameter, "required", json_true());
	if (field->type == FIELD_LABELS) {
		json_decref(schema);
		schema = json_pack("{s:s, s:i, s:{s:s, s:s}}", "type", "array", "maxItems",
				   (int)field->max_count, "items", "type", "string", "pattern",
				   "^[^=]+=");
	}
	json_object_set_new(parameter, "schema", schema);
	return parameter;
}

static const struct header *find_header(const char *word)
{
	size_t len = strcspn(word, "?");

	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		if (strncmp(headers[i].name, word, len) == 0 && !headers[i].name[len])
			return &headers[i];
	assert(!"a header without a row");
	return NULL;
}

static void use_header(void *list, const char *name)
{
	json_object_set_new(list, name, json_true());
}

/* Those that some route takes. */
json_t *api_openapi_parameters(void)
{
	json_t *list = json_object(), *used = json_object(), *unused;
	const struct field *name = kind_field(kinds[0], "name");
	const char *header;

	json_t *schema = openapi_field(name);
	json_object_del(schema, "description");
	json_object_set_new(list, "resource",
			    json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", "name", "in", "path",
				      "required", 1, "description", name->doc, "schema", schema));
	for (unsigned i = 0; i < api_params_kind.n_fields; i++)
		json_object_set_new(list, api_params_kind.fields[i].name,
				    query_parameter(&api_params_kind.fields[i]));
	for (unsigned i = 0; i < api_routes_count; i++)
		api_openapi_words(api_routes[i].headers, use_header, used);
	json_object_foreach(used, header, unused) {
		const struct header *row = find_header(header);

		json_object_set_new(list, header,
				    json_pack("{s:s, s:s, s:s, s:o}", "name", header, "in",
					      "header", "description", row->doc, "schema",
					      header_schema(row)));
	}
	json_decref(used);
	return list;
}

/* Those that some answer has. */
json_t *api_openapi_headers(void)
{
	json_t *list = json_object(), *used = json_object(), *unused;
	const char *word;

	for (unsigned i = 0; i < api_routes_count; i++)
		for (unsigned j = 0; j < API_ANSWERS_MAX; j++)
			api_openapi_words(api_routes[i].answers[j].headers, use_header, used);
	for (unsigned i = 0; i < api_problems_count; i++)
		api_openapi_words(api_problems[i].header, use_header, used);
	for (size_t i = 0; i < ARRAY_LEN(refusal_headers); i++)
		api_openapi_words(refusal_headers[i].headers, use_header, used);
	json_object_foreach(used, word, unused) {
		const struct header *row = find_header(word);
		char name[OPENAPI_NAME];

		name_header(word, name);
		json_object_set_new(list, name,
				    json_pack("{s:s, s:b, s:o}", "description", row->doc,
					      "required", !may_lack(word), "schema",
					      header_schema(row)));
	}
	json_decref(used);
	return list;
}
