/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of routes, in the order in which paths are compared. */
#include "daemon/api_routes.h"

#include "daemon/api_openapi.h"

/* clang-format off */
const struct api_route api_routes[] = {
	{"GET", "/v1/config", 0, api_config_get, "",
	 .id = "getConfig", .summary = "The whole declaration",
	 .doc = "Names and declared fields only. The entity tag is the revision.",
	 .headers = "If-None-Match",
	 .answers = {{200, "Config", "ETag"}, {304, NULL, "ETag"}}},
	{"PUT", "/v1/config", ROUTE_WRITE | ROUTE_BODY, api_config_put, "prune dry_run wait",
	 .id = "putConfig", .summary = "Replace the whole declaration",
	 .doc = "In one transaction, or nothing changes. With prune=false what the document does "
	 "not name stays. All exit routes together may have 500,000 destinations, each counted "
	 "once for each prefix in from, all NAT rules 500,000 sources and destinations.",
	 .headers = "If-Match If-None-Match", .body = "Config",
	 .answers = {{200, "Outcome"}, {200, "DryRun"}}, .problems = "409 412 422"},
	{"POST", "/v1/plan", ROUTE_BODY | ROUTE_BARE | ROUTE_PLAN, api_config_plan, "prune",
	 .id = "plan", .summary = "What would be done",
	 .doc = "Without a body: by the next full pass (drift). With a declaration: to get there. "
	 "Stores nothing. While a long plan is being read there is no other, nor one of a long "
	 "document: 429.",
	 .body = "Config", .answers = {{200, "Plan"}}, .problems = "409 422"},
	{"POST", "/v1/reconcile", ROUTE_ADMIN, api_plan_reconcile, "orphans dry_run wait",
	 .id = "reconcile", .summary = "A full pass now",
	 .doc = "Answers when it is over. orphans=delete removes what another database left.",
	 .answers = {{200, "Outcome"}, {200, "DryRun"}}},
	{"GET", "/v1/status", 0, api_status_get, "",
	 .id = "getStatus", .summary = "How the agent is",
	 .doc = "Resources by state, the last pass, what was repaired, and what another database "
	 "left.",
	 .answers = {{200, "AgentStatus"}}},
	{"GET", "/v1/host", 0, api_host_get, "",
	 .id = "getHost", .summary = "What the host is",
	 .doc = "As far as somebody needs it who wants to reach it with a tunnel.",
	 .answers = {{200, "Host"}}},
	{"GET", "/v1/host/route", 0, api_host_route, "to from in underlay",
	 .id = "getHostRoute", .summary = "The way to an address",
	 .doc = "The kernel's own answer.", .answers = {{200, "HostRoute"}}},
	{"GET", "/v1/hazards", 0, api_hazards_get, "",
	 .id = "getHazards", .summary = "What endangers the tunnels",
	 .doc = "Other programs' rules, files and devices on this host, as of the last scan.",
	 .answers = {{200, "Hazards"}}},
	{"GET", "/v1/why", 0, api_why_get, "to from in protocol port probe peer local id mtu sent",
	 .id = "getWhy", .summary = "Why is there no reply?",
	 .doc = "This host's part of the path of a packet and its reply, check by check, each with "
	 "a verdict and a command that repairs it. With peer this host is the far end. Probes are "
	 "sent, or watched for, only with probe=true: one at a time, and not often. The far end "
	 "watches until all is quiet, for 2 s at most, or until it is asked with sent=true.",
	 .answers = {{200, "Why"}, {204}}},
	{"GET", "/v1/events", 0, api_events_get, "since follow limit type kind name",
	 .id = "getEvents", .summary = "What happened",
	 .doc = "And what happens from now on, if follow=false does not end it with the newest. "
	 "Without an id it begins now. Kept over restarts, up to a bound.",
	 .headers = "Last-Event-ID",
	 .answers = {{200, "Event", "Cache-Control Last-Event-ID", "application/x-ndjson"},
		     {200, "Event", "Cache-Control Last-Event-ID", "text/event-stream"}},
	 .problems = "410 429"},
	{"GET", "/v1/openapi.json", 0, api_openapi_get, "",
	 .id = "getOpenapi", .summary = "This document",
	 .doc = "The same as api/openapi.json of the sources.",
	 .answers = {{200, "Openapi"}}},
	{"GET", "/metrics", 0, api_metrics_get, "",
	 .id = "getMetrics", .summary = "Counters and gauges for Prometheus",
	 .doc = "In its text format. Without tunnels and NAT rules where the kernel's numbers "
	 "could not be read.",
	 .answers = {{200, NULL, "Cache-Control", "text/plain"}}, .problems = "429"},
	{"GET", "/livez", ROUTE_OPEN, api_status_livez, "",
	 .id = "getLivez", .summary = "Is the agent alive?",
	 .doc = "Answered as long as requests are.", .answers = {{200, "Liveness"}}},
	{"GET", "/readyz", ROUTE_OPEN, api_status_readyz, "verbose",
	 .id = "getReadyz", .summary = "Does the agent do its work?",
	 .doc = "503 until the first pass has ended well, and while passes fail as a whole. A "
	 "resource that is not ready does not make it 503: /v1/status counts those.",
	 .answers = {{200, "Readiness"}}},
	{"POST", "/v1/tunnels/{name}/ping", ROUTE_ADMIN | ROUTE_BODY | ROUTE_BARE,
	 api_ping_post, "",
	 .id = "pingTunnel", .summary = "ICMP through the tunnel",
	 .doc = "Answers when the last reply came, or its time is over.",
	 .body = "Ping", .answers = {{200, "PingResult"}}, .problems = "404 422"},
	{"GET", "/v1/{kind}/{name}/stats", 0, api_stats_get, "",
	 .id = "get{Kind}Stats", .summary = "Counters of one {noun}",
	 .doc = "Read from the kernel now; where NAT rules have so many sources that it takes "
	 "longer than 50 ms, twenty times as long ago at the most. A resource that nothing is "
	 "counted for has none.",
	 .answers = {{200, "{Kind}Stats", "Cache-Control"}}, .problems = "404"},
	{"GET", "/v1/{kind}", 0, api_resource_list, "limit after label state",
	 .id = "list{Kind}s", .summary = "List {noun}s",
	 .doc = "By name. What does not fit into one answer begins behind `next`.",
	 .answers = {{200, "{Kind}List"}}},
	{"POST", "/v1/{kind}", ROUTE_WRITE | ROUTE_BODY, api_resource_post, "dry_run wait",
	 .id = "create{Kind}", .summary = "Create one {noun}",
	 .doc = "Under the name in the document, which must be free.",
	 .headers = "If-Match", .body = "{Kind}Declaration",
	 .answers = {{201, "{Kind}", "ETag Location"}, {200, "DryRun"}},
	 .problems = "404 409 412 422"},
	{"GET", "/v1/{kind}/{name}", 0, api_resource_get, "",
	 .id = "get{Kind}", .summary = "Read one {noun}",
	 .doc = "As declared, and its status.", .headers = "If-None-Match",
	 .answers = {{200, "{Kind}", "ETag"}, {304, NULL, "ETag"}}, .problems = "404"},
	{"PUT", "/v1/{kind}/{name}", ROUTE_WRITE | ROUTE_BODY, api_resource_put, "dry_run wait",
	 .id = "put{Kind}", .summary = "Create or replace one {noun}",
	 .doc = "The same document again changes nothing. `If-None-Match: *` creates only, "
	 "`If-Match` guards against other writers.",
	 .headers = "If-Match If-None-Match", .body = "{Kind}Put",
	 .answers = {{200, "{Kind}", "ETag?"}, {200, "DryRun"}, {201, "{Kind}", "ETag Location"}},
	 .problems = "404 409 412 422"},
	{"PATCH", "/v1/{kind}/{name}", ROUTE_WRITE | ROUTE_BODY | ROUTE_MERGE, api_resource_patch,
	 "dry_run wait",
	 .id = "patch{Kind}", .summary = "Change one {noun}",
	 .doc = "By a merge patch (RFC 7396).",
	 .headers = "If-Match If-None-Match", .body = "{Kind}Patch",
	 .answers = {{200, "{Kind}", "ETag?"}, {200, "DryRun"}}, .problems = "404 409 412 422"},
	{"DELETE", "/v1/{kind}/{name}", ROUTE_WRITE, api_resource_delete, "dry_run wait",
	 .id = "delete{Kind}", .summary = "Delete one {noun}",
	 .doc = "Waits for the pass that removes it, 5 seconds if `wait` does not say otherwise. "
	 "202: what it stood for is still in the kernel.",
	 .headers = "If-Match If-None-Match",
	 .answers = {{204}, {202, "{Kind}", "ETag"}, {200, "DryRun"}},
	 .problems = "404 409 412"},
};
/* clang-format on */

const unsigned api_routes_count = ARRAY_LEN(api_routes);
