/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `status`: one screen of health, and what is amiss by name. */
#include <time.h>

#include "cli/cli.h"
#include "cli/document.h"
#include "cli/hazards.h"
#include "cli/run.h"

static json_int_t count_amiss(const json_t *counts)
{
	const char *state;
	const json_t *count;
	json_int_t amiss = 0;

	json_object_foreach((json_t *)(uintptr_t)counts, state, count)
		if (document_is_amiss(state))
			amiss += json_integer_value(count);
	return amiss;
}

static void print_counts(const struct cli *cli, const struct kind *kind, const json_t *counts)
{
	const char *state, *separator = ": ";
	const json_t *count;
	json_int_t total = 0;
	cleanup_text struct text line = {0};

	json_object_foreach((json_t *)(uintptr_t)counts, state, count) {
		json_int_t n = json_integer_value(count);

		total += n;
		if (!n)
			continue;
		cleanup_text struct text clean = {0};
		output_add_clean(&clean, state);
		text_addf(&line, "%s%lld ", separator, (long long)n);
		output_add_state(&line, text_str(&clean), cli->style.color);
		separator = ", ";
	}
	printf("%-12s %lld%s\n", kind->path, (long long)total, text_str(&line));
}

static void print_troubled(struct cli *cli, const struct noun *noun)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0}, lines = {0};
	size_t max = cli->format == CLI_WIDE ? 0 : DOCUMENT_TROUBLED_SHOWN;

	text_addf(&path, "/v1/%s?limit=1000", noun->kind->path);
	if (cli_get(cli, text_str(&path), &response) != CLI_OK)
		return;
	document_add_troubled(&lines, noun, json_object_get(response.json, "items"), &cli->style,
			      max);
	fputs(text_str(&lines), stdout);
}

static void print_orphans(const json_t *status)
{
	const json_t *orphans = json_object_get(status, "orphans"), *orphan;
	size_t i;

	if (!json_array_size(orphans))
		return;
	printf("orphans      %zu, of an agent with another database:\n", json_array_size(orphans));
	json_array_foreach(orphans, i, orphan) {
		cleanup_text struct text line = {0};

		output_add_clean(&line, document_string(orphan, "kind"));
		text_add(&line, " ");
		output_add_clean(&line, document_string(orphan, "key"));
		printf("  %s\n", text_str(&line));
	}
	puts("hint: `ipipctl reconcile --orphans delete` removes them");
}

static void print_last_pass(const struct cli *cli, const json_t *status)
{
	const json_t *pass = json_object_get(status, "last_pass");
	int64_t finished = output_time(document_string(pass, "finished_at"));
	const char *message = document_string(pass, "message");
	cleanup_text struct text age = {0}, line = {0}, clean = {0};

	if (!json_is_object(pass))
		return;
	output_add_age(&age, (int64_t)time(NULL) - finished);
	printf("last pass    %s ago, %lld ops, %lld failed, %.1f ms\n", text_str(&age),
	       (long long)document_number(pass, "ops"), (long long)document_number(pass, "failed"),
	       (double)document_number(pass, "duration_us") / 1000);
	if (!message[0])
		return;
	text_add(&line, "             ");
	output_add_clean(&clean, message);
	output_add_folded(&line, text_str(&clean), line.len, cli->style.width);
	puts(text_str(&line));
}

/* The agent may do all that it can, and yet not all be as declared. */
static void print_headline(const struct cli *cli, const json_t *status, const json_t *host,
			   json_int_t amiss)
{
	bool ready = json_is_true(json_object_get(status, "ready"));
	cleanup_text struct text line = {0};

	text_add(&line, "ipipd ");
	output_add_clean(&line, document_string(host, "version"));
	text_add(&line, " on ");
	output_add_clean(&line, document_string(host, "hostname"));
	text_add(&line, "  ");
	output_add_state(&line,
			 !ready  ? "pending"
			 : amiss ? "degraded"
				 : "ready",
			 cli->style.color);
	printf("%s, revision %lld\n", text_str(&line),
	       (long long)document_number(status, "revision"));
}

static int print_screen(struct cli *cli, const json_t *status, const json_t *host)
{
	const json_t *counts = json_object_get(status, "resources");
	json_int_t amiss[RESOURCE_KINDS] = {0}, total = 0;

	for (unsigned i = 0; i < command_n_resources; i++) {
		const struct kind *kind = command_nouns[i].kind;

		amiss[kind->id] = count_amiss(json_object_get(counts, kind->path));
		total += amiss[kind->id];
	}
	print_headline(cli, status, host, total);
	for (unsigned i = 0; i < command_n_resources; i++)
		print_counts(cli, command_nouns[i].kind,
			     json_object_get(counts, command_nouns[i].kind->path));
	print_last_pass(cli, status);
	printf("repaired     %lld\n", (long long)document_number(status, "drift_repaired"));
	for (unsigned i = 0; i < command_n_resources; i++)
		if (amiss[command_nouns[i].kind->id])
			print_troubled(cli, &command_nouns[i]);
	print_orphans(status);
	hazards_print(cli);
	return total || !json_is_true(json_object_get(status, "ready")) ? CLI_FAILED : CLI_OK;
}

/* The agent's document, and what endangers its host. */
static void print_json(struct cli *cli, const struct response *status)
{
	json_t *answer = hazards_ask(cli), *hazards = json_object_get(answer, "hazards");

	if (!hazards || !json_is_object(status->json)) {
		cli_print_body(status);
	} else {
		json_object_set(status->json, "hazards", hazards);
		json_dumpf(status->json, stdout, JSON_COMPACT);
		putchar('\n');
	}
	json_decref(answer);
}

int status_status(struct cli *cli)
{
	cleanup_response struct response status = {0}, host = {0};
	int result = cli_get(cli, "/v1/status", &status);

	if (result != CLI_OK)
		return result;
	if (cli->format == CLI_JSON) {
		print_json(cli, &status);
		return CLI_OK;
	}
	result = cli_get(cli, "/v1/host", &host);
	return result == CLI_OK ? print_screen(cli, status.json, host.json) : result;
}
