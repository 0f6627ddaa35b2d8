/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* SHA-256, for entity tags and tokens. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DIGEST_BYTES = 32,
	DIGEST_SHORT = 17, /* 16 hex digits and NUL */
};

/* The first 64 bits of the digest, in hex. */
void digest_short(const void *p, size_t len, char hex[static DIGEST_SHORT]);

void digest_sha256(const void *p, size_t len, uint8_t digest[static DIGEST_BYTES]);
/* In a time that does not tell where they differ. */
bool digest_same(const uint8_t a[static DIGEST_BYTES], const uint8_t b[static DIGEST_BYTES]);
