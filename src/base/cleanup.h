/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Local resources end with their scope: declare them with a cleanup_ word, hand them
 * on with take_ptr() or take_fd(), which leave nothing behind to clean.
 */

#include <stdlib.h>
#include <unistd.h>

#define cleanup_(function) __attribute__((cleanup(function)))
#define cleanup_free       cleanup_(cleanup_free_)
#define cleanup_fd         cleanup_(cleanup_fd_)

static inline void cleanup_free_(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define take_ptr(p)                                                                                \
	__extension__({                                                                            \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}
