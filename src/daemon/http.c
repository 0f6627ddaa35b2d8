/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libmicrohttpd as a guest of the loop: it parses and frames, http*.c keep its traps shut. Here
 * are its start and end, its connections, their deadlines, and who hangs up while he waits.
 */
#include "daemon/http_exchange.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

enum {
	/* Beyond this, or with a first line that it does not understand, the library answers
	 * by itself, in HTML: 400, 413, 414, 431, 505. Nothing that a client of ours sends. */
	CONNECTION_MEMORY = 64 * 1024,
	STOP_MS = 500, /* for the last answers to go out */
};

void http_set_deadline(struct connection *connection, uint64_t in_ms)
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

static void hung_up(void *user)
{
	struct http *http = user;
	struct epoll_event event;

	/* one a turn: `gone` of one may answer others, which would be stale in a batch */
	if (epoll_wait(http->hangup_fd, &event, 1, 0) == 1)
		http_exchange_gone(event.data.ptr);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* The raw target: the library's own is decoded and ends at an encoded NUL. */
static void *on_target(unused_ void *cls, const char *target, struct MHD_Connection *mhd)
{
	return http_exchange_new(connection_of(mhd), mhd, target);
}

static enum MHD_Result on_access(unused_ void *cls, unused_ struct MHD_Connection *mhd,
				 unused_ const char *url, const char *method, const char *version,
				 const char *data, size_t *data_size, void **context)
{
	return http_exchange_take(*context, method, version, data, data_size);
}

static void on_completed(unused_ void *cls, unused_ struct MHD_Connection *mhd, void **context,
			 unused_ enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *context;

	if (!x)
		return;
	const struct http_config *config = &x->connection->http->config;
	/* for all of the next request's headers, idling included */
	http_set_deadline(x->connection,
			  config->idle_timeout_s * 1000 + config->header_deadline_ms);
	http_exchange_free(x);
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
	http_set_deadline(connection, http->config.header_deadline_ms);
	*context = connection;
}

static void connection_remove(struct connection *connection)
{
	if (connection->exchange)
		http_exchange_free(connection->exchange);
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
		if (c->exchange && http_exchange_answers(c->exchange))
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
			http_exchange_gone(c->exchange);
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
