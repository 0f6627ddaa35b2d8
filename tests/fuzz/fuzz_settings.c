/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a file of settings. What is refused has a fault with a line; what is accepted is
 * printed as a file that says the same.
 */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "daemon/conf.h"

static struct errs errs;

static int parse(struct conf *conf, const char *text)
{
	errs = (struct errs){0};
	conf_defaults(conf);
	return conf_parse(conf, "f", text, &errs);
}

static void check_printed(const struct conf *conf)
{
	cleanup_text struct text first = {0}, second = {0};
	struct conf again = {0};

	conf_print(conf, &first);
	assert(parse(&again, first.s) == 0);
	conf_print(&again, &second);
	assert(strcmp(first.s, second.s) == 0);
	conf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	cleanup_text struct text text = {0};
	struct conf conf = {0};

	text_add_len(&text, (const char *)bytes, size); /* a NUL ends it: file_read lets none in */
	if (parse(&conf, text_str(&text)) == 0)
		check_printed(&conf);
	else
		assert(errs.total > 0 && strncmp(errs.v[0].sentence, "f:", 2) == 0);
	conf_done(&conf);
	return 0;
}
