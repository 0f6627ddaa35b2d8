/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements are written and read attribute by attribute: libnftnl allocates for each. */
#include "kernel/nft_element.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(nlh, nest);
}

static void put_address(struct nlmsghdr *nlh, uint16_t type, uint32_t host)
{
	uint32_t wire = htonl(host);

	put_value(nlh, type, &wire, sizeof(wire));
}

static void put_end(struct nlmsghdr *nlh, struct prefix prefix)
{
	uint32_t last = prefix_last(prefix).host;

	if (last == UINT32_MAX)
		return;
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	put_address(nlh, NFTA_SET_ELEM_KEY, last + 1);
	mnl_attr_nest_end(nlh, nest);
}

void nft_element_put(struct nlmsghdr *nlh, const struct nft_element *element, bool interval)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	if (*element->device)
		put_value(nlh, NFTA_SET_ELEM_KEY, element->device, sizeof(element->device));
	else
		put_address(nlh, NFTA_SET_ELEM_KEY, element->prefix.addr.host);
	if (element->to.host)
		put_address(nlh, NFTA_SET_ELEM_DATA, element->to.host);
	mnl_attr_nest_end(nlh, nest);
	if (interval)
		put_end(nlh, element->prefix);
}

/* The bytes of a struct nft_data; NULL when it is a verdict. */
static const void *value_of(const struct nlattr *nest, size_t *len)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) if (mnl_attr_get_type(attr) == NFTA_DATA_VALUE)
	{
		*len = mnl_attr_get_payload_len(attr);
		return mnl_attr_get_payload(attr);
	}
	return NULL;
}

static bool parse_address(const struct nlattr *nest, struct addr *addr)
{
	size_t len = 0;
	uint32_t wire;
	const void *value = value_of(nest, &len);

	if (!value || len != sizeof(wire))
		return false;
	memcpy(&wire, value, sizeof(wire));
	addr->host = ntohl(wire);
	return true;
}

static bool parse_key(const struct nlattr *nest, struct nft_element *element)
{
	size_t len = 0;
	const char *value = value_of(nest, &len);

	if (!value)
		return false;
	if (len == IFNAMSIZ) {
		memcpy(element->device, value, IFNAMSIZ);
		return *value && !value[IFNAMSIZ - 1];
	}
	element->prefix.len = 32;
	return parse_address(nest, &element->prefix.addr);
}

static uint64_t get_be64(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == 8 ? be64toh(mnl_attr_get_u64(attr)) : 0;
}

/* NFTA_SET_ELEM_EXPR: a counter counts, any other expression does not matter here. */
static void parse_counter(const struct nlattr *expression, struct element_stats *stats)
{
	const struct nlattr *attr, *inner;

	mnl_attr_for_each_nested(attr, expression)
	{
		if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME &&
		    (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ||
		     strcmp(mnl_attr_get_str(attr), "counter") != 0))
			return;
		if (mnl_attr_get_type(attr) != NFTA_EXPR_DATA)
			continue;
		mnl_attr_for_each_nested(inner, attr)
		{
			if (mnl_attr_get_type(inner) == NFTA_COUNTER_PACKETS)
				stats->packets = get_be64(inner);
			else if (mnl_attr_get_type(inner) == NFTA_COUNTER_BYTES)
				stats->bytes = get_be64(inner);
		}
	}
}

static bool parse_flags(const struct nlattr *attr, bool *end)
{
	if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return false;
	uint32_t flags = ntohl(mnl_attr_get_u32(attr));

	*end = flags & NFT_SET_ELEM_INTERVAL_END;
	return (flags & ~(uint32_t)NFT_SET_ELEM_INTERVAL_END) == 0;
}

/* False: not an element that we would write (a catch-all, a verdict, another key). */
static bool parse_one(const struct nlattr *nest, struct nft_counted *counted)
{
	const struct nlattr *attr;
	bool ours = true, keyed = false;

	mnl_attr_for_each_nested(attr, nest)
	{
		switch (mnl_attr_get_type(attr)) {
		case NFTA_SET_ELEM_KEY:
			keyed = parse_key(attr, &counted->element);
			break;
		case NFTA_SET_ELEM_DATA:
			ours &= parse_address(attr, &counted->element.to);
			break;
		case NFTA_SET_ELEM_FLAGS:
			ours &= parse_flags(attr, &counted->end);
			break;
		case NFTA_SET_ELEM_EXPR:
			parse_counter(attr, &counted->stats);
			break;
		}
	}
	counted->element.head.set = kind_all(&nft_element_kind);
	return ours && keyed;
}

static void parse_list(const struct nlattr *list, struct nft_counteds *to)
{
	const struct nlattr *nest;

	mnl_attr_for_each_nested(nest, list) if (!parse_one(nest, vec_add(to))) to->other = true;
}

void nft_element_parse(const struct nlmsghdr *nlh, void *counteds)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) ==
								  NFTA_SET_ELEM_LIST_ELEMENTS)
		parse_list(attr, counteds);
}

/* Of two at one address the end comes first: intervals that touch. */
static int compare(const void *a, const void *b)
{
	const struct nft_counted *x = a, *y = b;
	int order = addr_compare(&x->element.prefix.addr, &y->element.prefix.addr);

	return order ? order : y->end - x->end;
}

/* The length of the prefix that is the interval first … last; 33 when none is. */
static uint8_t interval_len(uint32_t first, uint32_t last)
{
	for (uint8_t len = 0; len <= 32; len++)
		if ((first & ~prefix_mask(len)) == 0 && (first | ~prefix_mask(len)) == last)
			return len;
	return 33;
}

void nft_element_join(struct nft_counteds *counteds)
{
	size_t kept = 0;

	vec_sort(counteds, compare);
	for (size_t i = 0; i < counteds->len; i++) {
		struct nft_counted *counted = &counteds->v[i];
		uint32_t last = UINT32_MAX;

		/* nft begins its sets with an end at 0.0.0.0 that ends nothing */
		if (counted->end)
			continue;
		if (i + 1 < counteds->len)
			last = counteds->v[i + 1].element.prefix.addr.host - 1;
		counted->element.prefix.len = interval_len(counted->element.prefix.addr.host, last);
		if (counted->element.prefix.len > 32)
			counteds->other = true;
		counteds->v[kept++] = *counted;
	}
	counteds->len = kept;
}
