/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documents of the API: declared fields come from codec/, and what the agent adds is put
 * beside them here. Lists are written one resource at a time by their callers.
 */
#include "daemon/api_json.h"

#include "daemon/api_problem.h"
#include "daemon/digest.h"
#include "plan/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static json_t *time_of(int64_t ms)
{
	char text[32];

	json_time(ms, text);
	return json_string(text);
}

/* Status of the declared generation: what a pass said of an earlier one is out of date. */
static bool is_current(const struct resource *resource, const struct status *status)
{
	return status->generation >= resource->generation;
}

enum state api_json_state(struct agent *agent, const struct kind *kind,
			  const struct resource *resource)
{
	const struct status *status = reconcile_status(agent->reconcile, kind->id, resource->name);

	if (resource->deleting)
		return STATE_DELETING;
	return is_current(resource, status) ? status->state : STATE_PENDING;
}

static json_t *effective(const struct kind *kind, const struct status_details *details)
{
	if (!details->effective)
		return json_object();
	return json_encode_rows(kind, details->effective, field_set_mask(details->effective));
}

static json_t *objects(const struct status_details *details)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < details->objects_len; i++) {
		const struct status_object *object = &details->objects[i];
		json_t *value = json_pack("{s:s, s:s, s:s}", "kind", kinds[object->kind]->noun,
					  "key", object->key, "state",
					  object_state_names[object->state]);

		if (object->message)
			json_object_set_new(value, "message", json_string(object->message));
		json_array_append_new(list, value);
	}
	return list;
}

/* A word and a sentence for a generation that no pass has seen yet. */
static const char *reason_of(const struct resource *resource, const struct status *status)
{
	return is_current(resource, status) ? status->reason : "NotTried";
}

static const char *message_of(const struct resource *resource, const struct status *status)
{
	return is_current(resource, status) ? status_message(status)
					    : "this generation was not tried yet";
}

static json_t *status_document(struct agent *agent, const struct kind *kind,
			       const struct resource *resource)
{
	const struct status *status = reconcile_status(agent->reconcile, kind->id, resource->name);
	bool current = is_current(resource, status);
	cleanup_arena struct arena arena = {0};
	struct status_details details;

	reconcile_details(agent->reconcile, kind, resource, &arena, &details);
	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:I}", "state",
			 state_names[api_json_state(agent, kind, resource)], "reason",
			 reason_of(resource, status), "message", message_of(resource, status),
			 "since", time_of(current ? status->since_ms : resource->updated_ms),
			 "generation", (json_int_t)status->generation, "effective",
			 effective(kind, &details), "objects", objects(&details), "objects_total",
			 (json_int_t)status->objects_total);
}

json_t *api_json_document(struct agent *agent, const struct kind *kind,
			  const struct resource *resource)
{
	json_t *document = json_encode(kind, resource);

	json_object_set_new(document, "uid", json_string(resource->uid));
	json_object_set_new(document, "generation", json_integer((json_int_t)resource->generation));
	json_object_set_new(document, "created_at", time_of(resource->created_ms));
	json_object_set_new(document, "updated_at", time_of(resource->updated_ms));
	json_object_set_new(document, "status", status_document(agent, kind, resource));
	return document;
}

json_t *api_json_not_ready(struct agent *agent, const struct kind *kind,
			   const struct resource *resource)
{
	const struct status *status = reconcile_status(agent->reconcile, kind->id, resource->name);

	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", kind->noun, "name", resource->name,
			 "state", state_names[api_json_state(agent, kind, resource)], "reason",
			 reason_of(resource, status), "message", message_of(resource, status));
}

static json_t *object_of(const struct op *op, const struct object *object)
{
	return object ? json_encode_object(kinds[op->kind], object) : json_null();
}

static json_t *op_document(const struct op *op, struct arena *arena)
{
	const struct kind *kind = kinds[op->kind];

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s?, s:s?}", "verb", op_verb_names[op->verb],
			 "kind", kind->noun, "key", kind_key_text(kind, op_object(op), arena),
			 "want", object_of(op, op->want), "have", object_of(op, op->have), "why",
			 op->why, "command", show_command(op, arena));
}

json_t *api_json_plan(const struct ops *ops, uint64_t revision, struct arena *arena)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ops->len; i++)
		json_array_append_new(list, op_document(&ops->v[i], arena));
	return json_pack("{s:o, s:I}", "ops", list, "revision", (json_int_t)revision);
}

static void generation_digest(const struct resource *resource, char hex[static DIGEST_SHORT])
{
	char text[RESOURCE_UID + 24];
	int len = snprintf(text, sizeof(text), "%s %" PRIu64, resource->uid, resource->generation);

	digest_short(text, (size_t)len, hex);
}

void api_json_etag(const struct resource *resource, const char *body, size_t len,
		   char etag[static API_ETAG])
{
	char generation[DIGEST_SHORT], content[DIGEST_SHORT];

	generation_digest(resource, generation);
	digest_short(body, len, content);
	snprintf(etag, API_ETAG, "\"%s-%s\"", generation, content);
}

struct tag {
	const char *s; /* with its quotes, without W/ */
	size_t len;
	bool is_any; /* * */
};

/* Steps through `"a", W/"b", *`; false at the end. Compared strongly, W/"b" is none of them. */
static bool next_tag(const char **list, enum api_comparison comparison, struct tag *tag)
{
	bool is_weak;

	do {
		const char *s = *list + strspn(*list, ", \t");

		if (!*s)
			return false;
		is_weak = strncmp(s, "W/", 2) == 0;
		s += is_weak ? 2 : 0;
		const char *end = *s == '"' ? strchr(s + 1, '"') : NULL;
		tag->s = s;
		tag->len = end ? (size_t)(end - s) + 1 : strcspn(s, ", \t");
		*list = s + tag->len;
	} while (is_weak && comparison == API_STRONG);
	tag->is_any = tag->len == 1 && *tag->s == '*';
	return true;
}

bool api_json_matches_generation(const char *list, enum api_comparison comparison,
				 const struct resource *resource)
{
	char generation[DIGEST_SHORT];
	struct tag tag;

	generation_digest(resource, generation);
	while (next_tag(&list, comparison, &tag)) {
		if (tag.is_any)
			return true;
		if (tag.len > DIGEST_SHORT && *tag.s == '"' &&
		    memcmp(tag.s + 1, generation, DIGEST_SHORT - 1) == 0 &&
		    tag.s[DIGEST_SHORT] == '-')
			return true;
	}
	return false;
}

bool api_json_matches(const char *list, enum api_comparison comparison, const char *etag)
{
	struct tag tag;

	while (next_tag(&list, comparison, &tag))
		if (tag.is_any || (tag.len == strlen(etag) && memcmp(tag.s, etag, tag.len) == 0))
			return true;
	return false;
}

static int append(const char *buffer, size_t size, void *text)
{
	text_add_len(text, buffer, size);
	return 0;
}

void api_json_add(struct text *text, json_t *value)
{
	if (json_dump_callback(value, append, text, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
		out_of_memory(0);
	json_decref(value);
}

void api_json_respond(struct http_request *request, unsigned status, const char *const *headers,
		      json_t *value)
{
	static const char *const plain[] = {"Content-Type", "application/json", NULL};
	cleanup_text struct text text = {0};

	api_json_add(&text, value);
	text_add(&text, "\n");
	http_respond(request, status, headers ? headers : plain, text.s, text.len);
}

void api_json_respond_resource(struct agent *agent, struct http_request *request, unsigned status,
			       const struct kind *kind, const struct resource *resource)
{
	cleanup_text struct text text = {0};
	char etag[API_ETAG], location[32 + RESOURCE_NAME];
	const char *headers[] = {
		"Content-Type", "application/json", "ETag", etag, NULL, NULL, NULL};

	api_json_add(&text, api_json_document(agent, kind, resource));
	text_add(&text, "\n");
	api_json_etag(resource, text.s, text.len, etag);
	snprintf(location, sizeof(location), "/v1/%s/%s", kind->path, resource->name);
	if (status == 201) {
		headers[4] = "Location";
		headers[5] = location;
	}
	const char *known = http_header(request, "If-None-Match");
	bool reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
	if (reads && known && api_json_matches(known, API_WEAK, etag))
		http_respond(request, 304, headers + 2, "", 0);
	else
		http_respond(request, status, headers, text.s, text.len);
}
