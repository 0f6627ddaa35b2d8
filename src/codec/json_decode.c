/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A resource document to its struct: each member by its row of the field table, then the
 * kind's own check. What one member may hold is in value.c.
 */
#include "codec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/value.h"

static const char *const agents_members[] = {
	"uid", "generation", "created_at", "updated_at", "status",
};

static bool is_agents(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(agents_members); i++)
		if (strcmp(agents_members[i], name) == 0)
			return true;
	return false;
}

static void decode_member(const struct decoder *d, const char *name, const json_t *json)
{
	const struct field *field = kind_field(d->kind, name);
	uint64_t *set = d->object;

	if (!field) {
		if (!is_agents(name) || !d->kind->member)
			value_unknown(d, name);
		return;
	}
	*set |= kind_bit(d->kind, field);
	value_decode(d, field, json);
}

/* The name is required by where the document stands, see decode_name. */
static void check_required(const struct decoder *d)
{
	for (unsigned i = 0; i < d->kind->n_fields; i++) {
		const struct field *field = &d->kind->fields[i];

		if (!(field->flags & FIELD_REQUIRED) || field->flags & FIELD_KEY)
			continue;
		if (field_set_mask(d->object) >> i & 1)
			continue;
		value_fault(d->errs, &(struct json_at){.in = d->at, .name = field->name},
			    "%s is required", field->name);
	}
}

/* The set bit of the name says that the document has one, be it a wrong one. */
static void decode_name(const struct decoder *d, const char *path_name)
{
	struct resource *resource = d->object;
	const struct field *field = kind_field(d->kind, "name");
	const struct json_at at = {.in = d->at, .name = field->name};
	bool given = resource->set & kind_bit(d->kind, field);

	if (!path_name) {
		if (!given)
			value_fault(d->errs, &at, "name is required");
		return;
	}
	const char *fault = resource_name_fault(path_name);
	if (fault) {
		value_fault(d->errs, &at, "%s", fault);
		return;
	}
	if (resource->name[0] && strcmp(resource->name, path_name) != 0)
		value_fault(d->errs, &at, "must be \"%s\", the name in the path, not \"%s\"",
			    path_name, resource->name);
	strncpy(resource->name, path_name, sizeof(resource->name) - 1);
	resource->set |= kind_bit(d->kind, field);
}

static void decode_generation(const struct decoder *d, const json_t *document, uint64_t *generation)
{
	const json_t *json = json_object_get(document, "generation");

	*generation = 0;
	if (!json)
		return;
	if (json_is_integer(json) && json_integer_value(json) > 0) {
		*generation = (uint64_t)json_integer_value(json);
		return;
	}
	value_fault(d->errs, &(struct json_at){.in = d->at, .name = "generation"},
		    "must be the whole number that the agent gave, or absent");
}

/* Checks of a kind know nothing of where the document stands. */
static void check_kind(const struct decoder *d)
{
	size_t first = d->errs->len;
	char prefix[ERR_POINTER];

	d->kind->check(d->object, d->errs);
	if (first == d->errs->len)
		return;
	json_pointer(d->at, prefix);
	for (size_t i = first; i < d->errs->len; i++) {
		struct err *err = &d->errs->v[i];
		cleanup_text struct text pointer = {0};

		text_addf(&pointer, "%s%s", prefix, err->pointer);
		snprintf(err->pointer, sizeof(err->pointer), "%s", text_str(&pointer));
	}
}

static int decode_members(const struct decoder *d, const json_t *document)
{
	const char *name;
	const json_t *json;

	if (!json_is_object(document))
		return value_fault(d->errs, d->at, "a %s must be an object", d->kind->noun);
	/* jansson's iterators take no const, though they change nothing */
	json_object_foreach((json_t *)(uintptr_t)document, name, json)
		decode_member(d, name, json);
	check_required(d);
	kind_defaults(d->kind, d->object);
	return 0;
}

int json_decode_plain(const struct kind *kind, const json_t *document, struct arena *arena,
		      void *object, struct errs *errs)
{
	const struct decoder d = {kind, NULL, arena, errs, object};
	size_t before = errs->total;
	int rc = decode_members(&d, document);

	return rc ? rc : errs->total == before ? 0 : -EINVAL;
}

int json_decode(const struct kind *kind, const json_t *document, const struct json_at *at,
		const char *path_name, struct arena *arena, struct resource **resource,
		uint64_t *generation, struct errs *errs)
{
	struct decoder d = {kind, at, arena, errs, arena_alloc(arena, kind->size)};
	size_t before = errs->total;
	uint64_t given;
	int rc = decode_members(&d, document);

	if (rc)
		return rc;
	decode_name(&d, path_name);
	decode_generation(&d, document, &given);
	if (errs->total == before && kind->check)
		check_kind(&d);
	if (errs->total != before)
		return -EINVAL;
	*resource = d.object;
	if (generation)
		*generation = given;
	return 0;
}

void json_check_removed(const struct kind *kind, const json_t *patch, struct errs *errs)
{
	const struct decoder d = {.kind = kind, .errs = errs};
	const char *name;
	const json_t *json;

	json_object_foreach((json_t *)(uintptr_t)patch, name, json)
		if (json_is_null(json) && !kind_field(kind, name) && !is_agents(name))
			value_unknown(&d, name);
}
