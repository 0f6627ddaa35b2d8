/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Plans as answers: of a dry run, of a config, of drift. */

#include "daemon/api_call.h"

/* True: it would be a long one beside another, and 429 was answered. */
bool api_plan_refused(struct api_call *call);
/* Answers with what a full pass would do with this declaration (NULL: the one in force). */
void api_plan_respond(struct api_call *call, const struct declaration *declaration);
/* The same as the answer of a dry run: {"plan":…} */
void api_plan_respond_dry(struct api_call *call, const struct declaration *declaration);
