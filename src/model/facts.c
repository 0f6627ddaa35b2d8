/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking up facts by binary search. */
#include "model/facts.h"

static int link_compare(const void *a, const void *b)
{
	const struct fact_link *x = a, *y = b;

	return strcmp(x->device, y->device);
}

static int fact_addr_compare(const void *a, const void *b)
{
	const struct fact_addr *x = a, *y = b;

	return addr_compare(&x->addr, &y->addr);
}

static int remote_compare(const void *a, const void *b)
{
	const struct fact_remote *x = a, *y = b;
	int order = addr_compare(&x->remote, &y->remote);

	return order ? order : strcmp(x->underlay, y->underlay);
}

#define FIND(facts, list, key, compare)                                                            \
	((facts)->list.len ? bsearch((key), (facts)->list.v, (facts)->list.len,                    \
				     sizeof(*(facts)->list.v), (compare))                          \
			   : NULL)

const struct fact_link *facts_link(const struct facts *facts, const char *device)
{
	struct fact_link key = {0};

	strncpy(key.device, device, sizeof(key.device) - 1);
	return FIND(facts, links, &key, link_compare);
}

const struct fact_addr *facts_addr(const struct facts *facts, struct addr addr)
{
	struct fact_addr key = {.addr = addr};

	return FIND(facts, addrs, &key, fact_addr_compare);
}

const struct fact_remote *facts_remote(const struct facts *facts, struct addr remote,
				       const char *underlay)
{
	struct fact_remote key = {.remote = remote};

	strncpy(key.underlay, underlay, sizeof(key.underlay) - 1);
	return FIND(facts, remotes, &key, remote_compare);
}

void facts_sort(struct facts *facts)
{
	vec_sort(&facts->links, link_compare);
	vec_sort(&facts->addrs, fact_addr_compare);
	vec_sort(&facts->remotes, remote_compare);
}

/* Multiplied as by FNV; folded, so that no two high bits cancel each other out. */
static uint64_t mix(uint64_t digest, const void *p, size_t size)
{
	const char *bytes = p;

	for (size_t at = 0; at < size; at += sizeof(uint32_t)) {
		uint32_t word = 0;

		memcpy(&word, bytes + at, size - at < sizeof(word) ? size - at : sizeof(word));
		digest = (digest ^ word) * UINT64_C(1099511628211);
		digest ^= digest >> 32;
	}
	return digest;
}

/* Bytes of padding that are not zero would only make it another digest than it could be. */
uint64_t facts_digest(const struct facts *facts)
{
	const uint64_t alone[] = {
		facts->links.len,         facts->addrs.len, facts->remotes.len,
		facts->ip_forward,        facts->ipv6,      facts->default_forwarding,
		facts->default_rp_filter,
	};
	uint64_t digest = mix(UINT64_C(14695981039346656037), alone, sizeof(alone));

	digest = mix(digest, facts->links.v, facts->links.len * sizeof(*facts->links.v));
	digest = mix(digest, facts->addrs.v, facts->addrs.len * sizeof(*facts->addrs.v));
	return mix(digest, facts->remotes.v, facts->remotes.len * sizeof(*facts->remotes.v));
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
	facts->links_gone++;
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
