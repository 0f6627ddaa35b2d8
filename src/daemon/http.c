/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libmicrohttpd as a guest of the loop: it parses and frames, http*.c keep its traps shut. Here
 * are its start and end, its connections, their deadlines, and who hangs up while he waits.
 */
#include "daemon/http_exchange.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/http_preempt.h"
#include "daemon/http_tcp.h"
#include "daemon/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
	HEARD_MS = 500, /* for who has come to ask, and to be answered, before the end */
	STOP_MS = 500,  /* for the last answers to go out */
	/* The library (0.9.75) takes a connection that sent anything, until its handshake is over,
	 * and one whose buffer is full of a line without an end, for one with work to do, and would
	 * have the loop turn without a pause. */
	IDLE_MS = 5,
	IDLE_RUNS_MAX = 8,
	/* For who was told that he is late: what he still sends might reset what he reads. */
	LINGER_MS = 1000,
};

void http_set_deadline(struct connection *connection, uint64_t in_ms)
{
	struct http *http = connection->http;

	connection->deadline_ms = loop_now_ms() + in_ms;
	uint64_t armed = loop_timer_at(http->deadline_timer);
	if (!armed || connection->deadline_ms < armed)
		loop_timer_arm(http->loop, http->deadline_timer, connection->deadline_ms);
}

static void run_listener(struct http_listener *listener)
{
	listener->due = false;
	http_preempt_run(listener);
}

static void run_all(struct http *http)
{
	for (unsigned i = 0; i < http->n_listeners; i++)
		run_listener(&http->listeners[i]);
}

static void give_up(struct connection *c)
{
	if (http_preempt_late(c)) {
		http_set_deadline(c, LINGER_MS);
		return;
	}
	shutdown(c->fd, SHUT_RDWR);
	c->deadline_ms = 0;
}

/* The library's timeout is of inactivity: a byte a second would hold a connection for ever. */
static void drop_late(void *user)
{
	struct http *http = user;
	uint64_t now = loop_now_ms(), next = 0;

	run_all(http); /* what came in time counts, also when it was we who were late */
	for (struct connection *c = http->connections; c; c = c->next) {
		if (c->deadline_ms && c->deadline_ms <= now)
			give_up(c);
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

/*
 * The raw target: the library's own is decoded and ends at an encoded NUL. This one lies in its
 * buffer, in which the query is ended after we took a copy: the library (0.9.75) would keep a
 * record of each parameter, and for a thousand of them it has no memory, nor for an answer.
 */
static void *on_target(unused_ void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct exchange *x = http_exchange_new(connection_of(mhd), mhd, target);
	const char *query = strchr(target, '?');

	if (query)
		((char *)(uintptr_t)query)[1] = '\0';
	return x;
}

static enum MHD_Result on_access(unused_ void *cls, unused_ struct MHD_Connection *mhd,
				 unused_ const char *url, const char *method, const char *version,
				 const char *data, size_t *data_size, void **context)
{
	return http_exchange_take(*context, method, version, data, data_size);
}

static void on_completed(unused_ void *cls, unused_ struct MHD_Connection *mhd, void **context,
			 enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *context;

	if (!x)
		return;
	const struct http_config *config = &x->connection->http->config;
	/* for all of the next request's headers, idling included */
	http_set_deadline(x->connection, config->idle_timeout_ms + config->header_deadline_ms);
	x->connection->asks = false;
	http_preempt_next(x->connection, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	http_exchange_free(x);
	*context = NULL;
}

static void know_caller(struct connection *connection)
{
	struct http_caller *caller = &connection->caller;

	if (!connection->listener->is_tcp) {
		http_socket_caller(&connection->http->socket, connection->fd, caller);
		return;
	}
	*caller = (struct http_caller){.uid = (uid_t)-1, .name = "unknown"};
	http_tcp_peer(connection->fd, caller->address);
}

static void remember(struct connection *connection)
{
	struct http *http = connection->http;
	size_t needed = (size_t)connection->fd + 1, n = 2 * needed;

	if (needed > http->n_by_fd) {
		http->by_fd = xrealloc(http->by_fd, n * sizeof(http->by_fd[0]));
		memset(http->by_fd + http->n_by_fd, 0,
		       (n - http->n_by_fd) * sizeof(http->by_fd[0]));
		http->n_by_fd = n;
	}
	http->by_fd[connection->fd] = connection;
}

static void connection_add(struct http_listener *listener, struct MHD_Connection *mhd,
			   void **context)
{
	struct http *http = listener->http;
	int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	struct connection *connection = xcalloc(1, sizeof(*connection));

	*connection = (struct connection){
		.http = http,
		.listener = listener,
		.mhd = mhd,
		.fd = fd,
		.next = http->connections,
	};
	if (http->connections)
		http->connections->previous = connection;
	http->connections = connection;
	http->n_connections++;
	listener->silent++;
	remember(connection);
	know_caller(connection);
	if (listener->is_tcp)
		http_tcp_patience(fd, http->config.stream_deadline_ms);
	http_set_deadline(connection, http->config.header_deadline_ms);
	*context = connection;
	if (!listener->has_tls)
		return;
	connection->tls = http_tls_ref(http->access.tls);
	connection->session =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
	if (!http_tls_begin(connection->tls, connection->session))
		shutdown(fd, SHUT_RDWR);
}

static void connection_remove(struct connection *connection)
{
	if (connection->exchange)
		http_exchange_free(connection->exchange);
	if (!connection->spoke)
		connection->listener->silent--;
	/* The library (0.9.75) listens again when a place is free, but only in its next run, and
	 * while it does not listen nobody who knocks wakes it. */
	connection->listener->due = true;
	http_tls_unref(connection->tls);
	connection->http->by_fd[connection->fd] = NULL;
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		connection->http->connections = connection->next;
	connection->http->n_connections--;
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

static void library_log(void *cls, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

/* What it refuses before it asks us, with a page of its own, the library tells here alone, before
 * it says it: in time for a problem document, if it is certain whose request it is. */
static void library_log(void *cls, const char *fmt, va_list args)
{
	static const char open[] = "<body>";
	const struct http *http = cls;
	const struct http_handler *handler = &http->handler;
	char line[512];

	vsnprintf(line, sizeof(line), fmt, args);
	const char *status = strstr(line, "HTTP response code is "), *body = strstr(line, open);
	if (!status || !body) {
		log_debug("http: %.250s", line);
		return;
	}
	body += strlen(open);
	unsigned code = (unsigned)strtoul(status + strlen("HTTP response code is "), NULL, 10);
	if (http_preempt_page(body))
		return;
	log_info("request refused by the HTTP library: %u %.*s", code, (int)strcspn(body, "<"),
		 body);
	if (handler->refused)
		handler->refused(handler->user, code);
}

/* Who said nothing yet is about to, and cannot know that this is the end. */
static bool is_owed_an_answer(const struct connection *connection)
{
	return connection->exchange ? http_exchange_is_open(connection->exchange)
				    : !connection->spoke;
}

static void look_who_is_left(void *user)
{
	struct http *http = user;
	void (*heard)(void *user) = http->heard;

	if (!heard)
		return;
	for (struct connection *c = http->connections; c; c = c->next)
		if (is_owed_an_answer(c) && loop_now_ms() < http->heard_ms)
			return;
	http->heard = NULL;
	heard(http->heard_user);
}

/* Those that have something to do: a run costs as much as all that they are busy with. */
static void run(void *user)
{
	struct http *http = user;
	uint64_t now = loop_now_ms();

	for (unsigned i = 0; i < http->n_listeners; i++)
		if (http->listeners[i].due || http->listeners[i].due_ms <= now)
			run_listener(&http->listeners[i]);
	look_who_is_left(http);
}

/* Its sockets are edge-triggered: what it has read but not used wakes no epoll. */
static uint64_t listener_wait_ms(const struct http_listener *listener)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (listener->due)
		return 0;
	if (MHD_get_timeout(listener->daemon, &ms) != MHD_YES)
		return UINT64_MAX;
	bool idles = listener->idle_runs > IDLE_RUNS_MAX || (listener->has_tls && listener->silent);
	return idles && ms < IDLE_MS ? IDLE_MS : ms;
}

static uint64_t wait_ms(void *user)
{
	struct http *http = user;
	uint64_t least = UINT64_MAX, now = loop_now_ms();

	if (http->heard)
		least = http->heard_ms > now ? http->heard_ms - now : 0;
	for (unsigned i = 0; i < http->n_listeners; i++) {
		uint64_t ms = listener_wait_ms(&http->listeners[i]);

		http->listeners[i].due_ms = ms == UINT64_MAX ? ms : now + ms;
		least = ms < least ? ms : least;
	}
	return least;
}

static void woken(void *user)
{
	((struct http_listener *)user)->due = true; /* run() comes in this turn */
}

static int start_daemon(struct http_listener *listener, struct err *err)
{
	const struct http_config *config = &listener->http->config;
	/* clang-format off */
	struct MHD_OptionItem options[] = {
		/* first, so that it hears of what the others do */
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)library_log, listener->http},
		{MHD_OPTION_LISTEN_SOCKET, listener->fd, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, config->connections_max, NULL},
		{MHD_OPTION_PER_IP_CONNECTION_LIMIT, config->address_connections_max, NULL},
		/* Beyond this (a thousand headers), or with a line that it does not
		 * understand, the library answers by itself, in HTML: see http_preempt.h.
		 * It clears all of it for each request: more would cost. */
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)config->connection_memory, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, (config->idle_timeout_ms + 999) / 1000, NULL},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, listener->http},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, listener->http},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, listener},
		{MHD_OPTION_END, 0, NULL},
	};
	const struct MHD_OptionItem tls_options[] = {
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)HTTP_TLS_PRIORITIES},
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)http_tls_no_certificate},
		{MHD_OPTION_END, 0, NULL},
	};
	/* clang-format on */
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
			 MHD_USE_ERROR_LOG | (listener->has_tls ? MHD_USE_TLS : 0);

	listener->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_access, listener->http,
					    MHD_OPTION_ARRAY, options, MHD_OPTION_ARRAY,
					    listener->has_tls ? tls_options : tls_options + 2,
					    MHD_OPTION_END);
	if (!listener->daemon)
		return err_set(err, -EIO, "the HTTP server does not start");
	listener->epoll_fd =
		MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	listener->watch = loop_watch_fd(listener->http->loop, listener->epoll_fd, woken, listener);
	return 0;
}

static int listen_on(struct http *http, const char *address, struct err *err)
{
	struct http_listener *listener = &http->listeners[http->n_listeners];
	char where[HTTP_ADDRESS_TEXT];
	int fd;
	int rc = http_tcp_open(address, http->config.backlog, &fd, where, err);

	if (rc < 0)
		return rc;
	*listener = (struct http_listener){
		.http = http,
		.fd = fd,
		.is_tcp = true,
		.has_tls = http->access.tls != NULL,
	};
	rc = start_daemon(listener, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	http->n_listeners++;
	log_notice("listening on %s, %s", where, listener->has_tls ? "with TLS" : "without TLS");
	return 0;
}

static int listen_all(struct http *http, struct err *err)
{
	const struct http_config *config = &http->config;
	bool has_group = config->group && *config->group;
	int rc = http_socket_open(&http->socket, config->socket_path,
				  has_group ? config->group : NULL, config->backlog, err);

	if (rc < 0)
		return rc;
	http->listeners[0] = (struct http_listener){.http = http, .fd = http->socket.fd};
	rc = start_daemon(&http->listeners[0], err);
	http->n_listeners = rc < 0 ? 0 : 1;
	for (size_t i = 0; rc == 0 && i < config->addresses.len; i++)
		rc = listen_on(http, config->addresses.v[i], err);
	return rc;
}

/* Where the soft limit is too low for the connections that there may be. */
static void raise_descriptors(const struct http_config *config)
{
	enum { OF_OUR_OWN = 128 };
	rlim_t wanted = (1 + config->addresses.len) * config->connections_max + OF_OUR_OWN;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	if (limit.rlim_max < wanted)
		log_warning("%llu descriptors are allowed, too few for %u connections to each "
			    "address",
			    (unsigned long long)limit.rlim_max, config->connections_max);
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int http_check(const struct http_config *config, struct errs *errs)
{
	struct http_access access;
	int rc = http_access_load(&access, &config->access, &config->addresses, errs);

	if (rc == 0)
		http_access_done(&access);
	return rc;
}

int http_start(struct http **made, struct loop *loop, const struct http_config *config,
	       const struct http_handler *handler, struct errs *errs)
{
	struct err err = {0};
	struct http *http = xcalloc(1, sizeof(*http));

	http->loop = loop;
	http->config = *config;
	http->handler = *handler;
	http->socket.fd = -1;
	if (getrandom(&http->id_prefix, sizeof(http->id_prefix), 0) < 0)
		abort(); /* no kernel that we run on lacks it */
	http->hangup_fd = epoll_create1(EPOLL_CLOEXEC);
	if (http->hangup_fd < 0)
		out_of_memory(sizeof(*http));
	http->hangup_watch = loop_watch_fd(loop, http->hangup_fd, hung_up, http);
	http->deadline_timer = loop_timer_new(loop, drop_late, http);
	loop_hook(loop, run, wait_ms, http);
	int rc = http_access_load(&http->access, &config->access, &config->addresses, errs);
	raise_descriptors(config);
	if (rc == 0 && (rc = listen_all(http, &err)) < 0)
		errs_add(errs, rc, "", "", "%s", err.sentence);
	if (rc < 0)
		http_stop(http);
	else
		*made = http;
	return rc;
}

int http_reload(struct http *http, const struct http_access_config *config, struct errs *errs)
{
	struct http_access access;
	int rc = http_access_load(&access, config, &http->config.addresses, errs);

	if (rc < 0)
		return rc;
	if (!access.tls != !http->access.tls) {
		http_access_done(&access);
		return errs_add(errs, -EINVAL, "", HTTP_AT_CERTIFICATE,
				"TLS begins and ends only with the agent");
	}
	http_access_done(&http->access);
	http->access = access;
	return 0;
}

static bool has_answers_left(const struct http *http)
{
	for (const struct connection *c = http->connections; c; c = c->next)
		if (c->exchange && http_exchange_answers(c->exchange))
			return true;
	return false;
}

static void send_last_answers(struct http *http)
{
	uint64_t end = loop_now_ms() + STOP_MS;
	struct pollfd pollfds[ARRAY_LEN(http->listeners)];

	for (unsigned i = 0; i < http->n_listeners; i++)
		pollfds[i] = (struct pollfd){http->listeners[i].epoll_fd, POLLIN, 0};
	for (;;) {
		uint64_t now = loop_now_ms(), wait = wait_ms(http);

		run_all(http);
		if (!has_answers_left(http) || now >= end)
			return;
		poll(pollfds, http->n_listeners, (int)(wait < end - now ? wait : end - now));
	}
}

void http_count(const struct http *http, struct http_numbers *numbers)
{
	const struct http_tls *tls = http->access.tls;

	*numbers = (struct http_numbers){0};
	for (const struct connection *c = http->connections; c; c = c->next)
		*(c->listener->is_tcp ? &numbers->tcp_connections
				      : &numbers->unix_connections) += 1;
	if (tls && http_tls_expires(tls) > 0)
		numbers->certificate_expiry_ms = (uint64_t)http_tls_expires(tls) * 1000;
}

const char *http_unix_path(const struct http *http)
{
	return http->socket.path;
}

/* Or the library shuts systemd's listening socket down for good at its end. */
static void quiesce(struct http *http)
{
	for (unsigned i = 0; i < http->n_listeners && !http->quiet; i++)
		MHD_quiesce_daemon(http->listeners[i].daemon);
	http->quiet = true;
}

void http_quiesce(struct http *http, void (*heard)(void *user), void *user)
{
	http_socket_unlink(&http->socket);
	run_all(http); /* who has knocked has come */
	quiesce(http);
	http->heard = heard;
	http->heard_user = user;
	http->heard_ms = loop_now_ms() + HEARD_MS;
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	http->stopping = true;
	http->heard = NULL;
	quiesce(http);
	for (struct connection *c = http->connections; c; c = c->next)
		if (c->exchange)
			http_exchange_gone(c->exchange);
	send_last_answers(http);
	loop_unhook(http->loop, http);
	loop_unwatch(http->loop, http->hangup_watch);
	for (unsigned i = 0; i < http->n_listeners; i++) {
		loop_unwatch(http->loop, http->listeners[i].watch);
		MHD_stop_daemon(http->listeners[i].daemon);
		if (http->listeners[i].is_tcp)
			close(http->listeners[i].fd);
	}
	loop_timer_free(http->loop, http->deadline_timer);
	http_socket_close(&http->socket);
	http_access_done(&http->access);
	close(http->hangup_fd);
	free(http->by_fd);
	free(http);
}
