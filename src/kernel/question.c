/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions: how would this be routed, what has this device counted. The ones about outer
 * packets carry our mark, which leads them past our own rules.
 */
#include "kernel/question.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "kernel/count.h"

/* IFF_LOWER_UP of linux/if.h, which does not go with net/if.h: the carrier at this moment; that
 * IFF_RUNNING says so, too, may take the kernel a second. */
enum { LOWER_UP = 1 << 16 };

static struct nlmsghdr *route_message(struct addr to, unsigned flags)
{
	struct rtmsg header = {
		.rtm_family = AF_INET,
		.rtm_dst_len = 32,
		.rtm_flags = RTM_F_LOOKUP_TABLE | flags,
	};
	struct nlmsghdr *msg = netlink_message(RTM_GETROUTE, 0, &header, sizeof(header));
	uint32_t wire = htonl(to.host);

	netlink_put(msg, RTA_DST, &wire, sizeof(wire));
	return msg;
}

static void put_mark(struct nlmsghdr *msg)
{
	uint32_t mark = OUR_MARK;

	netlink_put(msg, RTA_MARK, &mark, sizeof(mark));
}

/* The header of a routing answer, NULL when it is none. */
static const struct rtmsg *answer_header(const struct nlmsghdr *h)
{
	if (!h || h->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(h, sizeof(struct rtmsg)))
		return NULL;
	return nlmsg_data(h);
}

static struct nlattr *answer_attr(const struct nlmsghdr *h, int type)
{
	return nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, sizeof(struct rtmsg), type);
}

static uint32_t answer_u32(const struct nlmsghdr *h, int type)
{
	return attr_u32(answer_attr(h, type));
}

/* The route's own mtu, 0 when it has none */
static uint32_t metric_mtu(const struct nlmsghdr *h)
{
	struct nlattr *metrics = answer_attr(h, RTA_METRICS);

	return metrics ? attr_u32(nla_find(nla_data(metrics), nla_len(metrics), RTAX_MTU)) : 0;
}

static uint32_t lower_mtu(uint32_t a, uint32_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

static uint32_t device_mtu(const struct kern *kern, uint32_t index)
{
	const struct name_row *row = names_row(&kern->names, index);

	return row ? row->mtu : 0;
}

static void ask_remote(struct kern *kern, struct batch *batch, const struct fact_remote *remote,
		       unsigned flags, size_t tag)
{
	struct nlmsghdr *msg = route_message(remote->remote, flags);
	uint32_t underlay = names_index(&kern->names, remote->underlay);

	put_mark(msg);
	if (underlay)
		netlink_put(msg, RTA_OIF, &underlay, sizeof(underlay));
	batch_ask(batch, msg, tag);
}

/* One of ours: then the rule that leads questions past our tables is missing at the moment. */
static bool is_our_table(uint32_t table)
{
	return table >= OUR_TABLE_FIRST && table <= OUR_TABLE_LAST;
}

/* True: an mtu is said to lie on the way, and whose it is must be asked. */
static bool remote_answered(struct kern *kern, struct fact_remote *remote,
			    const struct request *plain)
{
	remote->error = plain->result;
	if (remote->error || !answer_header(plain->answer)) {
		if (!remote->error)
			remote->error = -EBADMSG;
		return false;
	}
	if (is_our_table(answer_u32(plain->answer, RTA_TABLE))) {
		remote->error = -EAGAIN;
		return false;
	}
	uint32_t index = answer_u32(plain->answer, RTA_OIF);
	names_device(&kern->names, index, remote->device);
	remote->source = attr_addr(answer_attr(plain->answer, RTA_PREFSRC));
	remote->mtu = device_mtu(kern, index);
	return metric_mtu(plain->answer);
}

void question_remotes(struct kern *kern, struct vec_remotes *remotes, struct arena *arena)
{
	cleanup_batch struct batch plain = {.arena = arena}, matched = {.arena = arena};

	for (size_t i = 0; i < remotes->len; i++) {
		struct fact_remote *remote = &remotes->v[i];

		remote->error = 0;
		if (remote->underlay[0] && !names_index(&kern->names, remote->underlay))
			remote->error = -ENODEV;
		else
			ask_remote(kern, &plain, remote, 0, i);
	}
	batch_send(kern->netlink, &plain);
	/* the mtu may be a learned exception: those expire, and can be forged. The matched route
	 * has its own metric */
	for (size_t i = 0; i < plain.requests.len; i++) {
		struct fact_remote *remote = &remotes->v[plain.requests.v[i].tag];

		if (remote_answered(kern, remote, &plain.requests.v[i]))
			ask_remote(kern, &matched, remote, RTM_F_FIB_MATCH,
				   plain.requests.v[i].tag);
	}
	batch_send(kern->netlink, &matched);
	for (size_t i = 0; i < matched.requests.len; i++) {
		struct fact_remote *remote = &remotes->v[matched.requests.v[i].tag];

		if (!matched.requests.v[i].result && answer_header(matched.requests.v[i].answer))
			remote->mtu = lower_mtu(remote->mtu,
						metric_mtu(matched.requests.v[i].answer));
	}
}

static int link_get(struct kern *kern, const char *device, struct batch *batch, struct err *err)
{
	struct ifinfomsg header = {0};
	struct nlmsghdr *msg = netlink_message(RTM_GETLINK, 0, &header, sizeof(header));

	netlink_put(msg, IFLA_IFNAME, device, strlen(device) + 1);
	batch_ask(batch, msg, 0);
	batch_send(kern->netlink, batch);
	const struct request *request = &batch->requests.v[0];
	if (request->result)
		return err_set(err, request->result, "device %s: %s", device,
			       request->words[0] ? request->words : strerror(-request->result));
	if (!nlmsg_valid_hdr(request->answer, sizeof(header)))
		return err_set(err, -EBADMSG, "device %s: no answer", device);
	return 0;
}

static int put_ingress(struct kern *kern, struct nlmsghdr *msg, const char *device,
		       struct arena *arena, struct err *err)
{
	cleanup_batch struct batch batch = {.arena = arena};
	int error = link_get(kern, device, &batch, err);

	if (error)
		return error;
	const struct ifinfomsg *header = nlmsg_data(batch.requests.v[0].answer);
	uint32_t index = (uint32_t)header->ifi_index;
	netlink_put(msg, RTA_IIF, &index, sizeof(index));
	return 0;
}

static void route_answered(struct kern *kern, const struct nlmsghdr *h, const struct rtmsg *header,
			   struct route_answer *answer)
{
	uint32_t index = answer_u32(h, RTA_OIF);

	names_device(&kern->names, index, answer->device);
	answer->source = attr_addr(answer_attr(h, RTA_PREFSRC));
	answer->gateway = attr_addr(answer_attr(h, RTA_GATEWAY));
	answer->mtu = lower_mtu(metric_mtu(h), device_mtu(kern, index));
	answer->table = answer_u32(h, RTA_TABLE);
	answer->local = header->rtm_type == RTN_LOCAL;
}

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

/* The kernel takes no other protocols than these three. */
static void put_flow(struct nlmsghdr *msg, const struct route_question *question)
{
	uint16_t source_port = htons(question->source_port), port = htons(question->port);

	if (!has_ports(question->protocol) && question->protocol != IPPROTO_ICMP)
		return;
	netlink_put(msg, RTA_IP_PROTO, &question->protocol, sizeof(question->protocol));
	if (source_port && has_ports(question->protocol))
		netlink_put(msg, RTA_SPORT, &source_port, sizeof(source_port));
	if (port && has_ports(question->protocol))
		netlink_put(msg, RTA_DPORT, &port, sizeof(port));
}

int question_route(struct kern *kern, const struct route_question *question,
		   struct route_answer *answer, struct err *err)
{
	cleanup_arena struct arena arena = {0};
	cleanup_batch struct batch batch = {.arena = &arena};
	struct nlmsghdr *msg = route_message(question->to, 0);
	uint32_t from = htonl(question->from.host);

	batch_ask(&batch, msg, 0);
	if (from) {
		((struct rtmsg *)nlmsg_data(msg))->rtm_src_len = 32;
		netlink_put(msg, RTA_SRC, &from, sizeof(from));
	}
	if (question->underlay)
		put_mark(msg);
	put_flow(msg, question);
	if (question->in[0]) {
		int error = put_ingress(kern, msg, question->in, &arena, err);

		if (error)
			return error;
	}
	batch_send(kern->netlink, &batch);
	const struct request *request = &batch.requests.v[0];
	const struct rtmsg *header = answer_header(request->answer);
	*answer = (struct route_answer){.error = request->result};
	if (header)
		route_answered(kern, request->answer, header, answer);
	return 0;
}

/* Of a neighbour's answer; -ENOENT: the kernel knows none */
static int neighbour_state(struct kern *kern, uint32_t index, struct addr addr, uint16_t *state)
{
	cleanup_arena struct arena arena = {0};
	cleanup_batch struct batch batch = {.arena = &arena};
	struct ndmsg header = {.ndm_family = AF_INET, .ndm_ifindex = (int)index};
	struct nlmsghdr *msg = netlink_message(RTM_GETNEIGH, 0, &header, sizeof(header));
	uint32_t wire = htonl(addr.host);

	netlink_put(msg, NDA_DST, &wire, sizeof(wire));
	batch_ask(&batch, msg, 0);
	batch_send(kern->netlink, &batch);
	const struct request *request = &batch.requests.v[0];
	if (request->result)
		return request->result;
	if (!request->answer || !nlmsg_valid_hdr(request->answer, sizeof(header)))
		return -EBADMSG;
	*state = ((const struct ndmsg *)nlmsg_data(request->answer))->ndm_state;
	return 0;
}

int question_neighbour(struct kern *kern, const char *device, struct addr addr,
		       struct neighbour *neighbour, struct err *err)
{
	cleanup_arena struct arena arena = {0};
	cleanup_batch struct batch batch = {.arena = &arena};
	uint16_t state = 0;
	int error = link_get(kern, device, &batch, err);

	if (error)
		return error;
	const struct ifinfomsg *header = nlmsg_data(batch.requests.v[0].answer);
	error = neighbour_state(kern, (uint32_t)header->ifi_index, addr, &state);
	if (error && error != -ENOENT)
		return err_set(err, error, "neighbour on %s: %s", device, strerror(-error));
	*neighbour = (struct neighbour){
		.state = state,
		.no_carrier = (header->ifi_flags & (IFF_UP | LOWER_UP)) == IFF_UP,
		.needless = header->ifi_flags & (IFF_NOARP | IFF_LOOPBACK | IFF_POINTOPOINT),
	};
	return 0;
}

int question_link_stats(struct kern *kern, const char *device, struct link_stats *stats,
			struct err *err)
{
	cleanup_arena struct arena arena = {0};
	cleanup_batch struct batch batch = {.arena = &arena};
	int error = link_get(kern, device, &batch, err);

	if (error)
		return error;
	if (!count_parse_stats(batch.requests.v[0].answer, stats))
		return err_set(err, -EBADMSG, "device %s: no counters", device);
	return 0;
}
