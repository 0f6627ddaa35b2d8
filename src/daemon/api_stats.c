/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of the kernel: of a device, or of a NAT rule. */
#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"

#include <errno.h>

static void respond(struct api_call *call, json_t *document)
{
	static const char *const headers[] = {"Content-Type", "application/json", "Cache-Control",
					      "no-store", NULL};

	api_json_respond(call->request, 200, headers, document);
}

static void refuse(struct api_call *call, const struct err *err)
{
	if (err->number == -ENODEV || err->number == -ENOENT)
		api_problem(call->request, "not-found", "no counters: %s", err->sentence);
	else
		api_problem(call->request, "not-ready", "the counters cannot be read: %s",
			    err->sentence);
}

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static void tunnel_stats(struct api_call *call, const struct tunnel *tunnel)
{
	struct kernel *kernel = call->agent->kernel;
	const char *device = tunnel_device(tunnel);
	struct link_stats s = {0};
	struct err err = {0};

	int rc = reconcile_uses_device(call->agent->reconcile, device)
			 ? kernel->vt->link_stats(kernel, device, &s, &err)
			 : -ENODEV;
	if (rc == -ENODEV)
		err_set(&err, rc, "there is no device %s of this tunnel", device);
	if (rc) {
		refuse(call, &err);
		return;
	}
	respond(call, json_pack("{s:s, s:{s:o, s:o, s:o, s:o}, s:{s:o, s:o, s:o, s:o, s:o, s:o}}",
				"device", device, "rx", "bytes", count(s.rx_bytes), "packets",
				count(s.rx_packets), "errors", count(s.rx_errors), "dropped",
				count(s.rx_dropped), "tx", "bytes", count(s.tx_bytes), "packets",
				count(s.tx_packets), "errors", count(s.tx_errors), "dropped",
				count(s.tx_dropped), "carrier_errors", count(s.tx_carrier_errors),
				"collisions", count(s.collisions)));
}

static void nat_rule_stats(struct api_call *call, const struct nat_rule *rule)
{
	struct element_stats sum[TOTAL_DIRECTIONS] = {0};
	const struct element_stats *out = &sum[TOTAL_OUT], *in = &sum[TOTAL_IN];
	struct err err = {0};

	if (reconcile_rule_counters(call->agent->reconcile, rule, sum, &err)) {
		refuse(call, &err);
		return;
	}
	respond(call, json_pack("{s:{s:o, s:o}, s:{s:o, s:o}}", "out", "packets",
				count(out->packets), "bytes", count(out->bytes), "in", "packets",
				count(in->packets), "bytes", count(in->bytes)));
}

void api_stats_get(struct api_call *call)
{
	const struct resource *resource = api_find(call);

	if (!resource)
		return;
	if (call->kind == &tunnel_kind)
		tunnel_stats(call, (const struct tunnel *)resource);
	else if (call->kind == &nat_rule_kind)
		nat_rule_stats(call, (const struct nat_rule *)resource);
	else
		api_problem(call->request, "not-found",
			    "the kernel counts nothing for an exit route; see its tunnel's stats");
}
