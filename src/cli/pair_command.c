/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `pair` and `unpair` as typed: words and options to requests. */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/document.h"
#include "cli/pair.h"
#include "cli/pair_side.h"
#include "cli/run.h"
#include "model/resource.h"

static const char default_pool[] = "10.255.0.0/16";

static int parse_network(const char *what, const char *s, struct prefix *prefix)
{
	if (addr_parse(s, &prefix->addr) == 0)
		return cli_usage("%s %s: a network a.b.c.d/n is wanted, for one address %s/32",
				 what, s, s);
	if (prefix_parse(s, prefix) || !prefix_is_network(*prefix))
		return cli_usage("%s %s: a network a.b.c.d/n is wanted, its host bits zero", what,
				 s);
	return CLI_OK;
}

static int add_destinations(struct pair_request *request, const char *list)
{
	cleanup_free char *words = xstrdup(list);
	char *rest = words, *word;
	int status = CLI_OK;

	while (status == CLI_OK && (word = strsep(&rest, ",")))
		if (word[0])
			status = parse_network("--to", word, vec_add(&request->to));
	return status;
}

/* --to takes one word; further words after A and B are further destinations */
static int read_destinations(const struct cli *cli, struct pair_request *request)
{
	const char *list;
	int status = CLI_OK;

	for (unsigned i = 0; status == CLI_OK && (list = args_nth(&cli->args, "to", i)); i++)
		status = add_destinations(request, list);
	if (!args_value(&cli->args, "to") && cli->args.words.len > 2)
		return cli_usage("one word too many: %s", cli->args.words.v[2]);
	for (size_t i = 2; status == CLI_OK && i < cli->args.words.len; i++)
		status = add_destinations(request, cli->args.words.v[i]);
	return status;
}

static int read_exit(const struct cli *cli, struct pair_request *request)
{
	const char *side = args_value(&cli->args, "exit");

	request->exit = -1;
	if (side && strcasecmp(side, "a") == 0)
		request->exit = 0;
	else if (side && strcasecmp(side, "b") == 0)
		request->exit = 1;
	else if (side)
		return cli_usage("--exit %s: a or b is wanted, the first or the second host", side);
	if ((request->exit >= 0) != (request->to.len > 0))
		return cli_usage("--exit and --to go together");
	return CLI_OK;
}

static int read_request(const struct cli *cli, struct pair_request *request)
{
	const char *name = args_value(&cli->args, "name");
	const char *inner = args_value(&cli->args, "inner");
	int status = parse_network("--inner", inner ? inner : default_pool, &request->inner);

	if (status == CLI_OK)
		status = read_destinations(cli, request);
	if (status == CLI_OK)
		status = read_exit(cli, request);
	if (status == CLI_OK && request->inner.len == 32)
		status = cli_usage("--inner %s: a /31 or larger is wanted", inner);
	request->name[0] = args_value(&cli->args, "name-a");
	request->name[1] = args_value(&cli->args, "name-b");
	for (int i = 0; i < 2; i++)
		if (!request->name[i])
			request->name[i] = name;
	request->wait_s = cli->wait_s ? cli->wait_s : CLI_WAIT_S;
	request->dry_run = cli->dry_run;
	request->format = cli->format;
	request->quiet = cli->quiet;
	return status;
}

/* Of remotes named b and a, in that order, --exit a would be read both ways. */
static int check_letters(const struct cli *cli)
{
	const char *side = args_value(&cli->args, "exit");
	const char *first = cli->args.words.v[0], *second = cli->args.words.v[1];

	if (side && (strcasecmp(first, "b") == 0 || strcasecmp(second, "a") == 0))
		return cli_usage("--exit %s: the first host is a and the second b, whatever they "
				 "are called; give them in that order",
				 side);
	return CLI_OK;
}

int pair_pair(struct cli *cli)
{
	struct pair_request request = {0};
	struct client *a = NULL, *b = NULL;
	int status = read_request(cli, &request);

	if (status == CLI_OK)
		status = check_letters(cli);
	if (status == CLI_OK)
		status = cli_open(cli, cli->args.words.v[0], false, &a);
	if (status == CLI_OK)
		status = cli_open(cli, cli->args.words.v[1], false, &b);
	if (status == CLI_OK) {
		client_catch_signals();
		status = pair_run(&request, a, b);
	}
	client_close(a);
	client_close(b);
	vec_done(&request.to);
	return status;
}

struct unpair_host {
	struct client *client;
	bool found; /* something of the name was there */
};

struct unpair_hosts vec_of(struct unpair_host);

/* A dry run is refused a tunnel because of the route that the real run removes first. */
static bool is_in_use(const struct response *response)
{
	return response->status == 409 &&
	       strcmp(document_string(response->json, "code"), "resource-in-use") == 0;
}

/* One resource on one host; one that is not there is no failure. */
static int remove_from(const struct cli *cli, struct unpair_host *host, const struct kind *kind)
{
	const char *name = cli->args.words.v[0];
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0}, who = {0};
	struct request request = {.method = "DELETE", .wait_s = cli->wait_s};
	struct err err;

	document_add_path(&path, kind, name);
	cli_add_query(cli, &path);
	request.path = text_str(&path);
	text_addf(&who, "%s  %s/%s", host->client->host, pair_side_noun(kind), name);
	int result = client_send(host->client, &request, &response, &err);
	if (result)
		return client_print_failure("ipipctl", result, &err);
	if (response.status == 404)
		return CLI_OK;
	bool follows = cli->dry_run && host->found && is_in_use(&response);
	host->found = true;
	if (!response_is_ok(&response) && !follows) {
		client_print_problem(stderr, text_str(&who), &response);
		return client_exit_of_status(response.status);
	}
	if (!cli->dry_run)
		return resources_report_removal(cli, text_str(&who), &response);
	if (cli->format == CLI_NAME)
		puts(text_str(&who));
	else if (cli->format != CLI_JSON)
		printf("%s  would be removed\n", text_str(&who));
	else if (!follows)
		cli_print_body(&response);
	return CLI_OK;
}

/* On all hosts the route goes first, so that no packet leaves with its inner source; then NAT,
 * then the tunnels that they stand on. */
static int remove_all(const struct cli *cli, struct unpair_hosts *hosts)
{
	static const struct kind *const order[] = {&exit_route_kind, &nat_rule_kind, &tunnel_kind};
	int worst = CLI_OK;
	bool found = false;

	for (size_t k = 0; k < ARRAY_LEN(order); k++)
		for (size_t i = 0; i < hosts->len; i++) {
			int status = remove_from(cli, &hosts->v[i], order[k]);

			found |= hosts->v[i].found;
			if (worst == CLI_OK)
				worst = status;
		}
	if (worst == CLI_OK && !found) {
		cli_complain("nothing of the name %s on these hosts", cli->args.words.v[0]);
		return CLI_NOT_FOUND;
	}
	return worst;
}

int pair_unpair(struct cli *cli)
{
	const char *on = args_value(&cli->args, "on");
	cleanup_free char *list = xstrdup(on ? on : "");
	char *rest = list, *word;
	struct unpair_hosts hosts = {0};
	int status = CLI_OK;

	if (!on || !on[0])
		return cli_usage("unpair needs --on A,B: the hosts to remove it on");
	if (!cli->wait_s)
		cli->wait_s = CLI_WAIT_S;
	while (status == CLI_OK && (word = strsep(&rest, ",")))
		if (word[0])
			status = cli_open(cli, word, false, &vec_add(&hosts)->client);
	if (status == CLI_OK)
		status = remove_all(cli, &hosts);
	for (size_t i = 0; i < hosts.len; i++)
		client_close(hosts.v[i].client);
	vec_done(&hosts);
	return status;
}
