/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the agent answers beside resources, as tables for the OpenAPI document. Kept true by the
 * tests, which hold every answer against it. */

#include "codec/openapi.h"

/* Adds the schemas of all answers and bodies to components.schemas. */
void api_answers_add(json_t *schemas);
/* The tables themselves, for the manual. */
const struct openapi_schema *api_answers_tables(unsigned *n);
