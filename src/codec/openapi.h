/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Schemas of OpenAPI 3.1 (JSON Schema 2020-12): those of kinds from their field tables, those of
 * the agent's other answers from tables of members. A schema that api/examples/ has a file for
 * carries it as its example.
 */

#include "codec/json.h"

enum openapi_type {
	OPENAPI_BOOLEAN,
	OPENAPI_INTEGER, /* not below 0 */
	OPENAPI_NUMBER,
	OPENAPI_STRING,
	OPENAPI_TIME,
	OPENAPI_UUID,
	OPENAPI_ADDRESS,
	OPENAPI_CHOICE, /* one of choices */
	OPENAPI_SCHEMA, /* another document, of that name */
	OPENAPI_ANY,    /* any value */
};

enum {
	OPENAPI_OPTIONAL = 1 << 0, /* it may be absent */
	OPENAPI_NULLABLE = 1 << 1,
	OPENAPI_LIST = 1 << 2, /* of such */
};

struct openapi_member {
	const char *name;
	enum openapi_type type;
	unsigned flags;
	const char *schema; /* OPENAPI_SCHEMA */
	const char *const *choices;
	unsigned n_choices;
	const char *doc; /* one line */
};

/* A document of the agent's that has no field table. */
struct openapi_schema {
	const char *name, *doc;
	const struct openapi_member *members;
	unsigned n_members;
};

enum { OPENAPI_NAME = 32 };

/* "exit-route" is ExitRoute. */
void openapi_name(const char *noun, char name[static OPENAPI_NAME]);
/* {"$ref": "#/components/SECTION/NAME"} */
json_t *openapi_ref(const char *section, const char *name);
/* {"description": …}, a schema's or another's */
json_t *openapi_described(const char *doc);
/* The value of one row, as a client may give it. */
json_t *openapi_field(const struct field *field);

/* Each adds to components.schemas. */
void openapi_add(json_t *schemas, const struct openapi_schema *schema);
/* of a resource K: K, KDeclaration, KPut, KPatch, KList, KStatus */
void openapi_add_resource(json_t *schemas, const struct kind *kind);
/* of a kind of the kernel's, with its noun for its name */
void openapi_add_object(json_t *schemas, const struct kind *kind);
/* a body that is no resource, with that name */
void openapi_add_body(json_t *schemas, const struct kind *kind, const char *name);
/* the whole declaration: Config */
void openapi_add_config(json_t *schemas);
/* Lets each schema that has a file carry it. */
void openapi_add_examples(json_t *schemas);
