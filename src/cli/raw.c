/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `api METHOD PATH`: one request as typed, its answer as it came. */
#include <ctype.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/run.h"

static int read_body(const char *data, struct text *body)
{
	if (!data || data[0] != '@') {
		text_add(body, data ? data : "");
		return CLI_OK;
	}
	return cli_read_file(data + 1, body);
}

int raw_api(struct cli *cli)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text body = {0}, method = {0}, path = {0};
	const char *data = args_value(&cli->args, "data");
	const char *typed = cli->args.words.v[1];

	if (cli->dry_run)
		return cli_usage("api has no dry run of its own: put dry_run=true into PATH");
	int status = read_body(data, &body);
	if (status != CLI_OK)
		return status;
	for (const char *s = cli->args.words.v[0]; *s; s++) {
		if (!isalpha((unsigned char)*s))
			return cli_usage("%s is not an HTTP method", cli->args.words.v[0]);
		text_addf(&method, "%c", toupper((unsigned char)*s));
	}
	text_addf(&path, typed[0] == '/' ? "%s" : "/%s", typed);
	status = cli_call(cli,
			  &(struct request){.method = text_str(&method),
					    .path = text_str(&path),
					    .body = data ? text_str(&body) : NULL,
					    .body_len = body.len},
			  &response);
	if (status == CLI_OK)
		cli_print_body(&response);
	return status;
}
