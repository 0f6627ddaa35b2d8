/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Names of the kernel's and of others that stand in commands which a person will paste. */

#include <stdbool.h>
#include <string.h>

/* Means nothing else to a shell, or to nft: without it there is no command with the name. */
static inline bool shell_word(const char *name)
{
	return *name && *name != '-' &&
	       name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789_.-")] == '\0';
}
