/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of what is told of a traced flow: nftables' trace messages, conntrack's answer, the
 * counters of /proc/net/netstat. Who asks is tracer.c's.
 */
#include "kernel/trace_read.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/attributes.h"
#include "base/text.h"
#include "kernel/trace_rules.h"

enum { ATTRIBUTES = 32, IP_HEADER = 20, PROTOCOL = 9, SADDR = 12, DADDR = 16 };

/* The attributes by type, NULL where there is none. */
struct found {
	const struct nlattr *v[ATTRIBUTES];
};

static int find(const struct nlattr *attr, void *data)
{
	struct found *found = data;

	if (mnl_attr_get_type(attr) < ATTRIBUTES)
		found->v[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static struct found find_in(const struct nlmsghdr *nlh)
{
	struct found found = {{0}};

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct nfgenmsg))
		mnl_attr_parse(nlh, sizeof(struct nfgenmsg), find, &found);
	return found;
}

static struct found find_nested(const struct nlattr *nest)
{
	struct found found = {{0}};

	if (nest)
		mnl_attr_parse_nested(nest, find, &found);
	return found;
}

static uint32_t read_u32(const struct nlattr *attr)
{
	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint32_t)
		       ? ntohl(mnl_attr_get_u32(attr))
		       : 0;
}

static uint64_t read_u64(const struct nlattr *attr)
{
	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint64_t)
		       ? be64toh(mnl_attr_get_u64(attr))
		       : 0;
}

static struct addr read_addr(const struct nlattr *attr)
{
	return (struct addr){read_u32(attr)};
}

/* Cut where it does not fit. */
static void read_name(const struct nlattr *attr, char name[static TRACE_NAME])
{
	size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (len >= TRACE_NAME)
		len = TRACE_NAME - 1;
	memset(name, 0, TRACE_NAME);
	if (attr)
		memcpy(name, mnl_attr_get_payload(attr), len);
}

static struct addr addr_at(const uint8_t *bytes)
{
	uint32_t wire;

	memcpy(&wire, bytes, sizeof(wire));
	return (struct addr){ntohl(wire)};
}

/* Not told is as good as equal. */
static bool fits(struct addr asked, struct addr seen)
{
	return !asked.host || asked.host == seen.host;
}

static bool classify_outer(const struct trace_question *question, struct trace_passage *passage,
			   struct addr source, struct addr destination)
{
	bool sent = fits(question->local, source) && fits(question->remote, destination);

	passage->layer = TRACE_OUTER;
	passage->way = sent != question->exit ? TRACE_OUT : TRACE_BACK;
	return sent || (fits(question->remote, source) && fits(question->local, destination));
}

/* NAT changes one of the addresses, the other one tells. */
static bool classify_inner(const struct trace_question *question, struct trace_passage *passage,
			   struct addr source, struct addr destination)
{
	bool out = destination.host == question->to.host || source.host == question->from.host;

	passage->layer = TRACE_INNER;
	passage->way = out ? TRACE_OUT : TRACE_BACK;
	return out || source.host == question->to.host || destination.host == question->from.host;
}

static bool classify(const struct trace_question *question, const struct nlattr *header,
		     struct trace_passage *passage)
{
	const uint8_t *bytes = mnl_attr_get_payload(header);

	if (mnl_attr_get_payload_len(header) < IP_HEADER || bytes[0] >> 4 != 4)
		return false;
	struct addr source = addr_at(bytes + SADDR), destination = addr_at(bytes + DADDR);
	if (bytes[PROTOCOL] == IPPROTO_IPIP)
		return classify_outer(question, passage, source, destination);
	return bytes[PROTOCOL] == question->protocol &&
	       classify_inner(question, passage, source, destination);
}

static struct trace_passage *find_passage(struct trace_log *log, uint32_t id)
{
	for (size_t i = 0; i < TRACE_PASSAGES; i++)
		if (log->passages[i].id == id)
			return &log->passages[i];
	return NULL;
}

/* A packet has the same id in all of its chains: the newest counts. */
static struct trace_passage *begin_passage(struct trace_log *log, uint32_t id)
{
	struct trace_passage *passage = find_passage(log, id);

	if (!passage)
		passage = &log->passages[log->next++ % TRACE_PASSAGES];
	*passage = (struct trace_passage){.id = id};
	return passage;
}

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_NETDEV:
		return "netdev";
	case NFPROTO_BRIDGE:
		return "bridge";
	}
	return "ip";
}

static bool is_drop(const struct found *found)
{
	struct found verdict = find_nested(found->v[NFTA_TRACE_VERDICT]);

	switch (read_u32(found->v[NFTA_TRACE_TYPE])) {
	case NFT_TRACETYPE_RULE: /* newer kernels have an errno above the mask */
		return verdict.v[NFTA_VERDICT_CODE] &&
		       (read_u32(verdict.v[NFTA_VERDICT_CODE]) & NF_VERDICT_MASK) == NF_DROP;
	case NFT_TRACETYPE_POLICY:
		return found->v[NFTA_TRACE_POLICY] &&
		       read_u32(found->v[NFTA_TRACE_POLICY]) == NF_DROP;
	}
	return false;
}

static struct trace_lost *find_lost(struct trace_log *log, const struct trace_lost *lost)
{
	for (unsigned i = 0; i < log->n_lost; i++) {
		struct trace_lost *other = &log->lost[i];

		if (other->drop.way == lost->drop.way && other->drop.layer == lost->drop.layer &&
		    other->family == lost->family && strcmp(other->began, lost->began) == 0 &&
		    strcmp(other->drop.table, lost->drop.table) == 0 &&
		    strcmp(other->drop.chain, lost->drop.chain) == 0)
			return other;
	}
	return NULL;
}

static void note_drop(struct trace_log *log, const struct trace_passage *passage,
		      const struct found *found)
{
	struct trace_lost lost = {
		.drop = {.way = passage->way, .layer = passage->layer},
		.family = passage->family,
		.iif = passage->iif,
		.oif = passage->oif,
	};

	memcpy(lost.drop.table, passage->table, TRACE_NAME);
	memcpy(lost.began, passage->chain, TRACE_NAME);
	read_name(found->v[NFTA_TRACE_CHAIN], lost.drop.chain);
	name_copy(lost.drop.family, family_name(passage->family));
	if (read_u32(found->v[NFTA_TRACE_TYPE]) == NFT_TRACETYPE_RULE)
		lost.drop.handle = read_u64(found->v[NFTA_TRACE_RULE_HANDLE]);
	struct trace_lost *known = find_lost(log, &lost);
	if (!known && log->n_lost < TRACE_DROPS_MAX) {
		known = &log->lost[log->n_lost++];
		*known = lost;
	}
	if (known)
		known->drop.packets++;
}

/* In the first chain, or the last one, of ours. */
static void note_door(struct trace_log *log, const struct trace_passage *passage,
		      const struct nlattr *header)
{
	const uint8_t *bytes = mnl_attr_get_payload(header);
	uint32_t *devices = log->devices[passage->way][passage->layer];

	if (strcmp(passage->chain, TRACE_CHAIN_IN) == 0)
		devices[TRACE_CAME] = passage->iif;
	if (strcmp(passage->chain, TRACE_CHAIN_OUT) != 0)
		return;
	devices[TRACE_LEFT] = passage->oif;
	if (passage->way == TRACE_OUT && passage->layer == TRACE_INNER) {
		log->left_from = addr_at(bytes + SADDR);
		log->left_for = addr_at(bytes + DADDR);
	}
}

void trace_read_message(struct trace_log *log, const struct trace_question *question,
			const struct nlmsghdr *nlh)
{
	struct found found = find_in(nlh);
	const struct nlattr *header = found.v[NFTA_TRACE_NETWORK_HEADER];
	uint32_t id = read_u32(found.v[NFTA_TRACE_ID]);

	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE) || !id)
		return;
	struct trace_passage *passage = header ? begin_passage(log, id) : find_passage(log, id);
	if (!passage)
		return;
	if (header) {
		passage->family =
			((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;
		read_name(found.v[NFTA_TRACE_TABLE], passage->table);
		read_name(found.v[NFTA_TRACE_CHAIN], passage->chain);
		passage->iif = read_u32(found.v[NFTA_TRACE_IIF]);
		passage->oif = read_u32(found.v[NFTA_TRACE_OIF]);
		passage->ours = classify(question, header, passage);
	}
	if (!passage->ours)
		return;
	if (strcmp(passage->table, TRACE_TABLE) != 0) {
		if (is_drop(&found))
			note_drop(log, passage, &found);
	} else if (header) {
		note_door(log, passage, header);
	}
}

enum trace_hook trace_read_hook(uint8_t family, uint32_t hooknum)
{
	if (family == NFPROTO_NETDEV)
		return hooknum == NF_NETDEV_EGRESS ? TRACE_POSTROUTING : TRACE_PREROUTING;
	return hooknum < TRACE_HOOKS ? (enum trace_hook)hooknum : TRACE_PREROUTING;
}

bool trace_read_flow(const struct nlmsghdr *nlh, struct trace_flow *flow)
{
	if (nlh->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
		return false;
	struct found found = find_in(nlh);
	struct found reply = find_nested(found.v[CTA_TUPLE_REPLY]);
	struct found ip = find_nested(reply.v[CTA_TUPLE_IP]);
	if (!ip.v[CTA_IP_V4_SRC] || !ip.v[CTA_IP_V4_DST])
		return false;
	*flow = (struct trace_flow){
		.known = true,
		.source = read_addr(ip.v[CTA_IP_V4_DST]),
		.destination = read_addr(ip.v[CTA_IP_V4_SRC]),
		.replied = read_u32(found.v[CTA_STATUS]) & IPS_SEEN_REPLY,
	};
	return true;
}

/* The line behind that one; its end at the last. */
static const char *next_line(const char *line)
{
	return line + strcspn(line, "\n") + (strchr(line, '\n') != NULL);
}

/* Which of the words of the line it is, counted from 0; -1: none. */
static int word_index(const char *line, const char *word)
{
	size_t len = strlen(word);
	int index = 0;

	for (const char *at = line; *at && *at != '\n'; index++) {
		size_t has = strcspn(at, " \n");

		if (has == len && memcmp(at, word, len) == 0)
			return index;
		at += has + (at[has] == ' ');
	}
	return -1;
}

static uint64_t word_number(const char *line, int index)
{
	const char *at = line;

	for (; index > 0 && *at && *at != '\n'; index--) {
		at += strcspn(at, " \n");
		at += *at == ' ';
	}
	return strtoull(at, NULL, 10);
}

uint64_t trace_read_netstat(const char *text, const char *group, const char *name)
{
	size_t len = strlen(group);

	/* pairs of lines: names, and what they are at */
	for (const char *line = text; *line; line = next_line(line)) {
		if (strncmp(line, group, len) != 0 || line[len] != ':')
			continue;
		int index = word_index(line, name);
		return index > 0 ? word_number(next_line(line), index) : 0;
	}
	return 0;
}
