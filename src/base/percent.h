/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Percent-encoding of URLs (RFC 3986), read. */

#include <stdbool.h>

/* The byte that %XX at the start of s stands for; -1 when there is no such escape. */
int percent_byte(const char *s);
/* Puts the bytes in place of their escapes. False when one is not well-formed or NUL; s is
 * decoded up to there. */
bool percent_decode(char *s);
