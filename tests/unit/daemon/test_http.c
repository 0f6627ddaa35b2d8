/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HTTP server as a client sees it: raw bytes over its unix socket. */
#include "http_server.h"

static void answers_with_length_date_and_caller(void **state)
{
	int fd = client_connect(*state);

	client_say(fd, "GET /echo?wait=5 HTTP/1.1\r\nHost: x\r\nX-Echo: ab\r\n\r\n");
	char *answer = client_hear(fd, true);
	char caller[32];
	snprintf(caller, sizeof(caller), "X-Caller: uid %u\r\n", geteuid());
	assert_ptr_equal(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
	assert_non_null(strstr(answer, "\r\nDate: "));
	assert_non_null(strstr(answer, "Content-Type: text/plain\r\n"));
	assert_non_null(strstr(answer, caller));
	assert_non_null(strstr(answer, "\r\n\r\nGET /echo 0 wait=5 echo=ab role=2\n"));
	free(answer);
	close(fd);
}

static void answers_head_without_a_body(void **state)
{
	int fd = client_connect(*state);

	client_say(fd, "HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n"
		       "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	char *answer = client_hear(fd, false);
	assert_non_null(strstr(answer, "Content-Length: 34\r\n"));
	free(answer);
	assert_answer(fd, "GET /echo");
	close(fd);
}

static void keeps_a_connection_and_answers_pipelined_requests_in_order(void **state)
{
	int fd = client_connect(*state);

	client_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
		       "PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
		       "GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_answer(fd, "GET /later 0");
	assert_answer(fd, "PUT /b 3");
	assert_answer(fd, "GET /c 0");
	client_say(fd, "GET /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_answer(fd, "GET /d 0");
	assert_true(client_is_closed(fd));
	close(fd);
}

static void takes_a_request_byte_by_byte(void **state)
{
	const char *request = "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok";
	int fd = client_connect(*state);

	for (const char *s = request; *s; s++)
		client_send(fd, s, 1);
	assert_answer(fd, "PUT /echo 2");
	close(fd);
}

static void takes_a_chunked_body(void **state)
{
	int fd = client_connect(*state);

	client_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		       "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	assert_answer(fd, "POST /echo 5");
	close(fd);
}

static void says_continue_to_a_client_that_asks(void **state)
{
	int fd = client_connect(*state);

	client_say(fd, "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
		       "Expect: 100-continue\r\n\r\n");
	assert_answer(fd, "HTTP/1.1 100 Continue");
	client_say(fd, "ok");
	assert_answer(fd, "PUT /echo 2");
	close(fd);
}

static void serves_two_thousand_requests_on_one_connection(void **state)
{
	const struct server *server = *state;
	int fd = client_connect(server);

	for (unsigned i = 0; i < 2000; i++) {
		client_say(fd, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_answer(fd, "GET /echo 0");
	}
	assert_int_equal(server->seen->requests, 2000);
	assert_string_not_equal(server->seen->ids[0], server->seen->ids[1]);
	close(fd);
}

static void concurrent(const struct server *server, const char *path, unsigned count)
{
	int *fds = xcalloc(count, sizeof(*fds));
	char request[64];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	for (unsigned i = 0; i < count; i++)
		fds[i] = client_connect(server);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < count; i++)
			client_say(fds[i], request);
		for (unsigned i = 0; i < count; i++)
			assert_answer(fds[i], path);
	}
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
	free(fds);
}

/* with its own thread the library hangs at multiples of 128 events */
static void serves_129_connections_at_once(void **state)
{
	concurrent(*state, "/echo", 127);
	concurrent(*state, "/echo", 128);
	concurrent(*state, "/echo", 129);
	concurrent(*state, "/echo", 256);
}

static void a_client_over_the_limit_is_served_when_another_leaves(void **state)
{
	struct server *server = *state;
	int first, second;

	server->config.connections_max = 1;
	/* so that no deadline has the library look at who waits */
	server->config.header_deadline_ms = server->config.idle_timeout_ms = 4 * ANSWER_MS;
	server_start(server);
	first = client_connect(server);
	client_say(first, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_answer(first, "GET /echo");
	second = client_connect(server);
	client_say(second, "GET /second HTTP/1.1\r\nHost: x\r\n\r\n");
	struct pollfd pollfd = {.fd = second, .events = POLLIN};
	assert_int_equal(poll(&pollfd, 1, 50), 0);
	close(first);
	assert_answer(second, "GET /second");
	close(second);
}

static void answers_a_suspended_request_later_while_others_are_served(void **state)
{
	int waiting = client_connect(*state), other = client_connect(*state);

	client_say(waiting, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	client_say(other, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_answer(other, "GET /echo");
	assert_answer(waiting, "GET /later");
	client_say(waiting, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_answer(waiting, "GET /later");
	close(waiting);
	close(other);
}

static void waits_for(volatile unsigned *count, unsigned wanted)
{
	for (unsigned i = 0; i < ANSWER_MS && *count < wanted; i++)
		poll(NULL, 0, 1);
	assert_int_equal(*count, wanted);
}

static void a_client_that_leaves_while_it_waits_is_gone(void **state)
{
	struct server *server = *state;

	for (unsigned i = 0; i < 3; i++) {
		int fd = client_connect(server);
		client_say(fd, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
		waits_for(&server->seen->requests, i + 1);
		assert_int_equal(server->seen->gone, i);
		close(fd);
		waits_for(&server->seen->gone, i + 1);
	}
}

/* All clients' together are bounded, and eight of the greatest size are allowed. */
static void who_waits_holds_no_body_that_was_read(void **state)
{
	struct server *server = *state;
	cleanup_free char *body = xcalloc(1, BODY_MAX);
	cleanup_text struct text head = {0};
	int fds[9];

	text_addf(&head, "PUT /read HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", BODY_MAX);
	memset(body, 'a', BODY_MAX);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = client_connect(server);
		client_say(fds[i], head.s);
		client_send(fds[i], body, BODY_MAX);
		waits_for(&server->seen->requests, i + 1);
	}
	assert_int_equal(server->seen->refused, 0);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void a_client_that_has_only_finished_sending_gets_its_answer(void **state)
{
	struct server *server = *state;
	int fd = client_connect(server);

	client_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	shutdown(fd, SHUT_WR);
	assert_answer(fd, "GET /later");
	assert_int_equal(server->seen->gone, 0);
	close(fd);
}

static void a_client_that_leaves_in_the_middle_hurts_nobody(void **state)
{
	const char *const halves[] = {
		"",
		"GET",
		"GET /echo HTTP/1.1\r\nHo",
		"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
		"PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab",
		"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"};
	struct server *server = *state;

	for (unsigned i = 0; i < ARRAY_LEN(halves); i++) {
		int fd = client_connect(server);
		client_say(fd, halves[i]);
		close(fd);
	}
	int fd = client_connect(server);
	client_say(fd, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_answer(fd, "GET /echo");
	assert_int_equal(server->seen->gone, 0);
	close(fd);
}

static void read_exactly(int fd, char *to, size_t len)
{
	while (len) {
		ssize_t got = recv(fd, to, len, 0);

		assert_true(got > 0);
		to += got;
		len -= (size_t)got;
	}
}

/* The next chunk of a body, 0 at its end. */
static size_t read_chunk(int fd, char *to)
{
	char line[16] = "";
	size_t len = 0;

	do
		read_exactly(fd, line + len++, 1);
	while (!strstr(line, "\r\n"));
	size_t size = strtoul(line, NULL, 16);
	assert_true(size <= HTTP_PIECE);
	read_exactly(fd, to, size + 2);
	return size;
}

static void streams_a_body_in_chunks(void **state)
{
	struct server *server = *state;
	int fd = client_connect(server);
	char chunk[HTTP_PIECE + 2], *head;
	size_t total = 0, len;

	client_say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	head = client_hear(fd, false);
	assert_non_null(strstr(head, "Transfer-Encoding: chunked\r\n"));
	free(head);
	for (; (len = read_chunk(fd, chunk)); total += len)
		assert_int_equal(strtoul(chunk, NULL, 16), total);
	assert_int_equal(total, STREAM_PIECES * HTTP_PIECE);
	waits_for(&server->seen->streamed, 1);
	client_say(fd, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_answer(fd, "GET /echo");
	close(fd);
}

static void tells_the_length_of_a_stream(void **state)
{
	struct server *server = *state;
	int fd = client_connect(server);

	client_say(fd, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n"
		       "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	char *head = client_hear(fd, false);
	assert_non_null(strstr(head, "Content-Length: 4194304\r\n"));
	free(head);
	char *answer = client_hear(fd, true);
	assert_ptr_equal(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
	free(answer);
	waits_for(&server->seen->streamed, 1);
	close(fd);
}

static void a_stream_that_nobody_wants_to_the_end_is_done(void **state)
{
	struct server *server = *state;
	int fd = client_connect(server);

	client_say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	free(client_hear(fd, false));
	assert_int_equal(server->seen->streamed, 0);
	close(fd);
	waits_for(&server->seen->streamed, 1);
}

static void a_slow_reader_of_a_stream_is_cut_off_at_the_deadline(void **state)
{
	struct server *server = *state;

	server->config.stream_deadline_ms = 100;
	server_start(server);
	int fd = client_connect(server);
	client_say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	free(client_hear(fd, false));
	waits_for(&server->seen->streamed, 1);
	close(fd);
}

static int follow(const struct server *server)
{
	int fd = client_connect(server);
	char chunk[HTTP_PIECE + 2];

	client_say(fd, "GET /follow HTTP/1.1\r\nHost: x\r\n\r\n");
	free(client_hear(fd, false));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(read_chunk(fd, chunk), 8);
		assert_int_equal(strtoul(chunk, NULL, 16), i);
	}
	return fd;
}

static void a_stream_that_follows_is_told_what_comes_later(void **state)
{
	struct server *server = *state;
	int fd = follow(server);

	assert_int_equal(server->seen->streamed, 0);
	close(fd);
	waits_for(&server->seen->streamed, 1);
}

static void a_stream_that_follows_has_no_deadline_while_it_waits(void **state)
{
	struct server *server = *state;

	server->config.stream_deadline_ms = LATER_MS + LATER_MS / 2;
	server_start(server);
	close(follow(server));
	waits_for(&server->seen->streamed, 1);
}

static void a_stream_that_follows_ends_with_the_server(void **state)
{
	struct server *server = *state;
	int fd = follow(server);
	char chunk[HTTP_PIECE + 2];

	assert_int_equal(server_end(server), 0);
	while (read_chunk(fd, chunk))
		;
	assert_true(client_is_closed(fd));
	assert_int_equal(server->seen->streamed, 1);
	close(fd);
}

static void stopping_sends_the_last_answers_and_forgets_who_waits(void **state)
{
	struct server *server = *state;
	int waiting = client_connect(server), reading = client_connect(server);

	client_say(waiting, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
	client_say(reading, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	waits_for(&server->seen->requests, 2);
	assert_int_equal(server_end(server), 0);
	assert_answer(reading, "GET /echo");
	assert_true(client_is_closed(waiting));
	assert_int_equal(server->seen->gone, 1);
	assert_int_equal(client_try(server), -1);
	assert_int_equal(access(server->path, F_OK), -1);
	close(waiting);
	close(reading);
}

#define started(name)  cmocka_unit_test_setup_teardown(name, server_setup_started, server_teardown)
#define prepared(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		started(answers_with_length_date_and_caller),
		started(answers_head_without_a_body),
		started(keeps_a_connection_and_answers_pipelined_requests_in_order),
		started(takes_a_request_byte_by_byte),
		started(takes_a_chunked_body),
		started(says_continue_to_a_client_that_asks),
		started(serves_two_thousand_requests_on_one_connection),
		started(serves_129_connections_at_once),
		prepared(a_client_over_the_limit_is_served_when_another_leaves),
		started(answers_a_suspended_request_later_while_others_are_served),
		started(a_client_that_leaves_while_it_waits_is_gone),
		started(who_waits_holds_no_body_that_was_read),
		started(a_client_that_has_only_finished_sending_gets_its_answer),
		started(a_client_that_leaves_in_the_middle_hurts_nobody),
		started(streams_a_body_in_chunks),
		started(tells_the_length_of_a_stream),
		started(a_stream_that_nobody_wants_to_the_end_is_done),
		prepared(a_slow_reader_of_a_stream_is_cut_off_at_the_deadline),
		started(a_stream_that_follows_is_told_what_comes_later),
		prepared(a_stream_that_follows_has_no_deadline_while_it_waits),
		started(a_stream_that_follows_ends_with_the_server),
		started(stopping_sends_the_last_answers_and_forgets_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
