/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Escapes of two hexadecimal digits. Where they may stand is the callers' business. */
#include "base/percent.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int percent_byte(const char *s)
{
	int high = *s == '%' ? hex_digit(s[1]) : -1;
	int low = high < 0 ? -1 : hex_digit(s[2]);

	return low < 0 ? -1 : high * 16 + low;
}

bool percent_decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		int byte = (unsigned char)*s;

		if (*s == '%') {
			byte = percent_byte(s);
			if (byte <= 0)
				break;
			s += 2;
		}
		*to++ = (char)byte;
	}
	bool whole = !*s;
	*to = '\0';
	return whole;
}
