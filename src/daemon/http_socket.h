/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The listening unix socket, our own or systemd's, and who is at the other end of it. */

#include <stdbool.h>

#include "daemon/http.h"

struct http_socket {
	int fd;         /* -1: not open */
	bool passed;    /* by systemd: its file stays */
	char path[108]; /* of systemd's, too; "": it has none */
	dev_t dev;      /* of the file that we made: another's is not removed */
	ino_t ino;
	gid_t group; /* whose members are admins; (gid_t)-1: none */
};

/*
 * The directory of the path is made when it is missing, but for a socket that was passed.
 * group may be NULL: 0600. -EADDRINUSE: somebody answers there; -EEXIST: the path is something
 * else than a socket.
 */
int http_socket_open(struct http_socket *socket, const char *path, const char *group,
		     unsigned backlog, struct err *err) must_check;
/* Nobody finds it any more: where it is our own, and still there. */
void http_socket_unlink(const struct http_socket *socket);
void http_socket_close(struct http_socket *socket);

/* By SO_PEERCRED: root, our own user, members of the group are admins. */
void http_socket_caller(const struct http_socket *socket, int fd, struct http_caller *caller);
