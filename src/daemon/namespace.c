/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Abstract sockets belong to a network namespace and end with their process: just the lock
 * that an agent needs. */
#include "daemon/namespace.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Who listens there; 0: not known. He accepts nobody, which a connection does not need. */
static pid_t holder(const struct sockaddr_un *address, socklen_t len)
{
	cleanup_fd int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred ucred = {0};
	socklen_t size = sizeof(ucred);

	if (s < 0 || connect(s, (const struct sockaddr *)address, len) < 0 ||
	    getsockopt(s, SOL_SOCKET, SO_PEERCRED, &ucred, &size) < 0)
		return 0;
	return ucred.pid;
}

static int taken(const struct sockaddr_un *address, socklen_t len, struct err *err)
{
	pid_t pid = holder(address, len);
	char who[32] = "";

	if (pid > 0)
		snprintf(who, sizeof(who), " (pid %d)", (int)pid);
	return err_set(err, -EADDRINUSE,
		       "the abstract socket @ipipd: another ipipd%s runs in this network namespace",
		       who);
}

int namespace_lock(int *fd, struct err *err)
{
	static const char name[] = "ipipd";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + sizeof(name);
	cleanup_fd int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path + 1, name, sizeof(name) - 1); /* abstract: begins with NUL */
	if (s < 0)
		return err_set(err, -errno, "a unix socket: %s", strerror(errno));
	int rc = bind(s, (struct sockaddr *)&address, len) < 0 || listen(s, 1) < 0 ? -errno : 0;
	if (rc == -EADDRINUSE)
		return taken(&address, len, err);
	if (rc)
		return err_set(err, rc, "the abstract socket @ipipd: %s", strerror(-rc));
	*fd = take_fd(&s);
	return 0;
}
