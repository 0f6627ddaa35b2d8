/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random identifiers, from the kernel's generator. */
#include "daemon/uuid.h"

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { UUID_BYTES = 16, DRAWN = 256 }; /* so few bytes getrandom never cuts short */

/* Ten thousand resources of one config are not ten thousand calls of the kernel. */
static void draw(uint8_t b[static UUID_BYTES])
{
	static uint8_t drawn[DRAWN];
	static size_t used = DRAWN;

	if (used == DRAWN) {
		if (getrandom(drawn, DRAWN, 0) != DRAWN)
			abort(); /* cannot happen, once the kernel is up */
		used = 0;
	}
	memcpy(b, drawn + used, UUID_BYTES);
	used += UUID_BYTES;
}

void uuid_random(char text[static UUID_TEXT])
{
	static const uint8_t groups[] = {4, 2, 2, 2, 6};
	uint8_t b[UUID_BYTES], *from = b;

	draw(b);
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < ARRAY_LEN(groups); from += groups[i++]) {
		text = hex_write(from, groups[i], text);
		*text++ = '-';
	}
	text[-1] = '\0'; /* behind the last group there is none */
}
