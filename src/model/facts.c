/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking up facts by binary search. */
#include "model/facts.h"

static inline int host_compare(struct addr a, struct addr b)
{
	return (a.host > b.host) - (a.host < b.host);
}

/* Of a row and what it is looked for by. */
static inline int link_order(const void *row, const void *key)
{
	return strcmp(((const struct fact_link *)row)->device, key);
}

static inline int addr_order(const void *row, const void *key)
{
	return host_compare(((const struct fact_addr *)row)->addr, *(const struct addr *)key);
}

struct remote_key {
	struct addr remote;
	const char *underlay;
};

static inline int remote_order(const void *row, const void *key)
{
	const struct fact_remote *x = row;
	const struct remote_key *y = key;
	int order = host_compare(x->remote, y->remote);

	return order ? order : strcmp(x->underlay, y->underlay);
}

/* Of two rows. */
static int link_compare(const void *a, const void *b)
{
	return link_order(a, ((const struct fact_link *)b)->device);
}

static int fact_addr_compare(const void *a, const void *b)
{
	return addr_order(a, &((const struct fact_addr *)b)->addr);
}

static int remote_compare(const void *a, const void *b)
{
	const struct fact_remote *y = b;

	return remote_order(a, &(struct remote_key){y->remote, y->underlay});
}

/*
 * Inline, with the order in it: expand asks some questions for each resource. at: looked for
 * first where the last one was found, and behind it; NULL: nowhere first.
 */
static inline __attribute__((always_inline)) const void *
find(const void *v, size_t len, size_t size, const void *key,
     int (*order_of)(const void *, const void *), size_t *at)
{
	size_t from = 0, to = len, last = at ? *at : len;

	for (size_t i = last; i < len && i <= last + 1; i++)
		if (order_of((const char *)v + i * size, key) == 0) {
			*at = i;
			return (const char *)v + i * size;
		}
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		const void *row = (const char *)v + middle * size;
		int order = order_of(row, key);

		if (order == 0 && at)
			*at = middle;
		if (order == 0)
			return row;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

#define FIND(facts, list, key, order_of, at)                                                       \
	find((facts)->list.v, (facts)->list.len, sizeof(*(facts)->list.v), (key), (order_of), (at))

const struct fact_link *facts_link_near(const struct facts *facts, const char *device, size_t *at)
{
	return FIND(facts, links, device, link_order, at);
}

const struct fact_link *facts_link(const struct facts *facts, const char *device)
{
	return facts_link_near(facts, device, NULL);
}

const struct fact_addr *facts_addr(const struct facts *facts, struct addr addr)
{
	return FIND(facts, addrs, &addr, addr_order, NULL);
}

const struct fact_remote *facts_remote_near(const struct facts *facts, struct addr remote,
					    const char *underlay, size_t *at)
{
	const struct remote_key key = {remote, underlay};

	return FIND(facts, remotes, &key, remote_order, at);
}

const struct fact_remote *facts_remote(const struct facts *facts, struct addr remote,
				       const char *underlay)
{
	return facts_remote_near(facts, remote, underlay, NULL);
}

void facts_sort(struct facts *facts)
{
	vec_sort(&facts->links, link_compare);
	vec_sort(&facts->addrs, fact_addr_compare);
	vec_sort(&facts->remotes, remote_compare);
}

void facts_put_link(struct facts *facts, const struct fact_link *link)
{
	struct fact_link *found = (struct fact_link *)(uintptr_t)facts_link(facts, link->device);

	if (found) {
		*found = *link;
		return;
	}
	vec_push(&facts->links, *link);
	vec_sort(&facts->links, link_compare);
}

void facts_drop_link(struct facts *facts, const char *device)
{
	struct fact_link *found = (struct fact_link *)(uintptr_t)facts_link(facts, device);

	if (!found)
		return;
	facts->links.len--;
	memmove(found, found + 1,
		(size_t)(facts->links.v + facts->links.len - found) * sizeof(*found));
}

void facts_drop_addrs(struct facts *facts, const char *device, struct addr addr)
{
	size_t kept = 0;

	for (size_t i = 0; i < facts->addrs.len; i++) {
		const struct fact_addr *fact = &facts->addrs.v[i];

		if (strcmp(fact->device, device) != 0 ||
		    (addr.host && fact->addr.host != addr.host))
			facts->addrs.v[kept++] = *fact;
	}
	facts->addrs.len = kept;
}

bool facts_lead_over_ours(const struct facts *facts)
{
	const char *last = "";

	for (size_t i = 0; i < facts->remotes.len; i++) {
		const char *device = facts->remotes.v[i].device;

		if (strcmp(device, last) == 0)
			continue; /* most lead over one device */
		const struct fact_link *link = facts_link(facts, device);
		if (link && link->ours)
			return true;
		last = device;
	}
	return false;
}

void facts_done(struct facts *facts)
{
	vec_done(&facts->links);
	vec_done(&facts->addrs);
	vec_done(&facts->remotes);
}
