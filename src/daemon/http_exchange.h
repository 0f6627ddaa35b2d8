/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Within http*.c: listeners, their connections, and the exchange that goes on over each. http.c
 * owns listeners, connections and the loop's side, http_exchange.c what is said.
 */

#include <microhttpd.h>

#include "daemon/http.h"
#include "daemon/http_access.h"
#include "daemon/http_query.h"
#include "daemon/http_socket.h"

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
	bool is_chunked;
	bool preempts; /* the library's own answer: no response can be queued */
	const char *target, *query;
	const char *raw_target; /* in the library's buffer: for its place alone */
	struct http_parameters parameters;
	struct text body;
	size_t body_max, received;
	unsigned fault; /* status of a body that is not taken: 413, 429; 0 */
	unsigned status;
	struct MHD_Response *response;
	struct http_body *stream; /* of an answer that is written while it is sent, else NULL */
	bool ended;               /* nobody reads more of it */
};

/* A daemon of the library's. */
struct http_listener {
	struct http *http;
	int fd;
	bool is_tcp, has_tls;
	struct MHD_Daemon *daemon;
	int epoll_fd; /* of the daemon */
	struct loop_watch *watch;
	unsigned silent;    /* connections on which there was no request yet */
	unsigned idle_runs; /* of the daemon, one after the other, in which it used no socket */
	bool due;           /* there is something for the daemon to do */
	uint64_t due_ms;    /* or will be then; monotonic */
};

struct connection {
	struct http *http;
	struct http_listener *listener;
	struct connection *next, *previous;
	struct MHD_Connection *mhd;
	int fd;
	uint64_t deadline_ms; /* monotonic; 0: none */
	struct http_caller caller;
	struct http_tls *tls; /* that it began with */
	void *session;        /* gnutls_session_t; NULL: without TLS */
	bool spoke;
	bool heard;   /* its first bytes were */
	bool asks;    /* bytes came behind the last request that is done */
	bool refused; /* where its next request begins is not known: there is none */
	struct exchange *exchange;
};

struct http {
	struct loop *loop;
	struct http_config config; /* as it was at the start: access has what holds now */
	struct http_handler handler;
	struct http_socket socket;
	struct http_access access;
	struct http_listener listeners[1 + HTTP_ADDRESSES_MAX]; /* the unix socket's first */
	unsigned n_listeners;
	struct loop_watch *hangup_watch;
	struct loop_timer *deadline_timer;
	int hangup_fd; /* epoll over suspended connections: the library does not look */
	struct connection *connections;
	struct connection **by_fd; /* so many, NULL where there is none */
	size_t n_by_fd;
	unsigned n_connections;
	size_t bodies_bytes;       /* held now */
	bool quiet;                /* nobody is accepted any more */
	bool stopping;             /* no answer begins any more */
	void (*heard)(void *user); /* of http_quiesce; NULL: not asked for, or called */
	void *heard_user;
	uint64_t heard_ms; /* when at the latest; monotonic */
	uint32_t id_prefix, id_counter;
};

/* Not later than so many ms from now, or the connection is shut down. */
void http_set_deadline(struct connection *connection, uint64_t in_ms);

/* A request's target is known. Ends the one before it on its connection. */
struct exchange *http_exchange_new(struct connection *connection, struct MHD_Connection *mhd,
				   const char *target) __attribute__((returns_nonnull));
void http_exchange_free(struct exchange *x);
/* What the library has of it: headers, a piece of its body, or its turn to be answered. */
enum MHD_Result http_exchange_take(struct exchange *x, const char *method, const char *version,
				   const char *data, size_t *len);
/* Its client went away, or the server stops: the handler is told, a stream ends. */
void http_exchange_gone(struct exchange *x);
/* The library will not have it, and answers by itself; this comes before. */
void http_exchange_preempt(struct exchange *x, unsigned status, const char *sentence);
/* Is it still to be heard, or to be answered? */
bool http_exchange_is_open(const struct exchange *x);
/* Is an answer on its way? */
bool http_exchange_answers(const struct exchange *x);
