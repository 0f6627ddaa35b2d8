/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One request on its way through api*.c: what api.c found in its route, path and query, for
 * the function that serves it. Each of those answers exactly once, now or later.
 */

#include "daemon/api.h"
#include "daemon/api_events.h"
#include "daemon/api_wait.h"

struct ping;
struct api_why;

enum { API_WAITING_MAX = 64 }; /* requests that may wait at once */

/* Query parameters. A name means the same thing wherever it is allowed. */
struct api_params {
	uint64_t set;
	uint32_t limit;      /* of a list */
	const char *after;   /* list: begins behind this name */
	struct labels label; /* list: only what carries all of them */
	uint8_t state;       /* list: enum state */
	bool dry_run;
	uint32_t wait; /* seconds */
	bool prune;
	uint8_t orphans; /* enum api_orphans */
	struct addr to, from;
	char in[IFNAMSIZ];
	bool underlay;
	bool verbose;
	const char *since; /* of events: behind this id */
	bool follow;
	uint8_t type, kind; /* enum event_type, enum kind_id */
	const char *name;
	uint8_t protocol; /* of why: enum of api_params.c's choices */
	uint16_t port, id;
	bool probe;
	struct addr peer, local;
	uint16_t mtu;
	bool sent;
};

enum api_orphans { API_ORPHANS_KEEP, API_ORPHANS_DELETE };

struct api_pings vec_of(struct api_ping *);
struct api_postponed vec_of(struct http_request *);

/* Probes of GET /v1/why. */
struct api_whys {
	struct api_why *running;  /* NULL: none are under way */
	uint64_t spent_ms;        /* when all that may be sent at once can be sent again */
	struct loop_timer *sweep; /* until no trace is left; NULL: none ever was */
};

struct api {
	struct agent *agent;
	struct http_handler handler;
	struct api_waiters uncommitted; /* writers of this turn's transaction */
	struct api_waiters waiting;
	struct loop_timer *deadline;    /* of the first of waiting */
	struct api_postponed postponed; /* served when no transaction is open */
	struct api_pings pings;
	struct api_whys whys;
	struct text openapi; /* the document, since somebody asked for it */
	struct api_followers followers;
	bool turn_open;      /* a transaction of ours is */
	size_t turn_changes; /* resources written in it */
	unsigned scrapes;    /* of which not all was sent yet */
	unsigned plans;      /* likewise */
};

struct api_call {
	struct api *api;
	struct agent *agent;
	struct http_request *request;
	const struct kind *kind;  /* {kind} of the path, NULL without */
	const char *name;         /* {name}, NULL without */
	struct api_params params; /* those not given hold their defaults */
};

/* Was this query parameter given? */
bool api_given(const struct api_call *call, const char *param);
/* The resource of the path; NULL, and 404 is answered, when there is none. */
const struct resource *api_find(const struct api_call *call);

/* api_resource.c */
void api_resource_list(struct api_call *call);
void api_resource_post(struct api_call *call);
void api_resource_get(struct api_call *call);
void api_resource_put(struct api_call *call);
void api_resource_patch(struct api_call *call);
void api_resource_delete(struct api_call *call);

/* api_config.c */
void api_config_get(struct api_call *call);
void api_config_put(struct api_call *call);
void api_config_plan(struct api_call *call);

/* api_plan.c */
void api_plan_reconcile(struct api_call *call);

/* api_status.c */
void api_status_get(struct api_call *call);
void api_status_livez(struct api_call *call);
void api_status_readyz(struct api_call *call);

/* api_host.c */
void api_host_get(struct api_call *call);
void api_host_route(struct api_call *call);

/* api_hazards.c */
void api_hazards_get(struct api_call *call);

/* api_stats.c */
void api_stats_get(struct api_call *call);

/* api_events.c */
void api_events_get(struct api_call *call);
/* api_metrics.c */
void api_metrics_get(struct api_call *call);

/* api_why.c */
void api_why_get(struct api_call *call);
/* The client of probes went away. */
void api_why_gone(struct api *api, struct http_request *request);
void api_why_stop(struct api *api);

/* api_ping.c */
extern const struct kind api_ping_body;
void api_ping_post(struct api_call *call);
/* The client of a ping went away. */
void api_ping_gone(struct api *api, struct http_request *request);
void api_ping_stop_all(struct api *api);
