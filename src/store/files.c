/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose the files are, and that their names last. What is in them is for others. */
#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static int open_parent(const char *path)
{
	cleanup_free char *parent = file_parent(path);

	return open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void files_sync_name(const char *path)
{
	cleanup_fd int fd = open_parent(path);

	if (fd >= 0)
		fsync(fd);
}

/* Who may not give it away keeps it. */
static void give_to_owner_of_parent(int fd, const char *path)
{
	cleanup_fd int parent = open_parent(path);
	struct stat st;

	if (geteuid() == 0 && parent >= 0 && fstat(parent, &st) == 0)
		(void)!fchown(fd, st.st_uid, st.st_gid);
}

int files_make(const char *path)
{
	cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	give_to_owner_of_parent(fd, path);
	files_sync_name(path);
	return take_fd(&fd);
}

int files_make_directory_of(const char *path, struct err *err)
{
	cleanup_free char *parent = file_parent(path);
	int made = file_make_parent(path, 0700);

	if (made < 0)
		return err_set(err, made, "cannot make directory %s: %s", parent, strerror(-made));
	if (made)
		files_sync_name(parent);
	return 0;
}
