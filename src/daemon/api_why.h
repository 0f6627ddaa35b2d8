/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The one request of GET /v1/why whose probes are under way. */

#include "daemon/api_json.h"
#include "daemon/api_why_json.h"

struct api;
struct why_probe;

struct api_why {
	struct api *api;
	struct http_request *request;
	struct why_question question;
	struct why_probe *probe;
	uint64_t began_ms;
	bool begun;           /* of the far end's stream: its first byte is written */
	struct text document; /* once it is there */
};
