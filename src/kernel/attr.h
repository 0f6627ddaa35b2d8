/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Attribute maps: which member of an object is which netlink attribute, in which wire
 * form. A map is walked both ways, so that what is built is what is parsed.
 */

#include <linux/netlink.h>
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
};

enum { ATTR_MAX = 80 }; /* above every attribute that we look at */

/* The attributes of a message or of a nest, by number; NULL: absent. Of two the last counts. */
struct attrs {
	const struct nlattr *v[ATTR_MAX + 1];
};

/* Does not compile where the number is above ATTR_MAX. */
#define ATTR(st, member, number, form, ...)                                                        \
	{                                                                                          \
		.attr = (number) + 0 * sizeof(char[(int)(number) <= ATTR_MAX ? 1 : -1]),           \
		.wire = (form), .offset = offsetof(struct st, member), __VA_ARGS__                 \
	}

/* Appends the attributes of the members that are set in the object. -ENODEV: it names a
 * device that is not there; *device then says which. */
int attr_build(struct nlmsghdr *msg, const struct attr_map *map, const void *object,
	       const struct names *names, const char **device) must_check;
/* Of a message behind its family header, or of a nest. One walk, whatever is asked of it then. */
void attrs_read(const struct nlmsghdr *h, size_t header, struct attrs *attrs);
void attrs_nested(const struct nlattr *nest, struct attrs *attrs);
/* Fills the members, and their set bits, from attributes; members whose attribute is absent
 * keep their value and are set as well: absent means zero in every message that we read. */
void attr_parse(const struct attrs *attrs, const struct attr_map *map, void *object,
		const struct names *names);
/* Sets bits of members that do not come from an attribute. */
void attr_set(const struct kind *kind, void *object, uint32_t offset);

/* The payload as that many bytes at least; NULL when the attribute is absent or shorter. */
static inline const void *attr_payload(const struct nlattr *attr, size_t size)
{
	return attr && attr->nla_len >= NLA_HDRLEN + size ? (const char *)attr + NLA_HDRLEN : NULL;
}

/* A text that may lack its NUL, cut to the room that there is, and zeros behind it. */
void attr_text(const struct nlattr *attr, char *to, size_t size);

static inline uint32_t attr_u32(const struct nlattr *attr)
{
	const uint32_t *number = attr_payload(attr, sizeof(*number));

	return number ? *number : 0;
}

static inline struct addr attr_addr(const struct nlattr *attr)
{
	return (struct addr){__builtin_bswap32(attr_u32(attr))};
}
