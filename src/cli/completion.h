/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What may stand at the end of a line, for the shells: each has a short script that asks
 * `ipipctl complete -- WORD…`, so what there is to type is known at one place, the tables.
 */

#include "base/text.h"
#include "cli/cli.h"

/* of packaging/completion, embedded at build, in the order of shells in completion.c */
extern const char *const completion_scripts[];
extern const unsigned completion_scripts_count;

/*
 * The candidates for the last of the words (which may be ""), a line each: "WORD\tWHAT IT IS".
 * ":file" alone means that the shell knows better. Names of resources are asked of the agent that
 * the words name, briefly; without an answer there are none.
 */
void completion_find(const char *const *words, size_t n, struct text *out);
