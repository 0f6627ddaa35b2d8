/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Schemas of whole documents: resources, kernel objects, and what has a table of members. */
#include "codec/openapi.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "codec/examples.h"
#include "model/resource.h"

void openapi_name(const char *noun, char to[static OPENAPI_NAME])
{
	bool begins = true;
	size_t len = 0;

	for (; *noun && len + 1 < OPENAPI_NAME; noun++) {
		bool is_lower = *noun >= 'a' && *noun <= 'z';

		if (*noun != '-')
			to[len++] = (char)(begins && is_lower ? *noun - 'a' + 'A' : *noun);
		begins = *noun == '-';
	}
	to[len] = '\0';
}

json_t *openapi_ref(const char *section, const char *name)
{
	char ref[96];

	snprintf(ref, sizeof(ref), "#/components/%s/%s", section, name);
	return json_pack("{s:s}", "$ref", ref);
}

json_t *openapi_described(const char *doc)
{
	return doc ? json_pack("{s:s}", "description", doc) : json_object();
}

static json_t *object(const char *doc, json_t *required, json_t *properties)
{
	json_t *schema = openapi_described(doc);

	json_object_set_new(schema, "type", json_string("object"));
	if (json_array_size(required))
		json_object_set(schema, "required", required);
	json_decref(required);
	json_object_set_new(schema, "properties", properties);
	return schema;
}

static json_t *choices(const struct openapi_member *member)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < member->n_choices; i++)
		json_array_append_new(list, json_string(member->choices[i]));
	return json_pack("{s:s, s:o}", "type", "string", "enum", list);
}

static json_t *of_type(const struct openapi_member *member)
{
	switch (member->type) {
	case OPENAPI_BOOLEAN:
		return json_pack("{s:s}", "type", "boolean");
	case OPENAPI_INTEGER:
		return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
	case OPENAPI_NUMBER:
		return json_pack("{s:s, s:i}", "type", "number", "minimum", 0);
	case OPENAPI_STRING:
		return json_pack("{s:s}", "type", "string");
	case OPENAPI_TIME:
		return json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
	case OPENAPI_UUID:
		return json_pack("{s:s, s:s}", "type", "string", "format", "uuid");
	case OPENAPI_ADDRESS:
		return json_pack("{s:s, s:s}", "type", "string", "format", "ipv4");
	case OPENAPI_CHOICE:
		return choices(member);
	case OPENAPI_ANY:
		return json_object();
	case OPENAPI_SCHEMA:
		return openapi_ref("schemas", member->schema);
	}
	return NULL;
}

/* null beside what the schema takes */
static json_t *nullable(json_t *schema)
{
	json_t *type = json_object_get(schema, "type"), *any = json_object_get(schema, "anyOf");

	if (json_object_get(schema, "enum"))
		json_array_append_new(json_object_get(schema, "enum"), json_null());
	if (any)
		json_array_append_new(any, json_pack("{s:s}", "type", "null"));
	else if (!type)
		return json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
	else
		json_object_set_new(schema, "type", json_pack("[O, s]", type, "null"));
	return schema;
}

static json_t *member_schema(const struct openapi_member *member)
{
	json_t *schema = openapi_described(member->doc), *value = of_type(member);

	if (member->flags & OPENAPI_LIST)
		value = json_pack("{s:s, s:o}", "type", "array", "items", value);
	if (member->flags & OPENAPI_NULLABLE)
		value = nullable(value);
	json_object_update_new(schema, value);
	return schema;
}

static void add_members(json_t *required, json_t *properties, const struct openapi_member *members,
			unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!(members[i].flags & OPENAPI_OPTIONAL))
			json_array_append_new(required, json_string(members[i].name));
		json_object_set_new(properties, members[i].name, member_schema(&members[i]));
	}
}

void openapi_add(json_t *schemas, const struct openapi_schema *schema)
{
	json_t *required = json_array(), *properties = json_object();

	add_members(required, properties, schema->members, schema->n_members);
	json_object_set_new(schemas, schema->name, object(schema->doc, required, properties));
}

/* clang-format off */
static const struct openapi_member agents_members[] = {
	{"uid", OPENAPI_UUID, .doc = "stays while the resource does"},
	{"generation", OPENAPI_INTEGER, .doc = "counts the declarations of this resource, from 1; "
	 "in a body it must be the current one, or absent"},
	{"created_at", OPENAPI_TIME, .doc = "when it was first declared"},
	{"updated_at", OPENAPI_TIME, .doc = "when it was last declared otherwise"},
};
/* clang-format on */

/* Forms of one resource. */
enum form {
	FORM_ANSWER,      /* as the agent gives it */
	FORM_DECLARATION, /* as it is given to the agent */
	FORM_PUT,         /* the same, named by the path */
	FORM_PATCH,       /* what changes in it */
	FORM_EFFECTIVE,   /* what the agent made of it */
};

static const struct {
	const char *suffix, *doc;
} forms[] = {
	[FORM_ANSWER] = {"", "as declared, and what the agent adds"},
	[FORM_DECLARATION] = {"Declaration", "as declared"},
	[FORM_PUT] = {"Put", "as declared; its name is that of the path"},
	[FORM_PATCH] = {"Patch", "what changes of it; null takes a member back to its default"},
};

static void add_fields(json_t *required, json_t *properties, const struct kind *kind,
		       enum form form)
{
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];
		json_t *schema = openapi_field(field);
		bool is_key = field->flags & FIELD_KEY;

		if (field->flags & FIELD_REQUIRED && form < FORM_PATCH &&
		    !(is_key && form == FORM_PUT))
			json_array_append_new(required, json_string(field->name));
		if (form >= FORM_PATCH)
			json_object_del(schema, "default");
		if (form == FORM_PATCH && !(field->flags & FIELD_REQUIRED))
			schema = nullable(schema);
		if (form == FORM_PATCH && field->type == FIELD_LABELS)
			nullable(json_object_get(schema, "additionalProperties"));
		json_object_set_new(properties, field->name, schema);
	}
}

/* In a body generation counts, and the others are passed over. */
static void add_agents(json_t *required, json_t *properties, const char *status, enum form form)
{
	json_t *optional = json_array();
	json_t *agents = json_object();

	add_members(form == FORM_ANSWER ? required : optional, agents, agents_members,
		    ARRAY_LEN(agents_members));
	json_object_set_new(agents, "status",
			    form == FORM_ANSWER
				    ? openapi_ref("schemas", status)
				    : json_pack("{s:s, s:s}", "type", "object", "description",
						"passed over: so what was read can be given"));
	if (form == FORM_ANSWER)
		json_array_append_new(required, json_string("status"));
	json_object_update_new(properties, agents);
	json_decref(optional);
}

static void add_form(json_t *schemas, const struct kind *kind, const char *name, enum form form)
{
	json_t *required = json_array(), *properties = json_object();
	char full[2 * OPENAPI_NAME], status[2 * OPENAPI_NAME], doc[160];

	snprintf(full, sizeof(full), "%s%s", name, forms[form].suffix);
	snprintf(status, sizeof(status), "%sStatus", name);
	snprintf(doc, sizeof(doc), "%s: %s", kind->doc, forms[form].doc);
	add_fields(required, properties, kind, form);
	add_agents(required, properties, status, form);
	json_t *schema = object(doc, required, properties);
	if (form != FORM_ANSWER)
		json_object_set_new(schema, "additionalProperties", json_false());
	json_object_set_new(schemas, full, schema);
}

static void add_list(json_t *schemas, const char *name)
{
	const struct openapi_member members[] = {
		{"items", OPENAPI_SCHEMA, OPENAPI_LIST, name, .doc = "by name"},
		{"revision", OPENAPI_INTEGER, .doc = "of the declaration"},
		{"next", OPENAPI_STRING, OPENAPI_NULLABLE,
		 .doc = "give it as `after` for what follows; null: that was all"},
	};
	char list[2 * OPENAPI_NAME];

	snprintf(list, sizeof(list), "%sList", name);
	openapi_add(schemas, &(struct openapi_schema){list, "a part of a list", members,
						      ARRAY_LEN(members)});
}

/* The common status, and what was chosen for the fields of this kind. */
static void add_status(json_t *schemas, const struct kind *kind, const char *name)
{
	json_t *common = json_object_get(schemas, "Status"), *none = json_array(),
	       *effective = json_object();
	char status[2 * OPENAPI_NAME];

	assert(common);
	snprintf(status, sizeof(status), "%sStatus", name);
	add_fields(none, effective, kind, FORM_EFFECTIVE);
	json_t *own = json_deep_copy(common);
	json_object_set_new(
		json_object_get(own, "properties"), "effective",
		object("what was chosen where the declaration leaves it open", none, effective));
	json_object_set_new(schemas, status, own);
}

void openapi_add_resource(json_t *schemas, const struct kind *kind)
{
	char name[OPENAPI_NAME];

	openapi_name(kind->noun, name);
	for (unsigned form = 0; form < ARRAY_LEN(forms); form++)
		add_form(schemas, kind, name, (enum form)form);
	add_status(schemas, kind, name);
	add_list(schemas, name);
}

void openapi_add_object(json_t *schemas, const struct kind *kind)
{
	json_t *required = json_array(), *properties = json_object();
	char name[OPENAPI_NAME], doc[80];

	openapi_name(kind->noun, name);
	snprintf(doc, sizeof(doc), "an object of the kernel: %s", kind->noun);
	for (unsigned i = 0; i < kind->n_fields; i++) {
		json_t *schema = openapi_field(&kind->fields[i]);

		json_object_del(schema, "default");
		if (kind->fields[i].flags & FIELD_KEY)
			json_array_append_new(required, json_string(kind->fields[i].name));
		json_object_set_new(properties, kind->fields[i].name, schema);
	}
	json_object_set_new(schemas, name, object(doc, required, properties));
}

void openapi_add_body(json_t *schemas, const struct kind *kind, const char *name)
{
	json_t *required = json_array(), *properties = json_object();

	add_fields(required, properties, kind, FORM_DECLARATION);
	json_t *schema = object(kind->doc, required, properties);
	json_object_set_new(schema, "additionalProperties", json_false());
	json_object_set_new(schemas, name, schema);
}

void openapi_add_config(json_t *schemas)
{
	json_t *properties = json_object();

	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		char name[OPENAPI_NAME], declaration[2 * OPENAPI_NAME];

		openapi_name(kinds[k]->noun, name);
		snprintf(declaration, sizeof(declaration), "%sDeclaration", name);
		json_object_set_new(properties, kinds[k]->member,
				    json_pack("{s:s, s:s, s:o}", "type", "array", "description",
					      "a list that is not there is an empty one", "items",
					      openapi_ref("schemas", declaration)));
	}
	json_t *schema = object("the whole declaration", json_array(), properties);
	json_object_set_new(schema, "additionalProperties", json_false());
	json_object_set_new(schemas, "Config", schema);
}

void openapi_add_examples(json_t *schemas)
{
	for (unsigned i = 0; i < examples_count; i++) {
		json_t *schema = json_object_get(schemas, examples[i].schema);
		json_t *value = json_loads(examples[i].json, JSON_REJECT_DUPLICATES, NULL);

		assert(schema && value); /* a file that is none, or has no schema */
		json_object_set_new(schema, "examples", json_pack("[o]", value));
	}
}
