/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A server in a child process for test_http*.c, with a handler that answers by path, and a
 * client of raw bytes. /echo answers at once, /later after 20 ms, /never not at all, nor /read,
 * which has done with the body; /stream writes 4 MB while it sends them, /follow eight bytes
 * every 20 ms, for ever.
 */

#include "daemon/http.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "daemon/loop.h"

#include <cmocka.h>

enum { STREAM_PIECES = 128 };
enum { ANSWER_MS = 5000, LATER_MS = 20, BODY_MAX = 64 * 1024, PATCH_MAX = 1024 };

/* seen by both processes */
struct seen {
	volatile unsigned requests, gone, refused, started, streamed;
	char ids[2][20];
};

struct server {
	char directory[32], path[48];
	struct http_config config;
	struct seen *seen;
	pid_t pid;
	bool passed; /* the socket comes from systemd */
	int listening;
	/* of the child */
	struct loop *loop;
	struct http *http;
	struct loop_timer *timer;
	struct http_request *later, *follower;
	bool told;       /* what the follower was woken for */
	unsigned pieces; /* of the stream, written so far */
};

static inline void server_note_wait(void *user, const char *name, const char *value)
{
	if (strcmp(name, "wait") == 0)
		*(const char **)user = value;
}

static inline void server_answer(struct http_request *request)
{
	static const char *const headers[] = {"Content-Type", "text/plain", "X-Caller", NULL, NULL};
	const char *copy[ARRAY_LEN(headers)];
	const char *wait = NULL, *echo = http_header(request, "x-echo");
	cleanup_text struct text body = {0};

	http_query_each(request, server_note_wait, &wait);
	memcpy(copy, headers, sizeof(copy));
	copy[3] = request->caller.name;
	text_addf(&body, "%s %s %zu wait=%s echo=%s role=%d\n", request->method, request->path,
		  request->body_len, wait ? wait : "-", echo ? echo : "-", request->caller.role);
	http_respond(request, 200, copy, body.s, body.len);
}

static inline void server_answer_big(struct http_request *request)
{
	size_t size = 8 << 20;
	cleanup_free char *body = xcalloc(1, size);

	http_respond(request, 200, NULL, body, size);
}

static inline void server_write_piece(void *user, struct text *piece)
{
	struct server *server = user;

	if (server->pieces == STREAM_PIECES)
		return;
	for (unsigned i = 0; i < HTTP_PIECE; i += 64) /* long lines: few take no time in valgrind */
		text_addf(piece, "%-63x\n", server->pieces * HTTP_PIECE + i);
	server->pieces++;
}

static inline void server_streamed(void *user)
{
	((struct server *)user)->seen->streamed++;
}

static inline void server_tell(void *user, struct text *piece)
{
	struct server *server = user;

	if (!server->told)
		text_addf(piece, "%07x\n", server->pieces++);
	server->told = true;
}

static inline void server_told(void *user)
{
	struct server *server = user;

	server->follower = NULL;
	server->seen->streamed++;
}

static inline void server_request(void *user, struct http_request *request)
{
	struct server *server = user;

	strcpy(server->seen->ids[server->seen->requests++ % 2], request->id);
	if (strlen(request->body) != request->body_len)
		http_respond(request, 500, NULL, "", 0);
	else if (strcmp(request->path, "/never") == 0)
		request->user = server;
	else if (strcmp(request->path, "/read") == 0)
		http_drop_body(request);
	else if (strcmp(request->path, "/big") == 0)
		server_answer_big(request);
	else if (strcmp(request->path, "/stream") == 0)
		http_respond_stream(request, 200, NULL,
				    &(struct http_stream){.next = server_write_piece,
							  .done = server_streamed,
							  .user = server});
	else if (strcmp(request->path, "/follow") == 0) {
		server->follower = request;
		http_respond_stream(request, 200, NULL,
				    &(struct http_stream){.next = server_tell,
							  .done = server_told,
							  .user = server,
							  .follows = true});
		loop_timer_arm(server->loop, server->timer, loop_now_ms() + LATER_MS);
	} else if (strcmp(request->path, "/later") == 0) {
		server->later = request;
		loop_timer_arm(server->loop, server->timer, loop_now_ms() + LATER_MS);
	} else
		server_answer(request);
}

static inline void server_later(void *user)
{
	struct server *server = user;

	if (server->later)
		server_answer(server->later);
	server->later = NULL;
	if (!server->follower)
		return;
	server->told = false;
	http_stream_wake(server->follower);
	loop_timer_arm(server->loop, server->timer, loop_now_ms() + LATER_MS);
}

static inline void server_gone(void *user, struct http_request *request)
{
	struct server *server = user;

	if (request == server->later) {
		server->later = NULL;
		loop_timer_disarm(server->loop, server->timer);
	}
	server->seen->gone++;
}

static inline void server_refuse(void *user, struct http_request *request, unsigned status,
				 const char *code, const char *sentence)
{
	cleanup_text struct text body = {0};

	((struct server *)user)->seen->refused++;
	text_addf(&body, "%s: %s", code, sentence);
	http_respond(request, status, NULL, body.s, body.len);
}

static inline void server_stop(void *user, unused_ int number)
{
	loop_stop(((struct server *)user)->loop, 0);
}

static inline void server_take_place_of_systemd(struct server *server)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	if (dup2(server->listening, 3) < 0)
		_exit(9);
}

/* The exit status tells how it went; a sanitizer changes it. */
noreturn_ static inline void server_main(struct server *server)
{
	const struct http_handler handler = {server_request, server_gone, server_refuse,
					     NULL,           NULL,        server};
	const int signals[] = {SIGTERM};
	struct err err = {0};
	struct errs errs = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (server->passed)
		server_take_place_of_systemd(server);
	if (loop_new(&server->loop, &err) < 0 ||
	    loop_signals(server->loop, signals, 1, server_stop, server, &err) < 0)
		_exit(8);
	server->timer = loop_timer_new(server->loop, server_later, server);
	int ret = http_start(&server->http, server->loop, &server->config, &handler, &errs);
	if (ret < 0) {
		loop_free(server->loop);
		exit(ret == -EADDRINUSE ? 7 : 6);
	}
	server->seen->started = 1;
	loop_run(server->loop);
	http_stop(server->http);
	loop_free(server->loop);
	exit(0);
}

static inline void server_start(struct server *server)
{
	server->seen->started = 0;
	fflush(NULL);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0)
		server_main(server);
	for (unsigned i = 0; i < ANSWER_MS && !server->seen->started; i++) {
		if (waitpid(server->pid, NULL, WNOHANG) != 0)
			fail_msg("the server did not start");
		poll(NULL, 0, 1);
	}
}

static inline int server_end(struct server *server)
{
	int status = -1;

	kill(server->pid, SIGTERM);
	waitpid(server->pid, &status, 0);
	server->pid = 0;
	return status;
}

static inline int server_setup(void **state)
{
	struct server *server = xcalloc(1, sizeof(*server));

	strcpy(server->directory, "/tmp/ipipd-http-XXXXXX");
	assert_non_null(mkdtemp(server->directory));
	snprintf(server->path, sizeof(server->path), "%s/socket", server->directory);
	server->config = (struct http_config){
		.socket_path = server->path,
		.group = "",
		.connections_max = 256,
		.address_connections_max = 16,
		.backlog = 128,
		.connection_memory = 64 * 1024,
		.idle_timeout_ms = 10000,
		.body_max = BODY_MAX,
		.patch_max = PATCH_MAX,
		.header_deadline_ms = 5000,
		.body_deadline_ms = 30000,
		.stream_deadline_ms = 60000,
		.access = {.tokens = "", .certificate = "", .key = "", .client_ca = ""},
	};
	server->seen = mmap(NULL, sizeof(*server->seen), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(server->seen, MAP_FAILED);
	*state = server;
	return 0;
}

static inline int server_setup_started(void **state)
{
	server_setup(state);
	server_start(*state);
	return 0;
}

static inline int server_teardown(void **state)
{
	struct server *server = *state;
	int status = server->pid ? server_end(server) : 0;

	unlink(server->path);
	rmdir(server->directory);
	munmap(server->seen, sizeof(*server->seen));
	free(server);
	return status;
}

static inline int client_try(const struct server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = ANSWER_MS / 1000};

	strcpy(address.sun_path, server->path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline int client_connect(const struct server *server)
{
	int fd = client_try(server);

	assert_true(fd >= 0);
	return fd;
}

static inline void client_send(int fd, const char *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static inline void client_say(int fd, const char *text)
{
	client_send(fd, text, strlen(text));
}

/* One answer with its body, as far as Content-Length tells; "" when it was closed before. */
static inline char *client_hear(int fd, bool has_body)
{
	struct text answer = {0};
	char c;

	while (!answer.s || !strstr(answer.s, "\r\n\r\n")) {
		if (recv(fd, &c, 1, 0) != 1)
			break;
		text_add_len(&answer, &c, 1);
	}
	const char *length = answer.s ? strstr(answer.s, "Content-Length: ") : NULL;
	size_t left = length && has_body ? strtoul(length + 16, NULL, 10) : 0;
	while (left-- && recv(fd, &c, 1, 0) == 1)
		text_add_len(&answer, &c, 1);
	return answer.s ? answer.s : xstrdup("");
}

static inline bool client_is_closed(int fd)
{
	char c;
	ssize_t got = recv(fd, &c, 1, 0);

	return got == 0 || (got < 0 && (errno == ECONNRESET || errno == EPIPE));
}

#define assert_answer(fd, part)                                                                    \
	do {                                                                                       \
		char *answer_ = client_hear((fd), true);                                           \
		if (!strstr(answer_, (part)))                                                      \
			fail_msg("no \"%s\" in: %s", (part), answer_);                             \
		free(answer_);                                                                     \
	} while (0)
