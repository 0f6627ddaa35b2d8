/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resources and facts to kernel objects. Here: the walk over the declaration, tunnels, exit
 * routes and the chains that they share; policy rules are in rules.c, NAT in nat.c.
 */
#include "plan/expander.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	IPIP_OVERHEAD = 20,
	MTU_MIN = 68,
	MTU_MAX = 65515,
	PRIORITY_RAW = -300,    /* NF_IP_PRI_RAW */
	PRIORITY_MANGLE = -150, /* NF_IP_PRI_MANGLE */
};

static void *want_in(struct expander *x, enum kind_id kind, struct object_list *list)
{
	struct object *object = arena_alloc(x->arena, kinds[kind]->size);

	object_list_push(list, object);
	object->set = x->compared[kind];
	if (x->now && x->now->resource->adopt)
		object->marks |= OBJECT_ADOPT;
	if (!x->now)
		object->marks |= OBJECT_SHARED;
	else
		expander_claim(x, kind, object);
	return object;
}

void *expander_want(struct expander *x, enum kind_id kind)
{
	return want_in(x, kind, &x->out->desired.kind[kind]);
}

void expander_claim(struct expander *x, enum kind_id kind, const struct object *object)
{
	vec_push(&x->out->claims, ((struct claim){kind, object}));
}

void expander_hold(struct expander *x, enum reason reason, const char *fmt, ...)
{
	char text[256];
	va_list args;

	if (x->now->hold.reason)
		return; /* the first one found stands nearest to the cause */
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	x->now->hold = (struct hold){reason, arena_strdup(x->arena, text)};
}

const struct object *expander_sysctl(struct expander *x, const char *device, enum sysctl_name name,
				     uint32_t value)
{
	struct sysctl *s = expander_want(x, KIND_SYSCTL);

	name_copy(s->device, device);
	s->name = (uint8_t)name;
	s->value = value;
	return &s->head;
}

const struct object *expander_forwarding(struct expander *x, const char *device, bool closed)
{
	const struct object *s = expander_sysctl(x, device, SYSCTL_FORWARDING, 1);

	if (closed)
		vec_push(&x->opened, (const struct sysctl *)s);
	return s;
}

void expander_set(struct expander *x, const char *name, enum nft_set_type type, bool map,
		  bool interval, bool counter)
{
	struct nft_set *s = expander_want(x, KIND_NFT_SET);

	name_copy(s->name, name);
	s->type = (uint8_t)type;
	s->map = map;
	s->interval = interval;
	s->counter = counter;
}

void expander_ifname(struct expander *x, const char *set, const char *device)
{
	struct nft_element *e = expander_want(x, KIND_NFT_ELEMENT);

	name_copy(e->set_name, set);
	name_copy(e->device, device);
	e->head.set &= ~x->prefix_bit;
}

void expander_source(struct expander *x, struct object_list *list, const char *set,
		     struct prefix prefix, struct addr to)
{
	struct nft_element *e = want_in(x, KIND_NFT_ELEMENT, list);

	name_copy(e->set_name, set);
	e->prefix = prefix;
	e->to = to;
	e->head.set &= ~x->device_bit;
}

void expander_prefix(struct expander *x, const char *set, struct prefix prefix, struct addr to)
{
	expander_source(x, &x->out->desired.kind[KIND_NFT_ELEMENT], set, prefix, to);
}

uint32_t prefixes_merge(struct prefix *v, uint32_t len)
{
	uint32_t kept = 0;

	if (len > 1)
		vec_sort_(v, len, sizeof(*v), prefix_compare);
	/* sorted by address, then length: a cover comes before what it covers */
	for (uint32_t i = 0; i < len; i++)
		if (!kept || !prefix_overlaps(v[kept - 1], v[i]))
			v[kept++] = v[i];
	return kept;
}

static uint32_t auto_mtu(uint32_t underlay_mtu)
{
	uint32_t mtu = underlay_mtu > IPIP_OVERHEAD ? underlay_mtu - IPIP_OVERHEAD : 0;

	return mtu < MTU_MIN ? MTU_MIN : mtu > MTU_MAX ? MTU_MAX : mtu;
}

/* What local and mtu are for now; says why when the underlay does not carry the tunnel. */
static void resolve_underlay(struct expander *x, const struct tunnel *t, struct tunnel *effective)
{
	const struct answer *answer = x->answer;
	char remote[ADDR_TEXT], local[ADDR_TEXT];

	if (t->underlay[0] && !answer->device_there[0])
		expander_hold(x, REASON_INTERFACE_MISSING, "underlay device %s is not there",
			      t->underlay);
	if (t->local.host && !answer->address_there)
		expander_hold(x, REASON_LOCAL_ADDRESS_MISSING, "this host has no address %s",
			      addr_text(t->local, local));
	if (answer->remote_is_own)
		expander_hold(x, REASON_UNDERLAY_UNROUTABLE, "%s is this host's own address",
			      addr_text(t->remote, remote));
	if (!answer->asked || answer->error) {
		expander_hold(x, REASON_UNDERLAY_UNROUTABLE, "no route to %s: %s",
			      addr_text(t->remote, remote),
			      answer->asked ? strerror(-answer->error) : "not asked yet");
		return;
	}
	if (!t->local.host)
		effective->local = answer->source;
	if (!t->mtu && answer->mtu)
		effective->mtu = auto_mtu(answer->mtu);
}

static void want_link(struct expander *x, const struct tunnel *t, const struct tunnel *effective)
{
	struct link *link = expander_want(x, KIND_LINK);
	bool no_underlay = t->underlay[0] && !x->answer->device_there[0];

	name_copy(link->device, effective->device);
	name_copy(link->driver, "ipip");
	link->local = effective->local;
	link->remote = t->remote;
	name_copy(link->underlay, t->underlay);
	link->ttl = t->ttl;
	link->tos = t->tos;
	link->pmtudisc = t->path_mtu_discovery;
	link->proto = IPPROTO_IPIP;
	link->mtu = effective->mtu;
	link->up = true;
	link->group = OUR_GROUP;
	alias_format(link->alias, x->database_id, t->head.name);
	/* not known now: what the device has stays */
	if (!effective->local.host)
		link->head.set &= ~object_bit(link_kind, "local");
	if (!effective->mtu)
		link->head.set &= ~object_bit(link_kind, "mtu");
	if (no_underlay)
		link->head.set &= ~object_bit(link_kind, "underlay");
	if (!effective->local.host || no_underlay)
		link->head.marks |= OBJECT_KEEP;
}

/* An allowed source is accepted, any other dropped, before anything else sees the packet. */
static void want_allowed_sources(struct expander *x, const struct tunnel *t, const char *device)
{
	struct nft_rule accept = {.verdict = NFT_VERDICT_ACCEPT};
	struct nft_rule drop = {.verdict = NFT_VERDICT_DROP};
	uint32_t len = t->allowed_sources.len;
	struct prefix *v = arena_memdup(x->arena, t->allowed_sources.v, len * sizeof(*v));

	name_copy(accept.iif, device);
	name_copy(drop.iif, device);
	snprintf(accept.saddr_set, sizeof(accept.saddr_set), "allowed_%s", device);
	expander_set(x, accept.saddr_set, NFT_SET_IPV4_ADDR, false, true, false);
	len = prefixes_merge(v, len);
	for (uint32_t i = 0; i < len; i++)
		expander_prefix(x, accept.saddr_set, v[i], (struct addr){0});
	vec_push(&x->sources, accept);
	vec_push(&x->sources, drop);
}

void expand_tunnel(struct expander *x, const struct tunnel *t)
{
	static const uint32_t rp_filter_values[] = {
		[RP_FILTER_OFF] = 0, [RP_FILTER_STRICT] = 1, [RP_FILTER_LOOSE] = 2};
	struct tunnel *effective = x->now->effective;

	name_copy(effective->device, tunnel_device(t));
	if (!t->head.enabled || t->head.deleting)
		return;
	resolve_underlay(x, t, effective);
	want_link(x, t, effective);
	if (!x->answer->usable)
		return;
	for (uint32_t i = 0; i < t->addresses.len; i++) {
		struct address *a = expander_want(x, KIND_ADDRESS);

		name_copy(a->device, effective->device);
		a->prefix = t->addresses.v[i];
	}
	if (t->rp_filter != RP_FILTER_KEEP)
		expander_sysctl(x, effective->device, SYSCTL_RP_FILTER,
				rp_filter_values[t->rp_filter]);
	if (t->mss_clamp) {
		if (!x->clamp.len) {
			struct nft_rule in = {.iif_set = SET_CLAMPED, .clamp = true};
			struct nft_rule out = {.oif_set = SET_CLAMPED, .clamp = true};

			vec_push(&x->clamp, in);
			vec_push(&x->clamp, out);
			expander_set(x, SET_CLAMPED, NFT_SET_IFNAME, false, false, false);
		}
		expander_ifname(x, SET_CLAMPED, effective->device);
	}
	if (t->allowed_sources.len)
		want_allowed_sources(x, t, effective->device);
}

uint32_t expander_table(const struct expander *x, struct prefix from)
{
	const struct from_numbers *numbers = x->answers->from_numbers;

	if (from.len == 0)
		return OUR_TABLE_FIRST;
	for (size_t i = 0; numbers && i < numbers->len; i++)
		if (prefix_compare(&numbers->v[i].from, &from) == 0)
			return numbers->v[i].table;
	return 0;
}

static void want_routes(struct expander *x, const struct exit_route *e, uint32_t table,
			const char *device, struct addr source)
{
	for (uint32_t i = 0; i < e->destinations.len; i++) {
		struct route *r = expander_want(x, KIND_ROUTE);

		r->table = table;
		r->dst = e->destinations.v[i];
		r->metric = e->metric;
		r->type = ROUTE_UNICAST;
		name_copy(r->device, device);
		r->prefsrc = source;
		r->scope = RT_SCOPE_LINK;
		r->protocol = OUR_PROTOCOL;
	}
}

static void hold_unnumbered(struct expander *x, struct prefix from)
{
	char text[PREFIX_TEXT];

	expander_hold(x, REASON_NOT_TRIED, "no table could be kept for packets from %s",
		      prefix_text(from, text));
}

void expand_exit_route(struct expander *x, const struct exit_route *e)
{
	static const struct prefix everything[] = {{{0}, 0}};
	struct resource *const *tunnels = x->declaration->kind[KIND_TUNNEL].v;
	const struct tunnel *t = x->answer->tunnel
					 ? (const struct tunnel *)tunnels[x->answer->tunnel - 1]
					 : NULL;
	struct exit_route *effective = x->now->effective;
	const struct prefix *from = e->from.len ? e->from.v : everything;

	if (!effective->source.host && t && t->addresses.len)
		effective->source = t->addresses.v[0].addr;
	if (!e->head.enabled || e->head.deleting)
		return;
	if (!t || !t->head.enabled || t->head.deleting) {
		expander_hold(x, REASON_DEPENDENCY_DISABLED, "tunnel %s is disabled", e->tunnel);
		return;
	}
	if (x->answer->disabled) {
		expander_hold(x, REASON_DEPENDENCY_DISABLED,
			      "its source stands on tunnel %s, which is "
			      "disabled",
			      tunnels[x->answer->disabled - 1]->name);
		return;
	}
	if (!x->answer->usable) {
		expander_hold(x, REASON_DEPENDENCY_FAILED, "the device of tunnel %s is not its own",
			      e->tunnel);
		return;
	}
	for (uint32_t i = 0; i < (e->from.len ? e->from.len : 1); i++) {
		uint32_t table = expander_table(x, from[i]);

		if (table)
			want_routes(x, e, table, tunnel_device(t), effective->source);
		else
			hold_unnumbered(x, from[i]);
	}
}

static void want_chain(struct expander *x, const char *name, enum nft_chain_type type,
		       enum nft_hook hook, int32_t priority, struct nft_rules *rules)
{
	if (!rules->len)
		return;
	struct nft_chain *chain = expander_want(x, KIND_NFT_CHAIN);
	name_copy(chain->name, name);
	chain->type = (uint8_t)type;
	chain->hook = (uint8_t)hook;
	chain->priority = priority;
	chain->accept = true;
	for (size_t i = 0; i < rules->len; i++)
		rules->v[i].head.set = kind_all(&nft_rule_kind);
	chain->rules = (struct rows){
		arena_memdup(x->arena, rules->v, rules->len * sizeof(*rules->v)),
		(uint32_t)rules->len,
	};
	vec_done(rules);
}

static void expand_chains(struct expander *x)
{
	want_chain(x, "sources", NFT_CHAIN_FILTER, NFT_HOOK_PREROUTING, PRIORITY_RAW, &x->sources);
	want_chain(x, "clamp", NFT_CHAIN_FILTER, NFT_HOOK_FORWARD, PRIORITY_MANGLE, &x->clamp);
	want_chain(x, "forward", NFT_CHAIN_FILTER, NFT_HOOK_FORWARD, 0, &x->forward);
	want_chain(x, "nat", NFT_CHAIN_NAT, NFT_HOOK_POSTROUTING, OUR_NAT_PRIORITY, &x->nat);
	if (!x->out->desired.kind[KIND_NFT_CHAIN].len)
		return;
	struct nft_table *table = expander_want(x, KIND_NFT_TABLE);
	name_copy(table->name, OUR_NFT_TABLE);
}

/* The rows that the client left to the agent, less those that say nothing. */
static uint64_t left_to_agent(const struct kind *kind, const struct resource *r,
			      const void *effective)
{
	static const char *const silent[] = {"name", "labels", "comment", "enabled", "adopt"};
	uint64_t rows = kind_all(kind);

	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *f = &kind->fields[i];
		const char *value = field_in(f, effective);
		bool word = f->flags & FIELD_WORD && field_number(f, r) == f->word_value;
		bool empty = (f->type == FIELD_NAME && !*value) || f->type == FIELD_PREFIXES ||
			     (f->type == FIELD_ADDR && !field_number(f, effective)) ||
			     (word && field_number(f, effective) == f->word_value);

		for (size_t s = 0; s < ARRAY_LEN(silent); s++)
			empty |= strcmp(f->name, silent[s]) == 0;
		if (empty || (r->set >> i & 1 && !word))
			rows &= ~(UINT64_C(1) << i);
	}
	return rows;
}

static void begin(struct expander *x, const struct kind *kind, const struct resource *r)
{
	x->now = vec_add(&x->out->expansions);
	*x->now = (struct expansion){
		.resource = r,
		.kind = kind,
		.effective = arena_memdup(x->out->scratch ? x->out->scratch : x->arena, r,
					  kind->size),
		.claims_from = x->out->claims.len,
	};
}

static void end(struct expander *x)
{
	struct expansion *e = x->now;

	e->claims_to = x->out->claims.len;
	for (uint64_t rows = x->left_out[e->kind->id]; rows; rows &= rows - 1) {
		const struct field *f = &e->kind->fields[__builtin_ctzll(rows)];

		memset(field_of(f, e->effective), 0, f->size);
	}
	x->now = NULL;
}

static void gather_sources(struct expander *x)
{
	struct object_list *lists[] = {&x->counted_in, &x->translated, &x->counted_out};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (size_t at = 0; at < lists[i]->len; at++)
			object_list_push(&x->out->desired.kind[KIND_NFT_ELEMENT], lists[i]->v[at]);
		free(lists[i]->v);
		*lists[i] = (struct object_list){0};
	}
}

/* An interval set refuses overlaps: of two rules' sources the shorter prefix stands for both. */
static void drop_covered(struct object_list *elements)
{
	size_t kept = 0;

	for (size_t i = 0; i < elements->len; i++) {
		const struct nft_element *last = kept ? (struct nft_element *)elements->v[kept - 1]
						      : NULL;
		const struct nft_element *e = (struct nft_element *)elements->v[i];

		if (last && !e->device[0] && strcmp(last->set_name, e->set_name) == 0 &&
		    prefix_overlaps(last->prefix, e->prefix)) {
			elements->v[i]->marks |= OBJECT_COVERED;
			continue;
		}
		elements->v[kept++] = elements->v[i];
	}
	elements->len = kept;
}

static void expand_resource(struct expander *x, const struct kind *kind, const struct resource *r,
			    const struct answer *answer)
{
	x->answer = answer;
	begin(x, kind, r);
	if (kind->id == KIND_TUNNEL)
		expand_tunnel(x, (const struct tunnel *)r);
	else if (kind->id == KIND_EXIT_ROUTE)
		expand_exit_route(x, (const struct exit_route *)r);
	else
		expand_nat_rule(x, (const struct nat_rule *)r);
	end(x);
}

/* Lists and strings: they are the resource's, which may go. */
static uint64_t left_out(const struct kind *kind)
{
	uint64_t rows = 0;

	for (unsigned i = 0; i < kind->n_fields; i++) {
		enum field_type type = kind->fields[i].type;

		if (type == FIELD_STRING || type == FIELD_PREFIXES || type == FIELD_LABELS)
			rows |= UINT64_C(1) << i;
	}
	return rows;
}

static struct expander expander_begin(const struct expand_input *input,
				      const struct answers *answers, struct arena *arena,
				      struct expand_output *out)
{
	struct expander x = {
		.declaration = input->declaration,
		.database_id = input->database_id,
		.answers = answers,
		.arena = arena,
		.out = out,
		.prefix_bit = object_bit(nft_element_kind, "prefix"),
		.device_bit = object_bit(nft_element_kind, "device"),
	};

	for (unsigned kind = 0; kind < RESOURCE_KINDS; kind++)
		x.left_out[kind] = left_out(kinds[kind]);
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++)
		x.compared[kind] = kind_compared(kinds[kind]);
	out->desired.arena = arena;
	return x;
}

void expand_one(const struct expand_input *input, const struct kind *kind,
		const struct resource *resource, struct arena *arena, struct expand_output *out)
{
	const struct answers answers = answers_ask_one(input, kind->id, resource, arena);
	struct expander x = expander_begin(input, &answers, arena, out);

	expand_resource(&x, kind, resource, answers.v);
	void *effective = out->expansions.v[0].effective;
	*(uint64_t *)effective = left_to_agent(kind, resource, effective);
	gather_sources(&x);
	vec_done(&x.sources);
	vec_done(&x.clamp);
	vec_done(&x.shapes);
	vec_done(&x.opened);
}

void expand(const struct expand_input *input, struct arena *arena, struct expand_output *out)
{
	const struct answers answers = answers_ask(input, out->scratch ? out->scratch : arena);
	struct expander x = expander_begin(input, &answers, arena, out);
	const struct declaration *d = input->declaration;
	const struct answer *answer = answers.v;

	vec_reserve(&out->expansions, answers.len);
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (size_t i = 0; i < d->kind[k].len; i++)
			expand_resource(&x, kinds[k], d->kind[k].v[i], answer++);
	expand_shapes(&x);
	expand_rules(&x);
	expand_chains(&x);
	gather_sources(&x);
	objects_sort(&out->desired);
	drop_covered(&out->desired.kind[KIND_NFT_ELEMENT]);
	out->inputs = answers_digest(&answers);
	vec_done(&x.shapes);
	vec_done(&x.opened);
}

uint64_t expand_inputs(const struct expand_input *input)
{
	cleanup_arena struct arena arena = {0};
	const struct answers answers = answers_ask(input, &arena);

	return answers_digest(&answers);
}

void expand_done(struct expand_output *out)
{
	objects_done(&out->desired);
	vec_done(&out->expansions);
	vec_done(&out->claims);
}

void expand_questions(const struct declaration *declaration, struct vec_remotes *out)
{
	const struct resources *tunnels = &declaration->kind[KIND_TUNNEL];

	for (size_t i = 0; i < tunnels->len; i++) {
		const struct tunnel *t = (const struct tunnel *)tunnels->v[i];
		struct fact_remote question = {.remote = t->remote};

		if (!t->head.enabled || t->head.deleting)
			continue;
		memcpy(question.underlay, t->underlay, sizeof(question.underlay));
		vec_push(out, question);
	}
}
