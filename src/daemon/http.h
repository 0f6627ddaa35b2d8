/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The HTTP server: libmicrohttpd as a guest of the loop. It collects a bounded body, knows
 * the caller, guards against malformed and slow requests, and hands whole requests to the
 * handler; it knows no JSON and no resource.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

struct http;
struct loop;

enum http_role { HTTP_ROLE_NONE, HTTP_ROLE_READ, HTTP_ROLE_ADMIN };

struct http_caller {
	enum http_role role;
	uid_t uid; /* unix socket: SO_PEERCRED; else (uid_t)-1 */
	pid_t pid;
	char name[96];     /* "uid 0", "token NAME", "certificate CN"; "unknown" */
	char address[64];  /* "unix", or the peer's */
	const char *fault; /* HTTP_ROLE_NONE: a sentence that says why */
};

/* One request, from its last byte until its response is queued. */
struct http_request {
	struct arena arena;
	char id[20]; /* request_id of problems and log lines */
	const char *method;
	const char *path; /* raw path, without query; refused before: %00, %2F, "//", ".." */
	const char *body; /* NUL-terminated besides its length */
	size_t body_len;
	struct http_caller caller;
	uint64_t whole_us; /* when its last byte came, monotonic; 0: never */
	const char *route; /* api.c's own: the template that its path has; NULL: unknown */
	void *connection;  /* http.c's own */
	void *user;        /* api.c's own: what a waiting request waits for */
	bool tentative;    /* api.c's own: what is not durable yet may be why it is refused … */
	bool again;        /* … so that it is served again when that is known */
	uint64_t deadline_ms; /* of a waiting request, monotonic; 0: none */
};

/* Header by name, any case; NULL when absent. */
const char *http_header(const struct http_request *request, const char *name);
/* Calls for every query parameter, decoded; the value is "" when it has none. */
void http_query_each(const struct http_request *request,
		     void (*each)(void *user, const char *name, const char *value), void *user);
/* The body was read: a request that waits does not hold it. It is empty from now on. */
void http_drop_body(struct http_request *request);

/*
 * Answers, exactly once, now or later (the connection is suspended until then). headers is
 * NULL-terminated pairs name, value, or NULL. body is copied.
 */
void http_respond(struct http_request *request, unsigned status, const char *const *headers,
		  const char *body, size_t len);

/*
 * A body that is written while it is sent, so that no more of it is held than a piece. `next`
 * adds about HTTP_PIECE bytes, and nothing at its end; it is called from the loop, after the
 * request was answered. `done` is called once, also when the client did not take it all: it has
 * stream_deadline_ms for that, or, of a stream that follows, to take what was written.
 */
struct http_stream {
	void (*next)(void *user, struct text *piece);
	void (*done)(void *user);
	void *user;
	bool follows; /* nothing to add is no end: `next` is called again after http_stream_wake;
		       * the end comes with the client's, or the server's (not for HEAD) */
};

enum { HTTP_PIECE = 32 * 1024 };

void http_respond_stream(struct http_request *request, unsigned status, const char *const *headers,
			 const struct http_stream *stream);
/* There is more to say, by a stream that follows and is not done. */
void http_stream_wake(struct http_request *request);
/* What was written is all, also of a stream that follows. From its `next`. */
void http_stream_end(struct http_request *request);

struct http_handler {
	/* A whole request arrived. Either http_respond is called before it returns, or later. */
	void (*request)(void *user, struct http_request *request);
	/* The client went away (or the server stops) before the answer: forget the request. */
	void (*gone)(void *user, struct http_request *request);
	/* Called for faults found below the API: code and sentence of a problem document. The
	 * handler must respond. */
	void (*refuse)(void *user, struct http_request *request, unsigned status, const char *code,
		       const char *sentence);
	/* Every answer is told, whoever gave it. NULL: to nobody. */
	void (*answered)(void *user, struct http_request *request, unsigned status);
	/* The library answered by itself, before there was a request for us. NULL: to nobody. */
	void (*refused)(void *user, unsigned status);
	void *user;
};

enum { HTTP_ADDRESSES_MAX = 8 };

struct http_names {
	const char **v;
	size_t len;
};

/* Who may come in over TCP. Paths of files, "" for none. */
struct http_access_config {
	const char *tokens;
	struct http_names host_names; /* beside the addresses that it listens on */
	const char *certificate, *key, *client_ca;
	struct http_names admins, readers; /* common names of certificates; "*" is any */
};

struct http_config {
	const char *socket_path;
	const char *group;                /* of the socket; "": root alone */
	struct http_names addresses;      /* of TCP, "127.0.0.1:7070", "[::1]:7070" */
	unsigned connections_max;         /* of each listener; 256 */
	unsigned address_connections_max; /* from one address, over TCP; 16 */
	unsigned backlog;                 /* 128 */
	size_t connection_memory;         /* bytes; 64 KB */
	size_t body_max;                  /* 8 MB; PATCH 64 KB */
	size_t patch_max;
	unsigned idle_timeout_ms;                      /* 10000 */
	unsigned header_deadline_ms, body_deadline_ms; /* 5000, 30000 */
	unsigned stream_deadline_ms;                   /* 60000 */
	struct http_access_config access;
};

/* Places of faults: the settings that they are about. */
#define HTTP_AT_ADDRESSES   "tcp.listen"
#define HTTP_AT_TOKENS      "tcp.tokens"
#define HTTP_AT_CERTIFICATE "tls.certificate"
#define HTTP_AT_KEY         "tls.key"
#define HTTP_AT_CLIENT_CA   "tls.client_ca"
#define HTTP_AT_ADMINS      "tls.admins"

/* All that http_start would refuse, but for what the sockets say. -EINVAL with faults in errs. */
int http_check(const struct http_config *config, struct errs *errs) must_check;
/*
 * Binds the socket (replacing a stale one; -EADDRINUSE when somebody answers there), or takes
 * the one that systemd passed; then the addresses of TCP. -EINVAL with faults in errs, other
 * numbers with one.
 */
int http_start(struct http **http, struct loop *loop, const struct http_config *config,
	       const struct http_handler *handler, struct errs *errs) must_check;
/*
 * Reads tokens and certificates anew; connections stay, and their next requests are judged by
 * what was read. When there is a fault all is as before.
 */
int http_reload(struct http *http, const struct http_access_config *config,
		struct errs *errs) must_check;
/*
 * Accepts nobody more. `heard` is called, within a turn, when all who have come have asked and
 * got their answers; half a second later at the latest.
 */
void http_quiesce(struct http *http, void (*heard)(void *user), void *user);
/* Lets answers go out, closes. Waiting requests are gone. */
void http_stop(struct http *http);
/* What there is at this moment. */
struct http_numbers {
	uint64_t unix_connections, tcp_connections;
	uint64_t certificate_expiry_ms; /* since the epoch; 0: without TLS */
};
void http_count(const struct http *http, struct http_numbers *numbers);
/* Where the unix socket is, ours or systemd's. */
const char *http_unix_path(const struct http *http);
