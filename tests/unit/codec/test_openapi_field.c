/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A row's schema says what value.c takes: type, bounds, default, pattern. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <regex.h>
#include <stdlib.h>

#include "codec/openapi.h"
#include "unit/codec/samples.h"

static void assert_schema(const struct kind *kind, const char *name, const char *want)
{
	json_t *schema = openapi_field(kind_field(kind, name));

	json_object_del(schema, "description");
	char *text = json_dumps(schema, JSON_COMPACT);
	assert_string_equal(text, want);
	free(text);
	json_decref(schema);
}

/* Is the least document taken with this value in that member? */
static bool takes(const struct kind *kind, const struct field *field, int64_t value)
{
	cleanup_arena struct arena arena = {0};
	static struct errs errs;
	struct resource *resource;
	uint64_t generation;
	json_t *document = json_loads(least_samples[kind->id], 0, NULL);

	errs = (struct errs){0};
	json_object_set_new(document, field->name, json_integer(value));
	int rc = json_decode(kind, document, NULL, NULL, &arena, &resource, &generation, &errs);
	json_decref(document);
	return rc == 0;
}

static void bounds_numbers_as_the_decoder_does(void **state)
{
	unsigned numbers = 0;

	(void)state;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		for (unsigned i = 0; i < kinds[k]->n_fields; i++) {
			const struct field *field = &kinds[k]->fields[i];
			json_t *schema = openapi_field(field),
			       *any = json_object_get(schema, "anyOf");
			json_t *number = any ? json_array_get(any, 0) : schema;
			json_t *least = json_object_get(number, "minimum"),
			       *most = json_object_get(number, "maximum");

			if (least) {
				int64_t step = field->step ? field->step : 1;

				numbers++;
				assert_true(takes(kinds[k], field, json_integer_value(least)));
				assert_true(takes(kinds[k], field, json_integer_value(most)));
				assert_false(
					takes(kinds[k], field, json_integer_value(least) - step));
				assert_false(
					takes(kinds[k], field, json_integer_value(most) + step));
			}
			json_decref(schema);
		}
	}
	assert_int_equal(numbers, 5);
}

static void numbers_have_bounds_and_default(void **state)
{
	(void)state;
	assert_schema(&tunnel_kind, "ttl",
		      "{\"type\":\"integer\",\"minimum\":0,\"maximum\":255,\"default\":64}");
	assert_schema(&tunnel_kind, "enabled", "{\"type\":\"boolean\",\"default\":true}");
}

static void a_word_may_stand_for_a_value(void **state)
{
	(void)state;
	assert_schema(&tunnel_kind, "mtu",
		      "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":68,\"maximum\":65515},"
		      "{\"type\":\"string\",\"const\":\"auto\"}],\"default\":\"auto\"}");
	assert_schema(&tunnel_kind, "tos",
		      "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0,\"maximum\":252,"
		      "\"multipleOf\":4},{\"type\":\"string\",\"const\":\"inherit\"}],"
		      "\"default\":0}");
	assert_schema(&tunnel_kind, "local",
		      "{\"anyOf\":[{\"type\":\"string\",\"format\":\"ipv4\"},"
		      "{\"type\":\"string\",\"const\":\"auto\"}],\"default\":\"auto\"}");
}

static void what_is_required_has_no_default(void **state)
{
	(void)state;
	assert_schema(&tunnel_kind, "remote", "{\"type\":\"string\",\"format\":\"ipv4\"}");
}

static void choices_are_listed(void **state)
{
	(void)state;
	assert_schema(&nat_rule_kind, "action",
		      "{\"type\":\"string\",\"enum\":[\"masquerade\",\"snat\",\"none\"],"
		      "\"default\":\"masquerade\"}");
}

static json_t *items_of(const struct kind *kind, const char *name, unsigned min, unsigned max,
			bool is_unique)
{
	json_t *schema = openapi_field(kind_field(kind, name));
	json_t *items = json_incref(json_object_get(schema, "items"));

	assert_int_equal(json_integer_value(json_object_get(schema, "minItems")), min);
	assert_int_equal(json_integer_value(json_object_get(schema, "maxItems")), max);
	assert_int_equal(json_is_true(json_object_get(schema, "uniqueItems")), is_unique);
	json_decref(schema);
	return items;
}

static bool matches(const char *pattern, const char *text)
{
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	bool found = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

/* The pattern takes what prefix_parse takes. */
static void prefixes_match_what_is_parsed(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0/0",   "10.0.0.0/8",     "255.255.255.255/32", "1.2.3.4/09", "1.2.3.4/33",
		"1.2.3.4",     "1.2.3/8",        "256.1.1.1/8",        "01.2.3.4/8", "1.2.3.4/",
		"1.2.3.4/8 ",  " 1.2.3.4/8",     "1.2.3.4/-1",         "1.2.3.4/10", "1.2.3.4/30",
		"1.2.3.4.5/8", "249.199.99.9/29"};
	json_t *items = items_of(&exit_route_kind, "destinations", 1, 100000, true);
	const char *pattern = json_string_value(json_object_get(items, "pattern"));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct prefix prefix;
		bool is_prefix = prefix_parse(texts[i], &prefix) == 0;

		if (matches(pattern, texts[i]) != is_prefix)
			fail_msg("%s: parsed %d", texts[i], is_prefix);
	}
	json_decref(items);
}

static void names_match_what_is_allowed(void **state)
{
	static const char *const texts[] = {
		"a",
		"a.b",
		"a-b_c",
		"",
		"-a",
		"a-",
		"a b",
		"a/b",
		"\xc3\xa4",
		".",
		"Z9",
		"a123456789012345678901234567890123456789012345678901234567890ab",
		"a123456789012345678901234567890123456789012345678901234567890abc"};
	json_t *schema = openapi_field(kind_field(&tunnel_kind, "name"));
	const char *pattern = json_string_value(json_object_get(schema, "pattern"));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (matches(pattern, texts[i]) != !resource_name_fault(texts[i]))
			fail_msg("%s", texts[i]);
	json_decref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_numbers_as_the_decoder_does),
		cmocka_unit_test(numbers_have_bounds_and_default),
		cmocka_unit_test(a_word_may_stand_for_a_value),
		cmocka_unit_test(what_is_required_has_no_default),
		cmocka_unit_test(choices_are_listed),
		cmocka_unit_test(prefixes_match_what_is_parsed),
		cmocka_unit_test(names_match_what_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
