/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forms of a resource: what is required, what may be null, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "codec/openapi.h"
#include "model/resource.h"

static const struct openapi_member members[] = {
	{"state", OPENAPI_STRING, .doc = "a word"},
	{"since", OPENAPI_TIME, OPENAPI_OPTIONAL | OPENAPI_NULLABLE, .doc = "a time"},
	{"parts", OPENAPI_SCHEMA, OPENAPI_LIST, "Part", .doc = "a list"},
	{"whole", OPENAPI_SCHEMA, OPENAPI_NULLABLE, "Whole", .doc = "one or none"},
};

static json_t *schemas_of(const struct kind *kind)
{
	json_t *schemas = json_object();

	openapi_add(schemas,
		    &(struct openapi_schema){"Status", "a status", members, ARRAY_LEN(members)});
	if (kind)
		openapi_add_resource(schemas, kind);
	return schemas;
}

static bool requires(const json_t *schemas, const char *name, const char *member)
{
	json_t *required = json_object_get(json_object_get(schemas, name), "required");

	for (size_t i = 0; i < json_array_size(required); i++)
		if (strcmp(json_string_value(json_array_get(required, i)), member) == 0)
			return true;
	return false;
}

static json_t *property(const json_t *schemas, const char *name, const char *member)
{
	return json_object_get(json_object_get(json_object_get(schemas, name), "properties"),
			       member);
}

static bool is_open(const json_t *schemas, const char *name)
{
	return !json_is_false(
		json_object_get(json_object_get(schemas, name), "additionalProperties"));
}

static void nouns_become_names(void **state)
{
	char name[OPENAPI_NAME];

	(void)state;
	openapi_name("exit-route", name);
	assert_string_equal(name, "ExitRoute");
	openapi_name("tunnel", name);
	assert_string_equal(name, "Tunnel");
}

static void members_become_properties(void **state)
{
	json_t *schemas = schemas_of(NULL);
	char *text = json_dumps(json_object_get(schemas, "Status"), JSON_COMPACT);

	(void)state;
	assert_string_equal(text,
			    "{\"description\":\"a status\",\"type\":\"object\","
			    "\"required\":[\"state\",\"parts\",\"whole\"],\"properties\":{"
			    "\"state\":{\"description\":\"a word\",\"type\":\"string\"},"
			    "\"since\":{\"description\":\"a time\",\"type\":[\"string\",\"null\"],"
			    "\"format\":\"date-time\"},"
			    "\"parts\":{\"description\":\"a list\",\"type\":\"array\","
			    "\"items\":{\"$ref\":\"#/components/schemas/Part\"}},"
			    "\"whole\":{\"description\":\"one or none\",\"anyOf\":["
			    "{\"$ref\":\"#/components/schemas/Whole\"},{\"type\":\"null\"}]}}}");
	free(text);
	json_decref(schemas);
}

static void every_row_is_in_every_form(void **state)
{
	static const char *const forms[] = {"", "Declaration", "Put", "Patch"};

	(void)state;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		json_t *schemas = schemas_of(kinds[k]);
		char name[OPENAPI_NAME], full[2 * OPENAPI_NAME];

		openapi_name(kinds[k]->noun, name);
		for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
			snprintf(full, sizeof(full), "%s%s", name, forms[f]);
			for (unsigned i = 0; i < kinds[k]->n_fields; i++)
				assert_non_null(property(schemas, full, kinds[k]->fields[i].name));
			assert_non_null(property(schemas, full, "uid"));
		}
		json_decref(schemas);
	}
}

static void the_agent_gives_all_and_takes_the_declared(void **state)
{
	json_t *schemas = schemas_of(&tunnel_kind);

	(void)state;
	assert_true(requires(schemas, "Tunnel", "status"));
	assert_true(requires(schemas, "Tunnel", "name"));
	assert_false(requires(schemas, "Tunnel", "local"));
	assert_true(is_open(schemas, "Tunnel"));
	assert_true(requires(schemas, "TunnelDeclaration", "name"));
	assert_true(requires(schemas, "TunnelDeclaration", "remote"));
	assert_false(requires(schemas, "TunnelDeclaration", "uid"));
	assert_false(is_open(schemas, "TunnelDeclaration"));
	json_decref(schemas);
}

static void the_path_names_what_is_put(void **state)
{
	json_t *schemas = schemas_of(&tunnel_kind);

	(void)state;
	assert_false(requires(schemas, "TunnelPut", "name"));
	assert_true(requires(schemas, "TunnelPut", "remote"));
	assert_false(is_open(schemas, "TunnelPut"));
	json_decref(schemas);
}

static void a_patch_takes_away_what_is_not_required(void **state)
{
	json_t *schemas = schemas_of(&tunnel_kind);

	(void)state;
	assert_false(requires(schemas, "TunnelPatch", "remote"));
	assert_true(json_is_array(
		json_object_get(property(schemas, "TunnelPatch", "comment"), "type")));
	assert_true(json_is_string(
		json_object_get(property(schemas, "TunnelPatch", "remote"), "type")));
	assert_null(json_object_get(property(schemas, "TunnelPatch", "ttl"), "default"));
	json_t *values = json_object_get(property(schemas, "TunnelPatch", "labels"),
					 "additionalProperties");
	assert_true(json_is_array(json_object_get(values, "type")));
	json_decref(schemas);
}

static void each_kind_has_its_effective_fields(void **state)
{
	json_t *schemas = schemas_of(&tunnel_kind);
	json_t *effective = property(schemas, "TunnelStatus", "effective");

	(void)state;
	assert_non_null(json_object_get(json_object_get(effective, "properties"), "mtu"));
	assert_null(json_object_get(effective, "required"));
	assert_non_null(property(schemas, "TunnelStatus", "state"));
	assert_null(property(schemas, "Status", "effective"));
	json_decref(schemas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nouns_become_names),
		cmocka_unit_test(members_become_properties),
		cmocka_unit_test(every_row_is_in_every_form),
		cmocka_unit_test(the_agent_gives_all_and_takes_the_declared),
		cmocka_unit_test(the_path_names_what_is_put),
		cmocka_unit_test(a_patch_takes_away_what_is_not_required),
		cmocka_unit_test(each_kind_has_its_effective_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
