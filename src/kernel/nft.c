/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads our table: a dump of each of its parts, taken between two equal answers about the
 * ruleset's generation. Changing it is nft_apply.c's.
 */
#include "kernel/nft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include "base/cleanup.h"
#include "kernel/nft_element.h"
#include "kernel/nft_read.h"
#include "kernel/nft_socket.h"

enum { ANSWER_TIMEOUT_S = 5, DUMP_TRIES = 5 };

uint32_t nft_port(const struct nft *nft)
{
	return nft->port;
}

void nft_close(struct nft *nft)
{
	if (!nft)
		return;
	if (nft->socket)
		mnl_socket_close(nft->socket);
	vec_done(&nft->sets);
	free(nft->buffer);
	free(nft);
}

int nft_open(struct nft **nft, struct err *err)
{
	struct nft *opened = xcalloc(1, sizeof(*opened));
	struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int on = 1;

	opened->buffer = xmalloc(NFT_BUFFER);
	opened->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!opened->socket || mnl_socket_bind(opened->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int number = -errno;

		nft_close(opened);
		return err_set(err, number, "nft: socket: %s", strerror(-number));
	}
	/* Both only make the kernel's answers better. */
	mnl_socket_setsockopt(opened->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(opened->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(mnl_socket_get_fd(opened->socket), SOL_SOCKET, SO_RCVTIMEO, &timeout,
		   sizeof(timeout));
	opened->port = mnl_socket_get_portid(opened->socket);
	*nft = opened;
	return 0;
}

static int dump(struct nft *nft, uint16_t type, struct nft_reading *reading)
{
	char buf[MNL_NLMSG_HDRLEN + 64];

	return nft_socket_request(nft, nft_socket_header(nft, buf, type, NLM_F_DUMP), nft_read,
				  reading);
}

/* The elements of a set of ours, joined to prefixes where it has intervals. */
static int dump_elements(struct nft *nft, const char *set, bool interval, struct nft_counteds *to)
{
	char buf[MNL_NLMSG_HDRLEN + 128];
	struct nlmsghdr *nlh = nft_socket_header(nft, buf, NFT_MSG_GETSETELEM, NLM_F_DUMP);

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, OUR_NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	int r = nft_socket_request(nft, nlh, nft_element_parse, to);
	if (r == 0 && interval)
		nft_element_join(to);
	return r;
}

/* A set that holds what is no prefix cannot be mended by elements: it is made anew. */
static int observe_elements(struct nft *nft, struct nft_reading *reading, struct nft_set *set)
{
	struct nft_counteds counteds = {0};
	int r = dump_elements(nft, set->name, set->interval, &counteds);

	if (counteds.other)
		set->type = NFT_SET_OTHER;
	for (size_t i = 0; r == 0 && !counteds.other && i < counteds.len; i++) {
		struct nft_element *element = nft_reading_add(reading, KIND_NFT_ELEMENT);
		struct object head = element->head;

		*element = counteds.v[i].element;
		element->head = head;
		memcpy(element->set_name, set->name, SET_NAME);
	}
	vec_done(&counteds);
	return r;
}

static int read_contents(struct nft *nft, struct nft_reading *reading)
{
	struct object_list *sets = &reading->observed->kind[KIND_NFT_SET];
	size_t first_set = sets->len;
	int r;

	if ((r = dump(nft, NFT_MSG_GETSET, reading)) ||
	    (r = dump(nft, NFT_MSG_GETCHAIN, reading)) || (r = dump(nft, NFT_MSG_GETRULE, reading)))
		return r;
	nft_reading_keep_rules(reading);
	for (size_t i = first_set; i < sets->len; i++) {
		struct nft_set *set = (struct nft_set *)sets->v[i];

		r = set->type == NFT_SET_OTHER ? 0 : observe_elements(nft, reading, set);
		if (r)
			return r;
		vec_push(&nft->sets, *set);
	}
	return 0;
}

/* Appends what there is; the caller takes it back when it does not count. */
static int read_all(struct nft *nft, struct objects *observed)
{
	cleanup_(nft_reading_done) struct nft_reading reading = {.observed = observed};
	struct nft_known_sets known = nft->sets;
	int r = dump(nft, NFT_MSG_GETTABLE, &reading);

	nft->sets = (struct nft_known_sets){0};
	if (!r && reading.table)
		r = read_contents(nft, &reading);
	if (r) { /* those that were known still are, to be counted */
		vec_done(&nft->sets);
		nft->sets = known;
	} else {
		vec_done(&known);
	}
	return r;
}

static const enum kind_id our_kinds[] = {
	KIND_NFT_TABLE,
	KIND_NFT_SET,
	KIND_NFT_ELEMENT,
	KIND_NFT_CHAIN,
};

/* One try. -EINTR: the ruleset changed meanwhile, so nothing was observed. */
static int try_observe(struct nft *nft, struct objects *observed)
{
	size_t len[ARRAY_LEN(our_kinds)];
	uint32_t before = 0, after = 0;
	int r = nft_socket_generation(nft, &before);

	if (r)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(our_kinds); i++)
		len[i] = observed->kind[our_kinds[i]].len;
	r = read_all(nft, observed);
	int again = nft_socket_generation(nft, &after);
	/* a table that goes away under a dump makes it fail with ENOENT */
	r = again ? again : before != after ? -EINTR : r;
	for (size_t i = 0; r && i < ARRAY_LEN(our_kinds); i++)
		observed->kind[our_kinds[i]].len = len[i];
	nft->generation = r ? nft->generation : before;
	return r;
}

int nft_observe(struct nft *nft, struct arena *arena, struct objects *observed, struct err *err)
{
	int r = -EINTR;

	observed->arena = arena;
	for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++)
		r = try_observe(nft, observed);
	if (r == -EINTR)
		return err_set(err, r, "nft: dump: the ruleset changed %d times", DUMP_TRIES);
	/* nfnetlink's answer when it knows no nf_tables */
	if (r == -EINVAL || r == -EOPNOTSUPP)
		return err_set(err, -EOPNOTSUPP,
			       "nft: dump: the kernel has no nf_tables: `modprobe nf_tables` loads "
			       "it, or says why not");
	if (r)
		return err_set(err, r, "nft: dump: %s", strerror(-r));
	return 0;
}

/* A set that went since has counted nothing more. */
static int count_set(struct nft *nft, const struct nft_set *set, struct counted *counted)
{
	struct nft_counteds counteds = {0};
	int r = -EINTR;

	for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++) {
		vec_clear(&counteds);
		r = dump_elements(nft, set->name, set->interval, &counteds);
	}
	if (r == 0) {
		struct counted_set *to = vec_add(&counted->sets);

		memcpy(to->name, set->name, SET_NAME);
		to->first = counted->elements.len;
		to->len = counteds.len;
	}
	for (size_t i = 0; r == 0 && i < counteds.len; i++)
		vec_push(&counted->elements, ((struct counted_element){counteds.v[i].element.prefix,
								       counteds.v[i].stats}));
	vec_done(&counteds);
	return r == -ENOENT ? 0 : r;
}

int nft_count(struct nft *nft, struct counted *counted, struct err *err)
{
	for (size_t i = 0; i < nft->sets.len; i++) {
		const struct nft_set *set = &nft->sets.v[i];
		int r = set->counter && set->type == NFT_SET_IPV4_ADDR
				? count_set(nft, set, counted)
				: 0;

		if (r)
			return err_set(err, r, "nft: counters of %s: %s", set->name, strerror(-r));
	}
	return 0;
}
