/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of a batch, its way to the kernel, and whom the kernel's answer is about. What
 * goes in, in which order, is nft_apply.c's.
 */
#include "kernel/nft_batch.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/failpoint.h"
#include "kernel/nft_element.h"
#include "kernel/nft_rule.h"

enum {
	MESSAGE_ROOM = 128 * 1024, /* more than any one message takes */
	ELEMENTS_ROOM = 60000,     /* of a nest, whose length is 16 bits */
	SEND_SLACK = 4096,
};

const char *const nft_batch_chain_types[] = {
	[NFT_CHAIN_FILTER] = "filter",
	[NFT_CHAIN_NAT] = "nat",
};

static void mark(struct nft_batch *batch, size_t offset)
{
	vec_push(&batch->marks, ((struct nft_mark){offset, batch->op}));
}

static void close_elements(struct nft_batch *batch)
{
	struct nlmsghdr *nlh = batch->elements.nlh;

	if (!nlh)
		return;
	mnl_attr_nest_end(nlh, batch->elements.nest);
	batch->len += NLMSG_ALIGN(nlh->nlmsg_len);
	batch->elements.nlh = NULL;
}

/* Where the next message goes; it may take MESSAGE_ROOM. */
static char *open_message(struct nft_batch *batch)
{
	close_elements(batch);
	if (batch->cap - batch->len < MESSAGE_ROOM) {
		batch->cap = batch->cap * 2 + 2 * MESSAGE_ROOM;
		batch->buf = xrealloc(batch->buf, batch->cap);
	}
	mark(batch, batch->len);
	vec_push(&batch->messages, batch->len);
	return batch->buf + batch->len;
}

struct nlmsghdr *nft_batch_open(struct nft_batch *batch, uint16_t type, uint16_t flags)
{
	return nft_socket_header(batch->nft, open_message(batch), type, flags);
}

void nft_batch_close(struct nft_batch *batch, const struct nlmsghdr *nlh)
{
	batch->len += NLMSG_ALIGN(nlh->nlmsg_len);
}

void nft_batch_begin(struct nft_batch *batch, struct nft *nft)
{
	failpoint("nft-batch.begin");
	*batch = (struct nft_batch){.nft = nft, .op = NFT_NO_OP};
	batch->seq = ++nft->seq;
	struct nlmsghdr *nlh = nftnl_batch_begin(open_message(batch), batch->seq);
	/* libnftnl does not write it; without it a batch acts on whatever is there now */
	if (nft->generation)
		mnl_attr_put_u32(nlh, NFNL_BATCH_GENID, htonl(nft->generation));
	nft_batch_close(batch, nlh);
}

void nft_batch_done(struct nft_batch *batch)
{
	free(batch->buf);
	vec_done(&batch->marks);
	vec_done(&batch->messages);
}

/* The attribute that says which: by name, or by handle for one whose name we cannot hold. */
static void put_which(struct nlmsghdr *nlh, uint16_t name_type, uint16_t handle_type,
		      const char *name)
{
	if (*name == '#')
		mnl_attr_put_u64(nlh, handle_type, htobe64(strtoull(name + 1, NULL, 10)));
	else
		mnl_attr_put_strz(nlh, name_type, name);
}

void nft_batch_add_table(struct nft_batch *batch, const struct nft_table *table)
{
	struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, OUR_NFT_TABLE);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(table->flags));
	nft_batch_close(batch, nlh);
}

void nft_batch_delete_table(struct nft_batch *batch)
{
	struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_DELTABLE, 0);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, OUR_NFT_TABLE);
	nft_batch_close(batch, nlh);
}

/* Makes each element count: the kernel copies the set's expression into it. */
static void put_counter(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_SET_EXPR);

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "counter");
	struct nlattr *data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, nest);
}

/*
 * nft's own note of the byte orders: without it nft lists names backwards and cannot load
 * its listing again. Type, length and a number of the host's order.
 */
static void put_byte_orders(struct nlmsghdr *nlh, const struct nft_set *set)
{
	enum { HOST_ORDER = 1, NETWORK_ORDER = 2 }; /* of nft's enum byteorder */
	struct nftnl_udata_buf *orders = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	if (!orders)
		out_of_memory(NFT_USERDATA_MAXLEN);
	nftnl_udata_put_u32(orders, NFTNL_UDATA_SET_KEYBYTEORDER,
			    set->type == NFT_SET_IFNAME ? HOST_ORDER : NETWORK_ORDER);
	if (set->map)
		nftnl_udata_put_u32(orders, NFTNL_UDATA_SET_DATABYTEORDER, NETWORK_ORDER);
	mnl_attr_put(nlh, NFTA_SET_USERDATA, nftnl_udata_buf_len(orders),
		     nftnl_udata_buf_data(orders));
	nftnl_udata_buf_free(orders);
}

void nft_batch_add_set(struct nft_batch *batch, const struct nft_set *set)
{
	struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_NEWSET, NLM_F_CREATE);
	bool ifname = set->type == NFT_SET_IFNAME;
	uint32_t flags = (set->map ? NFT_SET_MAP : 0) | (set->interval ? NFT_SET_INTERVAL : 0);

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, OUR_NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, set->name);
	mnl_attr_put_u32(nlh, NFTA_SET_FLAGS, htonl(flags));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_TYPE,
			 htonl(ifname ? NFT_TYPE_IFNAME : NFT_TYPE_IPV4_ADDR));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_LEN, htonl(ifname ? IFNAMSIZ : sizeof(struct in_addr)));
	if (set->map) {
		mnl_attr_put_u32(nlh, NFTA_SET_DATA_TYPE, htonl(NFT_TYPE_IPV4_ADDR));
		mnl_attr_put_u32(nlh, NFTA_SET_DATA_LEN, htonl(sizeof(struct in_addr)));
	}
	mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(++batch->set_id));
	put_byte_orders(nlh, set);
	if (set->counter)
		put_counter(nlh);
	nft_batch_close(batch, nlh);
}

void nft_batch_delete_set(struct nft_batch *batch, const char *name)
{
	struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_DELSET, 0);

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, OUR_NFT_TABLE);
	put_which(nlh, NFTA_SET_NAME, NFTA_SET_HANDLE, name);
	nft_batch_close(batch, nlh);
}

/* The message that takes elements of that set: the open one, while it has room. */
static struct nlmsghdr *elements_message(struct nft_batch *batch, uint16_t type, uint16_t flags,
					 const char *set)
{
	struct nlmsghdr *nlh = batch->elements.nlh;

	if (nlh && batch->elements.type == type && strcmp(batch->elements.set, set) == 0 &&
	    nlh->nlmsg_len < ELEMENTS_ROOM) {
		mark(batch, batch->len + nlh->nlmsg_len);
		return nlh;
	}
	nlh = nft_batch_open(batch, type, flags);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, OUR_NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	batch->elements.nlh = nlh;
	batch->elements.nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	batch->elements.type = type;
	snprintf(batch->elements.set, sizeof(batch->elements.set), "%s", set);
	return nlh;
}

void nft_batch_add_element(struct nft_batch *batch, const struct nft_element *element,
			   bool interval)
{
	nft_element_put(
		elements_message(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, element->set_name),
		element, interval);
}

void nft_batch_delete_element(struct nft_batch *batch, const struct nft_element *element,
			      bool interval)
{
	nft_element_put(elements_message(batch, NFT_MSG_DELSETELEM, 0, element->set_name), element,
			interval);
}

static void put_policy(struct nlmsghdr *nlh, const struct nft_chain *chain)
{
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, OUR_NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, chain->name);
	mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(chain->accept ? NF_ACCEPT : NF_DROP));
}

void nft_batch_add_chain(struct nft_batch *batch, const struct nft_chain *chain)
{
	struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);

	put_policy(nlh, chain);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, nft_batch_chain_types[chain->type]);
	struct nlattr *hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(chain->hook));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)chain->priority));
	mnl_attr_nest_end(nlh, hook);
	nft_batch_close(batch, nlh);
}

void nft_batch_set_policy(struct nft_batch *batch, const struct nft_chain *chain)
{
	struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_NEWCHAIN, 0);

	put_policy(nlh, chain);
	nft_batch_close(batch, nlh);
}

void nft_batch_delete_chain(struct nft_batch *batch, const char *name)
{
	struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_DELCHAIN, 0);

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, OUR_NFT_TABLE);
	put_which(nlh, NFTA_CHAIN_NAME, NFTA_CHAIN_HANDLE, name);
	nft_batch_close(batch, nlh);
}

void nft_batch_flush_chain(struct nft_batch *batch, const char *name)
{
	/* By handle it cannot be said, and without a chain it would mean the whole table;
	 * the chain's deletion, which follows, takes its rules along. */
	if (*name == '#')
		return;
	struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_DELRULE, 0);
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, OUR_NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, name);
	nft_batch_close(batch, nlh);
}

int nft_batch_add_rule(struct nft_batch *batch, const char *chain, const struct nft_rule *rule)
{
	struct nftnl_rule *expressions = nftnl_rule_alloc();

	if (!expressions)
		out_of_memory(sizeof(*rule));
	int r = nft_rule_build(rule, expressions);
	if (r == 0) {
		struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_NEWRULE,
						      NLM_F_CREATE | NLM_F_APPEND);

		mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, OUR_NFT_TABLE);
		mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain);
		nftnl_rule_nlmsg_build_payload(nlh, expressions);
		nft_batch_close(batch, nlh);
	}
	nftnl_rule_free(expressions);
	return r;
}

static int send_batch(struct nft_batch *batch)
{
	int fd = mnl_socket_get_fd(batch->nft->socket);
	int size = (int)batch->len + SEND_SLACK;

	/* without the capability the limit of net.core.wmem_max holds, which is often enough */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	int fault = failpoint_error("nft-batch.send");
	if (fault)
		return fault;
	return mnl_socket_sendto(batch->nft->socket, batch->buf, batch->len) < 0 ? -errno : 0;
}

/* The op that an offset of the batch is about: that of the last mark before it. */
static size_t op_at(const struct nft_batch *batch, size_t offset)
{
	size_t from = 0, to = batch->marks.len;

	while (to - from > 1) {
		size_t middle = from + (to - from) / 2;

		if (batch->marks.v[middle].offset <= offset)
			from = middle;
		else
			to = middle;
	}
	return batch->marks.v[from].op;
}

/* The first failure is the culprit's: what fails after it often does so because of it. */
static void judge(const struct nft_batch *batch, const struct nlmsghdr *nlh,
		  struct nft_failure *failure, bool *answered)
{
	size_t message = nlh->nlmsg_seq - batch->seq;
	struct nft_error error;

	if (nlh->nlmsg_type != NLMSG_ERROR || message >= batch->messages.len)
		return;
	nft_socket_error(nlh, &error);
	*answered = true;
	if (error.number == 0 || failure->error.number != 0)
		return;
	size_t offset = batch->messages.v[message];
	const struct nlmsghdr *sent = (const void *)(batch->buf + offset);
	failure->error = error;
	failure->type = NFNL_MSG_TYPE(sent->nlmsg_type);
	failure->op = op_at(batch, offset + (error.offset < sent->nlmsg_len ? error.offset : 0));
}

/* All answers are there when sendmsg returns: the kernel works a batch off within it. */
static void receive(struct nft_batch *batch, struct nft_failure *failure, bool *answered)
{
	int fd = mnl_socket_get_fd(batch->nft->socket);

	for (;;) {
		ssize_t got = recv(fd, batch->nft->buffer, NFT_BUFFER, MSG_DONTWAIT);

		if (got < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (got <= 0)
			return;
		int left = (int)got;
		for (const struct nlmsghdr *nlh = (void *)batch->nft->buffer;
		     mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			judge(batch, nlh, failure, answered);
	}
}

/* Ours counts one generation up; another's commit since then must still be noticed. */
static void follow_generation(struct nft *nft)
{
	uint32_t now = 0, next = nft->generation + 1 ? nft->generation + 1 : 1;

	if (nft->generation == 0)
		return;
	/* a batch that changed nothing leaves the generation as it was */
	if (nft_socket_generation(nft, &now) || now != nft->generation)
		nft->generation = next;
}

int nft_batch_commit(struct nft_batch *batch, struct nft_failure *failure)
{
	bool answered = false;

	close_elements(batch);
	/* kernels before 6.10 do not acknowledge the end of a batch: ask at the last change */
	struct nlmsghdr *last = (void *)(batch->buf + batch->messages.v[batch->messages.len - 1]);
	last->nlmsg_flags |= NLM_F_ACK;
	batch->op = NFT_NO_OP;
	nft_batch_close(batch, nftnl_batch_end(open_message(batch), ++batch->nft->seq));

	*failure = (struct nft_failure){.op = NFT_NO_OP};
	int r = send_batch(batch);
	failpoint("nft-batch.sent");
	if (r == 0)
		r = failpoint_error("nft-batch.receive");
	if (r == 0)
		receive(batch, failure, &answered);
	failpoint("nft-batch.answered");
	if (r == 0 && !answered)
		r = -EIO;
	if (r) {
		failure->error.number = r;
		snprintf(failure->error.words, NFT_WORDS, "%s", strerror(-r));
	}
	if (failure->error.number == 0)
		follow_generation(batch->nft);
	return failure->error.number;
}
