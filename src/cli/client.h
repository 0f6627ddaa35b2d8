/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One agent, as seen by the client: requests go out, answers come in. `send` is a pointer,
 * so that tests can play the agent; client_open gives the one that speaks HTTP by libcurl,
 * over unix://, http:// or https://.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/credentials.h"

struct request {
	const char *method;
	const char *path;     /* with query: "/v1/tunnels/tun_a?wait=5" */
	const char *body;     /* NULL: none */
	size_t body_len;      /* 0: strlen */
	bool create_only;     /* If-None-Match: * */
	const char *if_match; /* an ETag; NULL or "": none */
	unsigned wait_s;      /* how much longer than usual the answer may take */
	const char *accept;   /* NULL: anything */
	/* A 2xx answer goes there as it comes, in pieces and for as long as some come; false
	 * ends it. NULL: into the response, whole. */
	bool (*take)(void *user, const char *bytes, size_t len);
	bool bounded; /* with take: and for no longer than another one */
	void *user;   /* take's own */
};

/* {0} before client_send, response_done after. */
struct response {
	long status;
	struct text body;
	json_t *json;        /* NULL when the body is not JSON */
	char etag[64];       /* "": none */
	char last_event[24]; /* the Last-Event-ID behind which the answer begins; "": none */
	unsigned retry_after_s;
	bool sent; /* some of the request has left, whether or not an answer came */
	unsigned took_ms;
};

struct client {
	/* 0 when there is an answer, of whatever status; -EACCES, -ETIMEDOUT, -EINTR,
	 * -ECONNREFUSED … with a sentence otherwise. */
	int (*send)(struct client *client, const struct request *request, struct response *response,
		    struct err *err);
	void (*close)(struct client *client);
	const char *host; /* as it was given, or as a remote's name, for messages */
};

struct client_config {
	bool verbose;       /* requests on stderr */
	unsigned timeout_s; /* of one request */
	const char *name;   /* of the remote; NULL: it has none */
	struct credentials credentials;
};

/* Connects to nothing yet, but reads the token. -EINVAL: host is not an address of an agent, or
 * one for which the credentials cannot count; other errors of their files. */
int client_open(const char *host, const struct client_config *config, struct client **client,
		struct err *err) must_check;
void client_close(struct client *client);

int client_send(struct client *client, const struct request *request, struct response *response,
		struct err *err) must_check;
void response_done(struct response *response);
#define cleanup_response cleanup_(response_done)

static inline bool response_is_ok(const struct response *response)
{
	return response->status >= 200 && response->status < 300;
}

/* Adds a path segment or a query value, percent-encoded. */
void client_add_encoded(struct text *path, const char *s);

uint64_t client_now_ms(void); /* CLOCK_MONOTONIC */

/* SIGINT and SIGTERM end the request in flight with -EINTR and set a flag, from
 * client_catch_signals on; client_ignore_signals lets what follows go through (an undo). */
void client_catch_signals(void);
void client_ignore_signals(void);
bool client_interrupted(void);

/* The exit status (enum cli_exit) that an answer's status, or a failed send, means. */
int client_exit_of_status(long status);
int client_exit_of_errno(int number);
/* A failed send: "who: sentence", "hint: …". Returns the exit status. */
int client_print_failure(const char *who, int number, const struct err *err);
/* The problem of an answer: "who: title", a line for each fault, "hint: …". */
void client_print_problem(FILE *to, const char *who, const struct response *response);
