/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a trace: its table comes and goes by one batch each, on the request socket of our
 * other table, so that events know it as ours. What is in the table is trace_rules.c's, what the
 * kernel's messages mean is trace_read.c's.
 */
#include "kernel/tracer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>
#include <linux/icmp.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/file.h"
#include "base/text.h"
#include "kernel/trace_read.h"
#include "kernel/trace_rules.h"

enum { TRIES = 5, NETSTAT_MAX = 65536, DATAGRAMS_MAX = 4096 };

struct trace {
	struct trace_question question;
	struct netlink *socket; /* of NFNLGRP_NFTRACE */
	struct trace_log log;
	uint64_t rp_filter_drops; /* when it was opened */
};

/* By the thread's own directory: /proc/net is that of the process's first thread. */
static uint64_t read_rp_filter_drops(void)
{
	cleanup_text struct text text = {0};
	struct err err = {0};

	if (file_read("/proc/thread-self/net/netstat", NETSTAT_MAX, 0, &text, &err))
		return 0;
	return trace_read_netstat(text_str(&text), "TcpExt", "IPReversePathFilter");
}

/*
 * One try at the generation of now. Nobody's changes concern this table, and what is known of our
 * other one stays as old as it is: when nothing else came in between, ours is counted up with it.
 */
static int try_commit(struct nft *nft, const struct trace_question *question,
		      struct nft_failure *failure)
{
	uint32_t known = nft->generation, before = 0;
	int r = nft_socket_generation(nft, &before);
	struct nft_batch batch;

	if (r) {
		*failure = (struct nft_failure){.error.number = r};
		snprintf(failure->error.words, NFT_WORDS, "%s", strerror(-r));
		return r;
	}
	nft->generation = before;
	nft_batch_begin(&batch, nft);
	if (question)
		trace_rules_build(&batch, question);
	else
		trace_rules_delete(&batch);
	r = nft_batch_commit(&batch, failure);
	nft_batch_done(&batch);
	if (r || known != before)
		nft->generation = known;
	return r;
}

/* question NULL: takes the table away. */
static int commit(struct nft *nft, const struct trace_question *question,
		  struct nft_failure *failure)
{
	int r = -ERESTART;

	for (int i = 0; i < TRIES && r == -ERESTART; i++)
		r = try_commit(nft, question, failure);
	return r;
}

static void ignore(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	(void)data;
}

int tracer_sweep(struct kern *kern, struct err *err)
{
	char buf[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *nlh = nft_socket_header(kern->nft, buf, NFT_MSG_GETTABLE, NLM_F_ACK);
	struct nft_failure failure;

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, TRACE_TABLE);
	int r = nft_socket_request(kern->nft, nlh, ignore, NULL);
	if (r == 0)
		r = commit(kern->nft, NULL, &failure);
	kern->trace_left = r && r != -ENOENT;
	return kern->trace_left ? err_set(err, r, "trace: its table stays: %s", strerror(-r)) : 0;
}

/* Joined before the rules stand, so that it hears of the first packet. */
static int join(struct netlink *netlink, struct err *err)
{
	int group = NFNLGRP_NFTRACE;

	if (setsockopt(netlink_fd(netlink), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		       sizeof(group)))
		return err_set(err, -errno, "trace: socket: %s", strerror(errno));
	return 0;
}

static void trace_free(struct trace *trace)
{
	netlink_close(trace->socket);
	free(trace);
}

int tracer_open(struct kern *kern, const struct trace_question *question, struct err *err)
{
	struct nft_failure failure;

	if (kern->trace)
		return err_set(err, -EBUSY, "another flow is traced");
	struct trace *trace = xcalloc(1, sizeof(*trace));
	trace->question = *question;
	int error = netlink_open(&trace->socket, NETLINK_NETFILTER, err);
	if (!error)
		error = join(trace->socket, err);
	if (!error) {
		error = tracer_sweep(kern, err);
	}
	if (!error) {
		error = commit(kern->nft, question, &failure);
		if (error)
			err_set(err, error, "trace: rules: %s", failure.error.words);
	}
	if (error) {
		trace_free(trace);
		return error;
	}
	trace->rp_filter_drops = read_rp_filter_drops();
	kern->trace = trace;
	return 0;
}

int tracer_close(struct kern *kern, struct err *err)
{
	if (!kern->trace && !kern->trace_left)
		return 0;
	if (kern->trace)
		trace_free(kern->trace);
	kern->trace = NULL;
	return tracer_sweep(kern, err);
}

static void count_rule(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		out_of_memory(sizeof(void *));
	if (nftnl_rule_nlmsg_parse(nlh, rule) == 0)
		trace_rules_count(rule, data);
	nftnl_rule_free(rule);
}

static int read_counts(struct nft *nft, struct trace_counts *counts)
{
	char buf[MNL_NLMSG_HDRLEN + 64];
	int r = -EINTR;

	for (int i = 0; i < TRIES && r == -EINTR; i++) {
		struct nlmsghdr *nlh = nft_socket_header(nft, buf, NFT_MSG_GETRULE, NLM_F_DUMP);

		*counts = (struct trace_counts){0};
		mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, TRACE_TABLE);
		r = nft_socket_request(nft, nlh, count_rule, counts);
	}
	return r;
}

/* What the trace has told since. What is lost of it is not told again. The group hears of all that
 * anybody on the host traces, which may come faster than it is read. */
static void read_log(struct trace *trace)
{
	for (unsigned n = 0; n < DATAGRAMS_MAX; n++) {
		struct nlmsghdr *h = NULL;
		ssize_t len = netlink_receive(trace->socket, MSG_DONTWAIT, &h);

		if (len == -ENOBUFS || len == -EMSGSIZE)
			continue;
		if (len < 0)
			return;
		for (int left = (int)len; nlmsg_ok(h, left); h = nlmsg_next(h, &left))
			trace_read_message(&trace->log, &trace->question, h);
	}
}

static void read_hook(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr, *nested;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_CHAIN_HOOK)
			continue;
		mnl_attr_for_each_nested(nested, attr)
		{
			if (mnl_attr_get_type(nested) == NFTA_HOOK_HOOKNUM)
				*(uint32_t *)data = ntohl(mnl_attr_get_u32(nested));
		}
	}
}

/* Of a chain that went meanwhile, the devices tell. */
static enum trace_hook guess_hook(const struct trace_lost *lost)
{
	if (lost->iif)
		return lost->oif ? TRACE_FORWARD : TRACE_INPUT;
	return TRACE_OUTPUT;
}

static enum trace_hook ask_hook(struct nft *nft, const struct trace_lost *lost)
{
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *nlh = nft_socket_header(nft, buf, NFT_MSG_GETCHAIN, NLM_F_ACK);
	struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);
	uint32_t hooknum = UINT32_MAX;

	header->nfgen_family = lost->family;
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, lost->drop.table);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, lost->began);
	if (nft_socket_request(nft, nlh, read_hook, &hooknum) || hooknum == UINT32_MAX)
		return guess_hook(lost);
	return trace_read_hook(lost->family, hooknum);
}

static void device_name(uint32_t index, char name[static IFNAMSIZ])
{
	memset(name, 0, IFNAMSIZ);
	if (index && !if_indextoname(index, name))
		name[0] = '\0';
}

static void tell_drops(struct nft *nft, const struct trace_log *log, struct trace_seen *seen)
{
	seen->n_drops = log->n_lost;
	for (unsigned i = 0; i < log->n_lost; i++) {
		struct trace_drop *drop = &seen->drops[i];

		*drop = log->lost[i].drop;
		drop->hook = ask_hook(nft, &log->lost[i]);
		device_name(log->lost[i].iif, drop->in);
		device_name(log->lost[i].oif, drop->out);
	}
}

static void tell_devices(const struct trace_log *log, struct trace_seen *seen)
{
	for (unsigned way = 0; way < TRACE_WAYS; way++)
		for (unsigned layer = 0; layer < TRACE_LAYERS; layer++)
			for (unsigned door = 0; door < TRACE_DOORS; door++)
				device_name(log->devices[way][layer][door],
					    seen->devices[way][layer][door]);
}

static void put_protocol(struct nlmsghdr *nlh, const struct trace_question *question)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);

	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, question->protocol);
	if (question->protocol == IPPROTO_ICMP) {
		mnl_attr_put_u16(nlh, CTA_PROTO_ICMP_ID, htons(question->id));
		mnl_attr_put_u8(nlh, CTA_PROTO_ICMP_TYPE, ICMP_ECHO);
		mnl_attr_put_u8(nlh, CTA_PROTO_ICMP_CODE, 0);
	} else {
		mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(question->id));
		mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(question->port));
	}
	mnl_attr_nest_end(nlh, nest);
}

static void take_flow(const struct nlmsghdr *nlh, void *data)
{
	trace_read_flow(nlh, data);
}

/* Nothing is known where conntrack has none, or is none. */
static void ask_flow(struct nft *nft, const struct trace_question *question,
		     struct trace_flow *flow)
{
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *nlh = nft_socket_header(nft, buf, 0, NLM_F_ACK);

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	struct nlattr *tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG);
	struct nlattr *ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put_u32(nlh, CTA_IP_V4_SRC, htonl(question->from.host));
	mnl_attr_put_u32(nlh, CTA_IP_V4_DST, htonl(question->to.host));
	mnl_attr_nest_end(nlh, ip);
	put_protocol(nlh, question);
	mnl_attr_nest_end(nlh, tuple);
	if (nft_socket_request(nft, nlh, take_flow, flow))
		*flow = (struct trace_flow){0};
}

/* A connection that is reset at once is forgotten with it: then the packets tell how they left. */
static void tell_flow(struct nft *nft, const struct trace *trace, struct trace_seen *seen)
{
	const uint32_t *replies = seen->counts.packets[TRACE_BACK][TRACE_INNER][TRACE_PREROUTING];

	ask_flow(nft, &trace->question, &seen->flow);
	if (!seen->flow.known && trace->log.left_from.host)
		seen->flow = (struct trace_flow){
			.known = true,
			.source = trace->log.left_from,
			.destination = trace->log.left_for,
			.replied = replies[TRACE_FIRST] > 0,
		};
}

int tracer_read(struct kern *kern, struct trace_seen *seen, struct err *err)
{
	struct trace *trace = kern->trace;
	struct trace_seen now = {0};

	if (!trace)
		return err_set(err, -EINVAL, "no flow is traced");
	int error = read_counts(kern->nft, &now.counts);
	if (error)
		return err_set(err, error, "trace: counters: %s", strerror(-error));
	read_log(trace);
	tell_drops(kern->nft, &trace->log, &now);
	tell_devices(&trace->log, &now);
	if (trace->question.exit)
		tell_flow(kern->nft, trace, &now);
	now.rp_filter_drops = (uint32_t)(read_rp_filter_drops() - trace->rp_filter_drops);
	*seen = now;
	return 0;
}
