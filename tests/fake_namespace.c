/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake kernel's directory is its network namespace: one agent each, so that tests run
 * beside each other and beside a real agent. */
#include "daemon/namespace.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

int namespace_lock(int *fd, struct err *err)
{
	const char *directory = getenv("IPIPD_FAKE_KERNEL");
	cleanup_fd int lock = open(directory ? directory : "/", O_RDONLY | O_CLOEXEC);

	if (lock < 0)
		return err_set(err, -errno, "%s: %s", directory, strerror(errno));
	if (directory && flock(lock, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, -EADDRINUSE, "another ipipd runs in this network namespace");
	*fd = take_fd(&lock);
	return 0;
}
