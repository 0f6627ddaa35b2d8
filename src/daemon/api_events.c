/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /v1/events. Nothing is kept for a follower but the id that it has: each piece is read
 * from the store behind that, so that one who is slow costs no memory, and is cut off by the
 * stream's deadline, to come again with his last id.
 */
#include "daemon/api_events.h"

#include "base/log.h"
#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"
#include "daemon/event_log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

enum { ID_DIGITS = 18 };

struct api_follower {
	struct api_follower *next, *previous;
	struct api *api;
	struct http_request *request;
	uint64_t id;   /* the last one that was written, or passed over */
	uint64_t told; /* the one behind which its client would come again */
	uint32_t left; /* so many more are wanted */
	bool sse;      /* text/event-stream, else NDJSON */
	bool follows;
	bool keepalive;                 /* is due */
	const char *type, *kind, *name; /* what is wanted; NULL: any */
	struct text quoted_name;        /* as it stands among the names of an event of many */
	struct text *piece;             /* while it is written */
};

static bool is_wanted(const struct api_follower *f, const struct store_event *event)
{
	if (f->type && strcmp(f->type, event->type) != 0)
		return false;
	if (f->kind && (!event->kind || strcmp(f->kind, event->kind) != 0))
		return false;
	if (f->name && event->names)
		return strstr(event->names, text_str(&f->quoted_name));
	return !f->name || (event->name && strcmp(f->name, event->name) == 0);
}

static void add_document(struct text *text, const struct store_event *event)
{
	text_add_char(text, '{');
	json_member_number(text, "id", event->id);
	json_member_time(text, "time", event->time_ms);
	json_member_string(text, "type", event->type);
	if (event->kind)
		json_member_string(text, "kind", event->kind);
	if (event->name)
		json_member_string(text, "name", event->name);
	if (event->names) {
		json_add_name(text, "names");
		text_add(text, event->names);
	}
	text_add(text, *event->document ? "," : "");
	text_add(text, event->document);
	text_add_char(text, '}');
}

static bool write_event(void *user, const struct store_event *event)
{
	struct api_follower *f = user;
	struct text *piece = f->piece;

	if (event->id != f->id + 1) {
		f->left = 0; /* the ring has overtaken it: the gap is told when it comes again */
		return false;
	}
	f->id = event->id;
	if (!is_wanted(f, event))
		return true;
	if (f->sse)
		text_addf(piece, "id: %" PRIu64 "\nevent: %s\ndata: ", event->id, event->type);
	add_document(piece, event);
	f->told = event->id;
	text_add(piece, f->sse ? "\n\n" : "\n");
	f->left--;
	return f->left && piece->len < HTTP_PIECE;
}

/* The id tells what was passed over, so that he does not come again with an old one. */
static void write_keepalive(struct api_follower *f)
{
	const struct store_event event = {
		.id = f->id,
		.time_ms = loop_wall_ms(),
		.type = event_type_names[EVENT_KEEPALIVE],
		.document = "",
	};

	if (f->sse)
		text_addf(f->piece, ": keepalive\nid: %" PRIu64 "\n", f->id);
	else if (f->id != f->told)
		add_document(f->piece, &event);
	text_add_char(f->piece, '\n');
	f->told = f->id;
}

static void write_piece(void *user, struct text *piece)
{
	struct api_follower *f = user;
	struct err err = {0};
	int n = 1;

	f->piece = piece;
	while (n > 0 && f->left && piece->len < HTTP_PIECE)
		n = store_events_read(f->api->agent->store, f->id, write_event, f, &err);
	if (n < 0) {
		log_warning("request %s: events cannot be read: %s", f->request->id, err.sentence);
		f->left = 0;
	}
	if (!f->left)
		http_stream_end(f->request);
	/* who comes again must not be told a gap for what he had no interest in */
	bool ends = n == 0 && !f->follows && f->id != f->told;
	if (ends || (f->keepalive && !piece->len))
		write_keepalive(f);
	f->keepalive = false;
}

static void end(void *user)
{
	struct api_follower *f = user;
	struct api_followers *followers = &f->api->followers;

	if (f->next)
		f->next->previous = f->previous;
	if (f->previous)
		f->previous->next = f->next;
	else
		followers->first = f->next;
	followers->len--;
	text_done(&f->quoted_name);
	free(f);
}

static bool read_id(struct http_request *request, const char *what, const char *value, uint64_t *id)
{
	size_t digits = strspn(value, "0123456789");

	if (!digits || digits > ID_DIGITS || value[digits]) {
		api_problem(request, "bad-request",
			    "%s must be the id of an event, or 0, not \"%.40s\"", what, value);
		return false;
	}
	*id = strtoull(value, NULL, 10);
	return true;
}

/* The event behind which to begin: the client's last one, by what it has seen (who connects
 * again repeats his query, too), else by its query, else as of now. */
static bool read_begin(struct api_call *call, uint64_t *id)
{
	const char *last = http_header(call->request, "Last-Event-ID");
	struct store *store = call->agent->store;
	uint64_t newest = store_events_newest(store), oldest = 0;
	struct err err = {0};

	*id = newest;
	if (last && !read_id(call->request, "Last-Event-ID", last, id))
		return false;
	if (!last && call->params.since &&
	    !read_id(call->request, "query parameter \"since\"", call->params.since, id))
		return false;
	if (*id == newest)
		return true;
	if (store_events_oldest(store, &oldest, &err)) {
		api_problem(call->request, "database-unavailable", "events cannot be read: %s",
			    err.sentence);
		return false;
	}
	if (!*id && oldest)
		*id = oldest - 1;
	if (*id + 1 >= oldest && *id <= newest)
		return true;
	if (*id > newest)
		api_problem(call->request, "event-gap",
			    "there is no event %" PRIu64 " here: the newest is %" PRIu64
			    "; since=0 gives all that are kept",
			    *id, newest);
	else
		api_problem(call->request, "event-gap",
			    "events behind %" PRIu64 " are no longer kept: the oldest is %" PRIu64
			    "; since=0 gives all that are kept",
			    *id, oldest);
	return false;
}

/* The type that the client names first; without one of them a line each, which a person with
 * curl can read, and a script with jq. */
static bool wants_sse(const struct http_request *request)
{
	const char *accept = http_header(request, "Accept");
	const char *sse = accept ? strcasestr(accept, "text/event-stream") : NULL;
	const char *lines = accept ? strcasestr(accept, "application/x-ndjson") : NULL;

	return sse && (!lines || sse < lines);
}

static struct api_follower *follower_new(struct api_call *call, uint64_t id)
{
	struct api_followers *followers = &call->api->followers;
	const struct api_params *params = &call->params;
	struct api_follower *f = xcalloc(1, sizeof(*f));

	f->api = call->api;
	f->request = call->request;
	f->id = f->told = id;
	f->left = api_given(call, "limit") ? params->limit : UINT32_MAX;
	f->sse = wants_sse(call->request);
	f->follows = params->follow;
	f->type = api_given(call, "type") ? event_type_names[params->type] : NULL;
	f->kind = api_given(call, "kind") ? kinds[params->kind]->noun : NULL;
	f->name = params->name;
	json_add_string(&f->quoted_name, f->name ? f->name : "");
	f->next = followers->first;
	if (f->next)
		f->next->previous = f;
	followers->first = f;
	followers->len++;
	return f;
}

static void arm(struct api *api)
{
	if (api->followers.first && !loop_timer_at(api->followers.keepalive))
		loop_timer_arm(api->agent->loop, api->followers.keepalive,
			       loop_now_ms() + api->followers.config->keepalive_ms);
}

/* A quarter is kept for who may write: readers cannot shut a controller out. */
static bool has_room(const struct api_call *call)
{
	const struct api_followers *followers = &call->api->followers;
	unsigned max = followers->config->followers_max;
	bool is_admin = call->request->caller.role == HTTP_ROLE_ADMIN;

	return followers->len < (is_admin ? max : max - max / 4);
}

void api_events_get(struct api_call *call)
{
	uint64_t id;

	if (!has_room(call)) {
		api_problem_header(call->request, "too-many-requests", "Retry-After", "5",
				   "too many clients follow events already");
		return;
	}
	if (!read_begin(call, &id))
		return;
	struct api_follower *f = follower_new(call, id);
	char behind[24];
	const char *const headers[] = {
		"Content-Type",  f->sse ? "text/event-stream" : "application/x-ndjson",
		"Cache-Control", "no-store",
		"Last-Event-ID", /* so that he can resume who got none yet */
		behind,          NULL};
	const struct http_stream stream = {
		.next = write_piece,
		.done = end,
		.user = f,
		.follows = f->follows,
	};
	snprintf(behind, sizeof(behind), "%" PRIu64, id);
	arm(call->api);
	http_respond_stream(call->request, 200, headers, &stream);
}

static void wake_all(struct api *api)
{
	for (struct api_follower *f = api->followers.first; f; f = f->next)
		http_stream_wake(f->request);
}

static void keep_alive(void *user)
{
	struct api *api = user;

	for (struct api_follower *f = api->followers.first; f; f = f->next)
		f->keepalive = true;
	wake_all(api);
	arm(api);
}

void api_events_tell(struct api *api)
{
	uint64_t newest = store_events_newest(api->agent->store);

	if (newest == api->followers.told)
		return;
	api->followers.told = newest;
	wake_all(api);
}

void api_events_init(struct api *api, const struct events_config *config)
{
	api->followers = (struct api_followers){
		.config = config,
		.told = store_events_newest(api->agent->store),
		.keepalive = loop_timer_new(api->agent->loop, keep_alive, api),
	};
}

void api_events_done(struct api *api)
{
	loop_timer_free(api->agent->loop, api->followers.keepalive);
}
