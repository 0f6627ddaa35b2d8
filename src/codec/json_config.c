/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A config document: the outer object and its lists are walked here as text, so that only
 * one resource at a time becomes a JSON tree, which costs ten times the text.
 */
#include "codec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/parse.h"
#include "codec/value.h"

enum { LIST_DEPTH = 1, ELEMENT_DEPTH = 2 };

struct reader {
	struct source source;
	struct declaration *declaration;
	struct arena arena; /* of one element */
	struct errs *errs;
	struct errs syntax; /* the one malformed-json fault */
	bool seen[RESOURCE_KINDS];
};

static bool at_end(const struct reader *r)
{
	return r->source.at == r->source.end;
}

/* Takes that character when it comes next, blanks aside. */
static bool take(struct reader *r, char c)
{
	parse_blanks(&r->source);
	if (at_end(r) || *r->source.at != c)
		return false;
	r->source.at++;
	return true;
}

static int malformed(struct reader *r, const char *expected)
{
	return parse_fault(&r->source, &r->syntax, "%s%s was expected",
			   at_end(r) ? "the document ends early, " : "", expected);
}

static int read_value(struct reader *r, unsigned depth, json_t **value)
{
	parse_blanks(&r->source);
	return parse_value(&r->source, depth, value, &r->syntax);
}

/* Declares one element. Its faults are collected; reading goes on. */
static void declare(struct reader *r, const struct kind *kind, const json_t *json, size_t index)
{
	struct resource *resource;
	uint64_t generation;
	const struct json_at list = {.name = kind->member};
	const struct json_at at = {.in = &list, .index = index};

	if (json_decode(kind, json, &at, NULL, &r->arena, &resource, &generation, r->errs))
		return;
	if (declaration_find(r->declaration, kind->id, resource->name, NULL)) {
		value_fault(r->errs, &(struct json_at){.in = &at, .name = "name"},
			    "there are two of the name \"%s\"", resource->name);
		return;
	}
	resource = kind_copy(kind, resource, NULL);
	resource->generation = generation;
	resource->revision = index;
	declaration_put(r->declaration, kind->id, resource);
}

/* kind NULL: an unknown member, whose value is only read over */
static int read_element(struct reader *r, const struct kind *kind, size_t index)
{
	json_t *value;
	int rc = read_value(r, ELEMENT_DEPTH, &value);

	if (rc)
		return rc;
	if (kind)
		declare(r, kind, value, index);
	json_decref(value);
	arena_reset(&r->arena);
	return 0;
}

static int read_list(struct reader *r, const struct kind *kind)
{
	size_t index = 0;

	if (take(r, ']'))
		return 0;
	do {
		int rc = read_element(r, kind, index++);

		if (rc)
			return rc;
	} while (take(r, ','));
	return take(r, ']') ? 0 : malformed(r, "\",\" or \"]\"");
}

static int read_no_list(struct reader *r, const struct kind *kind)
{
	json_t *value;
	char pointer[ERR_POINTER];
	int rc = read_value(r, LIST_DEPTH, &value);

	if (rc)
		return rc;
	json_decref(value);
	if (kind) {
		snprintf(pointer, sizeof(pointer), "/%s", kind->member);
		errs_add(r->errs, -EINVAL, "invalid-resource", pointer, "must be a list of %s",
			 kind->path);
	}
	return 0;
}

static const struct kind *kind_of_member(const char *name)
{
	for (unsigned i = 0; i < RESOURCE_KINDS; i++)
		if (strcmp(kinds[i]->member, name) == 0)
			return kinds[i];
	return NULL;
}

static void unknown_member(struct reader *r, const char *name)
{
	static const struct field rows[RESOURCE_KINDS] = {
		{.name = "tunnels"},
		{.name = "exit_routes"},
		{.name = "nat_rules"},
	};
	static const struct kind config = {
		.noun = "config", .fields = rows, .n_fields = RESOURCE_KINDS};
	struct decoder d = {.kind = &config, .errs = r->errs};

	value_unknown(&d, name);
}

static int read_member_name(struct reader *r, json_t **name)
{
	parse_blanks(&r->source);
	if (at_end(r) || *r->source.at != '"')
		return malformed(r, "the name of a member");
	return read_value(r, LIST_DEPTH, name);
}

static int read_member(struct reader *r)
{
	json_auto_t *name = NULL;
	int rc = read_member_name(r, &name);

	if (rc)
		return rc;
	if (!take(r, ':'))
		return malformed(r, "\":\"");
	const struct kind *kind = kind_of_member(json_string_value(name));
	if (!kind)
		unknown_member(r, json_string_value(name));
	else if (r->seen[kind->id])
		return parse_fault(&r->source, &r->syntax, "the member \"%s\" comes twice",
				   kind->member);
	else
		r->seen[kind->id] = true;
	return take(r, '[') ? read_list(r, kind) : read_no_list(r, kind);
}

/* A value of another type is no fault of the JSON. */
static int read_no_object(struct reader *r)
{
	json_t *value;
	int rc = read_value(r, 0, &value);

	if (rc)
		return rc;
	json_decref(value);
	errs_add(r->errs, -EINVAL, "invalid-resource", "",
		 "a config must be an object with lists of tunnels, exit_routes and nat_rules");
	return 0;
}

static int read_members(struct reader *r)
{
	int rc;

	if (!take(r, '}')) {
		do {
			rc = read_member(r);
			if (rc)
				return rc;
		} while (take(r, ','));
		if (!take(r, '}'))
			return malformed(r, "\",\" or \"}\"");
	}
	return 0;
}

static int read_config(struct reader *r)
{
	parse_blanks(&r->source);
	if (at_end(r))
		return malformed(r, "\"{\"");
	int rc = take(r, '{') ? read_members(r) : read_no_object(r);
	if (rc)
		return rc;
	parse_blanks(&r->source);
	return at_end(r) ? 0 : malformed(r, "the end of the document");
}

int json_read_config(const char *s, size_t len, struct declaration *declaration, struct errs *errs)
{
	struct reader r = {.source = {s, s, s + len}, .declaration = declaration, .errs = errs};
	int rc = read_config(&r);

	arena_done(&r.arena);
	/* what is half a document has no other faults worth telling */
	if (rc)
		*errs = r.syntax;
	return errs->total ? -EINVAL : 0;
}
