/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decisions of pair, pure: what was read comes in, values go out. */
#include "cli/pair_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/document.h"
#include "model/resource.h"

/* Addresses on these are local matters of a host, or would nest tunnels. */
static const char *const unusable_drivers[] = {
	"bridge", "ipip",  "gre",    "gretap",    "sit", "ip6tnl",
	"vti",    "vxlan", "geneve", "wireguard", "tun", "dummy",
};

static void copy_name(char *to, size_t size, const json_t *object, const char *member)
{
	snprintf(to, size, "%s", document_string(object, member));
}

static bool is_usable(const char *driver)
{
	for (size_t i = 0; i < ARRAY_LEN(unusable_drivers); i++)
		if (strcmp(unusable_drivers[i], driver) == 0)
			return false;
	return true;
}

void pair_plan_read_host(const json_t *document, struct pair_host *host)
{
	const json_t *address;
	size_t i;

	copy_name(host->hostname, sizeof(host->hostname), document, "hostname");
	copy_name(host->id, sizeof(host->id), document, "id");
	copy_name(host->version, sizeof(host->version), document, "version");
	json_array_foreach(json_object_get(document, "addresses"), i, address) {
		struct pair_address read = {
			.usable = is_usable(document_string(address, "driver")),
			.default_route = json_is_true(json_object_get(address, "default_route")),
		};

		if (addr_parse(document_string(address, "address"), &read.addr))
			continue;
		copy_name(read.device, sizeof(read.device), address, "device");
		vec_push(&host->addresses, read);
	}
}

void pair_plan_read_tunnel(const json_t *document, struct pair_host *host)
{
	const json_t *address;
	size_t i;

	json_array_foreach(json_object_get(document, "addresses"), i, address) {
		struct prefix prefix;
		const char *s = json_string_value(address);

		if (s && prefix_parse(s, &prefix) == 0)
			vec_push(&host->taken, prefix_network(prefix));
	}
}

void pair_plan_host_done(struct pair_host *host)
{
	vec_done(&host->addresses);
	vec_done(&host->taken);
}

static bool is_local(const struct pair_host *host, struct addr addr)
{
	for (size_t i = 0; i < host->addresses.len; i++)
		if (host->addresses.v[i].addr.host == addr.host)
			return true;
	return false;
}

static int by_rank(const void *a, const void *b)
{
	const struct pair_endpoints *p = a, *q = b;
	int order = q->rank - p->rank;

	if (!order)
		order = addr_compare(&p->x, &q->x);
	return order ? order : addr_compare(&p->y, &q->y);
}

void pair_plan_candidates(const struct pair_host *a, const struct pair_host *b,
			  struct pair_candidates *out)
{
	for (size_t i = 0; i < a->addresses.len; i++)
		for (size_t j = 0; j < b->addresses.len; j++) {
			const struct pair_address *x = &a->addresses.v[i];
			const struct pair_address *y = &b->addresses.v[j];

			if (!x->usable || !y->usable || is_local(b, x->addr) ||
			    is_local(a, y->addr))
				continue;
			vec_push(out,
				 ((struct pair_endpoints){x->addr, y->addr,
							  x->default_route + y->default_route}));
		}
	vec_sort(out, by_rank);
}

/* What stands in the way of the network on either host; false: nothing. */
static bool find_overlap(const struct pair_host *const hosts[2], struct prefix network,
			 struct prefix *overlap)
{
	for (int side = 0; side < 2; side++) {
		const struct pair_host *host = hosts[side];

		for (size_t i = 0; i < host->taken.len; i++)
			if (prefix_overlaps(host->taken.v[i], network)) {
				*overlap = host->taken.v[i];
				return true;
			}
		for (size_t i = 0; i < host->addresses.len; i++)
			if (prefix_covers(network, host->addresses.v[i].addr)) {
				*overlap = (struct prefix){host->addresses.v[i].addr, 32};
				return true;
			}
	}
	return false;
}

/* A /31 has two addresses; of a /30 the outer two are network and broadcast. */
static void split(struct prefix network, struct prefix inner[2])
{
	uint32_t first = network.addr.host + (network.len == 30);

	inner[0] = (struct prefix){{first}, network.len};
	inner[1] = (struct prefix){{first + 1}, network.len};
}

int pair_plan_inner(struct prefix pool, const struct pair_host *const hosts[2],
		    struct prefix inner[2])
{
	uint8_t len = pool.len >= 30 ? pool.len : 31;
	uint64_t step = UINT64_C(1) << (32 - len), end = (uint64_t)prefix_last(pool).host + 1;
	struct prefix overlap;

	for (uint64_t at = pool.addr.host; at + step <= end;) {
		struct prefix network = {{(uint32_t)at}, len};

		if (!find_overlap(hosts, network, &overlap)) {
			split(network, inner);
			return 0;
		}
		/* past what is in the way, so that a large one is no long walk */
		uint64_t past = (uint64_t)prefix_last(overlap).host + 1;
		at = past > at + step ? (past + step - 1) / step * step : at + step;
	}
	return -ENOSPC;
}

/* FNV-1a: any 32 bits that depend on both ids and on their order */
static uint32_t hash(uint32_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT32_C(16777619);
	return h;
}

void pair_plan_name(const struct pair_host *a, const struct pair_host *b,
		    char name[static IFNAMSIZ])
{
	int len_a = (int)strcspn(a->hostname, "."), len_b = (int)strcspn(b->hostname, ".");
	char both[2 * sizeof(a->hostname)];
	bool equal = len_a == len_b && strncmp(a->hostname, b->hostname, (size_t)len_a) == 0;

	snprintf(both, sizeof(both), "%.*s-%.*s", len_a, a->hostname, len_b, b->hostname);
	if (!equal && strlen(both) < IFNAMSIZ && !ifname_fault(both) && !resource_name_fault(both))
		snprintf(name, IFNAMSIZ, "%.15s", both);
	else
		snprintf(name, IFNAMSIZ, "ipip-%08x",
			 (unsigned)hash(hash(UINT32_C(2166136261), a->id), b->id));
}

struct addr pair_plan_probe(struct prefix prefix)
{
	if (prefix.len >= 31)
		return prefix.addr;
	/* 0.0.0.0/8 cannot be asked for: of a half or the whole Internet, take 1.0.0.1 */
	if (prefix.addr.host >> 24 == 0 && prefix.len < 8)
		return (struct addr){UINT32_C(0x01000001)};
	return (struct addr){prefix.addr.host + 1};
}
