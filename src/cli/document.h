/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Reading a resource's document as the API gives it. Nothing here owns or changes it. */

#include <jansson.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/output.h"

enum { DOCUMENT_LIST_SHOWN = 3, DOCUMENT_TROUBLED_SHOWN = 20 }; /* unless -o wide */

/* A string member, "" when there is none (or no string). */
const char *document_string(const json_t *object, const char *name);
/* A whole number, 0 when there is none. */
json_int_t document_number(const json_t *object, const char *name);
const json_t *document_status(const json_t *document);
/* "ready" …; "unknown" for an answer without status */
const char *document_state(const json_t *document);
/* neither ready nor disabled */
bool document_is_amiss(const char *state);
/* What is in force: of status.effective, else as declared; NULL when neither. */
const json_t *document_value(const json_t *document, const char *name);
/* A value as a person reads it: lists with commas, labels as key=value. max bounds the
 * members of a list that are shown, the rest is counted ("+7"); 0: all. */
void document_add_value(struct text *out, const json_t *value, size_t max);
/* "reason: message" of whatever there is; "InSync" needs no words, nor does a reason that only
 * says the state again */
void document_add_reason(struct text *out, const json_t *status);
/* "failed: reason: message", "unknown" for no status; only the state when there is no reason */
void document_add_state(struct text *out, const json_t *status);
/* A line "  tunnel/v  failed  reason: message" for each document that is amiss, folded to the
 * width of the style; of more than max (0: no end) only how many there are. */
void document_add_troubled(struct text *out, const struct noun *noun, const json_t *documents,
			   const struct output_style *style, size_t max);
/* "/v1/tunnels/NAME", encoded */
void document_add_path(struct text *path, const struct kind *kind, const char *name);
