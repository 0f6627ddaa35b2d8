/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libmicrohttpd as a guest of the loop: it parses and frames, this file keeps its traps shut.
 * What makes a request ambiguous is http_guard.c's business, what it asks for the handler's.
 *
 * A request is an exchange. The library calls on_access several times for each: with the
 * headers, with every piece of the body, at the end of it, and again when it was suspended
 * and is resumed. Only there may a response be queued, so that http_respond stores it.
 */
#include "daemon/http.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/http_guard.h"
#include "daemon/http_query.h"
#include "daemon/http_response.h"
#include "daemon/http_socket.h"
#include "daemon/loop.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

enum {
	HEAD_MAX = 16 * 1024, /* target and headers */
	/* Beyond this, or with a first line that it does not understand, the library answers
	 * by itself, in HTML: 400, 413, 414, 431, 505. Nothing that a client of ours sends. */
	CONNECTION_MEMORY = 4 * HEAD_MAX,
	BODIES_MAX = 8, /* bodies of the greatest size held at one time, over all clients */
	STOP_MS = 500,  /* for the last answers to go out */
};

enum phase {
	PHASE_HEADERS, /* the target is known */
	PHASE_BODY,
	PHASE_HANDLER,  /* the handler has it */
	PHASE_ANSWERED, /* the response is stored */
	PHASE_QUEUED,   /* the library sends it */
	PHASE_GONE,     /* nobody waits for it any more */
};

struct exchange {
	struct http_request request;
	struct connection *connection;
	struct MHD_Connection *mhd;
	enum phase phase;
	bool suspended;
	bool close; /* after the answer */
	const char *target, *query;
	struct http_parameters parameters;
	struct text body;
	size_t body_max, received;
	unsigned fault; /* status of a body that is not taken: 413, 429; 0 */
	unsigned status;
	struct MHD_Response *response;
};

struct connection {
	struct http *http;
	struct connection *next, *previous;
	int fd;
	uint64_t deadline_ms; /* monotonic; 0: none */
	struct http_caller caller;
	struct exchange *exchange;
};

struct http {
	struct loop *loop;
	struct http_config config;
	struct http_handler handler;
	struct http_socket socket;
	struct MHD_Daemon *daemon;
	struct loop_watch *watch, *hangup_watch;
	struct loop_timer *deadline_timer;
	int hangup_fd; /* epoll over suspended connections: the library does not look */
	struct connection *connections;
	size_t bodies_bytes;    /* held now */
	bool stopping, resumed; /* resumed: an answer waits for the next run */
	uint32_t id_prefix, id_counter;
};

static void set_deadline(struct connection *connection, uint64_t in_ms)
{
	struct http *http = connection->http;

	connection->deadline_ms = loop_now_ms() + in_ms;
	uint64_t armed = loop_timer_at(http->deadline_timer);
	if (!armed || connection->deadline_ms < armed)
		loop_timer_arm(http->loop, http->deadline_timer, connection->deadline_ms);
}

/* The library's timeout is of inactivity: a byte a second would hold a connection for ever. */
static void drop_late(void *user)
{
	struct http *http = user;
	uint64_t now = loop_now_ms(), next = 0;

	MHD_run(http->daemon); /* what came in time counts, also when it was we who were late */
	for (struct connection *c = http->connections; c; c = c->next) {
		if (c->deadline_ms && c->deadline_ms <= now) {
			shutdown(c->fd, SHUT_RDWR);
			c->deadline_ms = 0;
		}
		if (c->deadline_ms && (!next || c->deadline_ms < next))
			next = c->deadline_ms;
	}
	if (next)
		loop_timer_arm(http->loop, http->deadline_timer, next);
}

static void drop_body(struct exchange *x)
{
	x->connection->http->bodies_bytes -= x->body.len;
	text_done(&x->body);
	x->body = (struct text){0};
}

static void unwatch_hangup(struct exchange *x)
{
	epoll_ctl(x->connection->http->hangup_fd, EPOLL_CTL_DEL, x->connection->fd, NULL);
}

static void suspend(struct exchange *x)
{
	/* EPOLLHUP comes unasked, when both directions are closed: a client that has only
	 * finished sending still waits for its answer */
	struct epoll_event event = {.events = 0, .data.ptr = x};

	x->suspended = true;
	MHD_suspend_connection(x->mhd);
	if (epoll_ctl(x->connection->http->hangup_fd, EPOLL_CTL_ADD, x->connection->fd, &event) < 0)
		out_of_memory(sizeof(event));
}

static void resume(struct exchange *x)
{
	x->suspended = false;
	x->connection->http->resumed = true;
	unwatch_hangup(x);
	MHD_resume_connection(x->mhd);
}

static void tell_gone(struct exchange *x)
{
	const struct http_handler *handler = &x->connection->http->handler;

	if (x->phase != PHASE_HANDLER)
		return;
	x->phase = PHASE_GONE;
	handler->gone(handler->user, &x->request);
	if (x->suspended)
		resume(x);
}

static void exchange_free(struct exchange *x)
{
	tell_gone(x);
	if (x->response)
		MHD_destroy_response(x->response);
	drop_body(x);
	x->connection->exchange = NULL;
	arena_done(&x->request.arena);
	free(x);
}

static void hung_up(void *user)
{
	struct http *http = user;
	struct epoll_event event;

	/* one a turn: `gone` of one may answer others, which would be stale in a batch */
	if (epoll_wait(http->hangup_fd, &event, 1, 0) == 1)
		tell_gone(event.data.ptr);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* The raw target: the library's own is decoded and ends at an encoded NUL. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct http *http = cls;
	struct connection *connection = connection_of(mhd);

	if (connection->exchange)
		exchange_free(connection->exchange);
	struct exchange *x = xcalloc(1, sizeof(*x));
	x->connection = connection;
	x->mhd = mhd;
	connection->exchange = x;
	size_t path_len = strcspn(target, "?");
	x->target = arena_strdup(&x->request.arena, target);
	x->query = target[path_len] ? x->target + path_len + 1 : NULL;
	x->request.path = arena_strndup(&x->request.arena, target, path_len);
	x->request.connection = x;
	x->request.caller = connection->caller;
	snprintf(x->request.id, sizeof(x->request.id), "%08x-%x", http->id_prefix,
		 ++http->id_counter);
	uint64_t left = loop_now_ms() + http->config.header_deadline_ms;
	if (!connection->deadline_ms || connection->deadline_ms > left)
		set_deadline(connection, http->config.header_deadline_ms);
	return x;
}

static void on_completed(unused_ void *cls, unused_ struct MHD_Connection *mhd, void **context,
			 unused_ enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *context;

	if (!x)
		return;
	const struct http_config *config = &x->connection->http->config;
	/* for all of the next request's headers, idling included */
	set_deadline(x->connection, config->idle_timeout_s * 1000 + config->header_deadline_ms);
	exchange_free(x);
	*context = NULL;
}

static void connection_add(struct http *http, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *connection = xcalloc(1, sizeof(*connection));

	*connection = (struct connection){
		.http = http,
		.fd = info->connect_fd,
		.next = http->connections,
	};
	if (http->connections)
		http->connections->previous = connection;
	http->connections = connection;
	http_socket_caller(&http->socket, connection->fd, &connection->caller);
	set_deadline(connection, http->config.header_deadline_ms);
	*context = connection;
}

static void connection_remove(struct connection *connection)
{
	if (connection->exchange)
		exchange_free(connection->exchange);
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		connection->http->connections = connection->next;
	free(connection);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	switch (what) {
	case MHD_CONNECTION_NOTIFY_STARTED:
		connection_add(cls, mhd, context);
		break;
	case MHD_CONNECTION_NOTIFY_CLOSED:
		connection_remove(*context);
		*context = NULL;
		break;
	}
}

static enum MHD_Result queue(struct exchange *x)
{
	x->phase = PHASE_QUEUED;
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
	handler->request(handler->user, &x->request);
	if (x->phase == PHASE_ANSWERED)
		return queue(x);
	suspend(x);
	return MHD_YES;
}

static enum MHD_Result refuse(struct exchange *x, unsigned status, const char *sentence)
{
	const struct http_handler *handler = &x->connection->http->handler;

	x->connection->deadline_ms = 0;
	x->phase = PHASE_HANDLER;
	x->close = true; /* where the next request begins is not known, or not believed */
	x->request.body = "";
	handler->refuse(handler->user, &x->request, status, http_guard_code(status), sentence);
	assert(x->phase == PHASE_ANSWERED);
	return queue(x);
}

static enum MHD_Result refuse_body(struct exchange *x)
{
	char *sentence = arena_printf(&x->request.arena, "a body here has at most %zu bytes",
				      x->body_max);

	if (x->fault == MHD_HTTP_TOO_MANY_REQUESTS)
		return refuse(x, x->fault, "too many large bodies at one time");
	return refuse(x, x->fault, sentence);
}

/* The library measures a value by its NUL: what comes behind one in the header is lost. */
static enum MHD_Result guard_header(void *cls, unused_ enum MHD_ValueKind kind, const char *name,
				    size_t name_size, const char *value, size_t value_size)
{
	http_guard_header(cls, name, name_size, value ? value : "", value ? value_size : 0);
	return MHD_YES;
}

static const char *request_fault(struct exchange *x, const char *version, struct http_guard *guard)
{
	const char *fault = http_guard_target(x->target);

	guard->size = strlen(x->target);
	MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, guard_header, guard);
	return fault ? fault : http_guard_fault(guard, version);
}

static enum MHD_Result take_headers(struct exchange *x, const char *method, const char *version)
{
	const struct http_config *config = &x->connection->http->config;
	struct http_guard guard = {0};

	x->request.method = arena_strdup(&x->request.arena, method);
	const char *fault = request_fault(x, version, &guard);
	if (guard.size > HEAD_MAX)
		return refuse(x, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
			      "target and headers together have at most 16 KB here");
	if (fault)
		return refuse(x, MHD_HTTP_BAD_REQUEST, fault);
	x->parameters = http_query_parse(x->query, &x->request.arena);
	x->body_max = strcmp(method, "PATCH") == 0 ? config->patch_max : config->body_max;
	if (guard.content_length > x->body_max)
		x->fault = MHD_HTTP_CONTENT_TOO_LARGE;
	/* a client that asks first, or has too much to say, is answered at once; another
	 * is heard out, because it may not read before it has written */
	if (x->fault && (guard.expects || guard.content_length > 2 * x->body_max))
		return refuse_body(x);
	x->phase = PHASE_BODY;
	set_deadline(x->connection, config->body_deadline_ms);
	return MHD_YES;
}

static enum MHD_Result take_body(struct exchange *x, const char *data, size_t len)
{
	struct http *http = x->connection->http;

	x->received += len;
	if (x->received > 2 * x->body_max)
		return MHD_NO;
	if (x->received > x->body_max)
		x->fault = MHD_HTTP_CONTENT_TOO_LARGE;
	else if (!x->fault && http->bodies_bytes + len > BODIES_MAX * http->config.body_max)
		x->fault = MHD_HTTP_TOO_MANY_REQUESTS;
	if (x->fault) {
		drop_body(x);
		return MHD_YES;
	}
	text_add_len(&x->body, data, len);
	http->bodies_bytes += len;
	return MHD_YES;
}

static enum MHD_Result on_access(unused_ void *cls, unused_ struct MHD_Connection *mhd,
				 unused_ const char *url, const char *method, const char *version,
				 const char *data, size_t *data_size, void **context)
{
	struct exchange *x = *context;
	size_t len = *data_size;

	if (x->connection->http->stopping && x->phase != PHASE_ANSWERED)
		return MHD_NO;
	switch (x->phase) {
	case PHASE_HEADERS:
		return take_headers(x, method, version);
	case PHASE_BODY:
		*data_size = 0;
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

static void answer(struct exchange *x, unsigned status, const char *const *headers,
		   struct MHD_Response *response)
{
	assert(x->phase == PHASE_HANDLER);
	http_response_headers(response, headers);
	if (x->close)
		MHD_add_response_header(response, "Connection", "close");
	x->response = response;
	x->status = status;
	x->phase = PHASE_ANSWERED;
	if (x->suspended)
		resume(x);
}

void http_respond(struct http_request *request, unsigned status, const char *const *headers,
		  const char *body, size_t len)
{
	answer(request->connection, status, headers, http_response_of(body, len));
}

void http_respond_stream(struct http_request *request, unsigned status, const char *const *headers,
			 const struct http_stream *stream)
{
	struct exchange *x = request->connection;

	set_deadline(x->connection, x->connection->http->config.stream_deadline_ms);
	answer(x, status, headers, http_response_stream(stream, request->method));
}

static void library_log(unused_ void *cls, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static void library_log(unused_ void *cls, const char *fmt, va_list args)
{
	char line[256];

	vsnprintf(line, sizeof(line), fmt, args);
	log_debug("http: %s", line);
}

static void run(void *user)
{
	struct http *http = user;

	http->resumed = false;
	MHD_run(http->daemon);
}

/* Its sockets are edge-triggered: what it has read but not used wakes no epoll. */
static uint64_t wait_ms(void *user)
{
	const struct http *http = user;
	MHD_UNSIGNED_LONG_LONG ms;

	if (http->resumed)
		return 0;
	return MHD_get_timeout(http->daemon, &ms) == MHD_YES ? ms : UINT64_MAX;
}

static void woken(unused_ void *user)
{
	/* run() comes in every turn */
}

static int start_daemon(struct http *http, struct err *err)
{
	const struct http_config *config = &http->config;
	/* clang-format off */
	struct MHD_OptionItem options[] = {
		/* first, so that it hears of what the others do */
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)library_log, NULL},
		{MHD_OPTION_LISTEN_SOCKET, http->socket.fd, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, config->connections_max, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, config->idle_timeout_s, NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, http},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, http},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, http},
		{MHD_OPTION_END, 0, NULL},
	};
	/* clang-format on */
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;

	http->daemon = MHD_start_daemon(flags | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_access, http,
					MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (!http->daemon)
		return err_set(err, -EIO, "the HTTP server does not start");
	return 0;
}

static void join_loop(struct http *http, struct loop *loop)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon,
							       MHD_DAEMON_INFO_EPOLL_FD);

	http->watch = loop_watch_fd(loop, info->epoll_fd, woken, http);
	http->hangup_watch = loop_watch_fd(loop, http->hangup_fd, hung_up, http);
	http->deadline_timer = loop_timer_new(loop, drop_late, http);
	loop_hook(loop, run, wait_ms, http);
}

int http_start(struct http **made, struct loop *loop, const struct http_config *config,
	       const struct http_handler *handler, struct err *err)
{
	cleanup_free struct http *http = xcalloc(1, sizeof(*http));

	http->loop = loop;
	http->config = *config;
	http->handler = *handler;
	if (getrandom(&http->id_prefix, sizeof(http->id_prefix), 0) < 0)
		return err_set(err, -errno, "random: %s", strerror(errno));
	http->hangup_fd = epoll_create1(EPOLL_CLOEXEC);
	if (http->hangup_fd < 0)
		return err_set(err, -errno, "epoll: %s", strerror(errno));
	int ret = http_socket_open(&http->socket, config->socket_path, config->group, err);
	if (ret == 0)
		ret = start_daemon(http, err);
	if (ret < 0) {
		http_socket_close(&http->socket);
		close(http->hangup_fd);
		return ret;
	}
	join_loop(http, loop);
	*made = take_ptr(http);
	return 0;
}

static bool has_answers_left(const struct http *http)
{
	for (const struct connection *c = http->connections; c; c = c->next)
		if (c->exchange &&
		    (c->exchange->phase == PHASE_ANSWERED || c->exchange->phase == PHASE_QUEUED))
			return true;
	return false;
}

static void send_last_answers(struct http *http, int epoll_fd)
{
	uint64_t end = loop_now_ms() + STOP_MS;

	for (;;) {
		uint64_t now = loop_now_ms(), wait = wait_ms(http);

		MHD_run(http->daemon);
		if (!has_answers_left(http) || now >= end)
			return;
		struct pollfd pollfd = {.fd = epoll_fd, .events = POLLIN};
		poll(&pollfd, 1, (int)(wait < end - now ? wait : end - now));
	}
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	http->stopping = true;
	/* first, or the library shuts systemd's listening socket down for good */
	MHD_quiesce_daemon(http->daemon);
	for (struct connection *c = http->connections; c; c = c->next)
		if (c->exchange)
			tell_gone(c->exchange);
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon,
							       MHD_DAEMON_INFO_EPOLL_FD);
	send_last_answers(http, info->epoll_fd);
	loop_unhook(http->loop, http);
	loop_unwatch(http->loop, http->watch);
	loop_unwatch(http->loop, http->hangup_watch);
	MHD_stop_daemon(http->daemon);
	loop_timer_free(http->loop, http->deadline_timer);
	http_socket_close(&http->socket);
	close(http->hangup_fd);
	free(http);
}
