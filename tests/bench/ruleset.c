/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor of nftables: takes our table as it is, removes it, and puts the same back in
 * one batch.
 *
 *   bench_ruleset     prints how long putting it back took
 */
#include "common.h"
#include "netlink.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define TABLE "ipipd"

enum { SETS_MAX = 4096 };

/* What a dump says and a request must not. */
struct part {
	int get, new, flags;
	int table; /* the attribute with the table's name */
	int most;  /* attributes above are newer than what a request knows */
	int drop[3];
};

static const struct part parts[] = {
	/* clang-format off */
	{NFT_MSG_GETTABLE, NFT_MSG_NEWTABLE, 0, NFTA_TABLE_NAME, NFTA_TABLE_FLAGS,
	 {NFTA_TABLE_HANDLE, NFTA_TABLE_USE}},
	{NFT_MSG_GETSET, NFT_MSG_NEWSET, 0, NFTA_SET_TABLE, NFTA_SET_EXPRESSIONS,
	 {NFTA_SET_HANDLE, NFTA_SET_ID}},
	{NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN, 0, NFTA_CHAIN_TABLE, NFTA_CHAIN_FLAGS,
	 {NFTA_CHAIN_HANDLE, NFTA_CHAIN_USE, NFTA_CHAIN_COUNTERS}},
	{NFT_MSG_GETRULE, NFT_MSG_NEWRULE, NLM_F_APPEND, NFTA_RULE_TABLE, NFTA_RULE_CHAIN,
	 {NFTA_RULE_HANDLE, NFTA_RULE_POSITION}},
	/* clang-format on */
};

struct table {
	struct batch load;
	const struct part *part;
	char sets[SETS_MAX][NFT_SET_MAXNAMELEN];
	unsigned n_sets;
};

static int is_dropped(const struct part *part, int type)
{
	for (size_t i = 0; i < BENCH_LEN(part->drop); i++)
		if (type > part->most || (part->drop[i] && part->drop[i] == type))
			return 1;
	return 0;
}

static int is_ours(const struct nlmsghdr *h, int attr)
{
	const struct nlattr *name = attr_find(h, sizeof(struct nfgenmsg), attr);

	return name && strcmp(attr_value(name), TABLE) == 0;
}

static void copy_attrs(struct table *table, const struct nlmsghdr *h)
{
	const char *end = (const char *)h + h->nlmsg_len;
	const struct nlattr *at = (const void *)((const char *)NLMSG_DATA(h) +
						 sizeof(struct nfgenmsg));

	for (; at && at->nla_len >= NLA_HDRLEN; at = attr_next(at, end))
		if (!is_dropped(table->part, at->nla_type & NLA_TYPE_MASK))
			batch_attr(&table->load, at->nla_type, attr_value(at), attr_size(at));
}

/* A dump says flags of an option that is set, which a request must not. */
static void copy_expression(struct batch *load, const struct nlattr *expression)
{
	const struct nlattr *name = attr_in(expression, NFTA_EXPR_NAME);
	const struct nlattr *inner = attr_in(expression, NFTA_EXPR_DATA);
	size_t one = batch_nest(load, NFTA_LIST_ELEM);

	batch_attr(load, NFTA_EXPR_NAME, attr_value(name), attr_size(name));
	if (inner) {
		const char *end = (const char *)inner + inner->nla_len;
		int sets = strcmp(attr_value(name), "exthdr") == 0 &&
			   attr_in(inner, NFTA_EXTHDR_SREG);
		size_t nest = batch_nest(load, NFTA_EXPR_DATA);

		for (const struct nlattr *at = attr_value(inner);
		     at && (const char *)at < end && at->nla_len >= NLA_HDRLEN;
		     at = attr_next(at, end))
			if (!sets || (at->nla_type & NLA_TYPE_MASK) != NFTA_EXTHDR_FLAGS)
				batch_attr(load, at->nla_type, attr_value(at), attr_size(at));
		batch_nest_end(load, nest);
	}
	batch_nest_end(load, one);
}

static void copy_expressions(struct batch *load, const struct nlattr *list)
{
	const char *end = list ? (const char *)list + list->nla_len : NULL;
	size_t nest = batch_nest(load, NFTA_RULE_EXPRESSIONS);

	for (const struct nlattr *at = list ? attr_value(list) : NULL;
	     at && (const char *)at < end && at->nla_len >= NLA_HDRLEN; at = attr_next(at, end))
		copy_expression(load, at);
	batch_nest_end(load, nest);
}

static void take(const struct nlmsghdr *h, void *user)
{
	struct table *table = user;

	if (!is_ours(h, table->part->table))
		return;
	batch_nft(&table->load, table->part->new, NLM_F_CREATE | table->part->flags);
	copy_attrs(table, h);
	if (table->part->new == NFT_MSG_NEWRULE)
		copy_expressions(&table->load,
				 attr_find(h, sizeof(struct nfgenmsg), NFTA_RULE_EXPRESSIONS));
	if (table->part->new != NFT_MSG_NEWSET)
		return;
	const struct nlattr *name = attr_find(h, sizeof(struct nfgenmsg), NFTA_SET_NAME);
	if (!name || table->n_sets == SETS_MAX)
		die("too many sets");
	strncpy(table->sets[table->n_sets], attr_value(name), NFT_SET_MAXNAMELEN - 1);
	batch_u32(&table->load, NFTA_SET_ID, ++table->n_sets);
}

static const struct part elements = {.most = NFTA_SET_ELEM_LIST_ELEMENTS};

static void take_elements(const struct nlmsghdr *h, void *user)
{
	struct table *table = user;

	if (!attr_find(h, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS))
		return;
	batch_nft(&table->load, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	copy_attrs(table, h);
}

static void read_part(struct netlink *netlink, struct table *table, const struct part *part)
{
	struct batch request = {0};

	table->part = part;
	batch_nft(&request, part->get, NLM_F_DUMP);
	netlink_dump(netlink, &request, take, table);
	for (unsigned i = 0; part->get == NFT_MSG_GETSET && i < table->n_sets; i++) {
		batch_clear(&request);
		batch_nft(&request, NFT_MSG_GETSETELEM, NLM_F_DUMP);
		batch_text(&request, NFTA_SET_ELEM_LIST_TABLE, TABLE);
		batch_text(&request, NFTA_SET_ELEM_LIST_SET, table->sets[i]);
		table->part = &elements;
		netlink_dump(netlink, &request, take_elements, table);
	}
}

int main(void)
{
	static struct table table;
	struct netlink netlink;
	struct batch remove = {0};
	struct times times = {0};

	netlink_open(&netlink, NETLINK_NETFILTER);
	batch_nft_begin(&table.load);
	for (size_t i = 0; i < BENCH_LEN(parts); i++)
		read_part(&netlink, &table, &parts[i]);
	if (table.load.messages < 2)
		die("no table " TABLE);
	batch_ack(&table.load);
	batch_nft_end(&table.load);
	batch_nft_begin(&remove);
	batch_nft(&remove, NFT_MSG_DELTABLE, 0);
	batch_text(&remove, NFTA_TABLE_NAME, TABLE);
	batch_ack(&remove);
	batch_nft_end(&remove);
	netlink_send(&netlink, &remove, 1, 0);
	uint64_t start = now_ns();
	netlink_send(&netlink, &table.load, 1, 0);
	times_add(&times, now_ns() - start);
	times_print(&times, 0);
	return 0;
}
