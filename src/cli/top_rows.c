/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of `top`: asked, measured, sorted and printed. */
#include "cli/top_rows.h"

#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/document.h"

enum { PAGE = 1000, LIST_AGE_MAX = 10, COLUMNS_WHOLE = 2, STATES_MAX = 8 };

static const struct {
	const char *direction, *name;
} members[TOP_COUNTERS] = {
	[TOP_RX_BYTES] = {"rx", "bytes"},     [TOP_TX_BYTES] = {"tx", "bytes"},
	[TOP_RX_PACKETS] = {"rx", "packets"}, [TOP_TX_PACKETS] = {"tx", "packets"},
	[TOP_RX_ERRORS] = {"rx", "errors"},   [TOP_TX_ERRORS] = {"tx", "errors"},
	[TOP_RX_DROPPED] = {"rx", "dropped"}, [TOP_TX_DROPPED] = {"tx", "dropped"},
};

/* An answer of 2xx, or its exit status. */
static int get(struct client *client, const char *path, struct response *response, struct err *err)
{
	int result = client_send(client, &(struct request){.method = "GET", .path = path}, response,
				 err);

	if (result)
		return client_exit_of_errno(result);
	if (response_is_ok(response))
		return CLI_OK;
	const char *title = document_string(response->json, "title");
	err_set(err, -EPROTO, "%s: %s", path, title[0] ? title : "the agent refuses");
	return client_exit_of_status(response->status);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct top_row *)a)->name, ((const struct top_row *)b)->name);
}

static double load(const struct top_row *row)
{
	return row->has_rate ? row->rate[TOP_RX_BYTES] + row->rate[TOP_TX_BYTES] : -1;
}

static int by_load(const void *a, const void *b)
{
	double x = load(a), y = load(b);

	return x != y ? (x < y) - (x > y) : by_name(a, b);
}

/* The order of asking. */
static int by_need(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if (x->is_shown != y->is_shown)
		return y->is_shown - x->is_shown;
	return (x->asked_ms > y->asked_ms) - (x->asked_ms < y->asked_ms);
}

static void add_page(struct top_rows *new, const struct top_rows *old, const json_t *items)
{
	const json_t *document;
	size_t i;

	json_array_foreach(items, i, document) {
		struct top_row row = {0};

		snprintf(row.name, sizeof(row.name), "%s", document_string(document, "name"));
		const struct top_row *before = old->v.len ? bsearch(&row, old->v.v, old->v.len,
								    sizeof(row), by_name)
							  : NULL;
		if (before)
			row = *before;
		snprintf(row.state, sizeof(row.state), "%s", document_state(document));
		vec_push(&new->v, row);
	}
}

/* Rows keep what was measured of them. */
static int read_list(struct top_rows *rows, struct client *client, struct err *err)
{
	struct top_rows new = {0};
	cleanup_text struct text path = {0};
	bool more = true;

	vec_sort(&rows->v, by_name);
	text_addf(&path, "/v1/tunnels?limit=%d", PAGE);
	while (more) {
		cleanup_response struct response response = {0};
		int status = get(client, text_str(&path), &response, err);

		if (status != CLI_OK) {
			vec_done(&new.v);
			return status;
		}
		add_page(&new, rows, json_object_get(response.json, "items"));
		const char *next = json_string_value(json_object_get(response.json, "next"));
		more = next;
		text_clear(&path);
		text_addf(&path, "/v1/tunnels?limit=%d&after=", PAGE);
		client_add_encoded(&path, next ? next : "");
	}
	vec_done(&rows->v);
	rows->v.v = new.v.v;
	rows->v.len = new.v.len;
	rows->v.cap = new.v.cap;
	return CLI_OK;
}

/* The list is long, and changes seldom: the revision and the count of each state tell of nearly
 * every change, the rest is seen a few refreshes later. */
static int read_list_if_changed(struct top_rows *rows, struct client *client, struct err *err)
{
	cleanup_response struct response response = {0};
	int status = get(client, "/v1/status", &response, err);

	if (status != CLI_OK)
		return status;
	json_t *tunnels = json_object_get(json_object_get(response.json, "resources"), "tunnels");
	json_t *revision = json_object_get(response.json, "revision");
	json_t *told = json_pack("[O?, O?]", revision, tunnels);
	cleanup_free char *seen = json_dumps(told, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(told);
	bool same = rows->seen && seen && strcmp(seen, rows->seen) == 0;
	if (same && ++rows->age < LIST_AGE_MAX)
		return CLI_OK;
	status = read_list(rows, client, err);
	if (status != CLI_OK)
		return status;
	free(rows->seen);
	rows->seen = take_ptr(seen);
	rows->age = 0;
	return CLI_OK;
}

/* A device that was made anew counts from zero. */
static void measure(struct top_row *row, const double count[TOP_COUNTERS], uint64_t now_ms)
{
	double seconds = (double)(now_ms - row->asked_ms) / 1000;

	row->has_rate = row->is_known && seconds > 0;
	for (int i = 0; i < TOP_COUNTERS; i++) {
		row->has_rate &= count[i] >= row->count[i];
		row->rate[i] = (count[i] - row->count[i]) / (seconds > 0 ? seconds : 1);
	}
	memcpy(row->count, count, sizeof(row->count));
	row->is_known = true;
}

/* One that has no device (or is gone meanwhile) has no counters, which is no failure. */
static int ask(struct top_row *row, struct client *client, struct err *err)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};
	double count[TOP_COUNTERS];

	document_add_path(&path, &tunnel_kind, row->name);
	text_add(&path, "/stats");
	int status = get(client, text_str(&path), &response, err);
	uint64_t now_ms = client_now_ms();
	for (int i = 0; i < TOP_COUNTERS; i++)
		count[i] = (double)document_number(
			json_object_get(response.json, members[i].direction), members[i].name);
	if (status == CLI_OK)
		measure(row, count, now_ms);
	else
		row->is_known = row->has_rate = false;
	row->asked_ms = now_ms;
	return response.status ? CLI_OK : status;
}

/* In any other state a device of that name is somebody else's, and so are its counters. */
static bool has_device(const struct top_row *row)
{
	return strcmp(row->state, "ready") == 0 || strcmp(row->state, "pending") == 0;
}

int top_rows_refresh(struct top_rows *rows, struct client *client, unsigned shown,
		     unsigned budget_ms, struct err *err)
{
	unsigned asked = 0;

	for (size_t i = 0; i < rows->v.len; i++)
		rows->v.v[i].is_shown = i < shown;
	int status = read_list_if_changed(rows, client, err);
	uint64_t end_ms = client_now_ms() + budget_ms;
	vec_sort(&rows->v, by_need);
	for (size_t i = 0; status == CLI_OK && i < rows->v.len; i++) {
		struct top_row *row = &rows->v.v[i];

		if (!has_device(row)) {
			row->is_known = row->has_rate = false;
			continue;
		}
		/* at least one, however slow the agent is */
		if (asked && (asked >= ROWS_ASKED_MAX || client_now_ms() >= end_ms))
			break;
		status = ask(row, client, err);
		asked++;
	}
	vec_sort(&rows->v, by_load);
	return status;
}

/* In the order in which they come. */
static void add_states(const struct top_rows *rows, const struct output_style *style,
		       struct text *out)
{
	struct {
		const char *state;
		size_t n;
	} counts[STATES_MAX] = {0};
	size_t n = rows->v.len;

	for (size_t i = 0; i < n; i++) {
		size_t c = 0;

		while (counts[c].state && strcmp(counts[c].state, rows->v.v[i].state) != 0 &&
		       c + 1 < ARRAY_LEN(counts))
			c++;
		counts[c].state = rows->v.v[i].state;
		counts[c].n++;
	}
	text_addf(out, "%zu tunnel%s", n, n == 1 ? "" : "s");
	for (size_t c = 0; c < ARRAY_LEN(counts) && counts[c].n; c++) {
		text_addf(out, "%s%zu ", c ? ", " : ": ", counts[c].n);
		output_add_state(out, counts[c].state, style->color);
	}
}

void top_rows_add_sums(const struct top_rows *rows, const struct output_style *style,
		       struct text *out)
{
	double rx = 0, tx = 0;
	bool has_rate = false;

	for (size_t i = 0; i < rows->v.len; i++)
		if (rows->v.v[i].has_rate) {
			has_rate = true;
			rx += rows->v.v[i].rate[TOP_RX_BYTES];
			tx += rows->v.v[i].rate[TOP_TX_BYTES];
		}
	add_states(rows, style, out);
	if (!has_rate)
		return;
	text_add(out, "  rx ");
	output_add_amount(out, rx * 8, "b/s");
	text_add(out, "  tx ");
	output_add_amount(out, tx * 8, "b/s");
}

/* clang-format off */
static const struct column {
	const char *title;
	enum top_counter counter, other; /* both are added up */
	bool is_rate;
	unsigned factor;
	const char *unit;
} columns[] = {
	{"RX", TOP_RX_BYTES, TOP_COUNTERS, true, 8, "b/s"},
	{"TX", TOP_TX_BYTES, TOP_COUNTERS, true, 8, "b/s"},
	{"RX-PKTS", TOP_RX_PACKETS, TOP_COUNTERS, true, 1, "/s"},
	{"TX-PKTS", TOP_TX_PACKETS, TOP_COUNTERS, true, 1, "/s"},
	{"ERRORS", TOP_RX_ERRORS, TOP_TX_ERRORS, false, 1, ""},
	{"DROPS", TOP_RX_DROPPED, TOP_TX_DROPPED, false, 1, ""},
};
/* clang-format on */

static void add_cell(const struct top_row *row, const struct column *column,
		     struct output_table *table)
{
	const double *from = column->is_rate ? row->rate : row->count;
	double value = from[column->counter];
	cleanup_text struct text cell = {0};

	if (column->other != TOP_COUNTERS)
		value += from[column->other];
	if (column->is_rate ? row->has_rate : row->is_known)
		output_add_amount(&cell, value * column->factor, column->unit);
	output_cell(table, text_str(&cell));
}

void top_rows_add_table(const struct top_rows *rows, const struct output_style *style,
			unsigned lines, struct text *out)
{
	cleanup_table struct output_table table = {.columns = 2 + ARRAY_LEN(columns),
						   .whole = COLUMNS_WHOLE};

	output_cell(&table, "NAME");
	output_cell(&table, "STATE");
	for (size_t c = 0; c < ARRAY_LEN(columns); c++)
		output_cell(&table, columns[c].title);
	for (size_t i = 0; i < rows->v.len && i < lines; i++) {
		output_cell(&table, rows->v.v[i].name);
		output_cell(&table, rows->v.v[i].state);
		for (size_t c = 0; c < ARRAY_LEN(columns); c++)
			add_cell(&rows->v.v[i], &columns[c], &table);
	}
	if (rows->v.len)
		output_render(&table, style, out);
	if (rows->v.len > lines)
		text_addf(out, "and %zu more\n", rows->v.len - lines);
}

void top_rows_done(struct top_rows *rows)
{
	vec_done(&rows->v);
	free(rows->seen);
	rows->seen = NULL;
}
