/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allocator of the test agents: the system's own, where failpoints let an allocation fail,
 * `alloc.own` those that our code asks for, `alloc.library` those of the libraries. Not linked
 * with the sanitizers, which have an allocator themselves.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "failpoint.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

/* the linker's: where the program's code begins and ends */
extern const char __executable_start, etext;

static bool is_refused(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;
	bool own = at >= (uintptr_t)&__executable_start && at < (uintptr_t)&etext;

	if (!failpoint_error(own ? "alloc.own" : "alloc.library"))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return is_refused(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return is_refused(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return is_refused(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
