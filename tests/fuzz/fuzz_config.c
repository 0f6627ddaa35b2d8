/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a config. The reader's own walk accepts only what jansson calls JSON too,
 * and what it read goes through the rules between resources.
 */
#include "fuzz.h"

#include <assert.h>

#include "codec/json.h"

static bool is_json(const uint8_t *bytes, size_t size)
{
	json_t *value = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL);

	json_decref(value);
	return value;
}

/* Each resource, put over itself, holds when all of them do. */
static void check_each(struct declaration *d)
{
	static struct errs errs;

	errs = (struct errs){0};
	if (declaration_check(d, &errs) != 0) {
		assert(errs.total > 0);
		return;
	}
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (size_t i = 0; i < d->kind[k].len; i++) {
			int rc = declaration_check_put(d, (enum kind_id)k, d->kind[k].v[i], &errs);

			assert(rc == 0);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct errs errs;
	struct declaration d = {0};

	errs = (struct errs){0};
	if (json_read_config((const char *)bytes, size, &d, &errs) == 0) {
		assert(is_json(bytes, size));
		check_each(&d);
	} else {
		assert(errs.total > 0);
	}
	declaration_done(&d);
	return 0;
}
