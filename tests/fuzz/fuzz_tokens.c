/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a file of tokens: each that is accepted has a name of its own and a role. */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "daemon/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct errs errs;
	cleanup_text struct text text = {0};
	struct tokens tokens = {0};

	errs = (struct errs){0};
	text_add_len(&text, (const char *)bytes, size);
	int rc = tokens_parse(&tokens, "f", text_str(&text), &errs);
	assert(!rc == !errs.total);
	for (size_t i = 0; i < tokens.len; i++) {
		assert(tokens.v[i].name[0]);
		assert(tokens.v[i].role == HTTP_ROLE_READ || tokens.v[i].role == HTTP_ROLE_ADMIN);
		for (size_t j = 0; j < i; j++)
			assert(strcmp(tokens.v[i].name, tokens.v[j].name) != 0);
	}
	vec_done(&tokens);
	return 0;
}
