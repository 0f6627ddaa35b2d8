/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Digests, by gnutls: the only place besides the server that knows it. */
#include "daemon/digest.h"

#include "base/text.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>

enum { SHA256_BYTES = 32 };

void digest_short(const void *p, size_t len, char hex[static DIGEST_SHORT])
{
	uint8_t digest[SHA256_BYTES];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, p, len, digest) != 0)
		abort(); /* only a broken installation has no SHA-256 */
	*hex_write(digest, DIGEST_SHORT / 2, hex) = '\0';
}
