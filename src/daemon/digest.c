/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Digests, by gnutls: the only place besides the server that knows it. */
#include "daemon/digest.h"

#include "base/text.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

void digest_sha256(const void *p, size_t len, uint8_t digest[static DIGEST_BYTES])
{
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, p, len, digest) != 0)
		abort(); /* only a broken installation has no SHA-256 */
}

void digest_short(const void *p, size_t len, char hex[static DIGEST_SHORT])
{
	uint8_t digest[DIGEST_BYTES];

	digest_sha256(p, len, digest);
	*hex_write(digest, DIGEST_SHORT / 2, hex) = '\0';
}

bool digest_same(const uint8_t a[static DIGEST_BYTES], const uint8_t b[static DIGEST_BYTES])
{
	return gnutls_memcmp(a, b, DIGEST_BYTES) == 0;
}
