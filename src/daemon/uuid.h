/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Random identifiers: RFC 9562, version 4. */

enum { UUID_TEXT = 37 };

void uuid_random(char text[static UUID_TEXT]);
