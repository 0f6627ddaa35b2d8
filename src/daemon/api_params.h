/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The query string of a request, by a field table like any other document. */

#include "daemon/api_call.h"

/*
 * Reads the query into call->params. allowed: the names that this route knows, in words.
 * False when something is unknown, repeated or out of range, which was answered with 400.
 */
bool api_params_read(struct api_call *call, const char *allowed);

/* The table of all of them. */
extern const struct kind api_params_kind;
/* What a row of it allows, to follow "must be". */
void api_params_allowed(const struct field *field, struct text *text);
/* Is it one of the words, which a blank divides? */
bool api_params_has_word(const char *words, const char *word);
