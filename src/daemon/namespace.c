/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Abstract sockets belong to a network namespace and end with their process: just the lock
 * that an agent needs. */
#include "daemon/namespace.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int namespace_lock(int *fd, struct err *err)
{
	static const char name[] = "ipipd";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + sizeof(name);
	cleanup_fd int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path + 1, name, sizeof(name) - 1); /* abstract: begins with NUL */
	if (s < 0)
		return err_set(err, -errno, "a unix socket: %s", strerror(errno));
	if (bind(s, (struct sockaddr *)&address, len) < 0)
		return err_set(err, -errno, "the abstract socket @ipipd: %s",
			       errno == EADDRINUSE ? "another ipipd runs in this network namespace"
						   : strerror(errno));
	*fd = take_fd(&s);
	return 0;
}
