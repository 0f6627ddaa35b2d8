/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request and its answer. The library calls several times for each: with the headers, with
 * every piece of the body, at the end of it, and again when it was suspended and is resumed.
 * Only there may a response be queued, so that http_respond stores it.
 */
#include "daemon/http_exchange.h"

#include "daemon/http_guard.h"
#include "daemon/http_preempt.h"
#include "daemon/http_response.h"
#include "daemon/loop.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	HEAD_MAX = 16 * 1024, /* target and headers */
	BODIES_MAX = 8,       /* bodies of the greatest size held at one time, over all clients */
};

static void drop_body(struct exchange *x)
{
	x->connection->http->bodies_bytes -= x->body.len;
	text_done(&x->body);
	x->body = (struct text){0};
	x->request.body = "";
	x->request.body_len = 0;
}

static void unwatch_hangup(struct exchange *x)
{
	epoll_ctl(x->connection->http->hangup_fd, EPOLL_CTL_DEL, x->connection->fd, NULL);
}

static void suspend(struct exchange *x)
{
	/* EPOLLHUP comes unasked, when both directions are closed: a client of the unix socket
	 * that has only finished sending still waits for its answer. Over TCP the end of what it
	 * sends is all that is heard of a client that left. */
	struct epoll_event event = {.events = x->connection->listener->is_tcp ? EPOLLRDHUP : 0,
				    .data.ptr = x};

	x->suspended = true;
	MHD_suspend_connection(x->mhd);
	if (epoll_ctl(x->connection->http->hangup_fd, EPOLL_CTL_ADD, x->connection->fd, &event) < 0)
		out_of_memory(sizeof(event));
}

static void resume(struct exchange *x)
{
	x->suspended = false;
	x->connection->listener->due = true; /* an answer waits for the next run */
	unwatch_hangup(x);
	MHD_resume_connection(x->mhd);
}

void http_exchange_gone(struct exchange *x)
{
	const struct http_handler *handler = &x->connection->http->handler;

	x->ended = true;
	if (x->phase == PHASE_HANDLER) {
		x->phase = PHASE_GONE;
		handler->gone(handler->user, &x->request);
	}
	if (x->suspended)
		resume(x);
}

void http_exchange_free(struct exchange *x)
{
	http_exchange_gone(x);
	if (x->stream)
		http_body_end(x->stream);
	if (x->response)
		MHD_destroy_response(x->response);
	drop_body(x);
	x->connection->exchange = NULL;
	arena_done(&x->request.arena);
	free(x);
}

struct exchange *http_exchange_new(struct connection *connection, struct MHD_Connection *mhd,
				   const char *target)
{
	struct http *http = connection->http;

	if (connection->exchange)
		http_exchange_free(connection->exchange);
	if (!connection->spoke)
		connection->listener->silent--;
	connection->spoke = true;
	struct exchange *x = xcalloc(1, sizeof(*x));
	x->connection = connection;
	x->mhd = mhd;
	connection->exchange = x;
	size_t path_len = strcspn(target, "?");
	x->target = arena_strdup(&x->request.arena, target);
	x->raw_target = target;
	x->query = target[path_len] ? x->target + path_len + 1 : NULL;
	x->request.path = arena_strndup(&x->request.arena, target, path_len);
	x->request.connection = x;
	x->request.caller = connection->caller;
	snprintf(x->request.id, sizeof(x->request.id), "%08x-%x", http->id_prefix,
		 ++http->id_counter);
	uint64_t left = loop_now_ms() + http->config.header_deadline_ms;
	if (!connection->deadline_ms || connection->deadline_ms > left)
		http_set_deadline(connection, http->config.header_deadline_ms);
	return x;
}

static enum MHD_Result queue(struct exchange *x)
{
	x->phase = PHASE_QUEUED;
	drop_body(x);
	if (!x->stream) /* which has deadlines of its own */
		http_set_deadline(x->connection, x->connection->http->config.stream_deadline_ms);
	return MHD_queue_response(x->mhd, x->status, x->response);
}

/* The body is all there, or never will be. */
static enum MHD_Result hand_over(struct exchange *x)
{
	const struct http_handler *handler = &x->connection->http->handler;

	x->connection->deadline_ms = 0;
	x->phase = PHASE_HANDLER;
	x->request.body = text_str(&x->body);
	x->request.body_len = x->body.len;
	x->request.whole_us = loop_now_us();
	handler->request(handler->user, &x->request);
	if (x->phase == PHASE_ANSWERED)
		return queue(x);
	suspend(x);
	return MHD_YES;
}

static void be_refused(struct exchange *x, unsigned status, const char *sentence)
{
	const struct http_handler *handler = &x->connection->http->handler;

	x->connection->deadline_ms = 0;
	x->phase = PHASE_HANDLER;
	x->close = true; /* where the next request begins is not known, or not believed */
	x->request.body = "";
	handler->refuse(handler->user, &x->request, status, http_guard_code(status), sentence);
	assert(x->phase == PHASE_ANSWERED);
}

static enum MHD_Result refuse(struct exchange *x, unsigned status, const char *sentence)
{
	be_refused(x, status, sentence);
	return queue(x);
}

static const char *body_fault(struct exchange *x)
{
	if (x->fault == MHD_HTTP_TOO_MANY_REQUESTS)
		return "too many large bodies at one time";
	if (x->fault != MHD_HTTP_CONTENT_TOO_LARGE)
		return x->request.caller.fault;
	return arena_printf(&x->request.arena, "a body here has at most %zu bytes", x->body_max);
}

void http_exchange_preempt(struct exchange *x, unsigned status, const char *sentence)
{
	if (x->fault) { /* that was known before */
		status = x->fault;
		sentence = body_fault(x);
	}
	x->preempts = true;
	x->connection->refused = true;
	if (!x->request.method)
		x->request.method = "(unknown)";
	be_refused(x, status, sentence);
}

static enum MHD_Result refuse_body(struct exchange *x)
{
	return refuse(x, x->fault, body_fault(x));
}

/* A header as the library has it, and where the one before it ended. */
struct reading {
	struct http_guard guard;
	const char *end;
	bool has_gap;
};

static enum MHD_Result guard_header(void *cls, unused_ enum MHD_ValueKind kind, const char *name,
				    size_t name_size, const char *value, size_t value_size)
{
	struct reading *reading = cls;

	reading->has_gap |= !http_guard_adjoins(reading->end, name, 1);
	reading->end = value + value_size;
	http_guard_header(&reading->guard, name, name_size, value, value_size);
	return MHD_YES;
}

/*
 * The library (0.9.75) loses what stands behind a NUL in a line, takes a line that begins with a
 * NUL or a colon for the end of the headers, and what follows it for the next request. Its
 * texts lie in one buffer as they came, so that what it lost is a gap; a folded header, which
 * it copies, is taken for one too.
 */
static const char *request_fault(struct exchange *x, const char *method, const char *version,
				 struct http_guard *guard)
{
	const union MHD_ConnectionInfo *size = MHD_get_connection_info(
		x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	struct reading reading = {.end = version + strlen(version)};
	const char *fault = http_guard_target(x->target);

	reading.guard.size = strlen(x->target);
	reading.has_gap = method + strlen(method) + 1 != x->raw_target ||
			  x->raw_target + strlen(x->target) + 1 != version;
	MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, guard_header, &reading);
	reading.has_gap |= !http_guard_adjoins(reading.end, method + size->header_size, 2);
	*guard = reading.guard;
	if (!fault)
		fault = http_guard_fault(guard, version);
	if (!fault && reading.has_gap)
		fault = "a line of the request has a NUL, no name, or goes on in the next";
	return fault;
}

/* Of whom we do not know no body is kept. */
static void judge_body(struct exchange *x, const struct http_guard *guard)
{
	const struct http_config *config = &x->connection->http->config;
	bool is_small = x->request.caller.role == HTTP_ROLE_NONE ||
			strcmp(x->request.method, "PATCH") == 0;

	x->body_max = is_small ? config->patch_max : config->body_max;
	if (x->request.caller.role == HTTP_ROLE_NONE &&
	    (guard->content_length || guard->n[HTTP_GUARD_TRANSFER_ENCODING]))
		x->fault = x->connection->listener->is_tcp ? MHD_HTTP_UNAUTHORIZED
							   : MHD_HTTP_FORBIDDEN;
	else if (guard->content_length > x->body_max)
		x->fault = MHD_HTTP_CONTENT_TOO_LARGE;
}

static enum MHD_Result take_headers(struct exchange *x, const char *method, const char *version)
{
	const struct http_config *config = &x->connection->http->config;
	struct http_guard guard = {0};

	x->request.method = arena_strdup(&x->request.arena, method);
	const char *fault = request_fault(x, method, version, &guard);
	if (guard.size > HEAD_MAX)
		return refuse(x, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
			      "target and headers together have at most 16 KB here");
	if (fault)
		return refuse(x, MHD_HTTP_BAD_REQUEST, fault);
	if (x->connection->listener->is_tcp)
		fault = http_access_judge(&x->connection->http->access, x->mhd, x->connection->fd,
					  &x->request.caller);
	if (fault)
		return refuse(x, MHD_HTTP_FORBIDDEN, fault);
	x->parameters = http_query_parse(x->query, &x->request.arena);
	x->is_chunked = guard.n[HTTP_GUARD_TRANSFER_ENCODING];
	judge_body(x, &guard);
	/* a client that asks first, or has too much to say, is answered at once; another
	 * is heard out, because it may not read before it has written */
	if (x->fault && (guard.expects || guard.content_length > 2 * x->body_max))
		return refuse_body(x);
	x->phase = PHASE_BODY;
	http_set_deadline(x->connection, config->body_deadline_ms);
	return MHD_YES;
}

static enum MHD_Result take_body(struct exchange *x, const char *data, size_t len)
{
	struct http *http = x->connection->http;

	x->received += len;
	if (!x->fault && x->received > x->body_max)
		x->fault = MHD_HTTP_CONTENT_TOO_LARGE;
	else if (!x->fault && http->bodies_bytes + len > BODIES_MAX * http->config.body_max)
		x->fault = MHD_HTTP_TOO_MANY_REQUESTS;
	if (x->fault)
		drop_body(x);
	if (x->received > 2 * x->body_max) {
		http_exchange_preempt(x, x->fault, body_fault(x));
		return MHD_NO;
	}
	if (x->fault)
		return MHD_YES;
	text_add_len(&x->body, data, len);
	http->bodies_bytes += len;
	return MHD_YES;
}

enum MHD_Result http_exchange_take(struct exchange *x, const char *method, const char *version,
				   const char *data, size_t *data_len)
{
	size_t len = *data_len;

	if (x->connection->refused || (x->connection->http->stopping && x->phase != PHASE_ANSWERED))
		return MHD_NO;
	switch (x->phase) {
	case PHASE_HEADERS:
		return take_headers(x, method, version);
	case PHASE_BODY:
		*data_len = 0;
		if (len)
			return take_body(x, data, len);
		return x->fault ? refuse_body(x) : hand_over(x);
	case PHASE_ANSWERED:
		return queue(x);
	case PHASE_HANDLER:
	case PHASE_QUEUED:
	case PHASE_GONE:
		break;
	}
	return MHD_NO;
}

void http_drop_body(struct http_request *request)
{
	drop_body(request->connection);
}

const char *http_header(const struct http_request *request, const char *name)
{
	const struct exchange *x = request->connection;

	return MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, name);
}

void http_query_each(const struct http_request *request,
		     void (*each)(void *user, const char *name, const char *value), void *user)
{
	const struct exchange *x = request->connection;

	for (size_t i = 0; i < x->parameters.len; i++)
		each(user, x->parameters.v[i].name, x->parameters.v[i].value);
}

static void answered(struct exchange *x, unsigned status)
{
	const struct http_handler *handler = &x->connection->http->handler;

	assert(x->phase == PHASE_HANDLER);
	x->phase = PHASE_ANSWERED;
	if (handler->answered)
		handler->answered(handler->user, &x->request, status);
}

static void answer(struct exchange *x, unsigned status, const char *const *headers,
		   struct MHD_Response *response)
{
	http_response_headers(response, headers);
	if (x->close || x->connection->http->quiet)
		MHD_add_response_header(response, "Connection", "close");
	x->response = response;
	x->status = status;
	answered(x, status);
	if (x->suspended)
		resume(x);
}

void http_respond(struct http_request *request, unsigned status, const char *const *headers,
		  const char *body, size_t len)
{
	struct exchange *x = request->connection;

	if (!x->preempts) {
		answer(x, status, headers, http_response_of(body, len));
		return;
	}
	http_preempt_say(x, status, headers, body, len);
	answered(x, status);
}

/* False: there will be no more. */
static bool wait_for_more(void *user)
{
	struct exchange *x = user;

	if (x->ended)
		return false;
	x->connection->deadline_ms = 0;
	suspend(x);
	return true;
}

void http_respond_stream(struct http_request *request, unsigned status, const char *const *headers,
			 const struct http_stream *stream)
{
	struct exchange *x = request->connection;

	http_set_deadline(x->connection, x->connection->http->config.stream_deadline_ms);
	x->stream = http_body_new(stream, wait_for_more, x);
	answer(x, status, headers, http_response_stream(x->stream, request->method));
}

void http_stream_wake(struct http_request *request)
{
	struct exchange *x = request->connection;

	if (!x->suspended)
		return;
	http_set_deadline(x->connection, x->connection->http->config.stream_deadline_ms);
	resume(x);
}

void http_stream_end(struct http_request *request)
{
	((struct exchange *)request->connection)->ended = true;
}

bool http_exchange_is_open(const struct exchange *x)
{
	return x->phase <= PHASE_ANSWERED;
}

bool http_exchange_answers(const struct exchange *x)
{
	return x->phase == PHASE_ANSWERED || x->phase == PHASE_QUEUED;
}
