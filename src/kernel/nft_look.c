/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single elements: which of them an event speaks of, and what the kernel has of them now. */
#include "kernel/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "kernel/nft_element.h"
#include "kernel/nft_socket.h"

static const struct nft_set *known_set(const struct nft *nft, const char *name)
{
	for (size_t i = 0; i < nft->sets.len; i++)
		if (strcmp(nft->sets.v[i].name, name) == 0)
			return &nft->sets.v[i];
	return NULL;
}

static const struct nlattr *find_attr(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}

static bool is_named(const struct nlattr *attr, const char *name)
{
	size_t len = strlen(name) + 1;

	return attr && mnl_attr_get_payload_len(attr) == len &&
	       memcmp(mnl_attr_get_payload(attr), name, len) == 0;
}

/* An interval is two elements, of which an event may name one: the table is read then. */
static void note_elements(const struct nft *nft, const struct nlmsghdr *nlh, struct scope *scope)
{
	const struct nlattr *name = find_attr(nlh, NFTA_SET_ELEM_LIST_SET);
	const struct nft_set *set = NULL;
	struct nft_counteds counteds = {0};

	for (size_t i = 0; name && !set && i < nft->sets.len; i++)
		if (is_named(name, nft->sets.v[i].name))
			set = &nft->sets.v[i];
	if (set && !set->interval)
		nft_element_parse(nlh, &counteds);
	if (!counteds.len || counteds.other)
		scope_add_whole(scope, KIND_NFT_ELEMENT);
	for (size_t i = 0; !counteds.other && i < counteds.len; i++) {
		struct nft_element key = counteds.v[i].element;

		snprintf(key.set_name, sizeof(key.set_name), "%s", set->name);
		scope_add(scope, KIND_NFT_ELEMENT, &key);
	}
	vec_done(&counteds);
}

/* Every message of nf_tables about a thing in a table has the table's name first. */
void nft_note_event(const struct nft *nft, const struct nlmsghdr *nlh, struct scope *scope)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);
	unsigned type = NFNL_MSG_TYPE(nlh->nlmsg_type);

	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES || type == NFT_MSG_NEWGEN ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*header) ||
	    header->nfgen_family != NFPROTO_IPV4 ||
	    !is_named(find_attr(nlh, NFTA_TABLE_NAME), OUR_NFT_TABLE))
		return;
	if (type == NFT_MSG_NEWSETELEM || type == NFT_MSG_DELSETELEM)
		note_elements(nft, nlh, scope);
	else
		scope_add_whole(scope, KIND_NFT_TABLE);
}

bool nft_event_culprit(const struct nlmsghdr *nlh, uint32_t *pid, char name[static 16])
{
	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWGEN)
		return false;
	const struct nlattr *id = find_attr(nlh, NFTA_GEN_PROC_PID);
	const struct nlattr *text = find_attr(nlh, NFTA_GEN_PROC_NAME);
	*pid = id && mnl_attr_get_payload_len(id) == 4 ? ntohl(mnl_attr_get_u32(id)) : 0;
	snprintf(name, 16, "%.*s", text ? (int)mnl_attr_get_payload_len(text) : 0,
		 text ? mnl_attr_get_str(text) : "");
	return true;
}

static int look_at(struct nft *nft, const struct nft_element *key, struct objects *observed)
{
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *nlh = nft_socket_header(nft, buf, NFT_MSG_GETSETELEM, NLM_F_ACK);
	struct nft_element bare = *key;
	struct nft_counteds counteds = {0};

	bare.to = (struct addr){0};
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, OUR_NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, key->set_name);
	struct nlattr *list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	nft_element_put(nlh, &bare, false);
	mnl_attr_nest_end(nlh, list);
	int r = nft_socket_request(nft, nlh, nft_element_parse, &counteds);
	if (r == 0 && counteds.len == 1 && !counteds.other) {
		struct nft_element *element = (struct nft_element *)objects_add(observed,
										KIND_NFT_ELEMENT);

		*element = counteds.v[0].element;
		element->head = (struct object){.set = kind_all(&nft_element_kind),
						.marks = OBJECT_OURS};
		memcpy(element->set_name, key->set_name, sizeof(element->set_name));
	}
	vec_done(&counteds);
	return r == -ENOENT ? 0 : r;
}

int nft_observe_elements(struct nft *nft, const struct object_list *keys, struct objects *observed,
			 struct err *err)
{
	uint32_t generation = 0;
	int r = nft_socket_generation(nft, &generation);

	/* before the elements, so that a batch planned on them fails if they changed since */
	for (size_t i = 0; i < keys->len && r == 0; i++) {
		const struct nft_element *key = (const struct nft_element *)keys->v[i];
		const struct nft_set *set = known_set(nft, key->set_name);

		r = !set || set->interval ? -ENOENT : look_at(nft, key, observed);
	}
	if (r)
		return err_set(err, r, "nft: elements: %s", strerror(-r));
	nft->generation = generation;
	return 0;
}
