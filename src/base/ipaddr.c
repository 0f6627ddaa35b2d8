/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text and order of IPv4 addresses and prefixes. */
#include "base/ipaddr.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* A decimal number of at most max, without leading zeros; the rest of the text, or NULL. */
static const char *number(const char *s, unsigned max, unsigned *value)
{
	unsigned n = 0, digits = 0;

	for (; *s >= '0' && *s <= '9'; s++, digits++) {
		if (digits && n == 0)
			return NULL;
		n = n * 10 + (unsigned)(*s - '0');
		if (n > max)
			return NULL;
	}
	if (!digits)
		return NULL;
	*value = n;
	return s;
}

static const char *quad(const char *s, struct addr *addr)
{
	uint32_t host = 0;

	for (int i = 0; i < 4; i++) {
		unsigned byte;

		if (i && *s++ != '.')
			return NULL;
		s = number(s, 255, &byte);
		if (!s)
			return NULL;
		host = host << 8 | byte;
	}
	addr->host = host;
	return s;
}

int addr_parse(const char *s, struct addr *addr)
{
	struct addr parsed;
	const char *end = quad(s, &parsed);

	if (!end || *end)
		return -EINVAL;
	*addr = parsed;
	return 0;
}

int prefix_parse(const char *s, struct prefix *prefix)
{
	struct addr parsed;
	unsigned len;
	const char *end = quad(s, &parsed);

	if (!end || *end != '/')
		return -EINVAL;
	end = number(end + 1, 32, &len);
	if (!end || *end)
		return -EINVAL;
	*prefix = (struct prefix){parsed, (uint8_t)len};
	return 0;
}

/* The digits of a byte, the first one lowest, and in the highest byte how many they are. */
#define DIGITS(n)                                                                                  \
	((n) < 10    ? 1u << 24 | ('0' + (n))                                                      \
	 : (n) < 100 ? 2u << 24 | ('0' + (n) % 10) << 8 | ('0' + (n) / 10)                         \
		     : 3u << 24 | ('0' + (n) % 10) << 16 | ('0' + (n) / 10 % 10) << 8 |            \
			       ('0' + (n) / 100))
#define DIGITS_4(n)  DIGITS(n), DIGITS((n) + 1), DIGITS((n) + 2), DIGITS((n) + 3)
#define DIGITS_16(n) DIGITS_4(n), DIGITS_4((n) + 4), DIGITS_4((n) + 8), DIGITS_4((n) + 12)
#define DIGITS_64(n) DIGITS_16(n), DIGITS_16((n) + 16), DIGITS_16((n) + 32), DIGITS_16((n) + 48)

static const uint32_t digits_of[256] = {
	DIGITS_64(0),
	DIGITS_64(64),
	DIGITS_64(128),
	DIGITS_64(192),
};

/* Without a branch on how many digits there are, which nobody could predict. Four bytes are
 * written; what is behind the digits is written over. */
static char *write_byte(uint8_t byte, char *to)
{
	uint32_t digits = digits_of[byte], text = htole32(digits);

	memcpy(to, &text, sizeof(text));
	return to + (digits >> 24);
}

char *addr_write(struct addr addr, char *to)
{
	to = write_byte((uint8_t)(addr.host >> 24), to);
	*to++ = '.';
	to = write_byte((uint8_t)(addr.host >> 16), to);
	*to++ = '.';
	to = write_byte((uint8_t)(addr.host >> 8), to);
	*to++ = '.';
	return write_byte((uint8_t)addr.host, to);
}

char *prefix_write(struct prefix prefix, char *to)
{
	to = addr_write(prefix.addr, to);
	*to++ = '/';
	return write_byte(prefix.len, to);
}

const char *addr_text(struct addr addr, char buf[static ADDR_TEXT])
{
	*addr_write(addr, buf) = '\0';
	return buf;
}

const char *prefix_text(struct prefix prefix, char buf[static PREFIX_TEXT])
{
	*prefix_write(prefix, buf) = '\0';
	return buf;
}

int addr_compare(const void *a, const void *b)
{
	const struct addr *x = a, *y = b;

	return (x->host > y->host) - (x->host < y->host);
}

int prefix_compare(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int order = addr_compare(&x->addr, &y->addr);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}
