/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of libnftnl to the objects of our table. */
#include "kernel/nft_read.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "base/cleanup.h"
#include "kernel/nft_batch.h"
#include "kernel/nft_rule.h"

static void table_free(struct nftnl_table **table)
{
	nftnl_table_free(*table);
}

static void set_free(struct nftnl_set **set)
{
	nftnl_set_free(*set);
}

static void chain_free(struct nftnl_chain **chain)
{
	nftnl_chain_free(*chain);
}

static void rule_free(struct nftnl_rule **rule)
{
	nftnl_rule_free(*rule);
}

void nft_reading_done(struct nft_reading *reading)
{
	for (size_t i = 0; i < reading->chains.len; i++)
		vec_done(&reading->chains.v[i].rules);
	vec_done(&reading->chains);
}

static bool is_ours(const char *table)
{
	return table && strcmp(table, OUR_NFT_TABLE) == 0;
}

void *nft_reading_add(struct nft_reading *reading, enum kind_id kind)
{
	struct object *object = objects_add(reading->observed, kind);

	object->set = kind_all(kinds[kind]);
	object->marks = OBJECT_OURS;
	return object;
}

/* A name too long for us is somebody's: "#" is in no identifier of nft. */
static void name_copy(char name[static SET_NAME], const char *from, uint64_t handle)
{
	size_t len = from ? strlen(from) : SET_NAME;

	if (len < SET_NAME)
		memcpy(name, from, len + 1);
	else
		snprintf(name, SET_NAME, "#%llu", (unsigned long long)handle);
}

static void read_table(const struct nlmsghdr *nlh, struct nft_reading *reading)
{
	cleanup_(table_free) struct nftnl_table *from = nftnl_table_alloc();

	if (!from || nftnl_table_nlmsg_parse(nlh, from) < 0 ||
	    !is_ours(nftnl_table_get_str(from, NFTNL_TABLE_NAME)))
		return;
	struct nft_table *table = nft_reading_add(reading, KIND_NFT_TABLE);
	snprintf(table->name, SET_NAME, "%s", OUR_NFT_TABLE);
	table->flags = nftnl_table_get_u32(from, NFTNL_TABLE_FLAGS);
	reading->table = true;
}

/* The expressions of a set's elements: none, one counter, or somebody else's. */
struct set_expressions {
	unsigned counters, others;
};

static int count_expression(struct nftnl_expr *expr, void *data)
{
	struct set_expressions *count = data;
	bool counter = strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), "counter") == 0;

	count->counters += counter;
	count->others += !counter;
	return 0;
}

static uint8_t set_type(const struct nftnl_set *from, const struct set_expressions *count)
{
	uint32_t flags = nftnl_set_get_u32(from, NFTNL_SET_FLAGS);
	uint32_t type = nftnl_set_get_u32(from, NFTNL_SET_KEY_TYPE);
	uint32_t len = nftnl_set_get_u32(from, NFTNL_SET_KEY_LEN);

	/* a bound would refuse elements some day */
	if (count->others || count->counters > 1 || nftnl_set_get_u32(from, NFTNL_SET_DESC_SIZE))
		return NFT_SET_OTHER;
	if (type == NFT_TYPE_IFNAME && len == IFNAMSIZ && flags == 0)
		return NFT_SET_IFNAME;
	if (type != NFT_TYPE_IPV4_ADDR || len != sizeof(struct in_addr) ||
	    flags & ~(uint32_t)(NFT_SET_INTERVAL | NFT_SET_MAP))
		return NFT_SET_OTHER;
	if (flags & NFT_SET_MAP &&
	    (nftnl_set_get_u32(from, NFTNL_SET_DATA_TYPE) != NFT_TYPE_IPV4_ADDR ||
	     nftnl_set_get_u32(from, NFTNL_SET_DATA_LEN) != sizeof(struct in_addr)))
		return NFT_SET_OTHER;
	return NFT_SET_IPV4_ADDR;
}

static void read_set(const struct nlmsghdr *nlh, struct nft_reading *reading)
{
	cleanup_(set_free) struct nftnl_set *from = nftnl_set_alloc();
	struct set_expressions count = {0};

	if (!from || nftnl_set_nlmsg_parse(nlh, from) < 0 ||
	    !is_ours(nftnl_set_get_str(from, NFTNL_SET_TABLE)))
		return;
	uint32_t flags = nftnl_set_get_u32(from, NFTNL_SET_FLAGS);
	/* an anonymous set comes and goes with its rule */
	if (flags & NFT_SET_ANONYMOUS)
		return;
	struct nft_set *set = nft_reading_add(reading, KIND_NFT_SET);
	name_copy(set->name, nftnl_set_get_str(from, NFTNL_SET_NAME),
		  nftnl_set_get_u64(from, NFTNL_SET_HANDLE));
	nftnl_set_expr_foreach(from, count_expression, &count);
	set->type = *set->name == '#' ? NFT_SET_OTHER : set_type(from, &count);
	set->map = flags & NFT_SET_MAP;
	set->interval = flags & NFT_SET_INTERVAL;
	set->counter = count.counters == 1;
}

static uint8_t chain_type(const struct nftnl_chain *from)
{
	const char *type = nftnl_chain_get_str(from, NFTNL_CHAIN_TYPE);

	if (type && nftnl_chain_get_u32(from, NFTNL_CHAIN_HOOKNUM) < NF_INET_NUMHOOKS)
		for (uint8_t i = 0; i < NFT_CHAIN_OTHER; i++)
			if (strcmp(type, nft_batch_chain_types[i]) == 0)
				return i;
	return NFT_CHAIN_OTHER;
}

static void read_chain(const struct nlmsghdr *nlh, struct nft_reading *reading)
{
	cleanup_(chain_free) struct nftnl_chain *from = nftnl_chain_alloc();

	if (!from || nftnl_chain_nlmsg_parse(nlh, from) < 0 ||
	    !is_ours(nftnl_chain_get_str(from, NFTNL_CHAIN_TABLE)))
		return;
	struct nft_chain *chain = nft_reading_add(reading, KIND_NFT_CHAIN);
	name_copy(chain->name, nftnl_chain_get_str(from, NFTNL_CHAIN_NAME),
		  nftnl_chain_get_u64(from, NFTNL_CHAIN_HANDLE));
	chain->type = chain_type(from);
	if (chain->type != NFT_CHAIN_OTHER)
		chain->hook = (uint8_t)nftnl_chain_get_u32(from, NFTNL_CHAIN_HOOKNUM);
	chain->priority = nftnl_chain_get_s32(from, NFTNL_CHAIN_PRIO);
	chain->accept = nftnl_chain_get_u32(from, NFTNL_CHAIN_POLICY) == NF_ACCEPT;
	vec_add(&reading->chains)->chain = chain;
}

static struct nft_chain_reading *chain_named(struct nft_reading *reading, const char *name)
{
	struct nft_chain_readings *chains = &reading->chains;

	for (size_t i = 0; i < chains->len; i++) {
		size_t at = (reading->last_chain + i) % chains->len;

		if (strcmp(chains->v[at].chain->name, name) == 0) {
			reading->last_chain = at;
			return &chains->v[at];
		}
	}
	return NULL;
}

static void read_rule(const struct nlmsghdr *nlh, struct nft_reading *reading)
{
	cleanup_(rule_free) struct nftnl_rule *from = nftnl_rule_alloc();

	if (!from || nftnl_rule_nlmsg_parse(nlh, from) < 0 ||
	    !is_ours(nftnl_rule_get_str(from, NFTNL_RULE_TABLE)))
		return;
	const char *name = nftnl_rule_get_str(from, NFTNL_RULE_CHAIN);
	struct nft_chain_reading *chain = name ? chain_named(reading, name) : NULL;
	if (chain)
		nft_rule_parse(from, vec_add(&chain->rules));
}

void nft_reading_keep_rules(struct nft_reading *reading)
{
	for (size_t i = 0; i < reading->chains.len; i++) {
		struct nft_rule_rows *rules = &reading->chains.v[i].rules;
		struct rows *rows = &reading->chains.v[i].chain->rules;

		if (rules->len == 0)
			continue;
		rows->v = arena_memdup(reading->observed->arena, rules->v,
				       rules->len * sizeof(*rules->v));
		rows->len = (uint32_t)rules->len;
	}
}

void nft_read(const struct nlmsghdr *nlh, void *data)
{
	switch (NFNL_MSG_TYPE(nlh->nlmsg_type)) {
	case NFT_MSG_NEWTABLE:
		read_table(nlh, data);
		break;
	case NFT_MSG_NEWSET:
		read_set(nlh, data);
		break;
	case NFT_MSG_NEWCHAIN:
		read_chain(nlh, data);
		break;
	case NFT_MSG_NEWRULE:
		read_rule(nlh, data);
		break;
	}
}
