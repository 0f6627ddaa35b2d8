/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * IPv4 addresses and prefixes. Values are in host byte order, so that they compare, sort
 * and mask as numbers; the wire codecs of kernel/ swap them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

struct addr {
	uint32_t host; /* host byte order; 0 is "none" or "any" */
};

/* A prefix, or a device's own address with its prefix length (then host bits are kept). */
struct prefix {
	struct addr addr;
	uint8_t len; /* 0-32 */
};

struct prefixes {
	struct prefix *v;
	uint32_t len;
};

enum { ADDR_TEXT = 16, PREFIX_TEXT = 20 }; /* sizes of text buffers, NUL included */

/* Strict dotted quad: four decimal numbers, no leading zeros. 0 or -EINVAL. */
int addr_parse(const char *s, struct addr *addr) must_check;
/* a.b.c.d/n. -EINVAL: not one. Host bits may be set: see prefix_is_network. */
int prefix_parse(const char *s, struct prefix *prefix) must_check;
const char *addr_text(struct addr addr, char buf[static ADDR_TEXT]);
const char *prefix_text(struct prefix prefix, char buf[static PREFIX_TEXT]);
/* The same without NUL, into as much room; returns where it ends. */
char *addr_write(struct addr addr, char *to) __attribute__((returns_nonnull));
char *prefix_write(struct prefix prefix, char *to) __attribute__((returns_nonnull));

static inline uint32_t prefix_mask(uint8_t len)
{
	return len ? UINT32_MAX << (32 - len) : 0;
}

static inline bool prefix_is_network(struct prefix p)
{
	return (p.addr.host & ~prefix_mask(p.len)) == 0;
}

static inline struct prefix prefix_network(struct prefix p)
{
	return (struct prefix){{p.addr.host & prefix_mask(p.len)}, p.len};
}

static inline bool prefix_covers(struct prefix p, struct addr a)
{
	return ((p.addr.host ^ a.host) & prefix_mask(p.len)) == 0;
}

static inline bool prefix_overlaps(struct prefix a, struct prefix b)
{
	return prefix_covers(a.len < b.len ? a : b, a.len < b.len ? b.addr : a.addr);
}

/* last address of the prefix */
static inline struct addr prefix_last(struct prefix p)
{
	return (struct addr){p.addr.host | ~prefix_mask(p.len)};
}

/* by address, then by length: for qsort too */
int addr_compare(const void *a, const void *b);
int prefix_compare(const void *a, const void *b);
