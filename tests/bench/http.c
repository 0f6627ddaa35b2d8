/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An HTTP client that costs next to nothing: kept connections on a unix socket, one request
 * under way on each.
 *
 *   bench_http get SOCKET PATH COUNT             one after the other
 *   bench_http post SOCKET COUNT PARALLEL        disabled tunnels, each of its own name
 *   bench_http watch SOCKET PATH PAUSE-MS        gets until SIGTERM
 */
#include "common.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PARALLEL_MAX = 256, HEAD_MAX = 8192, READ = 1 << 18 };

/* One connection, and how far its answer is. */
struct client {
	int fd;
	uint64_t begun_ns;
	char head[HEAD_MAX + 1];
	size_t head_len;
	long long left; /* of the body; -1: chunked, -2: the head is not complete */
	char tail[5];   /* the last bytes of a chunked body */
};

static char buffer[READ];

static void client_open(struct client *client, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("%s: %s", path, strerror(errno));
}

static void client_ask(struct client *client, const char *request, size_t len)
{
	client->head_len = 0;
	client->left = -2;
	memset(client->tail, 0, sizeof(client->tail));
	client->begun_ns = now_ns();
	if (send(client->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send: %s", strerror(errno));
}

static const char *header(const struct client *client, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = strstr(client->head, "\r\n"); at; at = strstr(at + 2, "\r\n"))
		if (strncasecmp(at + 2, name, len) == 0 && at[2 + len] == ':')
			return at + 3 + len;
	return NULL;
}

/* The head is there: 2xx, and how long the body is. */
static void take_head(struct client *client)
{
	const char *length;

	client->head[client->head_len] = '\0';
	if (strncmp(client->head, "HTTP/1.1 2", 10) != 0)
		die("%.*s", (int)strcspn(client->head, "\r"), client->head);
	length = header(client, "Content-Length");
	client->left = length ? atoll(length) : -1;
}

static size_t take_head_bytes(struct client *client, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (client->head_len == HEAD_MAX)
			die("a head of more than %d bytes", HEAD_MAX);
		client->head[client->head_len++] = bytes[i];
		if (client->head_len >= 4 &&
		    memcmp(client->head + client->head_len - 4, "\r\n\r\n", 4) == 0) {
			take_head(client);
			return i + 1;
		}
	}
	return len;
}

/* True: the answer is complete. */
static int take(struct client *client, const char *bytes, size_t len)
{
	size_t used = client->left == -2 ? take_head_bytes(client, bytes, len) : 0;

	bytes += used;
	len -= used;
	if (client->left >= 0) {
		client->left -= (long long)len;
		return client->left <= 0;
	}
	if (client->left == -2)
		return 0;
	for (size_t i = len < 5 ? 0 : len - 5; i < len; i++) {
		memmove(client->tail, client->tail + 1, 4);
		client->tail[4] = bytes[i];
	}
	return memcmp(client->tail, "0\r\n\r\n", 5) == 0;
}

/* Reads what is there. True: the answer is complete. */
static int client_read(struct client *client)
{
	ssize_t len = recv(client->fd, buffer, sizeof(buffer), 0);

	if (len < 0 && errno == EINTR)
		return 0;
	if (len <= 0)
		die("receive: %s", len ? strerror(errno) : "the server hung up");
	return take(client, buffer, (size_t)len);
}

static size_t get_request(char *text, size_t size, const char *path)
{
	return (size_t)snprintf(text, size, "GET %s HTTP/1.1\r\nHost: ipipd\r\n\r\n", path);
}

static size_t post_request(char *text, size_t size, unsigned long i)
{
	char body[128];
	int len = snprintf(body, sizeof(body),
			   "{\"name\":\"p%06lu\",\"remote\":\"198.18.%lu.%lu\",\"enabled\":false}",
			   i, i / 250 % 250, i % 250 + 1);

	return (size_t)snprintf(text, size,
				"POST /v1/tunnels HTTP/1.1\r\nHost: ipipd\r\n"
				"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				len, body);
}

static void get(const char *path, const char *target, unsigned long count)
{
	static struct client client;
	struct times times = {0};
	char request[512];
	size_t len = get_request(request, sizeof(request), target);

	client_open(&client, path);
	for (unsigned long i = 0; i < count; i++) {
		client_ask(&client, request, len);
		while (!client_read(&client))
			;
		times_add(&times, now_ns() - client.begun_ns);
	}
	times_print(&times, 0);
}

static void post(const char *path, unsigned long count, unsigned long parallel)
{
	static struct client clients[PARALLEL_MAX];
	struct pollfd fds[PARALLEL_MAX];
	struct times times = {0};
	unsigned long asked = 0;
	char request[512];

	if (parallel > PARALLEL_MAX || parallel > count)
		die("too many connections");
	for (unsigned long i = 0; i < parallel; i++) {
		client_open(&clients[i], path);
		fds[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
	}
	uint64_t begin = now_ns();
	for (unsigned long i = 0; i < parallel; i++, asked++)
		client_ask(&clients[i], request, post_request(request, sizeof(request), asked));
	while (times.len < count) {
		if (poll(fds, parallel, 60000) <= 0)
			die("no answer for a minute");
		for (unsigned long i = 0; i < parallel; i++) {
			if (!fds[i].revents || !client_read(&clients[i]))
				continue;
			times_add(&times, now_ns() - clients[i].begun_ns);
			if (asked < count)
				client_ask(&clients[i], request,
					   post_request(request, sizeof(request), asked++));
			else
				fds[i].fd = -1;
		}
	}
	times_print(&times, now_ns() - begin);
}

static void watch(const char *path, const char *target, unsigned long pause_ms)
{
	static struct client client;
	struct times times = {0};
	struct timespec pause = {.tv_nsec = (long)pause_ms * 1000000};
	char request[512];
	size_t len = get_request(request, sizeof(request), target);

	stop_on_signals();
	client_open(&client, path);
	puts("ready");
	fflush(stdout);
	while (!stopped || !times.len) {
		client_ask(&client, request, len);
		while (!client_read(&client))
			;
		times_add(&times, now_ns() - client.begun_ns);
		nanosleep(&pause, NULL);
	}
	times_print(&times, 0);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		die("usage: bench_http get SOCKET PATH COUNT | post SOCKET COUNT PARALLEL |"
		    " watch SOCKET PATH PAUSE-MS");
	if (strcmp(argv[1], "get") == 0)
		get(argv[2], argv[3], number(argv[4]));
	else if (strcmp(argv[1], "post") == 0)
		post(argv[2], number(argv[3]), number(argv[4]));
	else
		watch(argv[2], argv[3], number(argv[4]));
	return 0;
}
