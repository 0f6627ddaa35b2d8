/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What on this host endangers what is declared. */
#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/hazard_scan.h"

enum { HAZARDS_TOLD = 100 };

static json_t *document(const struct hazard *hazard)
{
	json_t *resources = json_array();

	for (size_t i = 0; i < HAZARD_RESOURCES && hazard->resources[i]; i++)
		json_array_append_new(resources, json_string(hazard->resources[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:o}", "hazard", hazard_name(hazard->id),
			 "severity", hazard_severity_names[hazard->severity], "object",
			 hazard->object, "message", hazard->message, "fix", hazard->fix,
			 "resources", resources);
}

void api_hazards_get(struct api_call *call)
{
	int64_t scanned_ms = 0;
	const struct hazards *hazards = hazard_scan_hazards(call->agent->hazards, &scanned_ms);
	json_t *list = json_array();
	char scanned[32];

	json_time(scanned_ms, scanned);
	for (size_t i = 0; i < hazards->list.len && i < HAZARDS_TOLD; i++)
		json_array_append_new(list, document(&hazards->list.v[i]));
	api_json_respond(call->request, 200, NULL,
			 json_pack("{s:s, s:o, s:I}", "scanned_at", scanned, "hazards", list,
				   "hazards_total", (json_int_t)hazards->total));
}
