/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Bearer tokens: a prefix by which people and scanners of leaks know them, and 256 random bits. */

#include <stdint.h>

#include "base/text.h"

#define TOKEN_PREFIX "ipipd_"
enum { TOKEN_RANDOM = 32, TOKEN_TEXT = sizeof(TOKEN_PREFIX) + (TOKEN_RANDOM * 8 + 5) / 6 };

/* Base64url of them, behind the prefix. */
void token_text(const uint8_t random[static TOKEN_RANDOM], char token[static TOKEN_TEXT]);
/* Adds what stands in an agent's file of tokens: "NAME ROLE SHA256HEX" */
void token_line(const char *name, const char *role, const char *token, struct text *line);
