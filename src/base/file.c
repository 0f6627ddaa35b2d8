/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading of files that a person wrote, with a limit, and with a look at who else may; and making
 * the directory that a file is to be in. */
#include "base/file.h"

#include "base/arena.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int check(const char *path, const struct stat *st, size_t max, mode_t forbidden,
		 struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, -EINVAL, "%s: is no regular file", path);
	if (st->st_mode & forbidden & 0077)
		return err_set(err, -EPERM, "%s: is open to others (mode %04o); chmod %s %s", path,
			       st->st_mode & 07777, forbidden & 0070 ? "go=" : "o=", path);
	if (forbidden && st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(err, -EPERM, "%s: belongs to uid %u, neither to root nor to us",
			       path, st->st_uid);
	if (st->st_size > (off_t)max)
		return err_set(err, -EFBIG, "%s: has more than %zu bytes", path, max);
	return 0;
}

static int read_all(int fd, const char *path, size_t max, struct text *text, struct err *err)
{
	char *to = text_room(text, max + 1);
	size_t len = 0;
	ssize_t got;

	while (len <= max && (got = read(fd, to + len, max + 1 - len)) != 0) {
		if (got < 0 && errno != EINTR)
			return err_set(err, -errno, "%s: %s", path, strerror(errno));
		len += got > 0 ? (size_t)got : 0;
	}
	if (len > max)
		return err_set(err, -EFBIG, "%s: has more than %zu bytes", path, max);
	if (memchr(to, '\0', len))
		return err_set(err, -EINVAL, "%s: has a NUL, is no text", path);
	text_end(text, to + len);
	return 0;
}

int file_read(const char *path, size_t max, mode_t forbidden, struct text *text, struct err *err)
{
	/* not blocking, should it be a pipe */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	int rc = check(path, &st, max, forbidden, err);
	return rc ? rc : read_all(fd, path, max, text, err);
}

char *file_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent = xstrdup(slash ? path : ".");

	if (slash)
		parent[slash == path ? 1 : slash - path] = '\0';
	return parent;
}

int file_make_parent(const char *path, mode_t mode)
{
	cleanup_free char *parent = file_parent(path);

	if (mkdir(parent, mode) == 0 && chmod(parent, mode) == 0)
		return 1;
	return errno == EEXIST ? 0 : -errno;
}
