/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The straight line of pair: read both hosts, choose, tunnels, pings, NAT, route. Every
 * step that fails ends it, and the journal takes back what was done.
 */
#include "cli/pair.h"

#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/document.h"
#include "cli/pair_side.h"

/* The answers of one side about the other's addresses: each is asked for once. */
struct answers vec_of(struct pair_route);

struct pair {
	const struct pair_request *request;
	struct pair_side sides[2];
	struct answers answers[2];
	struct pair_endpoints endpoints;
	struct pair_journal journal;
};

static int read_sides(struct pair *pair)
{
	struct pair_side *a = &pair->sides[0], *b = &pair->sides[1];

	for (int i = 0; i < 2; i++) {
		int status = pair_side_read(&pair->sides[i]);

		if (status != CLI_OK)
			return status;
	}
	if (a->host.id[0] && strcmp(a->host.id, b->host.id) == 0)
		return cli_usage("a and b are the same agent");
	return CLI_OK;
}

static int name_sides(struct pair *pair)
{
	char chosen[IFNAMSIZ];

	pair_plan_name(&pair->sides[0].host, &pair->sides[1].host, chosen);
	for (int i = 0; i < 2; i++) {
		const char *name = pair->request->name[i] ? pair->request->name[i] : chosen;
		const char *fault = resource_name_fault(name);

		if (!fault)
			fault = ifname_fault(name);
		if (fault)
			return cli_usage("the name %s: %s", name, fault);
		snprintf(pair->sides[i].name, sizeof(pair->sides[i].name), "%s", name);
		pair_side_find_tunnel(&pair->sides[i]);
	}
	return CLI_OK;
}

static int ask_once(struct pair *pair, int side, struct addr to, struct pair_route *route)
{
	struct answers *answers = &pair->answers[side];

	for (size_t i = 0; i < answers->len; i++)
		if (answers->v[i].to.host == to.host) {
			*route = answers->v[i];
			return CLI_OK;
		}
	int status = pair_side_route(&pair->sides[side], to, true, route);
	if (status == CLI_OK)
		vec_push(answers, *route);
	return status;
}

/* Do both kernels pick exactly these two towards each other? */
static int ask_both(struct pair *pair, const struct pair_endpoints *candidate, bool *agree)
{
	struct pair_route there, back;
	int status = ask_once(pair, 0, candidate->y, &there);

	*agree = false;
	if (status != CLI_OK || !there.device[0] || there.source.host != candidate->x.host)
		return status;
	status = ask_once(pair, 1, candidate->x, &back);
	if (status == CLI_OK)
		*agree = back.device[0] && back.source.host == candidate->y.host;
	return status;
}

static void explain_no_endpoints(const struct pair *pair)
{
	char to[ADDR_TEXT], source[ADDR_TEXT];

	cli_complain("no underlay addresses of a and b that reach each other");
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < pair->answers[side].len; i++) {
			const struct pair_route *route = &pair->answers[side].v[i];

			addr_text(route->to, to);
			if (route->device[0])
				fprintf(stderr, "  %s reaches %s by %s from %s\n",
					pair->sides[side].letter, to, route->device,
					addr_text(route->source, source));
			else
				fprintf(stderr, "  %s has no route to %s\n",
					pair->sides[side].letter, to);
		}
	fputs("hint: `ipipctl tunnel add` on both sides declares a tunnel by hand\n", stderr);
}

/* The outer address that the existing tunnel has on that side; 0: none. */
static struct addr outer_of(const struct pair_side *side, const char *member)
{
	const char *s = json_string_value(document_value(side->tunnel, member));
	struct addr addr = {0};

	if (!s || addr_parse(s, &addr))
		return (struct addr){0};
	return addr;
}

static int choose_endpoints(struct pair *pair)
{
	struct pair_candidates candidates = {0};
	const struct pair_side *a = &pair->sides[0], *b = &pair->sides[1];
	struct addr x = outer_of(a, "local"), y = outer_of(b, "local");
	int status = CLI_OK;
	bool agree = false;

	pair_plan_candidates(&a->host, &b->host, &candidates);
	/* what stands stays, as long as it is right: it goes first, whatever its rank */
	for (size_t i = 0; i < candidates.len; i++)
		if (candidates.v[i].x.host == x.host && candidates.v[i].y.host == y.host) {
			struct pair_endpoints standing = candidates.v[i];

			candidates.v[i] = candidates.v[0];
			candidates.v[0] = standing;
		}
	for (size_t i = 0; i < candidates.len && status == CLI_OK && !agree; i++) {
		pair->endpoints = candidates.v[i];
		status = ask_both(pair, &candidates.v[i], &agree);
	}
	vec_done(&candidates);
	if (status == CLI_OK && !agree) {
		explain_no_endpoints(pair);
		return CLI_FAILED;
	}
	return status;
}

/* The first inner address of an existing tunnel. */
static bool inner_of(const struct pair_side *side, struct prefix *inner)
{
	const json_t *addresses = json_object_get(side->tunnel, "addresses");
	const char *s = json_string_value(json_array_get(addresses, 0));

	return s && prefix_parse(s, inner) == 0;
}

/* Both tunnels exist: are they each other's? Then their inner addresses stay. */
static int keep_inner(struct pair *pair)
{
	struct pair_side *a = &pair->sides[0], *b = &pair->sides[1];
	struct addr a_remote = outer_of(a, "remote"), b_remote = outer_of(b, "remote");
	bool inner_match = inner_of(a, &a->inner) && inner_of(b, &b->inner) &&
			   a->inner.len == b->inner.len &&
			   a->inner.addr.host != b->inner.addr.host &&
			   prefix_covers(a->inner, b->inner.addr);
	/* one end moved: the other still names its partner's old address, or its new one */
	bool outer_match = a_remote.host == outer_of(b, "local").host ||
			   b_remote.host == outer_of(a, "local").host;

	if (inner_match && outer_match)
		return CLI_OK;
	cli_complain("tunnel/%s on a and tunnel/%s on b exist, but are not each other's ends",
		     a->name, b->name);
	fputs("hint: give another --name\n", stderr);
	return CLI_CONFLICT;
}

static int choose_inner(struct pair *pair)
{
	struct pair_side *a = &pair->sides[0], *b = &pair->sides[1];
	const struct pair_host *const hosts[2] = {&a->host, &b->host};
	struct prefix inner[2];
	char text[PREFIX_TEXT];

	if (a->tunnel && b->tunnel)
		return keep_inner(pair);
	if (a->tunnel || b->tunnel) {
		const struct pair_side *has = a->tunnel ? a : b, *lacks = a->tunnel ? b : a;

		cli_complain("tunnel/%s exists on %s, but tunnel/%s does not on %s", has->name,
			     has->letter, lacks->name, lacks->letter);
		fprintf(stderr,
			"hint: give another --name, or remove it: "
			"`ipipctl -H %s tunnel rm %s`\n",
			has->client->host, has->name);
		return CLI_CONFLICT;
	}
	if (pair_plan_inner(pair->request->inner, hosts, inner)) {
		cli_complain("%s has no inner network that is free on both hosts",
			     prefix_text(pair->request->inner, text));
		return CLI_CONFLICT;
	}
	a->inner = inner[0];
	b->inner = inner[1];
	return CLI_OK;
}

static unsigned inner_mtu(const struct pair *pair)
{
	enum { OUTER_HEADER = 20 };
	unsigned mtu = 0;

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < pair->answers[side].len; i++) {
			const struct pair_route *route = &pair->answers[side].v[i];
			struct addr other = side ? pair->endpoints.x : pair->endpoints.y;

			if (route->to.host == other.host && (!mtu || route->mtu < mtu))
				mtu = route->mtu;
		}
	return mtu > OUTER_HEADER ? mtu - OUTER_HEADER : 0;
}

static void print_choice(const struct pair *pair)
{
	char network[PREFIX_TEXT], text[ADDR_TEXT];

	if (pair->sides[0].quiet)
		return;
	for (int i = 0; i < 2; i++) {
		const struct pair_side *side = &pair->sides[i];

		printf("%s  %-15s  ipipd %s  %s\n", side->letter,
		       addr_text(i ? pair->endpoints.y : pair->endpoints.x, text),
		       side->host.version, side->ready ? "ready" : "not ready");
	}
	printf("inner %s (a .%u, b .%u), mtu %u\n",
	       prefix_text(prefix_network(pair->sides[0].inner), network),
	       (unsigned)pair->sides[0].inner.addr.host & 255,
	       (unsigned)pair->sides[1].inner.addr.host & 255, inner_mtu(pair));
	fflush(stdout);
}

static int ensure_tunnel(struct pair *pair, int i)
{
	char local[ADDR_TEXT], remote[ADDR_TEXT], inner[PREFIX_TEXT];
	const struct pair_endpoints *outer = &pair->endpoints;
	struct pair_side *side = &pair->sides[i];
	json_t *want = json_pack("{s:s, s:s}", "local", addr_text(i ? outer->y : outer->x, local),
				 "remote", addr_text(i ? outer->x : outer->y, remote));

	/* the addresses of one that exists were checked, and may be more than this */
	if (!side->tunnel)
		json_object_set_new(want, "addresses",
				    json_pack("[s]", prefix_text(side->inner, inner)));
	return pair_side_ensure(side, &tunnel_kind, want, pair->request->wait_s, &pair->journal);
}

static const char *device_of(const struct pair_side *side)
{
	const char *device = json_string_value(document_value(side->tunnel, "device"));

	return device ? device : side->name;
}

/* The one device by which the exit's own routes to all prefixes leave. */
static int choose_device(const struct pair *pair, const struct pair_side *exit_side,
			 char device[static IFNAMSIZ])
{
	const struct pair_request *request = pair->request;
	char text[PREFIX_TEXT];

	device[0] = '\0';
	for (size_t i = 0; i < request->to.len; i++) {
		struct pair_route route;
		int status = pair_side_route(exit_side, pair_plan_probe(request->to.v[i]), false,
					     &route);

		if (status != CLI_OK)
			return status;
		prefix_text(request->to.v[i], text);
		if (!route.device[0] || route.local)
			cli_complain("%s: %s", exit_side->letter,
				     route.local ? "the destination is its own address"
						 : "it has no route to the destination");
		else if (strcmp(route.device, device_of(exit_side)) == 0)
			cli_complain("%s: its own route to %s leads back into the tunnel",
				     exit_side->letter, text);
		else if (device[0] && strcmp(route.device, device) != 0)
			cli_complain("%s: %s leaves by %s, others by %s: pair them apart, with "
				     "another --name",
				     exit_side->letter, text, route.device, device);
		else {
			memcpy(device, route.device, IFNAMSIZ);
			continue;
		}
		return CLI_FAILED;
	}
	return CLI_OK;
}

static json_t *nat_sources_of(const struct pair_side *through)
{
	char source[PREFIX_TEXT];

	return json_pack("[s]", prefix_text((struct prefix){through->inner.addr, 32}, source));
}

static json_t *nat_of(const struct pair_side *through, const char *device)
{
	return json_pack("{s:o, s:s, s:s, s:n}", "sources", nat_sources_of(through),
			 "out_interface", device, "action", "masquerade", "to_address");
}

static json_t *exit_of(const struct pair_request *request, const struct pair_side *side)
{
	json_t *destinations = json_array();
	char text[PREFIX_TEXT];

	for (size_t i = 0; i < request->to.len; i++)
		json_array_append_new(destinations,
				      json_string(prefix_text(request->to.v[i], text)));
	return json_pack("{s:s, s:o}", "tunnel", side->name, "destinations", destinations);
}

/* NAT before the route, or packets would leave with their inner source. */
static int open_exit(struct pair *pair)
{
	const struct pair_request *request = pair->request;
	const struct pair_side *out = &pair->sides[request->exit];
	const struct pair_side *in = &pair->sides[!request->exit];
	char device[IFNAMSIZ];
	int status = choose_device(pair, out, device);

	if (status == CLI_OK)
		status = pair_side_ensure(out, &nat_rule_kind, nat_of(in, device), request->wait_s,
					  &pair->journal);
	if (status == CLI_OK)
		status = pair_side_ensure(in, &exit_route_kind, exit_of(request, in),
					  request->wait_s, &pair->journal);
	return status;
}

static int build(struct pair *pair)
{
	const struct pair_side *a = &pair->sides[0], *b = &pair->sides[1];
	int status = ensure_tunnel(pair, 0);

	if (status == CLI_OK)
		status = ensure_tunnel(pair, 1);
	if (status == CLI_OK && !pair->request->dry_run)
		status = pair_side_ping(a, b);
	if (status == CLI_OK && !pair->request->dry_run)
		status = pair_side_ping(b, a);
	if (status == CLI_OK && pair->request->exit >= 0)
		status = open_exit(pair);
	return status;
}

/* What has the name already is this pair's, or the exit is for another name. */
static int check_exit(const struct pair *pair)
{
	int exit_at = pair->request->exit;

	if (exit_at < 0)
		return CLI_OK;
	const struct pair_side *out = &pair->sides[exit_at], *in = &pair->sides[!exit_at];
	int status = pair_side_check(out, &nat_rule_kind, "sources", nat_sources_of(in));
	if (status == CLI_OK)
		status = pair_side_check(in, &exit_route_kind, "tunnel", json_string(in->name));
	return status;
}

static void print_names(const struct pair_side *side)
{
	const char *noun;
	const json_t *document;

	json_object_foreach(side->documents, noun, document)
		printf("%s/%s\n", noun, side->name);
}

static void print_json(const struct pair *pair)
{
	json_t *both = json_pack("{s:O, s:O}", "a", pair->sides[0].documents, "b",
				 pair->sides[1].documents);

	json_dumpf(both, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(both);
}

static void print_words(const struct pair *pair)
{
	const struct pair_request *request = pair->request;
	const char *would = request->dry_run ? "would pair" : "paired";
	char text[PREFIX_TEXT];

	if (request->exit < 0) {
		printf("%s: tunnel/%s on a and tunnel/%s on b\n", would, pair->sides[0].name,
		       pair->sides[1].name);
		return;
	}
	printf("%s: ", would);
	for (size_t i = 0; i < request->to.len; i++)
		printf("%s%s", i ? ", " : "", prefix_text(request->to.v[i], text));
	printf(" leaves %s through %s\n", pair->sides[!request->exit].letter,
	       pair->sides[request->exit].letter);
}

static void print_result(const struct pair *pair)
{
	switch (pair->request->format) {
	case CLI_JSON:
		print_json(pair);
		return;
	case CLI_NAME:
		for (int i = 0; i < 2; i++)
			print_names(&pair->sides[i]);
		return;
	case CLI_TABLE:
	case CLI_WIDE:
		if (!pair->request->quiet)
			print_words(pair);
		return;
	}
}

static int choose(struct pair *pair)
{
	int status = read_sides(pair);

	if (status == CLI_OK)
		status = name_sides(pair);
	if (status == CLI_OK)
		status = choose_inner(pair);
	if (status == CLI_OK)
		status = check_exit(pair);
	if (status == CLI_OK)
		status = choose_endpoints(pair);
	if (status == CLI_OK)
		print_choice(pair);
	return status;
}

int pair_run(const struct pair_request *request, struct client *a, struct client *b)
{
	struct pair pair = {.request = request,
			    .sides = {{.letter = "a", .client = a}, {.letter = "b", .client = b}}};

	for (int i = 0; i < 2; i++) {
		pair.sides[i].dry_run = request->dry_run;
		pair.sides[i].quiet = request->quiet || request->format == CLI_JSON ||
				      request->format == CLI_NAME;
	}
	int status = choose(&pair);
	if (status == CLI_OK) {
		status = build(&pair);
		if (status != CLI_OK && !request->dry_run)
			pair_journal_undo(&pair.journal, request->wait_s);
	}
	if (status == CLI_OK)
		print_result(&pair);
	pair_journal_done(&pair.journal);
	for (int i = 0; i < 2; i++) {
		pair_side_done(&pair.sides[i]);
		vec_done(&pair.answers[i]);
	}
	return status;
}
