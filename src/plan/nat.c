/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT rules to nft sets and rules. Rules of one shape share their sets, so that ten thousand
 * sources are ten thousand elements and a handful of rules: /32 sources in a hash, shorter
 * prefixes in an interval set, counted in the forward chain, once for each direction.
 */
#include "plan/expander.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a, 64 bits: names sets, guards nothing */
static uint64_t digest_add(uint64_t digest, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		digest = (digest ^ p[i]) * UINT64_C(0x100000001b3);
	return digest;
}

static uint64_t digest_prefixes(const struct prefixes *list)
{
	uint64_t digest = UINT64_C(0xcbf29ce484222325);

	for (uint32_t i = 0; i < list->len; i++) {
		digest = digest_add(digest, &list->v[i].addr.host, sizeof(list->v[i].addr.host));
		digest = digest_add(digest, &list->v[i].len, sizeof(list->v[i].len));
	}
	return digest;
}

static uint64_t shape_digest(const struct nat_rule *rule, const struct prefixes *destinations)
{
	uint64_t digest = digest_prefixes(destinations);

	digest = digest_add(digest, &rule->priority, sizeof(rule->priority));
	digest = digest_add(digest, &rule->action, sizeof(rule->action));
	digest = digest_add(digest, rule->out_interface, strlen(rule->out_interface) + 1);
	return digest_add(digest, rule->in_interface, strlen(rule->in_interface) + 1);
}

static struct prefixes merged(struct arena *arena, const struct prefixes *list)
{
	struct prefixes copy = {arena_memdup(arena, list->v, list->len * sizeof(*list->v)), 0};

	copy.len = prefixes_merge(copy.v, list->len);
	return copy;
}

static void name_sets(const struct nat_rule *rule, uint64_t digest,
		      const struct prefixes *destinations, struct nat_sets *sets)
{
	static const char *const suffix[] = {[NAT_HOSTS] = "", [NAT_NETS] = "_n"};
	const char *nat = rule->action == NAT_SNAT   ? "snat"
			  : rule->action == NAT_NONE ? "none"
						     : "masq";

	for (int i = NAT_HOSTS; i <= NAT_NETS; i++) {
		snprintf(sets->out[i], SET_NAME, "out_%016" PRIx64 "%s", digest, suffix[i]);
		snprintf(sets->in[i], SET_NAME, "in_%016" PRIx64 "%s", digest, suffix[i]);
		snprintf(sets->nat[i], SET_NAME, "%s_%016" PRIx64 "%s", nat, digest, suffix[i]);
	}
	sets->to[0] = '\0';
	if (destinations->len)
		snprintf(sets->to, SET_NAME, "to_%016" PRIx64, digest_prefixes(destinations));
}

void nat_sets_of(const struct nat_rule *rule, struct nat_sets *sets)
{
	cleanup_arena struct arena arena = {0};
	struct prefixes destinations = merged(&arena, &rule->destinations);

	name_sets(rule, shape_digest(rule, &destinations), &destinations, sets);
}

void nat_sources_of(const struct nat_rule *rule, struct arena *arena, struct prefixes of[static 2])
{
	struct prefixes all = merged(arena, &rule->sources);

	for (int which = NAT_HOSTS; which <= NAT_NETS; which++) {
		of[which] = (struct prefixes){arena_array(arena, all.len, sizeof(*all.v)), 0};
		for (uint32_t i = 0; i < all.len; i++)
			if ((all.v[i].len == 32) == (which == NAT_HOSTS))
				of[which].v[of[which].len++] = all.v[i];
	}
}

static void miss_device(struct expander *x, const char *device)
{
	const struct resources *tunnels = &x->declaration->kind[KIND_TUNNEL];

	for (size_t i = 0; i < tunnels->len; i++)
		if (strcmp(tunnel_device((struct tunnel *)tunnels->v[i]), device) == 0) {
			expander_hold(x, REASON_DEPENDENCY_DISABLED, "tunnel %s is disabled",
				      tunnels->v[i]->name);
			return;
		}
	expander_hold(x, REASON_INTERFACE_MISSING, "device %s is not there", device);
}

/* Rules of one shape mostly follow each other, and then what they share is made once. */
static struct nat_shape *add_shape(struct expander *x, const struct nat_rule *rule)
{
	struct nat_shape shape = {.rule = rule,
				  .destinations = merged(x->arena, &rule->destinations)};
	const struct nat_shape *last = x->shapes.len ? &x->shapes.v[x->shapes.len - 1] : NULL;

	shape.digest = shape_digest(rule, &shape.destinations);
	if (last && last->digest == shape.digest) {
		shape.sets = last->sets;
		for (int i = 0; i < 2 && last->forwarding[i]; i++) {
			shape.forwarding[i] = last->forwarding[i];
			expander_claim(x, KIND_SYSCTL, shape.forwarding[i]);
		}
	} else {
		struct nat_sets *sets = arena_new(x->arena, struct nat_sets);

		name_sets(rule, shape.digest, &shape.destinations, sets);
		shape.sets = sets;
		shape.forwarding[0] = expander_forwarding(x, rule->out_interface,
							  x->answer->closed[0]);
		if (rule->in_interface[0])
			shape.forwarding[1] = expander_forwarding(x, rule->in_interface,
								  x->answer->closed[1]);
	}
	vec_push(&x->shapes, shape);
	return &x->shapes.v[x->shapes.len - 1];
}

void expand_nat_rule(struct expander *x, const struct nat_rule *rule)
{
	static const struct addr nowhere = {0};
	char text[ADDR_TEXT];

	if (!rule->head.enabled || rule->head.deleting)
		return;
	if (!x->answer->device_there[0])
		miss_device(x, rule->out_interface);
	if (rule->in_interface[0] && !x->answer->device_there[1])
		miss_device(x, rule->in_interface);
	if (rule->to_address.host && !x->answer->address_there)
		expander_hold(x, REASON_LOCAL_ADDRESS_MISSING, "this host has no address %s",
			      addr_text(rule->to_address, text));

	struct nat_shape *shape = add_shape(x, rule);
	const struct nat_sets *sets = shape->sets;
	struct prefixes sources = merged(x->arena, &rule->sources);
	for (uint32_t i = 0; i < sources.len; i++) {
		int which = sources.v[i].len == 32 ? NAT_HOSTS : NAT_NETS;

		shape->has[which] = true;
		expander_source(x, &x->counted_out, sets->out[which], sources.v[i], nowhere);
		expander_source(x, &x->counted_in, sets->in[which], sources.v[i], nowhere);
		expander_source(x, &x->translated, sets->nat[which], sources.v[i],
				rule->to_address);
	}
}

/* by the text of the prefixes, as if joined */
static int text_compare(const struct prefixes *a, const struct prefixes *b)
{
	char x[PREFIX_TEXT], y[PREFIX_TEXT];

	for (uint32_t i = 0; i < a->len && i < b->len; i++) {
		int order = strcmp(prefix_text(a->v[i], x), prefix_text(b->v[i], y));

		if (order)
			return order;
	}
	return (a->len > b->len) - (a->len < b->len);
}

/* The order in which rules win: api.md, "NAT rule". */
static int shape_compare(const void *a, const void *b)
{
	const struct nat_shape *x = a, *y = b;
	const struct nat_rule *m = x->rule, *n = y->rule;
	const int orders[] = {
		m->priority - n->priority,
		(m->action != NAT_NONE) - (n->action != NAT_NONE),
		!x->destinations.len - !y->destinations.len,
		!m->in_interface[0] - !n->in_interface[0],
		text_compare(&x->destinations, &y->destinations),
		strcmp(m->in_interface, n->in_interface),
		strcmp(m->out_interface, n->out_interface),
		m->action - n->action,
	};

	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		if (orders[i])
			return orders[i];
	return 0;
}

/* iif in, oif out: from the tunnel to where it leaves */
static struct nft_rule outward(const struct nat_rule *rule, const char *set, const char *to)
{
	struct nft_rule r = {.verdict = NFT_VERDICT_ACCEPT};

	if (rule->in_interface[0])
		name_copy(r.iif, rule->in_interface);
	else
		name_copy(r.iif_set, SET_TUNNELS);
	name_copy(r.oif, rule->out_interface);
	name_copy(r.saddr_set, set);
	name_copy(r.daddr_set, to);
	return r;
}

/* the replies of that, and nothing else */
static struct nft_rule inward(const struct nat_rule *rule, const char *set, const char *to)
{
	struct nft_rule r = {.verdict = NFT_VERDICT_ACCEPT, .established = true};

	name_copy(r.iif, rule->out_interface);
	if (rule->in_interface[0])
		name_copy(r.oif, rule->in_interface);
	else
		name_copy(r.oif_set, SET_TUNNELS);
	name_copy(r.daddr_set, set);
	name_copy(r.saddr_set, to);
	return r;
}

static struct nft_rule translate(const struct nat_rule *rule, const char *set, const char *to)
{
	struct nft_rule r = outward(rule, set, to);

	switch ((enum nat_action)rule->action) {
	case NAT_MASQUERADE:
		r.verdict = NFT_VERDICT_MASQUERADE;
		break;
	case NAT_SNAT:
		r.verdict = NFT_VERDICT_SNAT;
		name_copy(r.snat_map, set);
		r.saddr_set[0] = '\0'; /* what the map does not have goes to the next rule */
		break;
	case NAT_NONE:
		break;
	}
	return r;
}

static void expand_shape(struct expander *x, const struct nat_shape *shape)
{
	const struct nat_rule *rule = shape->rule;
	const struct nat_sets *sets = shape->sets;

	if (sets->to[0]) {
		expander_set(x, sets->to, NFT_SET_IPV4_ADDR, false, true, false);
		for (uint32_t i = 0; i < shape->destinations.len; i++)
			expander_prefix(x, sets->to, shape->destinations.v[i], (struct addr){0});
	}
	for (int i = NAT_HOSTS; i <= NAT_NETS; i++) {
		if (!shape->has[i])
			continue;
		expander_set(x, sets->out[i], NFT_SET_IPV4_ADDR, false, i == NAT_NETS, true);
		expander_set(x, sets->in[i], NFT_SET_IPV4_ADDR, false, i == NAT_NETS, true);
		expander_set(x, sets->nat[i], NFT_SET_IPV4_ADDR, rule->action == NAT_SNAT,
			     i == NAT_NETS, false);
		vec_push(&x->forward, outward(rule, sets->out[i], sets->to));
		vec_push(&x->forward, inward(rule, sets->in[i], sets->to));
		vec_push(&x->nat, translate(rule, sets->nat[i], sets->to));
	}
}

/* Rules without in_interface let every tunnel forward. */
static void open_tunnels(struct expander *x)
{
	const struct resources *tunnels = &x->declaration->kind[KIND_TUNNEL];
	const struct answer *answers = x->answers->v; /* tunnels come first */

	expander_set(x, SET_TUNNELS, NFT_SET_IFNAME, false, false, false);
	for (size_t i = 0; i < tunnels->len; i++) {
		const struct tunnel *t = (const struct tunnel *)tunnels->v[i];

		if (!answers[i].usable)
			continue;
		expander_ifname(x, SET_TUNNELS, tunnel_device(t));
		expander_forwarding(x, tunnel_device(t), answers[i].closed[0]);
	}
}

/*
 * While the host does not forward at large, what we opened lets nothing through but what was
 * accepted above. With ip_forward on it does so by its owner's wish, and nothing is closed.
 */
static void close_opened(struct expander *x)
{
	struct nft_rule drop = {.iif_set = SET_OPENED, .verdict = NFT_VERDICT_DROP};

	if (x->answers->ip_forward || !x->opened.len)
		return;
	for (size_t i = 0; i < x->opened.len; i++)
		expander_ifname(x, SET_OPENED, x->opened.v[i]->device);
	expander_set(x, SET_OPENED, NFT_SET_IFNAME, false, false, false);
	vec_push(&x->forward, drop);
}

void expand_shapes(struct expander *x)
{
	bool every_tunnel = false;

	vec_sort(&x->shapes, shape_compare);
	for (size_t i = 0; i < x->shapes.len; i++) {
		struct nat_shape *shape = &x->shapes.v[i];

		every_tunnel |= !shape->rule->in_interface[0];
		if (i + 1 < x->shapes.len && shape[1].digest == shape->digest) {
			shape[1].has[NAT_HOSTS] |= shape->has[NAT_HOSTS];
			shape[1].has[NAT_NETS] |= shape->has[NAT_NETS];
			continue;
		}
		expand_shape(x, shape);
	}
	if (every_tunnel)
		open_tunnels(x);
	close_opened(x);
}
