/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hazards of a host: how bad, what, and the command that helps, which is never folded. */
#include "cli/hazards.h"

#include "cli/document.h"

static void add_hazard(struct text *out, const json_t *hazard, const struct output_style *style)
{
	const char *fix = document_string(hazard, "fix");
	const char *object = document_string(hazard, "object");
	const char *message = document_string(hazard, "message");
	cleanup_text struct text severity = {0}, words = {0}, clean = {0};

	output_add_clean(&severity, document_string(hazard, "severity"));
	text_add(out, "  ");
	output_add_state(out, text_str(&severity), style->color);
	text_add(out, "  ");
	bool told = strstr(message, object); /* most sentences are about it */
	text_addf(&words, "%s: %s%s%s", document_string(hazard, "hazard"), told ? "" : object,
		  told ? "" : ": ", message);
	output_add_clean(&clean, text_str(&words));
	output_add_folded(out, text_str(&clean), output_width_of(text_str(&severity)) + 4,
			  style->width);
	text_add(out, "\n");
	if (!*fix)
		return;
	text_add(out, "    fix: ");
	output_add_clean(out, fix);
	text_add(out, "\n");
}

json_t *hazards_ask(struct cli *cli)
{
	cleanup_response struct response response = {0};
	struct request request = {.method = "GET", .path = "/v1/hazards"};
	struct err err;

	if (client_send(cli->client, &request, &response, &err) || !response_is_ok(&response))
		return NULL;
	return json_incref(response.json);
}

void hazards_print(struct cli *cli)
{
	json_t *answer = hazards_ask(cli);
	const json_t *hazards = json_object_get(answer, "hazards"), *hazard;
	cleanup_text struct text lines = {0};
	size_t i;

	json_array_foreach(hazards, i, hazard)
		add_hazard(&lines, hazard, &cli->style);
	if (lines.len)
		printf("hazards      %lld\n%s", (long long)document_number(answer, "hazards_total"),
		       text_str(&lines));
	json_decref(answer);
}
