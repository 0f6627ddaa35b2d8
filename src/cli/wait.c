/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `wait KIND/NAME…`: asks again until every resource is ready, or gone. */
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/document.h"
#include "cli/run.h"

enum { FIRST_PAUSE_MS = 50, PAUSE_MS = 500, TIMEOUT_S = 60, TIMEOUT_MAX_S = 86400 };

struct waiting {
	struct cli *cli;
	bool for_deleted;
	uint64_t deadline_ms;
};

static void pause_ms(unsigned ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&pause, NULL);
}

/* -1: not yet; else an exit status, and with -o json the document. 404 is what "deleted" waits
 * for, so it is no failure. */
static int look(const struct waiting *waiting, const char *path, struct text *last)
{
	cleanup_response struct response response = {0};
	struct request request = {.method = "GET", .path = path};
	int status = CLI_OK;
	struct client *client = cli_agent(waiting->cli, &status);
	struct err err;

	if (!client)
		return status;
	int result = client_send(client, &request, &response, &err);
	if (result)
		return client_print_failure("ipipctl", result, &err);
	if (response.status == 404 && waiting->for_deleted)
		return CLI_OK;
	if (!response_is_ok(&response)) {
		client_print_problem(stderr, "ipipctl", &response);
		return client_exit_of_status(response.status);
	}
	const char *state = document_state(response.json);
	text_clear(last);
	document_add_state(last, document_status(response.json));
	if (waiting->for_deleted || strcmp(state, "ready") != 0)
		return -1;
	if (waiting->cli->format == CLI_JSON)
		cli_print_body(&response);
	return CLI_OK;
}

static int wait_for(const struct waiting *waiting, const struct noun *noun, const char *name)
{
	cleanup_text struct text path = {0}, last = {0};
	unsigned ms = FIRST_PAUSE_MS;
	int status;

	document_add_path(&path, noun->kind, name);
	while ((status = look(waiting, text_str(&path), &last)) < 0) {
		if (client_now_ms() >= waiting->deadline_ms) {
			cli_complain("%s/%s: waited in vain, it is %s", noun->name, name,
				     text_str(&last));
			return CLI_TIMEOUT;
		}
		pause_ms(ms);
		ms = ms * 2 > PAUSE_MS ? PAUSE_MS : ms * 2;
	}
	const struct cli *cli = waiting->cli;
	if (status == CLI_OK && cli->format == CLI_NAME)
		printf("%s/%s\n", noun->name, name);
	else if (status == CLI_OK && cli->format != CLI_JSON && !cli->quiet)
		printf("%s/%s  %s\n", noun->name, name, waiting->for_deleted ? "deleted" : "ready");
	return status;
}

int wait_wait(struct cli *cli)
{
	const char *purpose = args_value(&cli->args, "for");
	struct waiting waiting = {.cli = cli};
	unsigned timeout_s = args_value(&cli->args, "wait") ? cli->wait_s : TIMEOUT_S;
	int status = cli_number(cli, "timeout", 0, TIMEOUT_MAX_S, &timeout_s);

	waiting.for_deleted = purpose && strcmp(purpose, "deleted") == 0;
	if (purpose && !waiting.for_deleted && strcmp(purpose, "ready") != 0)
		return cli_usage("--for %s: ready or deleted is wanted", purpose);
	waiting.deadline_ms = client_now_ms() + (uint64_t)timeout_s * 1000;
	for (size_t i = 0; status == CLI_OK && i < cli->args.words.len; i++) {
		const char *word = cli->args.words.v[i];
		size_t len = strcspn(word, "/");
		const char *name = word[len] ? word + len + 1 : "";
		char kind[32];
		struct err err;

		snprintf(kind, sizeof(kind), "%.*s", (int)len, word);
		const struct noun *noun = command_resource(kind);
		if (!name[0])
			return cli_usage(
				"%s: KIND/NAME is wanted, as in tunnel/tun_a, exit/qq or nat/out",
				word);
		if (!noun) {
			command_unknown_noun(&err, kind);
			return cli_usage("%s", err.sentence);
		}
		status = wait_for(&waiting, noun, name);
	}
	return status;
}
