/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The listening unix socket: taken from systemd, or bound where no other agent answers, with
 * rights for its group only. And the credentials of who connects.
 */
#include "daemon/http_socket.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { LISTEN_FDS_START = 3, GROUPS_MAX = 256 };

static int fd_number(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

/* sd_listen_fds(3) by hand. 1: taken, 0: nothing was passed */
static int take_passed(struct http_socket *sock, struct err *err)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int fd = LISTEN_FDS_START;

	if (!pid || !fds || strtol(pid, NULL, 10) != getpid())
		return 0;
	long count = strtol(fds, NULL, 10);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (count < 1)
		return 0;
	if (count > 1)
		return err_set(err, -EINVAL, "systemd passed %ld sockets, want one", count);
	if (fd_number(fd, SO_DOMAIN) != AF_UNIX || fd_number(fd, SO_TYPE) != SOCK_STREAM ||
	    fd_number(fd, SO_ACCEPTCONN) != 1)
		return err_set(err, -EINVAL, "systemd passed what is no listening unix socket");
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_set(err, -errno, "socket of systemd: %s", strerror(errno));
	struct sockaddr_un address = {0};
	socklen_t size = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		memcpy(sock->path, address.sun_path, sizeof(sock->path));
	sock->fd = fd;
	sock->passed = true;
	return 1;
}

static int fill_address(struct sockaddr_un *address, const char *path, struct err *err)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!*path || strlen(path) >= sizeof(address->sun_path))
		return err_set(err, -ENAMETOOLONG, "socket %s: a path has 1 to %zu bytes", path,
			       sizeof(address->sun_path) - 1);
	memcpy(address->sun_path, path, strlen(path) + 1);
	return 0;
}

/* Removes the socket of an agent that is gone, and nothing else. */
static int remove_stale(const struct sockaddr_un *address, struct err *err)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : err_set(err, -errno, "socket %s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "socket %s: there is something that is no socket",
			       path);
	cleanup_fd int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno == EAGAIN)
		return err_set(err, -EADDRINUSE, "socket %s: another agent answers there", path);
	if (errno != ECONNREFUSED && errno != ENOENT)
		return err_set(err, -errno, "socket %s: %s", path, strerror(errno));
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, -errno, "socket %s: remove: %s", path, strerror(errno));
	return 0;
}

static void open_to_group(struct http_socket *sock, const char *name)
{
	const struct group *group = name ? getgrnam(name) : NULL;

	if (!name)
		return;
	if (!group) {
		log_warning("socket %s: there is no group %s: only its owner can use it",
			    sock->path, name);
		return;
	}
	if (lchown(sock->path, (uid_t)-1, group->gr_gid) < 0 || chmod(sock->path, 0660) < 0) {
		log_warning("socket %s: give it to group %s: %s: only its owner can use it",
			    sock->path, name, strerror(errno));
		return;
	}
	sock->group = group->gr_gid;
}

static int bind_new(struct http_socket *sock, const char *path, struct err *err)
{
	struct sockaddr_un address;
	int ret = fill_address(&address, path, err);

	if (ret < 0)
		return ret;
	ret = file_make_parent(path, 0755);
	if (ret < 0)
		return err_set(err, ret, "socket %s: make its directory: %s", path, strerror(-ret));
	ret = remove_stale(&address, err);
	if (ret < 0)
		return ret;
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	/* born closed to others: the group is let in when it is known */
	mode_t mask = umask(0177);
	ret = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (ret < 0)
		return err_set(err, ret, "socket %s: %s", path, strerror(-ret));
	memcpy(sock->path, address.sun_path, sizeof(sock->path));
	struct stat st;
	if (lstat(path, &st) == 0) {
		sock->dev = st.st_dev;
		sock->ino = st.st_ino;
	}
	sock->fd = take_fd(&fd);
	return 0;
}

int http_socket_open(struct http_socket *sock, const char *path, const char *group,
		     unsigned backlog, struct err *err)
{
	*sock = (struct http_socket){.fd = -1, .group = (gid_t)-1};
	int ret = take_passed(sock, err);

	if (ret < 0)
		return ret;
	if (ret == 1) {
		const struct group *members = group ? getgrnam(group) : NULL;

		if (members)
			sock->group = members->gr_gid;
		return 0;
	}
	ret = bind_new(sock, path, err);
	if (ret < 0)
		return ret;
	open_to_group(sock, group);
	if (listen(sock->fd, (int)backlog) < 0) {
		ret = err_set(err, -errno, "socket %s: listen: %s", path, strerror(errno));
		http_socket_close(sock);
	}
	return ret;
}

void http_socket_unlink(const struct http_socket *sock)
{
	struct stat st;

	if (!sock->passed && lstat(sock->path, &st) == 0 && st.st_dev == sock->dev &&
	    st.st_ino == sock->ino)
		unlink(sock->path);
}

void http_socket_close(struct http_socket *sock)
{
	if (sock->fd < 0)
		return;
	http_socket_unlink(sock);
	close(sock->fd);
	sock->fd = -1;
}

static bool is_member(gid_t group, int fd, const struct ucred *peer)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof(groups);

	if (group == (gid_t)-1)
		return false;
	if (peer->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

void http_socket_caller(const struct http_socket *sock, int fd, struct http_caller *caller)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	*caller = (struct http_caller){
		.role = HTTP_ROLE_NONE,
		.uid = (uid_t)-1,
		.name = "unknown",
		.address = "unix",
		.fault = "only root and the socket's group may use it",
	};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return;
	caller->uid = peer.uid;
	caller->pid = peer.pid;
	snprintf(caller->name, sizeof(caller->name), "uid %u", peer.uid);
	if (peer.uid == 0 || peer.uid == geteuid() || is_member(sock->group, fd, &peer))
		caller->role = HTTP_ROLE_ADMIN;
}
