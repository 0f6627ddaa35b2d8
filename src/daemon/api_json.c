/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documents of the API: declared fields come from codec/, and what the agent adds is put
 * beside them here. What there may be thousands of is written straight to text.
 */
#include "daemon/api_json.h"

#include "daemon/api_problem.h"
#include "daemon/digest.h"
#include "plan/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

void api_json_count_states(struct agent *agent, uint64_t n[static RESOURCE_KINDS][STATES])
{
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		const struct resources *list = &agent->declaration.kind[k];

		for (size_t i = 0; i < list->len; i++)
			n[k][api_json_state(agent, kinds[k], list->v[i])]++;
	}
}

static void add_effective(struct text *text, const struct kind *kind,
			  const struct status_details *details)
{
	json_add_name(text, "effective");
	text_add_char(text, '{');
	if (details->effective)
		json_add_members(text, kind, details->effective,
				 field_set_mask(details->effective));
	text_add_char(text, '}');
}

static void add_objects(struct text *text, const struct status_details *details)
{
	json_add_name(text, "objects");
	text_add_char(text, '[');
	for (uint32_t i = 0; i < details->objects_len; i++) {
		const struct status_object *object = &details->objects[i];

		text_add(text, i ? ",{" : "{");
		json_member_string(text, "kind", kinds[object->kind]->noun);
		json_member_string(text, "key", object->key);
		json_member_string(text, "state", object_state_names[object->state]);
		if (object->message)
			json_member_string(text, "message", object->message);
		text_add_char(text, '}');
	}
	text_add_char(text, ']');
}

/* What is told of a resource, whether a pass has seen yet how it is declared now, or not. */
struct told {
	enum reason reason;
	const char *message;
	int64_t since_ms;
};

static struct told told_of(const struct resource *resource, const struct status *status)
{
	if (resource->deleting && status->state != STATE_DELETING)
		return (struct told){REASON_DELETING, "its objects are yet to be removed",
				     resource->updated_ms};
	if (!is_current(resource, status))
		return (struct told){REASON_NOT_TRIED, "this generation was not tried yet",
				     resource->updated_ms};
	return (struct told){status->reason, status_message(status), status->since_ms};
}

static void add_state(struct text *text, struct agent *agent, const struct kind *kind,
		      const struct resource *resource, const struct told *told)
{
	json_member_string(text, "state", state_names[api_json_state(agent, kind, resource)]);
	json_member_string(text, "reason", reason_names[told->reason]);
	json_member_string(text, "message", told->message);
}

static void add_status(struct text *text, struct agent *agent, const struct kind *kind,
		       const struct resource *resource)
{
	const struct status *status = reconcile_status(agent->reconcile, kind->id, resource->name);
	const struct told told = told_of(resource, status);
	cleanup_arena struct arena arena = {0};
	struct status_details details;

	reconcile_details(agent->reconcile, kind, resource, &arena, &details);
	json_add_name(text, "status");
	text_add_char(text, '{');
	add_state(text, agent, kind, resource, &told);
	json_member_time(text, "since", told.since_ms);
	json_member_number(text, "generation", status->generation);
	add_effective(text, kind, &details);
	add_objects(text, &details);
	json_member_number(text, "objects_total", status->objects_total);
	text_add_char(text, '}');
}

void api_json_add_document(struct text *text, struct agent *agent, const struct kind *kind,
			   const struct resource *resource)
{
	text_add_char(text, '{');
	json_add_declared(text, kind, resource);
	json_member_string(text, "uid", resource->uid);
	json_member_number(text, "generation", resource->generation);
	json_member_time(text, "created_at", resource->created_ms);
	json_member_time(text, "updated_at", resource->updated_ms);
	add_status(text, agent, kind, resource);
	text_add_char(text, '}');
}

void api_json_add_not_ready(struct text *text, struct agent *agent, const struct kind *kind,
			    const struct resource *resource)
{
	const struct status *status = reconcile_status(agent->reconcile, kind->id, resource->name);
	const struct told told = told_of(resource, status);

	text_add_char(text, '{');
	json_member_string(text, "kind", kind->noun);
	json_member_string(text, "name", resource->name);
	add_state(text, agent, kind, resource, &told);
	text_add_char(text, '}');
}

static void add_object(struct text *text, const char *name, const struct op *op,
		       const struct object *object)
{
	json_add_name(text, name);
	if (object)
		json_add_object(text, kinds[op->kind], object);
	else
		text_add(text, "null");
}

static void add_words(struct text *text, const char *name, const char *words)
{
	json_add_name(text, name);
	if (words)
		json_add_string(text, words);
	else
		text_add(text, "null");
}

void api_json_add_op(struct text *text, const struct op *op, struct arena *arena)
{
	const struct kind *kind = kinds[op->kind];

	text_add_char(text, '{');
	json_member_string(text, "verb", op_verb_names[op->verb]);
	json_member_string(text, "kind", kind->noun);
	json_member_string(text, "key", kind_key_text(kind, op_object(op), arena));
	add_object(text, "want", op, op->want);
	add_object(text, "have", op, op->have);
	add_words(text, "why", op->why);
	add_words(text, "command", show_command(op, arena));
	text_add_char(text, '}');
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

void api_json_respond_text(struct http_request *request, struct text *text)
{
	static const char *const headers[] = {"Content-Type", "application/json", NULL};

	text_add_char(text, '\n');
	http_respond(request, 200, headers, text->s, text->len);
}

void api_json_text(json_t *value, struct text *text)
{
	/* as many digits as a double keeps; of 0.974 jansson's 17 make 0.97399999999999998 */
	size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);

	if (json_dump_callback(value, append, text, flags) != 0)
		out_of_memory(0);
	json_decref(value);
	text_add_char(text, '\n');
}

void api_json_respond(struct http_request *request, unsigned status, const char *const *headers,
		      json_t *value)
{
	static const char *const plain[] = {"Content-Type", "application/json", NULL};
	cleanup_text struct text text = {0};

	api_json_text(value, &text);
	http_respond(request, status, headers ? headers : plain, text.s, text.len);
}

void api_json_respond_resource(struct agent *agent, struct http_request *request, unsigned status,
			       const struct kind *kind, const struct resource *resource)
{
	cleanup_text struct text text = {0};
	char etag[API_ETAG], location[32 + RESOURCE_NAME];
	const char *headers[] = {
		"Content-Type", "application/json", "ETag", etag, NULL, NULL, NULL};

	api_json_add_document(&text, agent, kind, resource);
	text_add_char(&text, '\n');
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
