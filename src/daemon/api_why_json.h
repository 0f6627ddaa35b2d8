/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The answer of GET /v1/why. */

#include <jansson.h>

#include "daemon/why.h"

/* The caller owns it. */
json_t *api_why_json(const struct why_known *known, const struct why_checks *checks,
		     unsigned took_ms);
