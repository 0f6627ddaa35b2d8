/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text and order of IPv4 addresses and prefixes. */
#include "base/ipaddr.h"

#include <errno.h>

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

static char *write_byte(unsigned byte, char *to)
{
	if (byte >= 100)
		*to++ = (char)('0' + byte / 100);
	if (byte >= 10)
		*to++ = (char)('0' + byte / 10 % 10);
	*to++ = (char)('0' + byte % 10);
	return to;
}

char *addr_write(struct addr addr, char *to)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		to = write_byte(addr.host >> shift & 255, to);
		*to++ = '.';
	}
	return to - 1;
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
