/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the HTTP server refuses: ambiguous, slow and large requests. */
#include "http_server.h"

/* Each is followed by a whole request, which must not be answered. */
static const char *const smuggling[] = {
	/* lengths */
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
	"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
	"Content-Length: 3\r\n\r\n0\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
	"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\ncontent-length: 0\r\n\r\nabc",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: three\r\n\r\nabc",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nabc",
	"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc",
	/* encodings */
	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0b"
	"chunked\r\n\r\n0\r\n\r\n",
	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
	"\r\n0\r\n\r\n",
	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
	"Transfer-Encoding: identity\r\n"
	"\r\n0\r\n\r\n",
	"PUT /a HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	/* hosts, names, control characters */
	"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
	"GET /a HTTP/1.1\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 3\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\nX: a\x01\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\nX: a\x7f\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\nX(: a\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\n: a\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\n:\r\n",
	"GET /a HTTP/1.1\r\n:\r\nHost: x\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
	"GET /a HTTP/1.1\r\nX: a\r\n b\r\nHost: x\r\n\r\n",
	/* targets */
	"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a%2Fb HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a?b=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a%zz HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a% HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET //a HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a/../b HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a/%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET a HTTP/1.1\r\nHost: x\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
};

static void ambiguous_requests_are_refused_and_end_the_connection(void **state)
{
	const struct server *server = *state;

	for (size_t i = 0; i < ARRAY_LEN(smuggling); i++) {
		int fd = client_connect(server);
		client_say(fd, smuggling[i]);
		send(fd, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 31, MSG_NOSIGNAL);
		errno = 0;
		cleanup_text struct text answer = {0};
		char c;
		while (recv(fd, &c, 1, 0) == 1)
			text_add_len(&answer, &c, 1);
		if (errno == EAGAIN || strncmp(text_str(&answer), "HTTP/1.1 400 ", 13) != 0 ||
		    strstr(answer.s, "HTTP/1.1 200 "))
			fail_msg("%s\nwas answered:\n%s", smuggling[i], text_str(&answer));
		close(fd);
	}
	assert_int_equal(server->seen->requests, 0);
}

/* The target, or one header, has so many bytes. */
static int send_large(const struct server *server, size_t target, size_t header)
{
	int fd = client_connect(server);
	cleanup_text struct text request = {0};

	text_add(&request, "GET /");
	for (size_t i = 0; i < target; i++)
		text_add(&request, "a");
	text_add(&request, " HTTP/1.1\r\nHost: x\r\nX: ");
	for (size_t i = 0; i < header; i++)
		text_add(&request, "a");
	text_add(&request, "\r\n\r\n");
	send(fd, request.s, request.len, MSG_NOSIGNAL);
	return fd;
}

static void headers_that_are_too_large_are_refused(void **state)
{
	/* from 64 KB on the library does it */
	static const size_t sizes[][2] = {{16380, 0}, {0, 16380}, {9000, 9000}, {0, 50000}};
	const struct server *server = *state;

	int fd = send_large(server, 8000, 8000);
	assert_answer(fd, "HTTP/1.1 200 ");
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		fd = send_large(server, sizes[i][0], sizes[i][1]);
		char *answer = client_hear(fd, true);
		assert_int_equal(strncmp(answer, "HTTP/1.1 431 ", 13), 0);
		assert_non_null(strstr(answer, "headers-too-large: "));
		assert_true(client_is_closed(fd));
		free(answer);
		close(fd);
	}
	fd = send_large(server, 0, 100000);
	assert_answer(fd, "HTTP/1.1 431 ");
	close(fd);
}

/* The library has no memory for so many, and none for an answer then. */
static void a_query_of_thousands_of_parameters_is_the_handlers(void **state)
{
	static const char *const targets[] = {"/echo?", "/echo?wait=9&", "/echo?wait=9&&"};
	int fd = client_connect(*state);

	for (size_t t = 0; t < ARRAY_LEN(targets); t++) {
		cleanup_text struct text request = {0};

		text_addf(&request, "GET %s", targets[t]);
		for (unsigned i = 0; i < 7000; i++)
			text_add(&request, "a&");
		text_addf(&request, "%s HTTP/1.1\r\nHost: x\r\n\r\n", t ? "" : "wait=9");
		client_say(fd, request.s);
		assert_answer(fd, "GET /echo 0 wait=9");
	}
	close(fd);
}

static void send_body(int fd, const char *head, size_t len)
{
	cleanup_free char *body = xmalloc(len);

	memset(body, 'a', len);
	client_say(fd, head);
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(fd, body + sent, len - sent, MSG_NOSIGNAL);
		if (n <= 0)
			return; /* refused meanwhile */
		sent += (size_t)n;
	}
}

static char *head_of(const char *method, size_t len, const char *more)
{
	struct text head = {0};

	text_addf(&head, "%s /a HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n", method, len,
		  more);
	return head.s;
}

static void a_body_of_the_greatest_size_is_taken(void **state)
{
	int fd = client_connect(*state);
	cleanup_free char *put = head_of("PUT", BODY_MAX, "");
	cleanup_free char *patch = head_of("PATCH", PATCH_MAX, "");

	send_body(fd, put, BODY_MAX);
	assert_answer(fd, "PUT /a 65536");
	send_body(fd, patch, PATCH_MAX);
	assert_answer(fd, "PATCH /a 1024");
	close(fd);
}

static void refuses_body(const struct server *server, const char *method, size_t len,
			 const char *more)
{
	int fd = client_connect(server);
	cleanup_free char *head = head_of(method, len, more);

	if (*more)
		client_say(fd, head);
	else
		send_body(fd, head, len);
	assert_answer(fd, "HTTP/1.1 413 ");
	assert_true(client_is_closed(fd));
	close(fd);
}

static void a_larger_body_is_refused_and_ends_the_connection(void **state)
{
	const struct server *server = *state;

	refuses_body(server, "PUT", BODY_MAX + 1, "");
	refuses_body(server, "PUT", 2 * BODY_MAX, "");
	refuses_body(server, "PUT", 20 * BODY_MAX, "");
	refuses_body(server, "PATCH", PATCH_MAX + 1, "");
	/* without waiting for the body */
	refuses_body(server, "POST", BODY_MAX + 1, "Expect: 100-continue\r\n");
	refuses_body(server, "PUT", 999999999999999999, "X: y\r\n");
	assert_int_equal(server->seen->requests, 0);
}

static void chunks_count_as_a_body(void **state)
{
	const struct server *server = *state;
	const char *head = "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
	int fd = client_connect(server);

	client_say(fd, head);
	send_body(fd, "c000\r\n", 0xc000);
	send_body(fd, "\r\nc000\r\n", 0xc000);
	client_say(fd, "\r\n0\r\n\r\n");
	assert_answer(fd, "HTTP/1.1 413 ");
	assert_true(client_is_closed(fd));
	close(fd);
	fd = client_connect(server);
	client_say(fd, head);
	for (unsigned i = 0; i < 64; i++)
		send(fd, "1\r\na\r\n", 6, MSG_NOSIGNAL);
	send_body(fd, "fffff\r\n", 0xfffff);
	assert_answer(fd, "HTTP/1.1 413 "); /* twice the limit, and still talking */
	assert_true(client_is_closed(fd));
	close(fd);
	assert_int_equal(server->seen->requests, 0);
}

static void bodies_of_all_clients_together_are_bounded(void **state)
{
	const struct server *server = *state;
	cleanup_free char *head = head_of("PUT", BODY_MAX, "");
	int fds[9];
	unsigned taken = 0, refused = 0;

	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = client_connect(server);
		send_body(fds[i], head, BODY_MAX - 1);
	}
	/* so many turns that all of it is read: a body too many; whose, is the order of reading */
	int other = client_connect(server);
	for (unsigned i = 0; i < 100; i++) {
		client_say(other, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_answer(other, "GET /echo");
	}
	close(other);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		client_say(fds[i], "a");
		char *answer = client_hear(fds[i], true);
		taken += strstr(answer, "PUT /a 65536") != NULL;
		refused += strncmp(answer, "HTTP/1.1 429 ", 13) == 0;
		free(answer);
		close(fds[i]);
	}
	assert_int_equal(taken + refused, 9);
	assert_true(refused >= 1);
}

/* Sends the text again and again, until the server says that he is late, if there is a text, and
 * hangs up. */
static unsigned hung_up_after(int fd, const char *text)
{
	uint64_t start = loop_now_ms();

	while (loop_now_ms() - start < ANSWER_MS) {
		struct pollfd pollfd = {.fd = fd, .events = POLLIN};

		if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 || poll(&pollfd, 1, 10) > 0)
			break;
	}
	unsigned after_ms = (unsigned)(loop_now_ms() - start);
	if (*text)
		assert_answer(fd, "HTTP/1.1 408 ");
	assert_true(client_is_closed(fd));
	close(fd);
	return after_ms;
}

static void slow_headers_are_cut_off_at_the_deadline(void **state)
{
	struct server *server = *state;

	server->config.header_deadline_ms = 100;
	server_start(server);
	assert_in_range(hung_up_after(client_connect(server), ""), 80, 2000);
	assert_in_range(hung_up_after(client_connect(server), "G"), 80, 2000);
	int fd = client_connect(server);
	client_say(fd, "GET /echo HTTP/1.1\r\nHost: x\r\nX: ");
	assert_in_range(hung_up_after(fd, "y"), 80, 2000);
	/* also those of a second request */
	server_end(server);
	server->config.idle_timeout_ms = 1000;
	server_start(server);
	fd = client_connect(server);
	client_say(fd, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_answer(fd, "GET /echo");
	assert_in_range(hung_up_after(fd, "G"), 80, 3000);
}

static void a_slow_body_is_cut_off_at_the_deadline(void **state)
{
	struct server *server = *state;
	cleanup_free char *head = head_of("PUT", BODY_MAX, "");

	server->config.body_deadline_ms = 100;
	server_start(server);
	int fd = client_connect(server);
	client_say(fd, head);
	assert_in_range(hung_up_after(fd, "a"), 80, 2000);
	assert_int_equal(server->seen->requests, 0);
}

static void a_request_that_waits_has_no_deadline(void **state)
{
	struct server *server = *state;

	server->config.header_deadline_ms = server->config.body_deadline_ms = LATER_MS / 4;
	server_start(server);
	int fd = client_connect(server);
	client_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_answer(fd, "GET /later");
	close(fd);
}

#define started(name)  cmocka_unit_test_setup_teardown(name, server_setup_started, server_teardown)
#define prepared(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		started(ambiguous_requests_are_refused_and_end_the_connection),
		started(headers_that_are_too_large_are_refused),
		started(a_query_of_thousands_of_parameters_is_the_handlers),
		started(a_body_of_the_greatest_size_is_taken),
		started(a_larger_body_is_refused_and_ends_the_connection),
		started(chunks_count_as_a_body),
		started(bodies_of_all_clients_together_are_bounded),
		prepared(slow_headers_are_cut_off_at_the_deadline),
		prepared(a_slow_body_is_cut_off_at_the_deadline),
		prepared(a_request_that_waits_has_no_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
