/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every field of every kind against every bad value, by walking the field tables: a new
 * field is tested without a line here, but for its part of the samples.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/json.h"
#include "unit/codec/samples.h"

static struct errs errs;
static struct arena arena;

static json_t *parse(const char *s)
{
	json_t *value;

	errs = (struct errs){0};
	if (json_parse(s, strlen(s), NULL, &value, &errs) != 0)
		fail_msg("%s: %s", s, errs.v[0].sentence);
	return value;
}

static int decode(const struct kind *kind, const json_t *document, struct resource **resource)
{
	uint64_t generation;

	arena_reset(&arena);
	errs = (struct errs){0};
	return json_decode(kind, document, NULL, NULL, &arena, resource, &generation, &errs);
}

/* The only fault has that code, pointer, and a part of the sentence. */
static void assert_fault(const char *code, const char *pointer, const char *part)
{
	assert_int_equal(errs.total, 1);
	assert_string_equal(errs.v[0].code, code);
	assert_string_equal(errs.v[0].pointer, pointer);
	if (!strstr(errs.v[0].sentence, part))
		fail_msg("\"%s\" is not in \"%s\"", part, errs.v[0].sentence);
}

/* Decodes the text as a kind and expects one fault. */
static void refuses(const struct kind *kind, const char *s, const char *code, const char *pointer,
		    const char *part)
{
	struct resource *resource = NULL;
	json_auto_t *document = parse(s);

	assert_int_equal(decode(kind, document, &resource), -EINVAL);
	assert_null(resource);
	assert_fault(code, pointer, part);
}

/* The least document of a kind with one member set; takes the value over. */
static int decode_with(const struct kind *kind, const char *member, json_t *value,
		       struct resource **resource)
{
	json_auto_t *document = parse(least_samples[kind->id]);

	assert_int_equal(json_object_set_new(document, member, value), 0);
	return decode(kind, document, resource);
}

static void assert_refused(const struct kind *kind, const struct field *field, json_t *value,
			   const char *what)
{
	struct resource *resource = NULL;
	char pointer[ERR_POINTER];
	size_t len = (size_t)snprintf(pointer, sizeof(pointer), "/%s", field->name);

	if (decode_with(kind, field->name, value, &resource) != -EINVAL || resource)
		fail_msg("%s %s: %s was accepted", kind->noun, field->name, what);
	assert_true(errs.total > 0);
	for (size_t i = 0; i < errs.len; i++) {
		assert_string_equal(errs.v[i].code, "invalid-resource");
		assert_int_equal(strncmp(errs.v[i].pointer, pointer, len), 0);
		assert_true(strlen(errs.v[i].sentence) > 10);
		json_auto_t *sentence = json_string(errs.v[i].sentence);
		assert_non_null(sentence);
	}
}

enum { NEVER = 0 };
#define ON(type) (1u << (type))

/* Values, and the types of rows that may accept them. */
static const struct {
	const char *json;
	unsigned accepted; /* ON(type): not looked at for those */
} values[] = {
	{"null", NEVER},
	{"1.5", NEVER},
	{"1.0", NEVER},
	{"1e3", NEVER},
	{"-1", NEVER},
	{"-9223372036854775808", NEVER},
	{"9223372036854775807", NEVER},
	{"4294967296", NEVER},
	{"0", ON(FIELD_U8) | ON(FIELD_U16) | ON(FIELD_U32)},
	{"true", ON(FIELD_BOOL)},
	{"false", ON(FIELD_BOOL)},
	{"\"\"", ON(FIELD_STRING)},
	{"\"true\"", ON(FIELD_STRING) | ON(FIELD_NAME)},
	{"\"64\"", ON(FIELD_STRING) | ON(FIELD_NAME)},
	{"\"\\u0007\"", NEVER},
	{"\"\\u001b[31m\"", NEVER},
	{"\"\\u007f\"", NEVER},
	{"\"\\u009b\"", NEVER},
	{"\"a b\"", ON(FIELD_STRING)},
	{"\"a/b\"", ON(FIELD_STRING)},
	{"\"..\"", ON(FIELD_STRING)},
	{"\"\\u00e9\"", ON(FIELD_STRING)},
	{"\"AUTO\"", ON(FIELD_STRING) | ON(FIELD_NAME)},
	{"\"010.0.0.1\"", ON(FIELD_STRING) | ON(FIELD_NAME)},
	{"\"10.0.0.256\"", ON(FIELD_STRING) | ON(FIELD_NAME)},
	{"\"10.0.0\"", ON(FIELD_STRING) | ON(FIELD_NAME)},
	{"\"10.0.0.1/32\"", ON(FIELD_STRING)},
	{"\"0.0.0.0\"", ON(FIELD_STRING) | ON(FIELD_NAME)},
	{"\"::1\"", ON(FIELD_STRING)},
	{"[]", ON(FIELD_PREFIXES)},
	{"[null]", NEVER},
	{"[1]", NEVER},
	{"[[]]", NEVER},
	{"[\"\"]", NEVER},
	{"[\"10.0.0.0\"]", NEVER},
	{"[\"10.0.0.0/33\"]", NEVER},
	{"[\"10.0.0.0/08\"]", NEVER},
	{"[\"10.0.0.1/8\"]", ON(FIELD_PREFIXES)},
	{"[\"10.0.0.0/8\", 1]", NEVER},
	{"{}", ON(FIELD_LABELS)},
	{"{\"k\":1}", NEVER},
	{"{\"k\":null}", NEVER},
	{"{\"k\":{}}", NEVER},
	{"{\"\":\"v\"}", NEVER},
	{"{\"k\":\"\\n\"}", NEVER},
	{"{\"a\\u0001\":\"v\"}", NEVER},
};

static void refuses_every_bad_value_of_every_field(void **state)
{
	(void)state;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (unsigned f = 0; f < kinds[k]->n_fields; f++)
			for (size_t i = 0; i < ARRAY_LEN(values); i++) {
				const struct field *field = &kinds[k]->fields[f];

				if (!(values[i].accepted & ON(field->type)))
					assert_refused(kinds[k], field, parse(values[i].json),
						       values[i].json);
			}
}

/* A text of n bytes. */
static json_t *long_text(size_t n)
{
	char *s = arena_alloc(&arena, n + 1);

	memset(s, 'x', n);
	return json_string(s);
}

static json_t *many(const struct field *field, uint32_t n)
{
	json_t *value = field->type == FIELD_LABELS ? json_object() : json_array();
	char text[32];

	for (uint32_t i = 0; i < n; i++)
		if (field->type == FIELD_LABELS) {
			snprintf(text, sizeof(text), "k%u", i);
			json_object_set_new(value, text, json_string(""));
		} else {
			prefix_text((struct prefix){{0x0a000000 + i}, 32}, text);
			json_array_append_new(value, json_string(text));
		}
	return value;
}

static bool is_number(const struct field *field)
{
	return field->type == FIELD_U8 || field->type == FIELD_U16 || field->type == FIELD_U32 ||
	       field->type == FIELD_S32;
}

static void refuses_what_is_just_out_of_bounds(void **state)
{
	(void)state;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (unsigned f = 0; f < kinds[k]->n_fields; f++) {
			const struct field *field = &kinds[k]->fields[f];

			if (is_number(field)) {
				assert_refused(kinds[k], field, json_integer(field->min - 1),
					       "less than min");
				assert_refused(kinds[k], field, json_integer(field->max + 1),
					       "more than max");
			}
			if (is_number(field) && field->step)
				assert_refused(kinds[k], field, json_integer(field->min + 1),
					       "between steps");
			if (field->type == FIELD_NAME)
				assert_refused(kinds[k], field, long_text(field->size),
					       "too long a name");
			if (field->type == FIELD_STRING)
				assert_refused(kinds[k], field, long_text((size_t)field->max + 1),
					       "too long a text");
			if (field->max_count)
				assert_refused(kinds[k], field, many(field, field->max_count + 1),
					       "too many");
			if (field->type == FIELD_PREFIXES && field->min)
				assert_refused(kinds[k], field, json_array(), "too few");
			assert_refused(kinds[k], field, long_text(200000), "a huge text");
		}
}

static void assert_accepted(const struct kind *kind, const struct field *field, json_t *value)
{
	struct resource *resource = NULL;

	if (decode_with(kind, field->name, json_incref(value), &resource) != 0)
		fail_msg("%s %s: %s", kind->noun, field->name, errs.v[0].sentence);
	assert_true(resource->set & kind_bit(kind, field));
	json_auto_t *document = json_encode(kind, resource);
	assert_true(json_equal(json_object_get(document, field->name), value));
	json_decref(value);
}

static void accepts_what_is_just_within_bounds(void **state)
{
	(void)state;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (unsigned f = 0; f < kinds[k]->n_fields; f++) {
			const struct field *field = &kinds[k]->fields[f];

			if (is_number(field)) {
				assert_accepted(kinds[k], field, json_integer(field->min));
				assert_accepted(kinds[k], field, json_integer(field->max));
			}
			if (field->flags & FIELD_WORD)
				assert_accepted(kinds[k], field, json_string(field->word));
			if (field->type == FIELD_STRING)
				assert_accepted(kinds[k], field, long_text((size_t)field->max));
			if (field->type == FIELD_NAME && !(field->flags & FIELD_KEY))
				assert_accepted(kinds[k], field, long_text(field->size - 1));
			if (field->max_count)
				assert_accepted(kinds[k], field, many(field, field->max_count));
		}
}

static void says_what_is_allowed(void **state)
{
	const struct field *labels = kind_field(&tunnel_kind, "labels");
	struct resource *resource;

	(void)state;
	assert_int_equal(decode_with(&tunnel_kind, "labels", many(labels, 33), &resource), -EINVAL);
	assert_fault("invalid-resource", "/labels",
		     "must be an object of at most 32 texts, not an object of 33 members");
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":\"0.0.0.0\"}", "invalid-resource",
		"/remote", "must be a host's IPv4 address a.b.c.d, not \"0.0.0.0\"");
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"mtu\":1.5}",
		"invalid-resource", "/mtu",
		"must be a whole number from 68 to 65515 or \"auto\", not 1.5");
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"tos\":\"high\"}",
		"invalid-resource", "/tos",
		"from 0 to 252 in steps of 4 or \"inherit\", not \"high\"");
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":7}", "invalid-resource", "/remote",
		"must be a host's IPv4 address a.b.c.d, not 7");
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"rp_filter\":\"on\"}",
		"invalid-resource", "/rp_filter",
		"must be \"keep\", \"off\", \"strict\" or \"loose\", not \"on\"");
	refuses(&exit_route_kind,
		"{\"name\":\"a\",\"tunnel\":\"t\",\"destinations\":[\"10.0.0.1/8\"]}",
		"invalid-resource", "/destinations/0",
		"host bits are set, did you mean 10.0.0.0/8?");
	refuses(&exit_route_kind,
		"{\"name\":\"a\",\"tunnel\":\"t\",\"destinations\":[\"180.163.26.39\"]}",
		"invalid-resource", "/destinations/0",
		"must be an IPv4 prefix a.b.c.d/n, did you mean 180.163.26.39/32?");
	refuses(&tunnel_kind,
		"{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"addresses\":[\"10.0.0.1\"]}",
		"invalid-resource", "/addresses/0", "did you mean 10.0.0.1/32?");
	refuses(&exit_route_kind, "{\"name\":\"a\",\"tunnel\":\"t\",\"destinations\":[]}",
		"invalid-resource", "/destinations", "a list of 1 to 100000");
	refuses(&nat_rule_kind, "{\"name\":\"a\",\"sources\":[\"10.0.0.0/8\"]}", "invalid-resource",
		"/out_interface", "out_interface is required");
	refuses(&nat_rule_kind,
		"{\"name\":\"a\",\"sources\":[\"10.0.0.0/8\"],\"out_interface\":\"lo\"}",
		"invalid-resource", "/out_interface", "reserved");
}

static void refuses_prefixes_given_twice_where_that_is_a_mistake(void **state)
{
	struct resource *resource;

	(void)state;
	refuses(&exit_route_kind,
		"{\"name\":\"a\",\"tunnel\":\"t\",\"destinations\":"
		"[\"10.0.0.0/8\",\"0.0.0.0/0\",\"10.0.0.0/16\",\"10.0.0.0/8\"]}",
		"invalid-resource", "/destinations/3", "10.0.0.0/8 is given twice");
	refuses(&exit_route_kind,
		"{\"name\":\"a\",\"tunnel\":\"t\",\"destinations\":[\"10.0.0.0/8\"],"
		"\"from\":[\"10.0.0.0/8\",\"10.0.0.0/8\"]}",
		"invalid-resource", "/from/1", "10.0.0.0/8 is given twice");
	json_auto_t *document = parse("{\"name\":\"a\",\"out_interface\":\"eth0\",\"sources\":"
				      "[\"10.0.0.0/8\",\"10.0.0.0/8\",\"10.1.0.0/16\"]}");
	assert_int_equal(decode(&nat_rule_kind, document, &resource), 0);
	assert_int_equal(((struct nat_rule *)resource)->sources.len, 3);
}

static void refuses_unknown_members_and_suggests(void **state)
{
	(void)state;
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"adresses\":[]}",
		"unknown-field", "/adresses", "did you mean \"addresses\"?");
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"zzzzzzzzzzzz\":null}",
		"unknown-field", "/zzzzzzzzzzzz", "no member of tunnel has this name");
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"\":1}", "unknown-field",
		"/", "no member of tunnel has this name");
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"a/b~c\":1}",
		"unknown-field", "/a~1b~0c", "no member of tunnel has this name");
}

/* Whatever byte of a character, or of an escape, the end of the buffer falls on. */
static void cuts_the_pointer_of_a_huge_member(void **state)
{
	struct resource *resource = NULL;
	char name[5000] = {0};

	(void)state;
	for (size_t shift = 0; shift < 12; shift++) {
		memset(name, 0, sizeof(name));
		memset(name, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof(name); i += 4)
			memcpy(name + i, "~\xe2\x82\xac", 4);
		json_auto_t *document = parse(least_samples[KIND_TUNNEL]);
		assert_int_equal(json_object_set_new(document, name, json_null()), 0);
		assert_int_equal(decode(&tunnel_kind, document, &resource), -EINVAL);
		json_auto_t *pointer = json_string(errs.v[0].pointer);
		assert_non_null(pointer);
		assert_string_equal(errs.v[0].code, "unknown-field");
	}
}

static void reports_all_faults_at_once(void **state)
{
	struct resource *resource = NULL;

	(void)state;
	json_auto_t *document = parse("{\"ttl\":256,\"tos\":1,\"x\":1,\"addresses\":[1,2]}");
	assert_int_equal(decode(&tunnel_kind, document, &resource), -EINVAL);
	/* ttl, tos, x, addresses 0 and 1, name, remote */
	assert_int_equal(errs.total, 7);
}

static void stops_keeping_faults_at_the_bound(void **state)
{
	struct resource *resource = NULL;

	(void)state;
	json_auto_t *document = parse(least_samples[KIND_EXIT_ROUTE]);
	json_t *list = json_array();
	for (int i = 0; i < 1000; i++)
		json_array_append_new(list, json_integer(i));
	json_object_set_new(document, "destinations", list);
	assert_int_equal(decode(&exit_route_kind, document, &resource), -EINVAL);
	assert_int_equal(errs.total, 1000);
	assert_int_equal(errs.len, ERRS_MAX);
	assert_string_equal(errs.v[31].pointer, "/destinations/31");
}

static void accepts_and_ignores_the_agents_members(void **state)
{
	struct resource *resource = NULL;
	uint64_t generation = 0;

	(void)state;
	json_auto_t *document = parse(
		"{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"uid\":7,\"generation\":12,"
		"\"created_at\":null,\"updated_at\":[],\"status\":{\"state\":\"ready\"}}");
	errs = (struct errs){0};
	assert_int_equal(json_decode(&tunnel_kind, document, NULL, NULL, &arena, &resource,
				     &generation, &errs),
			 0);
	assert_int_equal(generation, 12);
	assert_int_equal(resource->generation, 0);
	json_auto_t *encoded = json_encode(&tunnel_kind, resource);
	assert_int_equal(json_object_size(encoded), 2);

	static const char *const wrong[] = {"0", "-1", "1.0", "\"1\"", "null"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(
			decode_with(&tunnel_kind, "generation", parse(wrong[i]), &resource),
			-EINVAL);
		assert_fault("invalid-resource", "/generation", "the agent gave");
	}
}

static int decode_named(const char *s, const char *path_name, struct resource **resource)
{
	uint64_t generation;
	json_auto_t *document = parse(s);

	errs = (struct errs){0};
	return json_decode(&tunnel_kind, document, NULL, path_name, &arena, resource, &generation,
			   &errs);
}

static void takes_the_name_from_the_path(void **state)
{
	struct resource *resource = NULL;

	(void)state;
	assert_int_equal(decode_named("{\"remote\":\"192.0.2.1\"}", "tun_a", &resource), 0);
	assert_string_equal(resource->name, "tun_a");
	assert_true(resource->set & 1);
	assert_int_equal(decode_named(least_samples[KIND_TUNNEL], "tun_a", &resource), 0);
	assert_int_equal(decode_named(least_samples[KIND_TUNNEL], "tun_b", &resource), -EINVAL);
	assert_fault("invalid-resource", "/name", "must be \"tun_b\"");
	assert_int_equal(decode_named("{\"remote\":\"192.0.2.1\"}", "-x", &resource), -EINVAL);
	assert_fault("invalid-resource", "/name", "begins and ends");
	assert_int_equal(decode_named("{\"remote\":\"192.0.2.1\"}", NULL, &resource), -EINVAL);
	assert_fault("invalid-resource", "/name", "name is required");
}

static void refuses_what_is_no_object(void **state)
{
	static const char *const bad[] = {"null", "1", "\"a\"", "[]", "true", "[{\"name\":\"a\"}]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refuses(&nat_rule_kind, bad[i], "invalid-resource", "", "must be an object");
}

static void runs_the_check_of_the_kind_with_the_prefix(void **state)
{
	const struct json_at list = {.name = "tunnels"}, third = {.in = &list, .index = 3};
	struct resource *resource = NULL;
	uint64_t generation;

	(void)state;
	json_auto_t *document = parse("{\"name\":\"a\",\"remote\":\"192.0.2.1\","
				      "\"path_mtu_discovery\":false}");
	errs = (struct errs){0};
	errs_add(&errs, -EINVAL, "invalid-resource", "/before", "an earlier fault");
	assert_int_equal(json_decode(&tunnel_kind, document, &third, NULL, &arena, &resource,
				     &generation, &errs),
			 -EINVAL);
	assert_int_equal(errs.total, 2);
	assert_string_equal(errs.v[0].pointer, "/before");
	assert_string_equal(errs.v[1].pointer, "/tunnels/3/path_mtu_discovery");
}

static void refuses_what_contradicts_itself(void **state)
{
	(void)state;
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"local\":\"192.0.2.1\"}",
		"invalid-resource", "/remote", "equals local");
	refuses(&tunnel_kind, "{\"name\":\"a\",\"remote\":\"224.0.0.1\"}", "invalid-resource",
		"/remote", "endpoint");
	refuses(&tunnel_kind, "{\"name\":\"a-name-longer-than-15\",\"remote\":\"192.0.2.1\"}",
		"invalid-resource", "/device", "give \"device\"");
	refuses(&nat_rule_kind,
		"{\"name\":\"a\",\"sources\":[\"10.0.0.0/8\"],\"out_interface\":\"eth0\","
		"\"action\":\"snat\"}",
		"invalid-resource", "/to_address", "snat needs to_address");
	refuses(&nat_rule_kind,
		"{\"name\":\"a\",\"sources\":[\"10.0.0.0/8\"],\"out_interface\":\"eth0\","
		"\"to_address\":\"192.0.2.1\"}",
		"invalid-resource", "/to_address", "snat only");
}

static void labels_have_no_order(void **state)
{
	static const char *const same[] = {
		"{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"labels\":{\"b\":\"1\",\"a\":\"2\"}}",
		"{\"name\":\"a\",\"remote\":\"192.0.2.1\",\"labels\":{\"a\":\"2\",\"b\":\"1\"}}",
	};
	struct resource *resource, *other;

	(void)state;
	json_auto_t *document = parse(same[0]), *reordered = parse(same[1]);
	assert_int_equal(decode(&tunnel_kind, document, &other), 0);
	cleanup_free struct resource *kept = kind_copy(&tunnel_kind, other, NULL);
	assert_int_equal(decode(&tunnel_kind, reordered, &resource), 0);
	assert_true(kind_same(&tunnel_kind, kept, resource));
	assert_string_equal(resource->labels.v[0].key, "a");
}

static void fills_defaults_in(void **state)
{
	struct resource *resource;

	(void)state;
	json_auto_t *document = parse(least_samples[KIND_TUNNEL]);
	assert_int_equal(decode(&tunnel_kind, document, &resource), 0);
	const struct tunnel *t = (const struct tunnel *)resource;
	assert_true(t->head.enabled);
	assert_false(t->head.adopt);
	assert_int_equal(t->ttl, 64);
	assert_true(t->path_mtu_discovery);
	assert_int_equal(t->mtu, 0);
	assert_false(resource->set & object_bit(tunnel_kind, "ttl"));
}

static int done(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_every_bad_value_of_every_field),
		cmocka_unit_test(refuses_what_is_just_out_of_bounds),
		cmocka_unit_test(accepts_what_is_just_within_bounds),
		cmocka_unit_test(says_what_is_allowed),
		cmocka_unit_test(refuses_prefixes_given_twice_where_that_is_a_mistake),
		cmocka_unit_test(refuses_unknown_members_and_suggests),
		cmocka_unit_test(cuts_the_pointer_of_a_huge_member),
		cmocka_unit_test(reports_all_faults_at_once),
		cmocka_unit_test(stops_keeping_faults_at_the_bound),
		cmocka_unit_test(accepts_and_ignores_the_agents_members),
		cmocka_unit_test(takes_the_name_from_the_path),
		cmocka_unit_test(refuses_what_is_no_object),
		cmocka_unit_test(runs_the_check_of_the_kind_with_the_prefix),
		cmocka_unit_test(refuses_what_contradicts_itself),
		cmocka_unit_test(labels_have_no_order),
		cmocka_unit_test(fills_defaults_in),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
