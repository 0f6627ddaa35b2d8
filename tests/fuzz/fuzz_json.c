/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a document of each kind. What is accepted is encoded to what is accepted
 * again, and means the same; what is refused has a printable fault.
 */
#include "fuzz.h"

#include <assert.h>

#include "codec/json.h"

static void check_faults(const struct errs *errs)
{
	assert(errs->total > 0 && errs->len > 0);
	for (size_t i = 0; i < errs->len; i++) {
		json_t *sentence = json_string(errs->v[i].sentence);
		json_t *pointer = json_string(errs->v[i].pointer);

		assert(sentence && pointer && errs->v[i].code[0]);
		json_decref(sentence);
		json_decref(pointer);
	}
}

static struct resource *decode(const struct kind *kind, const json_t *document, struct arena *arena)
{
	static struct errs errs;
	struct resource *resource;
	uint64_t generation;

	errs = (struct errs){0};
	if (json_decode(kind, document, NULL, NULL, arena, &resource, &generation, &errs) == 0)
		return resource;
	check_faults(&errs);
	return NULL;
}

static void round_trip(const struct kind *kind, const json_t *document)
{
	cleanup_arena struct arena arena = {0};
	struct resource *first = decode(kind, document, &arena);

	if (!first)
		return;
	json_t *encoded = json_encode(kind, first);
	struct resource *second = decode(kind, encoded, &arena);
	assert(second && kind_same(kind, first, second));
	json_decref(encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct errs errs;
	json_t *document;

	errs = (struct errs){0};
	if (json_parse((const char *)bytes, size, NULL, &document, &errs) != 0) {
		check_faults(&errs);
		return 0;
	}
	for (unsigned i = 0; i < RESOURCE_KINDS; i++)
		round_trip(kinds[i], document);
	json_decref(document);
	return 0;
}
