/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What GnuTLS knows of certificates, and libcurl does not tell. */

#include "base/err.h"
#include "base/text.h"
#include "cli/credentials.h"

/* Do the files of cacert, cert and key hold what they should, and fit? -EINVAL with the option
 * and the reason. */
int trust_check(const struct credentials *credentials, struct err *err) must_check;
/* Adds why a certificate is not trusted, in words: status is the verify result of a libcurl that
 * is built on GnuTLS. */
void trust_add_cause(struct text *out, unsigned status);
