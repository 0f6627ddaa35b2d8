/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to facts, ledger and table numbers; what follows from the answers is expand's. */
#include "plan/answers.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

/* Resources and devices come in much the same order: most are found where the last one was. */
struct asker {
	const struct expand_input *input;
	size_t link_at, sysctl_at, tunnel_at, remote_at;
	struct addr local; /* the last one that was asked about, and whether it is there */
	bool local_there;
	const char *device; /* the same of a NAT rule's device; NULL: none was */
	bool device_there, closed;
};

static const struct fact_link *link_of(struct asker *asker, const char *device)
{
	return facts_link_near(asker->input->facts, device, &asker->link_at);
}

/* The device of its name, NULL for none, is not somebody else's: a foreign one gets nothing but the
 * comparison, until it is adopted or found equal. */
static bool is_its_own(struct asker *asker, const struct tunnel *tunnel,
		       const struct fact_link *link)
{
	struct link key = {0};

	if (!link || link->ours || (tunnel->head.adopt && link->adoptable))
		return true;
	name_copy(key.device, tunnel_device(tunnel));
	const struct object *owned = objects_find(asker->input->owned, KIND_LINK, &key);
	return owned && owned->marks; /* none: it was of another device of that name */
}

/* Enabled, not going, and with a device of its own. */
static bool is_usable(struct asker *asker, const struct tunnel *tunnel)
{
	return tunnel->head.enabled && !tunnel->head.deleting &&
	       is_its_own(asker, tunnel, link_of(asker, tunnel_device(tunnel)));
}

/* Is there a usable tunnel with that device? */
static bool is_of_tunnel(struct asker *asker, const char *device)
{
	const struct resources *tunnels = &asker->input->declaration->kind[KIND_TUNNEL];

	for (size_t i = 0; i < tunnels->len; i++) {
		const struct tunnel *t = (const struct tunnel *)tunnels->v[i];

		if (strcmp(tunnel_device(t), device) == 0 && is_usable(asker, t))
			return true;
	}
	return false;
}

/* Is its forwarding off, or on because we switched it on? */
static bool is_closed(struct asker *asker, const char *device, const struct fact_link *link)
{
	struct sysctl key = {.name = SYSCTL_FORWARDING};

	if (!link || !link->forwarding)
		return true;
	name_copy(key.device, device);
	const struct object *owned = objects_find_near(asker->input->owned, KIND_SYSCTL, &key,
						       &asker->sysctl_at);
	return owned && owned->marks & OBJECT_OURS;
}

/* Most tunnels have the same local address. */
static bool is_there(struct asker *asker, struct addr local)
{
	if (local.host != asker->local.host) {
		asker->local = local;
		asker->local_there = local.host && facts_addr(asker->input->facts, local);
	}
	return asker->local_there;
}

static void ask_tunnel(struct asker *asker, const struct tunnel *t, struct answer *to)
{
	const struct facts *facts = asker->input->facts;

	if (!t->head.enabled || t->head.deleting)
		return;
	const struct fact_link *link = link_of(asker, tunnel_device(t));
	to->usable = is_its_own(asker, t, link);
	to->closed[0] = is_closed(asker, tunnel_device(t), link);
	to->device_there[0] = t->underlay[0] && facts_link(facts, t->underlay);
	to->address_there = is_there(asker, t->local);
	to->remote_is_own = facts_addr(facts, t->remote);
	const struct fact_remote *route = facts_remote_near(facts, t->remote, t->underlay,
							    &asker->remote_at);
	to->asked = route;
	if (!route)
		return;
	to->error = route->error;
	to->source = route->source;
	to->mtu = route->mtu;
}

static uint32_t disabled_source(const struct asker *asker, struct addr source)
{
	const struct resources *tunnels = &asker->input->declaration->kind[KIND_TUNNEL];
	uint32_t disabled = 0;

	if (!source.host || facts_addr(asker->input->facts, source))
		return 0;
	for (size_t i = 0; i < tunnels->len; i++) {
		const struct tunnel *t = (const struct tunnel *)tunnels->v[i];

		for (uint32_t a = 0; a < t->addresses.len; a++) {
			if (t->addresses.v[a].addr.host != source.host)
				continue;
			if (t->head.enabled)
				return 0;
			disabled = (uint32_t)i + 1;
		}
	}
	return disabled;
}

/* 1 + its place among the tunnels, 0: there is none. */
static uint32_t place_of_tunnel(struct asker *asker, const char *name)
{
	const struct resources *tunnels = &asker->input->declaration->kind[KIND_TUNNEL];
	size_t *at = &asker->tunnel_at;

	for (size_t i = *at; i < tunnels->len && i <= *at + 1; i++)
		if (strcmp(tunnels->v[i]->name, name) == 0)
			return (uint32_t)(*at = i) + 1;
	return declaration_find(asker->input->declaration, KIND_TUNNEL, name, at)
		       ? (uint32_t)*at + 1
		       : 0;
}

static void ask_exit_route(struct asker *asker, const struct exit_route *e, struct answer *to)
{
	struct resource *const *tunnels = asker->input->declaration->kind[KIND_TUNNEL].v;

	to->tunnel = place_of_tunnel(asker, e->tunnel);
	if (!e->head.enabled || e->head.deleting)
		return;
	to->usable = to->tunnel && is_usable(asker, (const struct tunnel *)tunnels[to->tunnel - 1]);
	to->disabled = disabled_source(asker, e->source);
}

/* Most NAT rules have the same devices. */
static void ask_device(struct asker *asker, const char *device)
{
	if (asker->device && strcmp(asker->device, device) == 0)
		return;
	asker->device = device;
	const struct fact_link *link = link_of(asker, device);
	/* in this order: the second looks at every tunnel */
	asker->device_there = link || is_of_tunnel(asker, device);
	asker->closed = is_closed(asker, device, link);
}

static void ask_nat_rule(struct asker *asker, const struct nat_rule *rule, struct answer *to)
{
	const char *devices[] = {rule->out_interface, rule->in_interface};

	if (!rule->head.enabled || rule->head.deleting)
		return;
	for (int i = 0; i < 2 && devices[i][0]; i++) {
		ask_device(asker, devices[i]);
		to->device_there[i] = asker->device_there;
		to->closed[i] = asker->closed;
	}
	to->address_there = rule->to_address.host &&
			    facts_addr(asker->input->facts, rule->to_address);
}

static void ask(struct asker *asker, enum kind_id kind, const struct resource *resource,
		struct answer *to)
{
	if (kind == KIND_TUNNEL)
		ask_tunnel(asker, (const struct tunnel *)resource, to);
	else if (kind == KIND_EXIT_ROUTE)
		ask_exit_route(asker, (const struct exit_route *)resource, to);
	else
		ask_nat_rule(asker, (const struct nat_rule *)resource, to);
}

static void ask_own(struct asker *asker, struct arena *arena, struct answers *to)
{
	const struct vec_addrs *addrs = &asker->input->facts->addrs;

	to->own = arena_array(arena, addrs->len, sizeof(*to->own));
	for (size_t i = 0; i < addrs->len; i++) {
		const struct fact_addr *fact = &addrs->v[i];
		const struct fact_link *link = link_of(asker, fact->device);

		if (fact->addr.host >> 24 != 127 && !(link && link->ours) &&
		    !is_of_tunnel(asker, fact->device))
			to->own[to->own_len++] = fact->addr;
	}
}

struct answers answers_ask(const struct expand_input *input, struct arena *arena)
{
	const struct declaration *d = input->declaration;
	struct asker asker = {.input = input};
	struct answers answers = {.ip_forward = input->facts->ip_forward,
				  .from_numbers = input->from_numbers};
	size_t at = 0;

	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		answers.len += d->kind[k].len;
	answers.v = arena_array(arena, answers.len, sizeof(*answers.v));
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (size_t i = 0; i < d->kind[k].len; i++)
			ask(&asker, k, d->kind[k].v[i], &answers.v[at++]);
	if (d->kind[KIND_EXIT_ROUTE].len)
		ask_own(&asker, arena, &answers);
	return answers;
}

struct answers answers_ask_one(const struct expand_input *input, enum kind_id kind,
			       const struct resource *resource, struct arena *arena)
{
	struct asker asker = {.input = input};
	struct answers answers = {arena_new(arena, struct answer), 1,
				  .from_numbers = input->from_numbers};

	ask(&asker, kind, resource, answers.v);
	return answers;
}

/* Multiplied as by FNV; folded, so that no two high bits cancel each other out. */
static uint64_t mix(uint64_t digest, const void *p, size_t size)
{
	const char *bytes = p;

	for (size_t at = 0; at < size; at += sizeof(uint32_t)) {
		uint32_t word;

		memcpy(&word, bytes + at, sizeof(word));
		digest = (digest ^ word) * UINT64_C(1099511628211);
		digest ^= digest >> 32;
	}
	return digest;
}

uint64_t answers_digest(const struct answers *answers)
{
	const uint64_t alone[] = {answers->len, answers->own_len, answers->ip_forward};
	uint64_t digest = mix(UINT64_C(14695981039346656037), alone, sizeof(alone));

	static_assert(sizeof(*answers->v) == 28 && sizeof(*answers->own) == 4, "no padding");
	digest = mix(digest, answers->v, answers->len * sizeof(*answers->v));
	digest = mix(digest, answers->own, answers->own_len * sizeof(*answers->own));
	for (size_t i = 0; answers->from_numbers && i < answers->from_numbers->len; i++) {
		const struct from_number *number = &answers->from_numbers->v[i];
		const uint32_t words[] = {number->from.addr.host, number->from.len, number->table};

		digest = mix(digest, words, sizeof(words));
	}
	return digest;
}
