/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The OpenAPI document: an operation for each row of the table of routes. Schemas are made in
 * codec/ and api_answers.c, what operations share in api_openapi_parts.c.
 */
#include "daemon/api_openapi.h"

#include "daemon/api_answers.h"
#include "daemon/api_json.h"
#include "daemon/api_openapi_parts.h"
#include "daemon/api_params.h"
#include "daemon/api_routes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 512 };

/* Refusals that a route with all of these flags (and none of those) may answer. */
static const struct {
	unsigned flags, without;
	const char *statuses;
} common[] = {
	{0, 0, "400 403 408 413 429 431 500 503"}, /* a body may come with any of them */
	{0, ROUTE_OPEN, "401"},
	{ROUTE_BODY, 0, "415"},
};

/* One row of the table, for one kind. */
struct operation {
	const struct api_route *route;
	const struct kind *kind; /* NULL: the path has none */
	json_t *document;
};

/* {Kind}, {kind} and {noun} replaced. */
static void fill(const char *template, const struct kind *kind, char text[static TEXT_MAX])
{
	cleanup_text struct text out = {0};
	char name[OPENAPI_NAME] = "", noun[OPENAPI_NAME] = "";

	if (kind) {
		openapi_name(kind->noun, name);
		snprintf(noun, sizeof(noun), "%s", kind->noun);
		for (char *dash = noun; (dash = strchr(dash, '-'));)
			*dash = ' ';
	}
	const struct {
		const char *mark, *with;
	} marks[] = {{"{Kind}", name}, {"{kind}", kind ? kind->path : ""}, {"{noun}", noun}};
	while (*template) {
		size_t i = 0;

		while (i < ARRAY_LEN(marks) && strncmp(template, marks[i].mark, 6) != 0)
			i++;
		if (i < ARRAY_LEN(marks)) {
			text_add(&out, marks[i].with);
			template += 6;
		} else {
			text_add_char(&out, *template ++);
		}
	}
	snprintf(text, TEXT_MAX, "%s", text_str(&out));
}

static json_t *filled(const struct operation *o, const char *template)
{
	char text[TEXT_MAX];

	fill(template, o->kind, text);
	return json_string(text);
}

static json_t *member(json_t *object, const char *name)
{
	if (!json_object_get(object, name))
		json_object_set_new(object, name, json_object());
	return json_object_get(object, name);
}

static void add_parameter(void *operation, const char *name)
{
	const struct operation *o = operation;
	json_t *list = json_object_get(o->document, "parameters");

	if (!list) {
		list = json_array();
		json_object_set_new(o->document, "parameters", list);
	}
	json_array_append_new(list, openapi_ref("parameters", name));
}

static void add_body(struct operation *o)
{
	char schema[TEXT_MAX];

	if (!o->route->body)
		return;
	fill(o->route->body, o->kind, schema);
	json_object_set_new(o->document, "requestBody",
			    json_pack("{s:b, s:{s:{s:o}}}", "required",
				      !(o->route->flags & ROUTE_BARE), "content",
				      o->route->flags & ROUTE_MERGE ? "application/merge-patch+json"
								    : "application/json",
				      "schema", openapi_ref("schemas", schema)));
}

static const char *status_word(unsigned status, const struct kind *kind)
{
	switch (status) {
	case 200:
		return "done";
	case 201:
		return "created";
	case 202:
		return "accepted; it takes longer than this request";
	case 204:
		return kind ? "gone" : "noted: the answer comes to who watches";
	case 304:
		return "the client has it already";
	}
	assert(!"a status without a word");
	return "";
}

/* Beside a schema that is there already: either of them. */
static void add_schema(json_t *content, const char *media, json_t *schema)
{
	json_t *of_media = member(content, media);
	json_t *there = json_object_get(of_media, "schema"), *any = json_object_get(there, "anyOf");

	if (any)
		json_array_append_new(any, schema);
	else if (there)
		json_object_set_new(of_media, "schema",
				    json_pack("{s:[O, o]}", "anyOf", there, schema));
	else
		json_object_set_new(of_media, "schema", schema);
}

static void add_answer(struct operation *o, const struct api_answer *answer)
{
	json_t *responses = member(o->document, "responses");
	char status[16], schema[TEXT_MAX];

	snprintf(status, sizeof(status), "%u", answer->status);
	json_t *response = member(responses, status);
	json_object_set_new(response, "description",
			    json_string(status_word(answer->status, o->kind)));
	api_openapi_words(answer->headers, api_openapi_header, response);
	if (answer->schema) {
		fill(answer->schema, o->kind, schema);
		json_t *one = openapi_ref("schemas", schema);

		/* a text of many such documents, as they come (contentSchema of 2020-12) */
		if (answer->media)
			one = json_pack("{s:s, s:s, s:o}", "type", "string", "contentMediaType",
					"application/json", "contentSchema", one);
		add_schema(member(response, "content"),
			   answer->media ? answer->media : "application/json", one);
	} else if (answer->media) {
		add_schema(member(response, "content"), answer->media,
			   json_pack("{s:s}", "type", "string"));
	}
}

static void add_refusal(void *operation, const char *status)
{
	const struct operation *o = operation;
	char name[OPENAPI_NAME];

	api_openapi_refusal((unsigned)strtoul(status, NULL, 10), name);
	json_object_set_new(member(o->document, "responses"), status,
			    openapi_ref("responses", name));
}

static void add_refusals(struct operation *o)
{
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		if ((o->route->flags & common[i].flags) == common[i].flags &&
		    !(o->route->flags & common[i].without))
			api_openapi_words(common[i].statuses, add_refusal, o);
	api_openapi_words(o->route->problems, add_refusal, o);
}

/* By status, as jansson keeps the order in which they came. */
static void sort_responses(json_t *document)
{
	json_t *responses = json_object_get(document, "responses"), *sorted = json_object();
	char status[16];

	for (int i = 200; i < 600; i++) {
		snprintf(status, sizeof(status), "%d", i);
		if (json_object_get(responses, status))
			json_object_set(sorted, status, json_object_get(responses, status));
	}
	json_object_set_new(document, "responses", sorted);
}

static const char *tag_of(const struct operation *o)
{
	if (o->kind)
		return o->kind->path;
	return strncmp(o->route->path, "/v1/tunnels/", 12) == 0 ? tunnel_kind.path : "agent";
}

/* The same without bodies. */
static json_t *head_of(const json_t *get)
{
	json_t *head = json_deep_copy(get), *response;
	char id[TEXT_MAX];
	const char *status;

	snprintf(id, sizeof(id), "%sHead", json_string_value(json_object_get(get, "operationId")));
	json_object_set_new(head, "operationId", json_string(id));
	json_object_foreach(json_object_get(head, "responses"), status, response) {
		json_object_del(response, "content");
		if (!json_object_get(response, "$ref"))
			continue;
		json_object_clear(response);
		json_object_set_new(response, "description", json_string("refused, as GET is"));
	}
	return head;
}

static json_t *operation(const struct api_route *route, const struct kind *kind)
{
	struct operation o = {route, kind, json_object()};

	json_object_set_new(o.document, "operationId", filled(&o, route->id));
	json_object_set_new(o.document, "tags", json_pack("[s]", tag_of(&o)));
	json_object_set_new(o.document, "summary", filled(&o, route->summary));
	json_object_set_new(o.document, "description", filled(&o, route->doc));
	if (route->flags & ROUTE_OPEN)
		json_object_set_new(o.document, "security", json_array());
	if (strstr(route->path, "{name}"))
		add_parameter(&o, "resource");
	api_openapi_words(route->params, add_parameter, &o);
	api_openapi_words(route->headers, add_parameter, &o);
	add_body(&o);
	for (unsigned i = 0; i < API_ANSWERS_MAX && route->answers[i].status; i++)
		add_answer(&o, &route->answers[i]);
	add_refusals(&o);
	sort_responses(o.document);
	return o.document;
}

static void add_operation(json_t *paths, const struct api_route *route, const struct kind *kind)
{
	char path[TEXT_MAX], method[16] = "";

	fill(route->path, kind, path);
	for (size_t i = 0; route->method[i] && i + 1 < sizeof(method); i++)
		method[i] = (char)(route->method[i] - 'A' + 'a');
	json_t *item = member(paths, path), *document = operation(route, kind);
	json_object_set_new(item, method, document);
	if (strcmp(method, "get") == 0)
		json_object_set_new(item, "head", head_of(document));
}

/* Nothing is counted for an exit route, say. */
static bool has_schemas(const json_t *schemas, const struct api_route *route,
			const struct kind *kind)
{
	char name[TEXT_MAX];

	for (unsigned i = 0; i < API_ANSWERS_MAX && route->answers[i].status; i++) {
		if (!route->answers[i].schema)
			continue;
		fill(route->answers[i].schema, kind, name);
		if (!json_object_get(schemas, name))
			return false;
	}
	return true;
}

static json_t *paths(const json_t *schemas)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < api_routes_count; i++) {
		const struct api_route *route = &api_routes[i];
		bool has_kind = strstr(route->path, "{kind}");

		for (unsigned k = 0; k < (has_kind ? RESOURCE_KINDS : 1); k++)
			if (has_schemas(schemas, route, has_kind ? kinds[k] : NULL))
				add_operation(all, route, has_kind ? kinds[k] : NULL);
	}
	return all;
}

static json_t *info(void)
{
	return json_pack(
		"{s:s, s:s, s:s, s:{s:s, s:s}}", "title", "ipipd", "version", IPIPD_VERSION,
		"description",
		"An agent that keeps a host's IPIP tunnels, exit routes and NAT rules equal to "
		"what is declared here. It listens on a unix socket, whose callers it knows by "
		"their user, and on TCP where it is told to, for tokens and client certificates. "
		"A method that a path does not have is 405.",
		"license", "name", "GPL-2.0-or-later", "url",
		"https://www.gnu.org/licenses/old-licenses/gpl-2.0.html");
}

static json_t *servers(void)
{
	return json_pack("[{s:s, s:s, s:{s:{s:s, s:s}, s:{s:s, s:s}}}]", "url",
			 "https://{host}:{port}", "description", "the agent of a host", "variables",
			 "host", "default", "127.0.0.1", "description", "where it listens", "port",
			 "default", "7443", "description", "as its settings say");
}

static json_t *tags(void)
{
	json_t *list = json_array();

	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", kinds[k]->path,
						      "description", kinds[k]->doc));
	json_array_append_new(list, json_pack("{s:s, s:s}", "name", "agent", "description",
					      "the agent itself, all that it keeps, its host"));
	return list;
}

static json_t *security_schemes(void)
{
	return json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s}}", "bearer", "type", "http", "scheme",
			 "bearer", "description", "a named token, of role admin or read",
			 "certificate", "type", "mutualTLS", "description",
			 "of a client, whose name has the role admin or read");
}

void api_openapi_add(struct text *text)
{
	json_t *schemas = json_object();

	api_answers_add(schemas);
	json_t *document = json_pack(
		"{s:s, s:o, s:o, s:[{s:[]}, {s:[]}], s:o, s:o, s:{s:o, s:o, s:o, s:o, s:o}}",
		"openapi", "3.1.0", "info", info(), "servers", servers(), "security", "bearer",
		"certificate", "tags", tags(), "paths", paths(schemas), "components",
		"securitySchemes", security_schemes(), "parameters", api_openapi_parameters(),
		"headers", api_openapi_headers(), "responses", api_openapi_refusals(), "schemas",
		schemas);
	char *dumped = json_dumps(document, JSON_INDENT(1));

	if (!dumped)
		out_of_memory(0);
	text_add(text, dumped);
	text_add_char(text, '\n');
	free(dumped);
	json_decref(document);
}

void api_openapi_get(struct api_call *call)
{
	static const char *const headers[] = {"Content-Type", "application/json", NULL};
	struct text *kept = &call->api->openapi; /* making it takes longer than a turn should */

	if (!kept->len)
		api_openapi_add(kept);
	http_respond(call->request, 200, headers, kept->s, kept->len);
}
