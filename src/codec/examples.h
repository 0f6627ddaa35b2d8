/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The files of api/examples/, embedded at build by api/embed.cmake: NAME.json is an example of
 * the schema NAME. */

struct example {
	const char *schema, *json;
};

extern const struct example examples[];
extern const unsigned examples_count;
