/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor of HTTP: libmicrohttpd with the agent's flags, that answers every request with
 * the same body.
 *
 *   bench_mhd SOCKET BYTES     until SIGTERM
 */
#include "common.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct answer {
	char *body;
	size_t len;
};

static enum MHD_Result access_(void *user, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **context)
{
	static int seen;
	const struct answer *answer = user;

	(void)url;
	(void)method;
	(void)version;
	(void)upload;
	if (!*context) { /* the first call is before the body */
		*context = &seen;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(answer->len, answer->body,
									MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "Content-Type", "application/json");
	enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static int listen_on(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 128))
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void serve(struct MHD_Daemon *daemon)
{
	const union MHD_DaemonInfo *of = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct epoll_event event = {.events = EPOLLIN};
	int outer = epoll_create1(EPOLL_CLOEXEC);

	if (outer < 0 || epoll_ctl(outer, EPOLL_CTL_ADD, of->epoll_fd, &event))
		die("epoll: %s", strerror(errno));
	while (!stopped) {
		MHD_UNSIGNED_LONG_LONG left = 0;
		int timeout = MHD_get_timeout(daemon, &left) == MHD_YES ? (int)left : -1;

		epoll_wait(outer, &event, 1, timeout);
		MHD_run(daemon);
	}
}

int main(int argc, char **argv)
{
	struct answer answer = {0};

	if (argc != 3)
		die("usage: bench_mhd SOCKET BYTES");
	stop_on_signals();
	answer.len = number(argv[2]);
	answer.body = must_alloc(NULL, answer.len);
	memset(answer.body, 'x', answer.len);
	struct MHD_Daemon *daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL, access_,
		&answer, MHD_OPTION_LISTEN_SOCKET, listen_on(argv[1]), MHD_OPTION_CONNECTION_LIMIT,
		256u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536,
		MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
	if (!daemon)
		die("libmicrohttpd does not start");
	serve(daemon);
	MHD_stop_daemon(daemon);
	return 0;
}
