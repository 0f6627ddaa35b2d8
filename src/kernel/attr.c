/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks an attribute map: members to attributes, attributes to members. */
#include "kernel/attr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/netlink.h"

static const struct field *field_at(const struct kind *kind, uint32_t offset)
{
	for (unsigned i = 0; i < kind->n_fields; i++)
		if (kind->fields[i].offset == offset)
			return &kind->fields[i];
	assert(!"an attribute of no field");
	return NULL;
}

void attr_set(const struct kind *kind, void *object, uint32_t offset)
{
	*(uint64_t *)object |= kind_bit(kind, field_at(kind, offset));
}

static void put_number(struct nlmsghdr *msg, const struct attr_row *row, const void *member)
{
	switch ((enum wire)row->wire) {
	case WIRE_U8:
		netlink_put(msg, row->attr, member, sizeof(uint8_t));
		return;
	case WIRE_U16:
		netlink_put(msg, row->attr, member, sizeof(uint16_t));
		return;
	case WIRE_U32:
	case WIRE_LENGTH:
		netlink_put(msg, row->attr, member, sizeof(uint32_t));
		return;
	case WIRE_ADDR:
	case WIRE_PREFIX: {
		uint32_t wire = htonl(((const struct addr *)member)->host);

		netlink_put(msg, row->attr, &wire, sizeof(wire));
		return;
	}
	case WIRE_FLAG:
		netlink_put(msg, row->attr, NULL, 0);
		return;
	case WIRE_TEXT:
	case WIRE_DEVICE:
		break;
	}
	assert(!"not a number");
}

static int put_device(struct nlmsghdr *msg, const struct attr_row *row, const char *device,
		      const struct names *names)
{
	uint32_t index = names_index(names, device);

	/* a tunnel keeps the index of an underlay device that is gone: it reads as "if17" */
	if (!index && sscanf(device, "if%9u", &index) == 1 && names_row(names, index))
		index = 0;
	if (device[0] && !index)
		return -ENODEV;
	netlink_put(msg, row->attr, &index, sizeof(index));
	return 0;
}

/* Is the member what its absence says? */
static bool is_zero(const struct attr_row *row, const struct field *field, const void *object)
{
	switch ((enum wire)row->wire) {
	case WIRE_TEXT:
	case WIRE_DEVICE:
		return !*(const char *)field_in(field, object);
	case WIRE_PREFIX:
		return ((const struct prefix *)field_in(field, object))->len == 0;
	case WIRE_LENGTH:
		return field_number(field, object) == SUPPRESS_NONE;
	case WIRE_U8:
	case WIRE_U16:
	case WIRE_U32:
	case WIRE_ADDR:
	case WIRE_FLAG:
		break;
	}
	return field_number(field, object) == 0;
}

int attr_build(struct nlmsghdr *msg, const struct attr_map *map, const void *object,
	       const struct names *names, const char **device)
{
	for (unsigned i = 0; i < map->n_rows; i++) {
		const struct attr_row *row = &map->rows[i];
		const struct field *field = field_at(map->kind, row->offset);
		const void *member = field_in(field, object);

		if (!(field_set_mask(object) & kind_bit(map->kind, field)) &&
		    !(row->flags & ATTR_ALWAYS))
			continue;
		if (!(row->flags & ATTR_ALWAYS) && is_zero(row, field, object))
			continue;
		if (row->wire == WIRE_TEXT) {
			netlink_put(msg, row->attr, member, strlen(member) + 1);
		} else if (row->wire == WIRE_DEVICE) {
			if (put_device(msg, row, member, names)) {
				*device = member;
				return -ENODEV;
			}
		} else {
			put_number(msg, row, member);
		}
	}
	return 0;
}

static const uint8_t wire_sizes[] = {
	[WIRE_U8] = 1,     [WIRE_U16] = 2,  [WIRE_U32] = 4,  [WIRE_LENGTH] = 4, [WIRE_ADDR] = 4,
	[WIRE_PREFIX] = 4, [WIRE_FLAG] = 0, [WIRE_TEXT] = 1, [WIRE_DEVICE] = 4,
};

void attr_text(const struct nlattr *attr, char *to, size_t size)
{
	const char *payload = attr_payload(attr, 0);
	size_t len = strnlen(payload, attr->nla_len - (size_t)NLA_HDRLEN);

	if (len >= size)
		len = size - 1;
	memset(to, 0, size);
	memcpy(to, payload, len);
}

static void take(const struct attr_row *row, const struct field *field, void *object,
		 const struct nlattr *attr, const struct names *names)
{
	const void *payload = attr_payload(attr, 0);
	char *member = field_of(field, object);

	switch ((enum wire)row->wire) {
	case WIRE_U8:
		field_store(field, object, *(const uint8_t *)payload);
		return;
	case WIRE_U16:
		field_store(field, object, *(const uint16_t *)payload);
		return;
	case WIRE_U32:
		field_store(field, object, *(const uint32_t *)payload);
		return;
	case WIRE_LENGTH:
		field_store(field, object, *(const int32_t *)payload);
		return;
	case WIRE_ADDR:
	case WIRE_PREFIX:
		((struct addr *)member)->host = attr_addr(attr).host;
		return;
	case WIRE_FLAG:
		field_store(field, object, 1);
		return;
	case WIRE_TEXT:
		attr_text(attr, member, field->size);
		return;
	case WIRE_DEVICE:
		names_device(names, *(const uint32_t *)payload, member);
		return;
	}
}

static void walk(const char *at, size_t len, struct attrs *attrs)
{
	*attrs = (struct attrs){0};
	while (len >= (size_t)NLA_HDRLEN) {
		const struct nlattr *attr = (const struct nlattr *)at;
		unsigned type = attr->nla_type & NLA_TYPE_MASK;
		size_t size = NLA_ALIGN(attr->nla_len);

		if (attr->nla_len < NLA_HDRLEN || attr->nla_len > len)
			return;
		if (type <= ATTR_MAX)
			attrs->v[type] = attr;
		if (size >= len)
			return;
		at += size;
		len -= size;
	}
}

void attrs_read(const struct nlmsghdr *h, size_t header, struct attrs *attrs)
{
	size_t begin = NLMSG_SPACE(header);

	walk((const char *)h + begin, h->nlmsg_len > begin ? h->nlmsg_len - begin : 0, attrs);
}

void attrs_nested(const struct nlattr *nest, struct attrs *attrs)
{
	walk((const char *)nest + NLA_HDRLEN, nest->nla_len - (size_t)NLA_HDRLEN, attrs);
}

void attr_parse(const struct attrs *attrs, const struct attr_map *map, void *object,
		const struct names *names)
{
	for (unsigned i = 0; i < map->n_rows; i++) {
		const struct attr_row *row = &map->rows[i];
		const struct field *field = field_at(map->kind, row->offset);
		const struct nlattr *attr = attrs->v[row->attr];

		if (attr_payload(attr, wire_sizes[row->wire]))
			take(row, field, object, attr, names);
		*(uint64_t *)object |= kind_bit(map->kind, field);
	}
}
