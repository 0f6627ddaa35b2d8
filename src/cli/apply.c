/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole configs: apply, diff, plan, export, reconcile. */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/document.h"
#include "cli/plan.h"
#include "cli/run.h"

enum { LOST_SHOWN = 10 };

static int read_config(struct cli *cli, struct text *body)
{
	const char *file = args_value(&cli->args, "file");

	if (!file || !file[0])
		return cli_usage("%s needs -f FILE, or -f - for stdin", cli->args.command->name);
	int status = cli_read_file(file, body);
	if (status == CLI_OK && !body->len)
		return cli_usage("%s is empty; a config is at least {}", file);
	return status;
}

/* Of a file that the agent refused: which one it was. */
static int refused(const struct cli *cli, int status)
{
	const char *file = args_value(&cli->args, "file");

	if (status == CLI_INVALID)
		cli_complain("%s was refused: nothing is changed",
			     strcmp(file, "-") == 0 ? "standard input" : file);
	return status;
}

static void print_not_ready(const json_t *not_ready)
{
	const json_t *resource;
	size_t i;

	json_array_foreach(not_ready, i, resource) {
		const char *kind = document_string(resource, "kind");
		const struct noun *noun = command_noun(kind);
		cleanup_text struct text state = {0};

		document_add_state(&state, resource);
		cli_complain("%s/%s is %s", noun ? noun->name : kind,
			     document_string(resource, "name"), text_str(&state));
	}
}

/* 1 when one failed or stands in conflict, 3 when one is only pending */
static int exit_of_not_ready(const json_t *not_ready)
{
	const json_t *resource;
	int status = CLI_OK;
	size_t i;

	json_array_foreach(not_ready, i, resource) {
		int one = resources_exit_of_state(document_string(resource, "state"));

		if (one == CLI_FAILED || status == CLI_OK)
			status = one;
	}
	return status;
}

static int report_summary(const struct cli *cli, const struct response *response)
{
	static const char *const members[] = {"created", "updated", "deleted", "unchanged"};
	const json_t *not_ready = json_object_get(response->json, "not_ready");

	if (cli->dry_run) {
		plan_print(cli, response);
		return CLI_OK;
	}
	if (cli->format == CLI_JSON) {
		cli_print_body(response);
	} else if (!cli->quiet) {
		for (size_t i = 0; i < ARRAY_LEN(members); i++)
			printf("%s%lld %s", i ? ", " : "",
			       (long long)document_number(response->json, members[i]), members[i]);
		printf("; revision %lld\n", (long long)document_number(response->json, "revision"));
	}
	if (!cli->wait_s)
		return CLI_OK;
	print_not_ready(not_ready);
	return exit_of_not_ready(not_ready);
}

/* Adds "tunnel/tun_a", each on a line, for what of the kind the file does not have. */
static size_t add_lost(struct text *lines, const struct noun *noun, const json_t *declared,
		       const json_t *file)
{
	json_t *kept = json_object();
	const json_t *resource;
	size_t i, n = 0;

	json_array_foreach(json_object_get(file, noun->kind->member), i, resource)
		json_object_set_new(kept, document_string(resource, "name"), json_true());
	json_array_foreach(json_object_get(declared, noun->kind->member), i, resource) {
		const char *name = document_string(resource, "name");

		if (json_object_get(kept, name))
			continue;
		if (n++ < LOST_SHOWN)
			text_addf(lines, "  %s/%s\n", noun->name, name);
	}
	if (n > LOST_SHOWN)
		text_addf(lines, "  and %zu more %s\n", n - LOST_SHOWN, noun->kind->path);
	json_decref(kept);
	return n;
}

/* On a terminal, --prune asks first when a declaration would go. */
static int confirm_prune(struct cli *cli, const struct text *body)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text lines = {0};
	size_t lost = 0;
	char answer[16];

	if (cli->yes || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return CLI_OK;
	int status = cli_get(cli, "/v1/config", &response);
	if (status != CLI_OK)
		return status;
	/* of a file that is no JSON everything is lost: ask, and let the agent refuse it */
	json_t *file = json_loadb(body->s, body->len, 0, NULL);
	for (unsigned i = 0; i < command_n_resources; i++)
		lost += add_lost(&lines, &command_nouns[i], response.json, file);
	json_decref(file);
	if (!lost)
		return CLI_OK;
	fprintf(stderr, "%zu that the file does not have will be removed:\n%sGo on? [y/N] ", lost,
		text_str(&lines));
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return CLI_OK;
	cli_complain("nothing was changed");
	return CLI_FAILED;
}

int apply_apply(struct cli *cli)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text body = {0}, path = {0};
	bool prune = args_value(&cli->args, "prune");
	int status = read_config(cli, &body);

	if (status == CLI_OK && prune && !cli->dry_run)
		status = confirm_prune(cli, &body);
	if (status != CLI_OK)
		return status;
	text_addf(&path, "/v1/config?prune=%s", prune ? "true" : "false");
	cli_add_query(cli, &path);
	client_catch_signals();
	status = cli_call(cli,
			  &(struct request){.method = "PUT",
					    .path = text_str(&path),
					    .body = text_str(&body),
					    .body_len = body.len,
					    .wait_s = cli->wait_s},
			  &response);
	if (client_interrupted())
		fputs("hint: a config is stored whole or not at all; `ipipctl diff` with the same "
		      "file tells which\n",
		      stderr);
	return status == CLI_OK ? report_summary(cli, &response) : refused(cli, status);
}

int apply_diff(struct cli *cli)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text body = {0};
	const char *path = args_value(&cli->args, "prune") ? "/v1/plan?prune=true"
							   : "/v1/plan?prune=false";
	int status = read_config(cli, &body);

	if (status == CLI_OK)
		status = cli_call(cli,
				  &(struct request){.method = "POST",
						    .path = path,
						    .body = text_str(&body),
						    .body_len = body.len},
				  &response);
	/* 1 says that there is a difference: no failure may be mistaken for one */
	if (status != CLI_OK)
		return status == CLI_FAILED ? CLI_USAGE : refused(cli, status);
	plan_print(cli, &response);
	return plan_len(&response) ? CLI_FAILED : CLI_OK;
}

int apply_plan(struct cli *cli)
{
	cleanup_response struct response response = {0};
	struct request request = {.method = "POST", .path = "/v1/plan"};
	int status = cli_call(cli, &request, &response);

	if (status == CLI_OK)
		plan_print(cli, &response);
	return status;
}

int apply_export(struct cli *cli)
{
	cleanup_response struct response response = {0};
	int status = cli_get(cli, "/v1/config", &response);

	if (status != CLI_OK)
		return status;
	if (cli->format == CLI_JSON || !response.json) {
		cli_print_body(&response);
	} else {
		json_dumpf(response.json, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	return CLI_OK;
}

int apply_reconcile(struct cli *cli)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};
	const char *orphans = args_value(&cli->args, "orphans");

	if (orphans && strcmp(orphans, "delete") != 0)
		return cli_usage("--orphans %s: only delete is there", orphans);
	text_addf(&path, "/v1/reconcile%s", orphans ? "?orphans=delete" : "");
	cli_add_query(cli, &path);
	struct request request = {.method = "POST", .path = text_str(&path), .wait_s = cli->wait_s};
	int status = cli_call(cli, &request, &response);
	return status == CLI_OK ? report_summary(cli, &response) : status;
}
