/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake kernel's counters: a few from the beginning, and what the script adds. */
#include "fake_kernel.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { RX_PACKETS = 10, TX_PACKETS = 20, ELEMENT_PACKETS = 1, PACKET_BYTES = 84 };

static const struct link_stats link_begins = {
	.rx_packets = RX_PACKETS,
	.rx_bytes = RX_PACKETS * PACKET_BYTES,
	.tx_packets = TX_PACKETS,
	.tx_bytes = TX_PACKETS * PACKET_BYTES,
};
static const struct element_stats element_begins = {ELEMENT_PACKETS, PACKET_BYTES};

struct link_stats fake_count_link(const struct fake *fake, const struct link *link)
{
	for (size_t i = 0; i < fake->link_counts.len; i++)
		if (fake->link_counts.v[i].ifindex == link->ifindex)
			return fake->link_counts.v[i].stats;
	return link_begins;
}

struct link_stats *fake_count_of_link(struct fake *fake, const struct link *link)
{
	for (size_t i = 0; i < fake->link_counts.len; i++)
		if (fake->link_counts.v[i].ifindex == link->ifindex)
			return &fake->link_counts.v[i].stats;
	vec_push(&fake->link_counts, ((struct fake_link_count){link->ifindex, link_begins}));
	return &fake->link_counts.v[fake->link_counts.len - 1].stats;
}

static struct fake_element_count *element_count(const struct fake *fake,
						const struct nft_element *element)
{
	for (size_t i = 0; i < fake->element_counts.len; i++)
		if (kind_key_compare(&nft_element_kind, &fake->element_counts.v[i].key, element) ==
		    0)
			return &fake->element_counts.v[i];
	return NULL;
}

struct element_stats fake_count_element(const struct fake *fake, const struct nft_element *element)
{
	const struct fake_element_count *count = element_count(fake, element);

	return count ? count->stats : element_begins;
}

struct element_stats *fake_count_of_element(struct fake *fake, const struct nft_element *element)
{
	struct fake_element_count *count = element_count(fake, element);

	if (!count) {
		count = vec_add(&fake->element_counts);
		*count = (struct fake_element_count){*element, element_begins};
	}
	return &count->stats;
}

static struct counted_link count_link(const struct fake *fake, const struct link *link)
{
	struct counted_link counted = {
		.ifindex = link->ifindex,
		.mtu = link->mtu,
		.up = link->up,
		.ours = fake_link_marks(link) & OBJECT_OURS,
		.stats = fake_count_link(fake, link),
	};

	memcpy(counted.device, link->device, sizeof(counted.device));
	return counted;
}

void fake_count_gone(struct fake *fake, const struct link *link)
{
	vec_push(&fake->gone, count_link(fake, link));
}

void fake_count_forget(struct fake *fake, const struct nft_element *element)
{
	struct fake_element_count *count = element ? element_count(fake, element) : NULL;

	if (count)
		*count = fake->element_counts.v[--fake->element_counts.len];
	else if (!element)
		vec_clear(&fake->element_counts);
}

/* Elements are sorted by their sets. */
static void count_elements(const struct fake *fake, struct counted *counted)
{
	const struct object_list *list = &fake->state.kind[KIND_NFT_ELEMENT];
	struct counted_set *set = NULL;

	poll(NULL, 0, (int)fake->slow_count_ms);

	for (size_t i = 0; i < list->len; i++) {
		const struct nft_element *element = (const struct nft_element *)list->v[i];
		struct nft_set key = {.head.set = kind_all(&nft_set_kind)};

		memcpy(key.name, element->set_name, sizeof(key.name));
		const struct nft_set *of = (const struct nft_set *)fake_state_find(
			fake, KIND_NFT_SET, &key);
		if (!of || !of->counter)
			continue;
		if (!set || strcmp(set->name, element->set_name) != 0) {
			set = vec_add(&counted->sets);
			memcpy(set->name, element->set_name, sizeof(set->name));
			set->first = counted->elements.len;
		}
		set->len++;
		vec_push(&counted->elements,
			 ((struct counted_element){element->prefix,
						   fake_count_element(fake, element)}));
	}
}

int fake_count(struct kernel *kernel, unsigned what, struct counted *counted, struct err *err)
{
	const struct fake *fake = (const struct fake *)kernel;
	const struct object_list *links = &fake->state.kind[KIND_LINK];

	if (fake->refuse_count)
		return err_set(err, fake->refuse_count, "counters: %s",
			       strerror(-fake->refuse_count));
	for (size_t i = 0; what & COUNT_LINKS && i < links->len; i++)
		vec_push(&counted->links, count_link(fake, (const struct link *)links->v[i]));
	if (what & COUNT_ELEMENTS)
		count_elements(fake, counted);
	return 0;
}
