/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `why` as typed: words and options to the question that both ends are asked. */
#include <stdlib.h>
#include <string.h>

#include "base/ipaddr.h"
#include "cli/run.h"
#include "cli/why_walk.h"

static int add_address(struct text *query, const char *name, const char *s)
{
	struct addr addr;

	if (addr_parse(s, &addr))
		return cli_usage("%s %s: an address a.b.c.d is wanted", name, s);
	text_addf(query, "%s%s=", query->len ? "&" : "", name[0] == '-' ? name + 2 : "to");
	client_add_encoded(query, s);
	return CLI_OK;
}

static int add_port(struct cli *cli, struct text *query)
{
	const char *protocol = args_value(&cli->args, "protocol");
	unsigned port = 0;
	int status = cli_number(cli, "port", 1, UINT16_MAX, &port);

	if (status != CLI_OK)
		return status;
	if (port && (!protocol || strcmp(protocol, "icmp") == 0))
		return cli_usage("--port goes with --protocol tcp or udp");
	if (protocol && strcmp(protocol, "icmp") != 0 && strcmp(protocol, "tcp") != 0 &&
	    strcmp(protocol, "udp") != 0)
		return cli_usage("--protocol must be icmp, tcp or udp, not %s", protocol);
	if (protocol)
		text_addf(query, "&protocol=%s", protocol);
	if (port)
		text_addf(query, "&port=%u", port);
	return CLI_OK;
}

static int read_question(struct cli *cli, struct text *query)
{
	const char *from = args_value(&cli->args, "from");
	int status = add_address(query, "destination", cli->args.words.v[0]);

	if (status == CLI_OK && args_value(&cli->args, "in") && !from)
		return cli_usage("--in needs --from: whose packets come in there?");
	if (status == CLI_OK && from)
		status = add_address(query, "--from", from);
	return status == CLI_OK ? add_port(cli, query) : status;
}

/* As the user called it, so that commands for it can be typed again. */
static void name_near(const struct cli *cli, struct why_host *near)
{
	const char *host = args_value(&cli->args, "host");

	if (!host)
		host = getenv("IPIPCTL_HOST");
	near->is_default = !host || !host[0];
	near->name = near->is_default ? "local" : host;
}

int why_why(struct cli *cli)
{
	cleanup_text struct text query = {0};
	struct why_walk walk = {.cli = cli,
				.probe = !args_value(&cli->args, "no-probe") && !cli->dry_run};
	const char *in = args_value(&cli->args, "in");
	int status = read_question(cli, &query);

	if (status != CLI_OK)
		return status;
	walk.query = text_str(&query);
	walk.in = in;
	name_near(cli, &walk.near);
	status = why_walk(&walk);
	if (status == CLI_OK) {
		why_show(&walk);
		status = walk.broken ? CLI_FAILED : CLI_OK;
	}
	why_walk_done(&walk);
	return status;
}
