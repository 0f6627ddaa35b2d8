/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The OpenAPI document of this API, made from the tables of routes, parameters, problems, kinds
 * and answers. */

#include "base/text.h"
#include "daemon/api_call.h"

/* Adds the document; needs no agent. */
void api_openapi_add(struct text *text);
void api_openapi_get(struct api_call *call);
