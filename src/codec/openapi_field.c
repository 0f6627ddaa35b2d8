/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schema of one value, by its row: what value.c takes, said to a machine. */
#include "codec/openapi.h"

#include "model/resource.h"

#define OCTET       "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define PREFIX      "^(" OCTET "\\.){3}" OCTET "/(3[0-2]|[12]?[0-9])$"
#define NAME        "^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
#define INTERFACE   "^(?!(lo|all|default|tunl0|\\.|\\.\\.)$)[A-Za-z0-9_.-]{1,15}$"
#define NO_CONTROLS "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"
#define LINES       "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]*$"

static json_t *number(const struct field *field)
{
	json_t *schema = json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum",
				   (json_int_t)field->min, "maximum", (json_int_t)field->max);

	if (field->step)
		json_object_set_new(schema, "multipleOf", json_integer(field->step));
	return schema;
}

/* Names of the kernel's objects are others' too: any bytes. */
static json_t *name(const struct field *field)
{
	bool is_interface = field->flags & FIELD_IFNAME;
	json_t *schema = json_pack("{s:s, s:I}", "type", "string", "maxLength",
				   (json_int_t)field->size - 1);

	if (field->max)
		json_object_update_new(
			schema, json_pack("{s:s}", "pattern", is_interface ? INTERFACE : NAME));
	return schema;
}

static json_t *choices(const struct field *field)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < field->n_choices; i++)
		json_array_append_new(list, json_string(field->choices[i]));
	return json_pack("{s:s, s:o}", "type", "string", "enum", list);
}

static json_t *prefix(void)
{
	return json_pack("{s:s, s:s}", "type", "string", "pattern", PREFIX);
}

static json_t *prefixes(const struct field *field)
{
	json_t *schema = json_pack("{s:s, s:o}", "type", "array", "items", prefix());

	if (field->min)
		json_object_set_new(schema, "minItems", json_integer(field->min));
	json_object_set_new(schema, "maxItems", json_integer(field->max_count));
	if (field->flags & FIELD_UNIQUE)
		json_object_set_new(schema, "uniqueItems", json_true());
	return schema;
}

static json_t *labels(const struct field *field)
{
	return json_pack("{s:s, s:i, s:{s:i, s:i, s:s}, s:{s:s, s:i, s:s}}", "type", "object",
			 "maxProperties", (int)field->max_count, "propertyNames", "minLength", 1,
			 "maxLength", LABEL_KEY_MAX, "pattern", NO_CONTROLS, "additionalProperties",
			 "type", "string", "maxLength", LABEL_VALUE_MAX, "pattern", NO_CONTROLS);
}

static json_t *rows(const struct field *field)
{
	char of[OPENAPI_NAME];

	openapi_name((*field->refers_to)->noun, of);
	return json_pack("{s:s, s:o}", "type", "array", "items", openapi_ref("schemas", of));
}

static json_t *of_type(const struct field *field)
{
	switch (field->type) {
	case FIELD_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		return number(field);
	case FIELD_NAME:
		return name(field);
	case FIELD_STRING:
		return json_pack("{s:s, s:I, s:s}", "type", "string", "maxLength",
				 (json_int_t)field->max, "pattern", LINES);
	case FIELD_CHOICE:
		return choices(field);
	case FIELD_ADDR:
		return json_pack("{s:s, s:s}", "type", "string", "format", "ipv4");
	case FIELD_PREFIX:
		return prefix();
	case FIELD_PREFIXES:
		return prefixes(field);
	case FIELD_LABELS:
		return labels(field);
	case FIELD_ROWS:
		return rows(field);
	}
	return NULL;
}

/* What stands for the field when it is not given; NULL: nothing, or it must be. */
static json_t *default_of(const struct field *field)
{
	if (field->flags & FIELD_WORD && field->dflt == field->word_value)
		return json_string(field->word);
	switch (field->type) {
	case FIELD_BOOL:
		return json_boolean(field->dflt);
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		return json_integer(field->dflt);
	case FIELD_CHOICE:
		return json_string(field->choices[field->dflt]);
	case FIELD_NAME:
	case FIELD_STRING:
	case FIELD_ADDR:
	case FIELD_PREFIX:
	case FIELD_PREFIXES:
	case FIELD_LABELS:
	case FIELD_ROWS:
		break;
	}
	return NULL;
}

json_t *openapi_field(const struct field *field)
{
	json_t *schema = openapi_described(field->doc), *value = of_type(field);

	if (field->flags & FIELD_WORD)
		value = json_pack("{s:[o, {s:s, s:s}]}", "anyOf", value, "type", "string", "const",
				  field->word);
	json_object_update_new(schema, value);
	if (!(field->flags & (FIELD_REQUIRED | FIELD_OPEN))) {
		value = default_of(field);
		if (value)
			json_object_set_new(schema, "default", value);
	}
	return schema;
}
