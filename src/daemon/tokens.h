/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bearer tokens: a file with a line `NAME ROLE SHA256HEX` for each, the digest being that of
 * the token's whole text. Blank lines, and lines that begin with #, say nothing.
 */

#include "base/vec.h"
#include "daemon/digest.h"
#include "daemon/http.h"

enum { TOKEN_NAME = 64, TOKENS_MAX = 1024, TOKENS_FILE_MAX = 256 * 1024 };

struct token {
	char name[TOKEN_NAME];
	enum http_role role; /* read or admin */
	uint8_t digest[DIGEST_BYTES];
};

struct tokens vec_of(struct token);

/* What a file of that path holds. Every fault is added to errs; -EINVAL then. */
int tokens_parse(struct tokens *tokens, const char *path, const char *text,
		 struct errs *errs) must_check;
/* Reads a file that is for its owner alone. Negative errno, with its faults in errs. */
int tokens_read(struct tokens *tokens, const char *path, struct errs *errs) must_check;
/* Whose it is, NULL: nobody's. Looks at all of them, whichever it is. */
const struct token *tokens_find(const struct tokens *tokens, const char *secret, size_t len);
/* "read" or "admin"; HTTP_ROLE_NONE when it is neither. */
enum http_role tokens_role(const char *word);
