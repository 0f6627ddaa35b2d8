/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Plans as answers: of a dry run, of a config, of drift. */

#include "codec/json.h"
#include "daemon/api_call.h"

/* What a full pass would do with this declaration (NULL: the one in force). The caller owns
 * the document; NULL: a problem was answered. */
json_t *api_plan_make(struct api_call *call, const struct declaration *declaration);
