/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /metrics: the numbers are taken at once, and written while they are sent, so that no
 * client holds up the loop, and its text is never held whole.
 */
#include "daemon/api_call.h"
#include "daemon/api_problem.h"
#include "daemon/metric_table.h"

/* A slow client keeps its copy of the numbers. */
enum { SCRAPES_MAX = 8 };

struct telling {
	struct api *api;
	struct scrape scrape;
	struct exposition exposition;
};

static void next(void *user, struct text *piece)
{
	exposition_write(&((struct telling *)user)->exposition, piece, HTTP_PIECE);
}

static void done(void *user)
{
	struct telling *telling = user;

	telling->api->scrapes--;
	scrape_done(&telling->scrape);
	free(telling);
}

void api_metrics_get(struct api_call *call)
{
	static const char *const headers[] = {"Content-Type",
					      "text/plain; version=0.0.4; charset=utf-8",
					      "Cache-Control", "no-store", NULL};

	if (call->api->scrapes >= SCRAPES_MAX) {
		api_problem_header(call->request, "too-many-requests", "Retry-After", "1",
				   "too many scrapes are under way already");
		return;
	}
	struct telling *telling = xcalloc(1, sizeof(*telling));
	telling->api = call->api;
	call->api->scrapes++;
	scrape_take(call->agent, &telling->scrape);
	telling->scrape.followers = call->api->followers.len;
	telling->exposition = (struct exposition){
		.metrics = metric_table,
		.n = metric_table_len,
		.from = &telling->scrape,
	};
	http_respond_stream(call->request, 200, headers,
			    &(struct http_stream){.next = next, .done = done, .user = telling});
}
