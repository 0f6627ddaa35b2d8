/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics as a table: a new one is a row, and where it counts something new, a member. */
#include "daemon/metric_table.h"

#include "base/log.h"
#include "daemon/api_json.h"

static bool once(const void *from, size_t number, struct metric_row *row)
{
	row->labels[0] = IPIPD_VERSION;
	row->base = from;
	return number == 0;
}

static bool of_state(const void *from, size_t number, struct metric_row *row)
{
	const struct scrape *scrape = from;

	if (number >= (size_t)RESOURCE_KINDS * STATES)
		return false;
	row->labels[0] = kinds[number / STATES]->noun;
	row->labels[1] = state_names[number % STATES];
	row->base = &scrape->resources[number / STATES][number % STATES];
	return true;
}

static bool of_hazard(const void *from, size_t number, struct metric_row *row)
{
	const struct scrape *scrape = from;
	size_t hazard = number / HAZARD_SEVERITIES, severity = number % HAZARD_SEVERITIES;

	if (hazard >= HAZARDS)
		return false;
	row->labels[0] = hazard_name((enum hazard_id)hazard);
	row->labels[1] = hazard_severity_names[severity];
	row->base = &scrape->hazards[hazard][severity];
	return true;
}

static bool of_trigger(const void *from, size_t number, struct metric_row *row)
{
	const struct scrape *scrape = from;

	if (number >= METRICS_TRIGGERS)
		return false;
	row->labels[0] = metrics_triggers[number];
	row->base = &scrape->metrics.passes[number];
	return true;
}

static bool of_object(const void *from, size_t number, struct metric_row *row)
{
	const struct scrape *scrape = from;
	size_t kind = OBJECT_KIND_FIRST + number;

	if (kind >= OBJECT_KIND_END)
		return false;
	row->labels[0] = kinds[kind]->noun;
	row->base = &scrape->metrics.repaired[kind];
	return true;
}

static bool of_op(const void *from, size_t number, struct metric_row *row)
{
	const struct scrape *scrape = from;
	size_t kind = OBJECT_KIND_FIRST + number / METRICS_VERBS, verb = number % METRICS_VERBS;

	if (kind >= OBJECT_KIND_END)
		return false;
	row->labels[0] = kinds[kind]->noun;
	row->labels[1] = op_verb_names[verb];
	row->base = &scrape->metrics.ops[kind][verb];
	return true;
}

static bool of_tunnel(const void *from, size_t number, struct metric_row *row)
{
	const struct tunnel_totals *tunnels =
		&((const struct scrape *)from)->metrics.totals.tunnels;

	if (number >= tunnels->len)
		return false;
	row->labels[0] = tunnels->v[number].name;
	row->base = &tunnels->v[number];
	return true;
}

static bool of_enabled_tunnel(const void *from, size_t number, struct metric_row *row)
{
	if (!of_tunnel(from, number, row))
		return false;
	if (!((const struct tunnel_total *)row->base)->enabled)
		row->base = NULL;
	return true;
}

static bool of_rule(const void *from, size_t number, struct metric_row *row)
{
	static const char *const directions[] = {[TOTAL_OUT] = "out", [TOTAL_IN] = "in"};
	const struct rule_totals *rules = &((const struct scrape *)from)->metrics.totals.rules;
	size_t direction = number % TOTAL_DIRECTIONS;

	if (number / TOTAL_DIRECTIONS >= rules->len)
		return false;
	row->labels[0] = rules->v[number / TOTAL_DIRECTIONS].name;
	row->labels[1] = directions[direction];
	row->base = &rules->v[number / TOTAL_DIRECTIONS].sum[direction];
	return true;
}

static bool of_request(const void *from, size_t number, struct metric_row *row)
{
	const struct request_counts *requests = &((const struct scrape *)from)->metrics.requests;

	if (number >= requests->len)
		return false;
	row->labels[0] = requests->v[number].route;
	row->labels[1] = requests->v[number].method;
	row->labels[2] = requests->v[number].code;
	row->base = &requests->v[number];
	return true;
}

static bool of_listener(const void *from, size_t number, struct metric_row *row)
{
	const struct http_numbers *http = &((const struct scrape *)from)->http;

	row->labels[0] = number ? "tcp" : "unix";
	row->base = number ? &http->tcp_connections : &http->unix_connections;
	return number < 2;
}

static bool of_route(const void *from, size_t number, struct metric_row *row)
{
	const struct route_times *times = &((const struct scrape *)from)->metrics.times;

	if (number >= times->len)
		return false;
	row->labels[0] = times->v[number].route;
	row->base = &times->v[number];
	return true;
}

/* clang-format off */
static const struct metric_rows
	build = {{"version"}, once},
	whole = {{NULL}, once},
	states = {{"kind", "state"}, of_state},
	hazards = {{"hazard", "severity"}, of_hazard},
	triggers = {{"trigger"}, of_trigger},
	objects = {{"kind"}, of_object},
	ops = {{"kind", "verb"}, of_op},
	tunnels = {{"tunnel"}, of_tunnel},
	enabled_tunnels = {{"tunnel"}, of_enabled_tunnel},
	rules = {{"rule", "direction"}, of_rule},
	requests = {{"route", "method", "code"}, of_request},
	listeners = {{"listener"}, of_listener},
	routes = {{"route"}, of_route};
/* clang-format on */

#define ROW(name, type, help, rows, at, unit, omits_zero)                                          \
	{                                                                                          \
		(name), (type), (help), &(rows), (at), (unit), (omits_zero)                        \
	}
/* clang-format off */
#define NUMBER(name, type, help, rows, at) ROW(name, type, help, rows, at, METRIC_NUMBER, false)
#define COUNTER(name, help, rows, at) NUMBER(name, METRIC_COUNTER, help, rows, at)
#define GAUGE(name, help, rows, at) NUMBER(name, METRIC_GAUGE, help, rows, at)
/* absent where it is 0 */
#define KNOWN(name, help, rows, at) ROW(name, METRIC_GAUGE, help, rows, at, METRIC_NUMBER, true)
#define SECONDS(name, help, rows, at) ROW(name, METRIC_COUNTER, help, rows, at, METRIC_US, false)
#define TIMESTAMP(name, help, rows, at) ROW(name, METRIC_GAUGE, help, rows, at, METRIC_MS, true)
#define HISTOGRAM(name, help, rows, at) \
	ROW(name, METRIC_HISTOGRAM, help, rows, at, METRIC_US, false)
/* clang-format on */

const struct metric metric_table[] = {
	GAUGE("ipipd_build_info", "The version that runs; always 1.", build,
	      METRIC_AT(struct scrape, one)),
	GAUGE("ipipd_ready",
	      "1 when the first pass is over and the last one could read the kernel.", whole,
	      METRIC_AT(struct scrape, ready)),
	GAUGE("ipipd_resources", "Declared resources by their state.", states, 0),
	GAUGE("ipipd_orphans", "Objects that an agent with another database has left.", whole,
	      METRIC_AT(struct scrape, orphans)),
	GAUGE("ipipd_hazards", "What on the host endangers the tunnels, as of the last scan.",
	      hazards, 0),
	COUNTER("ipipd_passes_total", "Passes that are over, by what called for them.", triggers,
		0),
	COUNTER("ipipd_pass_failures_total",
		"Passes that could not read the kernel, or left an operation undone.", whole,
		METRIC_AT(struct scrape, metrics.pass_failures)),
	HISTOGRAM("ipipd_pass_duration_seconds", "How long passes took.", whole,
		  offsetof(struct scrape, metrics.pass_duration)),
	TIMESTAMP("ipipd_pass_last_success_timestamp_seconds",
		  "When a pass over everything ended without a failure; absent before the first.",
		  whole, METRIC_AT(struct scrape, metrics.pass_success_ms)),
	COUNTER("ipipd_drift_repaired_total", "Operations that put right what nobody had declared.",
		objects, 0),
	COUNTER("ipipd_kernel_operations_total", "Operations that the kernel was asked for.", ops,
		METRIC_AT(struct op_count, done)),
	COUNTER("ipipd_kernel_operation_failures_total", "Those of them that it refused.", ops,
		METRIC_AT(struct op_count, failed)),
	COUNTER("ipipd_netlink_overruns_total", "Times that the kernel's events were lost.", whole,
		METRIC_AT(struct scrape, metrics.overruns)),
	GAUGE("ipipd_contested_objects",
	      "Objects that somebody changes again and again, so that repairs are held back.",
	      whole, METRIC_AT(struct scrape, contested)),
	COUNTER("ipipd_scrape_failures_total",
		"Scrapes that lack tunnels and NAT rules: the kernel's numbers could not be read.",
		whole, METRIC_AT(struct scrape, metrics.scrape_failures)),
	GAUGE("ipipd_tunnel_up", "1 when the device is there, and up; absent where it is disabled.",
	      enabled_tunnels, METRIC_AT(struct tunnel_total, up)),
	KNOWN("ipipd_tunnel_mtu_bytes", "MTU of the device; absent without one.", tunnels,
	      METRIC_AT(struct tunnel_total, mtu)),
	COUNTER("ipipd_tunnel_receive_bytes_total", "Bytes that came out of the tunnel.", tunnels,
		METRIC_AT(struct tunnel_total, sum.rx_bytes)),
	COUNTER("ipipd_tunnel_receive_packets_total", "Packets that came out of the tunnel.",
		tunnels, METRIC_AT(struct tunnel_total, sum.rx_packets)),
	COUNTER("ipipd_tunnel_receive_errors_total", "Packets that came and were bad.", tunnels,
		METRIC_AT(struct tunnel_total, sum.rx_errors)),
	COUNTER("ipipd_tunnel_receive_drops_total", "Packets that came and were dropped.", tunnels,
		METRIC_AT(struct tunnel_total, sum.rx_dropped)),
	COUNTER("ipipd_tunnel_transmit_bytes_total", "Bytes that went into the tunnel.", tunnels,
		METRIC_AT(struct tunnel_total, sum.tx_bytes)),
	COUNTER("ipipd_tunnel_transmit_packets_total", "Packets that went into the tunnel.",
		tunnels, METRIC_AT(struct tunnel_total, sum.tx_packets)),
	COUNTER("ipipd_tunnel_transmit_errors_total", "Packets that could not be sent.", tunnels,
		METRIC_AT(struct tunnel_total, sum.tx_errors)),
	COUNTER("ipipd_tunnel_transmit_drops_total", "Packets that were dropped unsent.", tunnels,
		METRIC_AT(struct tunnel_total, sum.tx_dropped)),
	COUNTER("ipipd_nat_rule_bytes_total",
		"Bytes forwarded from the rule's sources (out), and replied to them (in).", rules,
		METRIC_AT(struct element_stats, bytes)),
	COUNTER("ipipd_nat_rule_packets_total",
		"Packets forwarded from the rule's sources (out), and replied to them (in).", rules,
		METRIC_AT(struct element_stats, packets)),
	COUNTER("ipipd_http_requests_total",
		"Requests that were answered; what we do not know is \"other\".", requests,
		METRIC_AT(struct request_count, n)),
	HISTOGRAM("ipipd_http_request_duration_seconds",
		  "From a request's last byte until its answer.", routes,
		  offsetof(struct route_time, duration)),
	GAUGE("ipipd_http_connections", "Connections that are open.", listeners, 0),
	GAUGE("ipipd_event_followers", "Clients that follow the events.", whole,
	      METRIC_AT(struct scrape, followers)),
	TIMESTAMP("ipipd_tls_certificate_expiry_timestamp_seconds",
		  "When the certificate of the TCP listeners ends; absent without TLS.", whole,
		  METRIC_AT(struct scrape, http.certificate_expiry_ms)),
	GAUGE("ipipd_database_size_bytes", "Size of the database's files.", whole,
	      METRIC_AT(struct scrape, database_bytes)),
	COUNTER("ipipd_database_write_failures_total", "Transactions that could not be stored.",
		whole, METRIC_AT(struct scrape, database_failures)),
	SECONDS("process_cpu_seconds_total", "Time that user and system took.", whole,
		METRIC_AT(struct scrape, metrics.usage.cpu_us)),
	GAUGE("process_resident_memory_bytes", "Memory that is resident.", whole,
	      METRIC_AT(struct scrape, metrics.usage.resident_bytes)),
	GAUGE("process_open_fds", "File descriptors that are open.", whole,
	      METRIC_AT(struct scrape, metrics.usage.open_fds)),
	GAUGE("process_max_fds", "File descriptors that may be open.", whole,
	      METRIC_AT(struct scrape, metrics.usage.max_fds)),
	TIMESTAMP("process_start_time_seconds", "When the agent was started.", whole,
		  METRIC_AT(struct scrape, metrics.usage.start_ms)),
};
const size_t metric_table_len = ARRAY_LEN(metric_table);

void scrape_take(struct agent *agent, struct scrape *scrape)
{
	struct reconcile_report report = {0};
	struct err err = {0};

	int rc = reconcile_count(agent->reconcile, &err);
	if (rc)
		log_warning("the kernel's counters could not be read: %s", err.sentence);
	usage_read(&agent->metrics.usage);
	metrics_copy(&scrape->metrics, &agent->metrics);
	if (rc) { /* what was read last is no answer to what there is now */
		vec_clear(&scrape->metrics.totals.tunnels);
		vec_clear(&scrape->metrics.totals.rules);
	}
	reconcile_report(agent->reconcile, &report);
	scrape->one = 1;
	scrape->ready = report.ready;
	scrape->orphans = report.n_orphans;
	hazard_scan_count(agent->hazards, scrape->hazards);
	api_json_count_states(agent, scrape->resources);
	scrape->database_bytes = store_size_bytes(agent->store);
	scrape->database_failures = store_write_failures(agent->store);
	scrape->contested = report.contested;
	http_count(agent->http, &scrape->http);
}

void scrape_done(struct scrape *scrape)
{
	metrics_done(&scrape->metrics);
}
