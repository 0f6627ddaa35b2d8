/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads other people's tables: all chains by one dump, then the rules chain by chain, from the
 * base chains on along the jumps, until there are enough. A host with fifty thousand rules for
 * its containers is asked for a small part of them.
 */
#include "kernel/ruleset.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "kernel/nft_socket.h"
#include "kernel/trace_rules.h"
#include "model/object.h"

enum { READ_TRIES = 3, TABLES_MAX = 256 };

static const struct {
	uint8_t number;
	const char *name;
} families[] = {
	{NFPROTO_IPV4, "ip"},
	{NFPROTO_INET, "inet"},
	{NFPROTO_NETDEV, "netdev"},
};

struct table {
	const char *family, *name;
};

struct target {
	char name[RULESET_NAME];
	uint32_t rule;
};

struct scan {
	struct nft *nft;
	struct ruleset *ruleset;
	struct dormant vec_of(struct table) dormant;  /* tables that do nothing */
	unsigned chains, base_chains;                 /* that were taken */
	struct targets vec_of(struct target) targets; /* of the chain that is being read */
};

void ruleset_done(struct ruleset *ruleset)
{
	vec_done(&ruleset->chains);
	vec_done(&ruleset->rules);
	arena_done(&ruleset->arena);
	ruleset->partial = false;
}

/* NULL: it sees no IPv4 packet. */
static const char *family_name(const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (families[i].number == header->nfgen_family)
			return families[i].name;
	return NULL;
}

static uint8_t family_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (strcmp(families[i].name, name) == 0)
			return families[i].number;
	return NFPROTO_UNSPEC;
}

static bool is_ours(const char *family, const char *table)
{
	return strcmp(family, "ip") == 0 &&
	       (strcmp(table, OUR_NFT_TABLE) == 0 || strcmp(table, TRACE_TABLE) == 0);
}

static int chain_compare(const void *a, const void *b)
{
	const struct ruleset_chain *one = a, *other = b;
	int difference = strcmp(one->family, other->family);

	if (!difference)
		difference = strcmp(one->table, other->table);
	return difference ? difference : strcmp(one->name, other->name);
}

void ruleset_sort(struct ruleset *ruleset)
{
	vec_sort(&ruleset->chains, chain_compare);
}

const struct ruleset_chain *ruleset_chain(const struct ruleset *ruleset, const char *family,
					  const char *table, const char *name)
{
	struct ruleset_chain key = {.family = family, .table = table, .name = name};

	return ruleset->chains.len ? bsearch(&key, ruleset->chains.v, ruleset->chains.len,
					     sizeof(key), chain_compare)
				   : NULL;
}

static void table_free(struct nftnl_table **table)
{
	if (*table)
		nftnl_table_free(*table);
}

static void take_table(const struct nlmsghdr *nlh, void *data)
{
	cleanup_(table_free) struct nftnl_table *from = nftnl_table_alloc();
	const char *family = family_name(nlh);
	struct scan *scan = data;

	if (!from || !family || nftnl_table_nlmsg_parse(nlh, from) < 0 ||
	    !(nftnl_table_get_u32(from, NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT) ||
	    scan->dormant.len >= TABLES_MAX)
		return;
	const char *name = nftnl_table_get_str(from, NFTNL_TABLE_NAME);
	vec_push(&scan->dormant,
		 ((struct table){family, arena_strdup(&scan->ruleset->arena, name ? name : "")}));
}

static bool is_dormant(const struct scan *scan, const char *family, const char *table)
{
	for (size_t i = 0; i < scan->dormant.len; i++)
		if (scan->dormant.v[i].family == family &&
		    strcmp(scan->dormant.v[i].name, table) == 0)
			return true;
	return false;
}

static void chain_free(struct nftnl_chain **chain)
{
	if (*chain)
		nftnl_chain_free(*chain);
}

/* Before the message is taken apart: there may be fifty thousand. */
static bool has_hook(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_HOOK)
			return true;
	}
	return false;
}

/* Of netdev's hooks, and inet's ingress, those that the same packets meet next. */
static uint8_t hook_of(uint8_t family, uint32_t number)
{
	if (family == NFPROTO_NETDEV)
		return number == NF_NETDEV_EGRESS ? NF_INET_POST_ROUTING : NF_INET_PRE_ROUTING;
	return number == NF_INET_INGRESS ? NF_INET_PRE_ROUTING : (uint8_t)number;
}

static const char *const *devices_of(const struct nftnl_chain *from, struct arena *arena)
{
	const char *one = nftnl_chain_get_str(from, NFTNL_CHAIN_DEV);
	const char *const *all = nftnl_chain_get_array(from, NFTNL_CHAIN_DEVICES);
	size_t n = 0;

	while (all && all[n])
		n++;
	if (!one && !n)
		return NULL;
	const char **devices = arena_alloc(arena, (n + 2) * sizeof(*devices));
	for (size_t i = 0; i < n; i++)
		devices[i] = arena_strdup(arena, all[i]);
	if (!n)
		devices[n++] = arena_strdup(arena, one);
	devices[n] = NULL;
	return devices;
}

static void take_chain(const struct nlmsghdr *nlh, void *data)
{
	cleanup_(chain_free) struct nftnl_chain *from = nftnl_chain_alloc();
	const char *family = family_name(nlh);
	struct scan *scan = data;
	struct ruleset *ruleset = scan->ruleset;

	if (!family)
		return;
	bool base = has_hook(nlh);
	unsigned *n = base ? &scan->base_chains : &scan->chains;
	if (*n >= (base ? RULESET_BASE_CHAINS_MAX : RULESET_CHAINS_MAX)) {
		ruleset->partial = true;
		return;
	}
	++*n;
	if (!from || nftnl_chain_nlmsg_parse(nlh, from) < 0)
		return;
	const char *table = nftnl_chain_get_str(from, NFTNL_CHAIN_TABLE);
	const char *name = nftnl_chain_get_str(from, NFTNL_CHAIN_NAME);
	const char *type = nftnl_chain_get_str(from, NFTNL_CHAIN_TYPE);
	if (!table || !name || is_ours(family, table) || is_dormant(scan, family, table))
		return;
	struct ruleset_chain *chain = vec_add(&ruleset->chains);
	chain->family = family;
	chain->table = arena_strdup(&ruleset->arena, table);
	chain->name = arena_strdup(&ruleset->arena, name);
	uint32_t number = nftnl_chain_get_u32(from, NFTNL_CHAIN_HOOKNUM);
	bool of_devices = family_number(family) == NFPROTO_NETDEV || number == NF_INET_INGRESS;
	chain->hook = hook_of(family_number(family), number);
	chain->devices = devices_of(from, &ruleset->arena);
	/* one whose devices are all gone sees nothing */
	chain->base = nftnl_chain_is_set(from, NFTNL_CHAIN_HOOKNUM) &&
		      chain->hook < NF_INET_NUMHOOKS && (!of_devices || chain->devices);
	chain->nat = type && strcmp(type, "nat") == 0;
	chain->uses = nftnl_chain_get_u32(from, NFTNL_CHAIN_USE);
	chain->priority = nftnl_chain_get_s32(from, NFTNL_CHAIN_PRIO);
	chain->drops = nftnl_chain_is_set(from, NFTNL_CHAIN_POLICY) &&
		       nftnl_chain_get_u32(from, NFTNL_CHAIN_POLICY) == NF_DROP;
}

static void take_rule(const struct nlmsghdr *nlh, void *data)
{
	struct scan *scan = data;
	struct target target = {.rule = (uint32_t)scan->ruleset->rules.len};

	if (target.rule >= RULESET_RULES_MAX) {
		scan->ruleset->partial = true;
		return;
	}
	struct ruleset_rule *rule = vec_add(&scan->ruleset->rules);
	ruleset_rule_parse(nlh, rule, target.name);
	if (rule->verdict == RULESET_JUMP || rule->verdict == RULESET_GOTO)
		vec_push(&scan->targets, target);
}

static struct nlmsghdr *dump_of(struct nft *nft, char *buf, uint16_t type, uint8_t family)
{
	struct nlmsghdr *nlh = nft_socket_header(nft, buf, type, NLM_F_DUMP);
	struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);

	header->nfgen_family = family;
	return nlh;
}

static int dump(struct scan *scan, uint16_t type,
		void (*take)(const struct nlmsghdr *nlh, void *scan))
{
	char buf[MNL_NLMSG_HDRLEN + 64];

	return nft_socket_request(scan->nft, dump_of(scan->nft, buf, type, NFPROTO_UNSPEC), take,
				  scan);
}

/* What it jumps to is read behind it. */
static void follow(struct scan *scan, const struct ruleset_chain *chain, uint32_t *queue,
		   uint32_t *queued)
{
	struct ruleset *ruleset = scan->ruleset;

	for (size_t i = 0; i < scan->targets.len; i++) {
		const struct target *target = &scan->targets.v[i];
		const struct ruleset_chain *to = ruleset_chain(ruleset, chain->family, chain->table,
							       target->name);

		if (!to)
			continue;
		uint32_t number = (uint32_t)(to - ruleset->chains.v);
		ruleset->rules.v[target->rule].target = number;
		if (!to->read) {
			ruleset->chains.v[number].read = true;
			queue[(*queued)++] = number;
		}
	}
	vec_clear(&scan->targets);
}

static int read_chain(struct scan *scan, struct ruleset_chain *chain)
{
	char buf[MNL_NLMSG_HDRLEN + 64 + 2 * (RULESET_NAME + MNL_ATTR_HDRLEN)];
	struct nlmsghdr *nlh = dump_of(scan->nft, buf, NFT_MSG_GETRULE,
				       family_number(chain->family));

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, chain->table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain->name);
	chain->first = (uint32_t)scan->ruleset->rules.len;
	int r = nft_socket_request(scan->nft, nlh, take_rule, scan);
	chain->len = (uint32_t)scan->ruleset->rules.len - chain->first;
	return r;
}

static bool is_root(const struct ruleset_chain *chain)
{
	return chain->base && (!chain->nat || chain->hook == NF_INET_POST_ROUTING);
}

/* `read` says at first that a chain is to be read; of one with too many rules it is taken back. */
static int read_rules(struct scan *scan)
{
	struct ruleset_chains *chains = &scan->ruleset->chains;
	cleanup_free uint32_t *queue = xcalloc(chains->len + 1, sizeof(*queue));
	cleanup_free uint32_t *unread = xcalloc(chains->len + 1, sizeof(*unread));
	uint32_t queued = 0, n_unread = 0;
	int r = 0;

	for (uint32_t i = 0; i < chains->len; i++)
		if (is_root(&chains->v[i])) {
			chains->v[i].read = true;
			queue[queued++] = i;
		}
	for (uint32_t next = 0; next < queued && r == 0; next++) {
		struct ruleset_chain *chain = &chains->v[queue[next]];

		if (scan->ruleset->rules.len + chain->uses > RULESET_RULES_MAX) {
			scan->ruleset->partial = true;
			unread[n_unread++] = queue[next];
			continue;
		}
		r = read_chain(scan, chain);
		follow(scan, chain, queue, &queued);
	}
	for (uint32_t i = 0; i < n_unread; i++)
		chains->v[unread[i]].read = false;
	return r;
}

static int try_read(struct scan *scan)
{
	uint32_t before = 0, after = 0;
	int r = nft_socket_generation(scan->nft, &before);

	if (r == 0)
		r = dump(scan, NFT_MSG_GETTABLE, take_table);
	if (r == 0)
		r = dump(scan, NFT_MSG_GETCHAIN, take_chain);
	ruleset_sort(scan->ruleset);
	if (r == 0)
		r = read_rules(scan);
	int again = nft_socket_generation(scan->nft, &after);
	scan->chains = scan->base_chains = 0;
	vec_done(&scan->dormant);
	vec_done(&scan->targets);
	return again ? again : before != after ? -EINTR : r;
}

int ruleset_read(struct ruleset *ruleset, struct err *err)
{
	struct scan scan = {.ruleset = ruleset};
	int r = nft_open(&scan.nft, err);

	if (r)
		return r;
	r = -EINTR;
	for (int i = 0; i < READ_TRIES && r == -EINTR; i++) {
		ruleset_done(ruleset);
		r = try_read(&scan);
	}
	nft_close(scan.nft);
	/* nfnetlink's answer when it knows no nf_tables: nobody has rules there */
	if (r == -EINVAL || r == -EOPNOTSUPP)
		r = 0;
	return r ? err_set(err, r, "nft: other tables: %s", strerror(-r)) : 0;
}
