/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `NOUN list`: the pages of the API as one table, one document, or names. */
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/document.h"
#include "cli/run.h"
#include "model/resource.h"

enum { PAGE = 1000, STATS_MAX = 50, COLUMNS_WHOLE = 2 };

enum source { DECLARED, STATE, REASON, RX, TX, AGE };

/* A column of a kind's table. */
struct column {
	const char *title, *member;
	enum source source;
	bool wide; /* only with -o wide */
};

/* clang-format off */
#define FIELD(t, m) {.title = (t), .member = (m)}
#define WIDE(t, m) {.title = (t), .member = (m), .wide = true}
static const struct column tunnel_columns[] = {
	FIELD("NAME", "name"), {.title = "STATE", .source = STATE}, FIELD("LOCAL", "local"),
	FIELD("REMOTE", "remote"), FIELD("DEVICE", "device"), FIELD("ADDRESS", "addresses"),
	FIELD("MTU", "mtu"), WIDE("TTL", "ttl"), WIDE("UNDERLAY", "underlay"),
	WIDE("LABELS", "labels"), {.title = "RX", .source = RX}, {.title = "TX", .source = TX},
	{.title = "AGE", .source = AGE}, {.title = "REASON", .source = REASON, .wide = true},
};
static const struct column exit_columns[] = {
	FIELD("NAME", "name"), {.title = "STATE", .source = STATE}, FIELD("TUNNEL", "tunnel"),
	FIELD("DESTINATIONS", "destinations"), FIELD("FROM", "from"), FIELD("METRIC", "metric"),
	WIDE("SOURCE", "source"), WIDE("LABELS", "labels"),
	{.title = "AGE", .source = AGE}, {.title = "REASON", .source = REASON, .wide = true},
};
static const struct column nat_columns[] = {
	FIELD("NAME", "name"), {.title = "STATE", .source = STATE}, FIELD("SOURCES", "sources"),
	FIELD("OUT", "out_interface"), FIELD("ACTION", "action"), FIELD("TO", "to_address"),
	FIELD("IN", "in_interface"), WIDE("DESTINATIONS", "destinations"),
	FIELD("PRIORITY", "priority"), WIDE("LABELS", "labels"),
	{.title = "AGE", .source = AGE}, {.title = "REASON", .source = REASON, .wide = true},
};

static const struct columns {
	const struct kind *kind;
	const struct column *v;
	unsigned n;
} tables[] = {
	{&tunnel_kind, tunnel_columns, ARRAY_LEN(tunnel_columns)},
	{&exit_route_kind, exit_columns, ARRAY_LEN(exit_columns)},
	{&nat_rule_kind, nat_columns, ARRAY_LEN(nat_columns)},
};
/* clang-format on */

/* Counters of one resource. */
struct stats {
	bool known;
	double rx_bytes, tx_bytes;
};

struct listing {
	struct cli *cli;
	const struct kind *kind;
	json_t *items;       /* of all pages */
	struct stats *stats; /* one for each; NULL: not asked */
	const char *unit;
};

static void add_filter(struct text *path, const struct args *args, const char *name)
{
	const char *value;

	for (unsigned i = 0; (value = args_nth(args, name, i)); i++) {
		text_addf(path, "&%s=", name);
		client_add_encoded(path, value);
	}
}

static int get_page(struct cli *cli, const char *after, struct response *response)
{
	cleanup_text struct text path = {0};

	text_addf(&path, "/v1/%s?limit=%d", cli->args.noun->kind->path, PAGE);
	add_filter(&path, &cli->args, "state");
	add_filter(&path, &cli->args, "label");
	if (after) {
		text_add(&path, "&after=");
		client_add_encoded(&path, after);
	}
	int status = cli_get(cli, text_str(&path), response);
	/* what the agent did not take stands in the options */
	return status == CLI_INVALID ? CLI_USAGE : status;
}

/* All pages; *single tells that first holds everything as it came. */
static int get_pages(struct cli *cli, json_t *items, struct response *first, bool *single)
{
	int status = get_page(cli, NULL, first);
	const json_t *page = first->json;
	cleanup_free char *after = NULL;
	cleanup_response struct response response = {0};

	*single = true;
	while (status == CLI_OK) {
		const char *next = json_string_value(json_object_get(page, "next"));

		json_array_extend(items, json_object_get(page, "items"));
		if (!next)
			break;
		*single = false;
		free(after);
		after = xstrdup(next);
		response_done(&response);
		status = get_page(cli, after, &response);
		page = response.json;
	}
	return status;
}

/* The counters of one; a resource without any (or gone meanwhile) is not a failure. */
static struct stats get_stats(struct cli *cli, const struct kind *kind, const char *name)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};
	struct err err;
	int status = CLI_OK;
	struct client *client = cli_agent(cli, &status);

	document_add_path(&path, kind, name);
	text_add(&path, "/stats");
	struct request request = {.method = "GET", .path = text_str(&path)};
	if (!client || client_send(client, &request, &response, &err) || !response_is_ok(&response))
		return (struct stats){0};
	return (struct stats){
		.known = json_object_get(response.json, "rx"),
		.rx_bytes = (double)document_number(json_object_get(response.json, "rx"), "bytes"),
		.tx_bytes = (double)document_number(json_object_get(response.json, "tx"), "bytes"),
	};
}

/* In any other state a device of that name is somebody else's, and so are its counters. */
static bool has_device(const char *state)
{
	return strcmp(state, "ready") == 0 || strcmp(state, "pending") == 0;
}

static struct stats *sample(const struct listing *listing)
{
	size_t n = json_array_size(listing->items);
	struct stats *stats = xcalloc(n + 1, sizeof(*stats));

	for (size_t i = 0; i < n; i++) {
		const json_t *document = json_array_get(listing->items, i);

		if (has_device(document_state(document)))
			stats[i] = get_stats(listing->cli, listing->kind,
					     document_string(document, "name"));
	}
	return stats;
}

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

/* Bits per second, from two samples a second apart. */
static void measure_rates(struct listing *listing)
{
	struct timespec start, end, pause = {.tv_sec = 1};

	clock_gettime(CLOCK_MONOTONIC, &start);
	struct stats *before = sample(listing);
	nanosleep(&pause, NULL);
	listing->stats = sample(listing);
	clock_gettime(CLOCK_MONOTONIC, &end);
	double per_byte = 8 / seconds_between(&start, &end);

	for (size_t i = 0; i < json_array_size(listing->items); i++) {
		struct stats *now = &listing->stats[i];

		now->known = now->known && before[i].known && now->rx_bytes >= before[i].rx_bytes &&
			     now->tx_bytes >= before[i].tx_bytes;
		now->rx_bytes = (now->rx_bytes - before[i].rx_bytes) * per_byte;
		now->tx_bytes = (now->tx_bytes - before[i].tx_bytes) * per_byte;
	}
	free(before);
	listing->unit = "b/s";
}

/* Counters cost a request for each tunnel: past a screenful they are left out. */
static void ask_stats(struct listing *listing)
{
	bool rates = args_value(&listing->cli->args, "rates");

	listing->unit = "B";
	if (listing->kind != &tunnel_kind)
		return;
	if (rates)
		measure_rates(listing);
	else if (json_array_size(listing->items) <= STATS_MAX)
		listing->stats = sample(listing);
}

static void add_cell(const struct listing *listing, const struct column *column, size_t row,
		     struct text *cell)
{
	const json_t *document = json_array_get(listing->items, row);
	const struct stats *stats = listing->stats ? &listing->stats[row] : NULL;
	size_t shown = listing->cli->format == CLI_WIDE ? 0 : DOCUMENT_LIST_SHOWN;
	int64_t created;

	switch (column->source) {
	case DECLARED:
		document_add_value(cell, document_value(document, column->member), shown);
		return;
	case STATE:
		text_add(cell, document_state(document));
		return;
	case REASON:
		document_add_reason(cell, document_status(document));
		return;
	case RX:
		if (stats && stats->known)
			output_add_amount(cell, stats->rx_bytes, listing->unit);
		return;
	case TX:
		if (stats && stats->known)
			output_add_amount(cell, stats->tx_bytes, listing->unit);
		return;
	case AGE:
		created = output_time(document_string(document, "created_at"));
		if (created >= 0)
			output_add_age(cell, (int64_t)time(NULL) - created);
		return;
	}
}

static bool is_shown(const struct listing *listing, const struct column *column)
{
	return !column->wide || listing->cli->format == CLI_WIDE;
}

static const struct columns *columns_of(const struct kind *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (tables[i].kind == kind)
			return &tables[i];
	return NULL;
}

static void print_table(struct listing *listing)
{
	const struct columns *columns = columns_of(listing->kind);
	cleanup_table struct output_table table = {.whole = COLUMNS_WHOLE};

	for (unsigned c = 0; c < columns->n; c++)
		if (is_shown(listing, &columns->v[c])) {
			table.columns++;
			output_cell(&table, columns->v[c].title);
		}
	for (size_t row = 0; row < json_array_size(listing->items); row++)
		for (unsigned c = 0; c < columns->n; c++) {
			cleanup_text struct text cell = {0};

			if (!is_shown(listing, &columns->v[c]))
				continue;
			add_cell(listing, &columns->v[c], row, &cell);
			output_cell(&table, text_str(&cell));
		}
	output_print(&table, &listing->cli->style);
}

/* What is amiss, on lines of its own: a sentence would make every line of the table long. A
 * table without headers is for scripts and has the rows alone. */
static void print_troubled(const struct cli *cli, const json_t *items)
{
	cleanup_text struct text lines = {0};

	if (cli->format == CLI_WIDE || cli->quiet || !cli->style.headers)
		return;
	document_add_troubled(&lines, cli->args.noun, items, &cli->style, DOCUMENT_TROUBLED_SHOWN);
	fputs(text_str(&lines), stdout);
}

static void print_names(const struct cli *cli, const json_t *items)
{
	const json_t *document;
	size_t i;

	json_array_foreach(items, i, document)
		printf("%s/%s\n", cli->args.noun->name, document_string(document, "name"));
}

/* One document as it came; several pages become one of the same form. */
static void print_json(json_t *items, const struct response *first, bool single)
{
	if (single) {
		cli_print_body(first);
		return;
	}
	json_t *whole = json_pack("{s:O, s:O, s:n}", "items", items, "revision",
				  json_object_get(first->json, "revision"), "next");
	json_dumpf(whole, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(whole);
}

int resources_list(struct cli *cli)
{
	cleanup_response struct response first = {0};
	bool single, is_table = cli->format == CLI_TABLE || cli->format == CLI_WIDE;

	if (args_value(&cli->args, "rates") && (cli->args.noun->kind != &tunnel_kind || !is_table))
		return cli_usage("--rates fills RX and TX of the table of tunnels: %s",
				 is_table ? "there are none here"
					  : "-o name and -j are not for it");
	json_t *items = json_array();
	int status = get_pages(cli, items, &first, &single);

	if (status != CLI_OK) {
		json_decref(items);
		return status;
	}
	if (cli->format == CLI_JSON) {
		print_json(items, &first, single);
	} else if (cli->format == CLI_NAME) {
		print_names(cli, items);
	} else {
		struct listing listing = {.cli = cli, .kind = cli->args.noun->kind, .items = items};

		ask_stats(&listing);
		print_table(&listing);
		print_troubled(cli, items);
		free(listing.stats);
		if (!json_array_size(items) && !cli->quiet)
			fprintf(stderr, "no %s\n", cli->args.noun->kind->path);
	}
	json_decref(items);
	return CLI_OK;
}
