/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* SHA-256, for entity tags. */

#include <stddef.h>

enum { DIGEST_SHORT = 17 }; /* 16 hex digits and NUL */

/* The first 64 bits of the digest, in hex. */
void digest_short(const void *p, size_t len, char hex[static DIGEST_SHORT]);
