/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Attribute maps: which member of an object is which netlink attribute, in which wire
 * form. A map is walked both ways, so that what is built is what is parsed.
 */

#include <netlink/attr.h>

#include "kernel/names.h"
#include "model/object.h"

enum wire {
	WIRE_U8,
	WIRE_U16,
	WIRE_U32,
	WIRE_LENGTH, /* u32, of an int32_t that is SUPPRESS_NONE when it is absent */
	WIRE_ADDR,   /* network byte order, of a struct addr */
	WIRE_PREFIX, /* the address of a struct prefix; its length is in the family header */
	WIRE_FLAG,   /* present or not, of a bool */
	WIRE_TEXT,   /* NUL-terminated, of a char[] */
	WIRE_DEVICE, /* u32, an index, of a char[IFNAMSIZ] */
};

enum {
	ATTR_ALWAYS = 1 << 0, /* sent when zero, too: the kernel resets what is left out */
};

struct attr_row {
	uint16_t attr;
	uint8_t wire; /* enum wire */
	uint8_t flags;
	uint32_t offset; /* of the member */
};

struct attr_map {
	const struct kind *kind;
	const struct attr_row *rows;
	unsigned n_rows;
	int max; /* highest attribute number that is looked at */
};

enum { ATTR_MAX = 80 }; /* above every map's max */

#define ATTR(st, member, number, form, ...)                                                        \
	{                                                                                          \
		.attr = (number), .wire = (form), .offset = offsetof(struct st, member),           \
		__VA_ARGS__                                                                        \
	}

/* Appends the attributes of the members that are set in the object. -ENODEV: it names a
 * device that is not there; *device then says which. */
int attr_build(struct nl_msg *msg, const struct attr_map *map, const void *object,
	       const struct names *names, const char **device) must_check;
/* Fills the members, and their set bits, from attributes; members whose attribute is absent
 * keep their value and are set as well: absent means zero in every message that we read. */
void attr_parse(struct nlattr *first, int len, const struct attr_map *map, void *object,
		const struct names *names);
/* Sets bits of members that do not come from an attribute. */
void attr_set(const struct kind *kind, void *object, uint32_t offset);

static inline struct addr attr_addr(const struct nlattr *attr)
{
	uint32_t wire = 0;

	if (attr && nla_len(attr) >= (int)sizeof(wire))
		wire = nla_get_u32(attr);
	return (struct addr){__builtin_bswap32(wire)};
}
