/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hazards in other people's rules: each base chain is asked what it would do with packets of
 * ours. Some of these stand for all of them where many are declared.
 */
#include "daemon/hazard_hunt.h"

#include <linux/netfilter.h>
#include <string.h>

#include "base/text.h"
#include "daemon/hazard_walk.h"
#include "daemon/shell_word.h"

enum {
	WAYS_MAX = 32,      /* that are tried */
	NAMED_MAX = 8,      /* devices or peers in a fix; it is none with more of them */
	DEVICES_TOLD = 3,   /* in a message */
	STEPS_MAX = 1000000 /* of all walks of a scan: the loop waits for them */
};

/* What is forwarded by a NAT rule, or one tunnel's outer packets. */
struct way {
	const char *device;   /* the tunnel's, or where what is translated comes in */
	const char *other;    /* that it leaves by; or the underlay's, "": not known */
	struct prefix source; /* or the tunnel's local address */
	struct addr remote;   /* of a tunnel */
	const char *resource;
};

struct ways {
	struct way v[WAYS_MAX];
	size_t len;
	bool more;
};

/* Those of the ways that a chain is a hazard to. */
struct victims {
	const struct way *v[WAYS_MAX];
	size_t len;
	enum hazard_severity severity;
	const struct ruleset_chain *named; /* that it is called by; NULL: by the base chain */
};

/* What has taken too long finds nothing, which is told. */
static void walk_chain(struct hunt *hunt, struct hazard_walk *walk,
		       const struct ruleset_chain *chain)
{
	if (hunt->steps > STEPS_MAX)
		return;
	hazard_walk(walk, chain);
	hunt->steps += walk->steps;
}

static void add_way(struct ways *ways, struct way way)
{
	if (ways->len < WAYS_MAX)
		ways->v[ways->len++] = way;
	else
		ways->more = true;
}

static void forwarded_by(struct hunt *hunt, const struct nat_rule *rule, struct ways *ways)
{
	const struct resources *tunnels = hunt_declared(hunt, KIND_TUNNEL);
	struct way way = {
		.device = rule->in_interface,
		.other = rule->out_interface,
		.source = rule->sources.len ? rule->sources.v[0] : (struct prefix){{0}, 0},
		.resource = hunt_name(hunt, KIND_NAT_RULE, &rule->head),
	};

	if (rule->in_interface[0]) {
		add_way(ways, way);
		return;
	}
	for (size_t i = 0; i < tunnels->len && !ways->more; i++) {
		way.device = tunnel_device((const struct tunnel *)tunnels->v[i]);
		if (hunt_is_wanted(tunnels->v[i]))
			add_way(ways, way);
	}
}

static void forwarded(struct hunt *hunt, struct ways *ways)
{
	const struct resources *rules = hunt_declared(hunt, KIND_NAT_RULE);

	ways->len = 0;
	ways->more = false;
	for (size_t i = 0; i < rules->len && !ways->more; i++)
		if (hunt_is_wanted(rules->v[i]))
			forwarded_by(hunt, (const struct nat_rule *)rules->v[i], ways);
}

static void tunnelled(struct hunt *hunt, struct ways *ways)
{
	const struct resources *tunnels = hunt_declared(hunt, KIND_TUNNEL);
	const struct facts *facts = hunt->view->facts;

	ways->len = 0;
	ways->more = false;
	for (size_t i = 0; i < tunnels->len && !ways->more; i++) {
		const struct tunnel *tunnel = (const struct tunnel *)tunnels->v[i];
		const struct fact_remote *to = facts_remote(facts, tunnel->remote,
							    tunnel->underlay);
		struct addr local = tunnel->local.host || !to ? tunnel->local : to->source;

		if (hunt_is_wanted(&tunnel->head))
			add_way(ways,
				(struct way){
					.device = tunnel_device(tunnel),
					.other = to ? to->device : "",
					.source = {local, local.host ? 32 : 0},
					.remote = tunnel->remote,
					.resource = hunt_name(hunt, KIND_TUNNEL, &tunnel->head),
				});
	}
}

static void add_victim(struct victims *victims, const struct way *way,
		       enum hazard_severity severity)
{
	if (!victims->len || severity < victims->severity)
		victims->severity = severity;
	if (!victims->len || victims->v[victims->len - 1] != way)
		victims->v[victims->len++] = way;
}

static bool is_named_before(const struct victims *victims, size_t i, bool resource)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(resource ? victims->v[j]->resource : victims->v[j]->device,
			   resource ? victims->v[i]->resource : victims->v[i]->device) == 0)
			return true;
	return false;
}

static void name_resources(const struct victims *victims, struct place *place)
{
	size_t n = 0;

	for (size_t i = 0; i < victims->len && n < HAZARD_RESOURCES; i++)
		if (!is_named_before(victims, i, true))
			place->resources[n++] = victims->v[i]->resource;
}

/* "tun_a, tun_b and 3 more" */
static const char *devices_of(struct hunt *hunt, const struct victims *victims, bool more)
{
	cleanup_text struct text text = {0};
	size_t n = 0;

	for (size_t i = 0; i < victims->len; i++) {
		if (is_named_before(victims, i, false))
			continue;
		if (++n <= DEVICES_TOLD)
			text_addf(&text, "%s%s", n > 1 ? ", " : "", victims->v[i]->device);
	}
	if (more)
		text_add(&text, " and others");
	else if (n > DEVICES_TOLD)
		text_addf(&text, " and %zu more", n - DEVICES_TOLD);
	return arena_strdup(&hunt->found->arena, text_str(&text));
}

/* As the nft program takes it in single quotes. It cannot name a chain "fwd". */
static bool is_plain(const char *name)
{
	return strcmp(name, "fwd") != 0 && shell_word(name);
}

/* Docker's chain for rules of the host's owner outlives docker; those in its others do not. */
static const char *chain_for_fix(const struct hunt *hunt, const struct ruleset_chain *chain)
{
	static const char users[] = "DOCKER-USER";

	return chain->hook == NF_INET_FORWARD && ruleset_chain(hunt->view->ruleset, chain->family,
							       chain->table, users)
		       ? users
		       : chain->name;
}

/* Which packets a fix lets through. */
enum fix_matches { FIX_BOTH_WAYS, FIX_ARRIVING, FIX_LEAVING, FIX_FROM_PEERS, FIX_TO_PEERS };

static void add_rule(struct text *text, const char *where, const char *matches, const char *value)
{
	text_addf(text, "%s%s %s%s accept", text->len ? "; " : "", where, matches, value);
}

/* NULL: there are too many, or names that nft would not take. */
static const char *accepting(struct hunt *hunt, const struct ruleset_chain *chain,
			     const struct victims *victims, enum fix_matches matches)
{
	struct arena *arena = &hunt->found->arena;
	const char *name = chain_for_fix(hunt, chain);
	const char *where = arena_printf(arena, "insert rule %s %s %s", chain->family, chain->table,
					 name);
	cleanup_text struct text text = {0};
	char remote[ADDR_TEXT];

	if (!is_plain(chain->table) || !is_plain(name) || victims->len > NAMED_MAX)
		return NULL;
	for (size_t i = 0; i < victims->len; i++) {
		const struct way *way = victims->v[i];
		const char *device = arena_printf(arena, "\"%s\"", way->device);

		if (matches <= FIX_LEAVING && is_named_before(victims, i, false))
			continue;
		switch (matches) {
		case FIX_BOTH_WAYS:
			add_rule(&text, where, "iifname ", device);
			add_rule(&text, where, "oifname ", device);
			break;
		case FIX_ARRIVING:
			add_rule(&text, where, "iifname ", device);
			break;
		case FIX_LEAVING:
			add_rule(&text, where, "oifname ", device);
			break;
		case FIX_FROM_PEERS:
			add_rule(&text, where, "ip protocol 4 ip saddr ",
				 addr_text(way->remote, remote));
			break;
		case FIX_TO_PEERS:
			add_rule(&text, where, "ip protocol 4 ip daddr ",
				 addr_text(way->remote, remote));
			break;
		}
	}
	return arena_strdup(arena, text_str(&text));
}

/* The chain is a hazard to these. */
struct verdict {
	const struct ruleset_chain *chain; /* with the rules that would be mended */
	const struct victims *victims;
	const char *what;
	enum fix_matches fix;
	bool more;
};

/* It puts its rules before all others again and again: none of nft's lasts there. */
static bool is_calicos(const char *name)
{
	return strncmp(name, "cali-", strlen("cali-")) == 0;
}

static void add_chain(struct hunt *hunt, const struct verdict *verdict)
{
	const struct ruleset_chain *named = verdict->victims->named ? verdict->victims->named
								    : verdict->chain;
	const char *rules = accepting(hunt, verdict->chain, verdict->victims, verdict->fix);
	struct place place = {
		.severity = verdict->victims->severity,
		.object = arena_printf(&hunt->found->arena, "nft %s %s %s", named->family,
				       named->table, named->name),
		.what = verdict->what,
		.devices = devices_of(hunt, verdict->victims, verdict->more),
		.rules = rules,
		.unfixable = !rules || verdict->more || is_calicos(named->name),
	};

	name_resources(verdict->victims, &place);
	hunt_add(hunt, &place);
}

static bool is_arrival(const struct ruleset_chain *chain)
{
	return chain->hook == NF_INET_PRE_ROUTING || chain->hook == NF_INET_LOCAL_IN;
}

/* What is looked for: a chain that does it to one of these ways. */
struct search {
	void (*gather)(struct hunt *hunt, struct ways *ways);
	bool (*regards)(const struct ruleset_chain *chain);
	void (*try)(struct hunt *hunt, const struct ruleset_chain *chain, const struct way *way,
		    struct victims *victims);
	const char *(*say)(struct hunt *hunt, const struct victims *victims);
	enum fix_matches arriving, leaving;
};

static void search(struct hunt *hunt, const struct search *search)
{
	const struct ruleset *ruleset = hunt->view->ruleset;
	struct ways ways;

	search->gather(hunt, &ways);
	for (size_t i = 0; i < ruleset->chains.len; i++) {
		const struct ruleset_chain *chain = &ruleset->chains.v[i];
		struct victims victims = {0};

		if (!search->regards(chain))
			continue;
		for (size_t w = 0; w < ways.len; w++)
			search->try(hunt, chain, &ways.v[w], &victims);
		if (victims.len)
			add_chain(hunt,
				  &(struct verdict){
					  chain,
					  &victims,
					  search->say(hunt, &victims),
					  is_arrival(chain) ? search->arriving : search->leaving,
					  ways.more,
				  });
	}
}

static const char *say_drops(unused_ struct hunt *hunt, const struct victims *victims)
{
	return victims->severity == HAZARD_CRITICAL ? "drops" : "may drop";
}

static bool forwards(const struct ruleset_chain *chain)
{
	return chain->base && !chain->nat && chain->hook == NF_INET_FORWARD;
}

/* By the rule for new packets there, and for replies back. */
static void try_forward(struct hunt *hunt, const struct ruleset_chain *chain, const struct way *way,
			struct victims *victims)
{
	const struct hazard_packet packets[] = {
		{way->device, way->other, way->source, {{0}, 0}, false, RULESET_NEW},
		{way->other, way->device, {{0}, 0}, way->source, false, RULESET_ESTABLISHED},
	};

	for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
		struct hazard_walk walk = {.ruleset = hunt->view->ruleset, .packet = &packets[i]};

		walk_chain(hunt, &walk, chain);
		if (walk.dropped)
			add_victim(victims, way,
				   walk.perhaps_accepted ? HAZARD_WARNING : HAZARD_CRITICAL);
	}
}

void find_forward_drops(struct hunt *hunt)
{
	search(hunt, &(struct search){forwarded, forwards, try_forward, say_drops, FIX_BOTH_WAYS,
				      FIX_BOTH_WAYS});
}

static bool sees_device(const struct ruleset_chain *chain, const char *device)
{
	for (size_t i = 0; chain->devices && chain->devices[i]; i++)
		if (strcmp(chain->devices[i], device) == 0)
			return true;
	return !chain->devices;
}

static bool sees_outer(const struct ruleset_chain *chain, const struct way *way)
{
	return chain->hook != NF_INET_FORWARD && sees_device(chain, way->other);
}

static bool takes_in(const struct ruleset_chain *chain)
{
	return chain->base && !chain->nat && is_arrival(chain);
}

static bool lets_out(const struct ruleset_chain *chain)
{
	return chain->base && !chain->nat && !is_arrival(chain);
}

static void walk_outer(struct hunt *hunt, struct hazard_walk *walk,
		       const struct ruleset_chain *chain, const struct way *way, uint8_t state)
{
	struct prefix remote = {way->remote, 32};
	bool arrives = is_arrival(chain);
	struct hazard_packet packet = {
		.in = arrives ? way->other : "",
		.out = arrives ? "" : way->other,
		.source = arrives ? remote : way->source,
		.destination = arrives ? way->source : remote,
		.outer = true,
		.state = state,
	};

	*walk = (struct hazard_walk){.ruleset = hunt->view->ruleset, .packet = &packet};
	walk_chain(hunt, walk, chain);
	walk->packet = NULL;
}

/* Where only what is established passes, a tunnel works while this side has sent first. */
static void try_outer(struct hunt *hunt, const struct ruleset_chain *chain, const struct way *way,
		      struct victims *victims)
{
	struct hazard_walk walk, later;

	if (!sees_outer(chain, way))
		return;
	walk_outer(hunt, &walk, chain, way, RULESET_NEW);
	if (!walk.dropped || walk.protocol_drop)
		return;
	walk_outer(hunt, &later, chain, way, RULESET_ESTABLISHED);
	add_victim(victims, way,
		   walk.perhaps_accepted || later.perhaps_accepted || !later.dropped
			   ? HAZARD_WARNING
			   : HAZARD_CRITICAL);
}

void find_input_drops(struct hunt *hunt)
{
	search(hunt, &(struct search){tunnelled, takes_in, try_outer, say_drops, FIX_FROM_PEERS,
				      FIX_TO_PEERS});
}

void find_output_drops(struct hunt *hunt)
{
	search(hunt, &(struct search){tunnelled, lets_out, try_outer, say_drops, FIX_FROM_PEERS,
				      FIX_TO_PEERS});
}

/* The tunnel's own device: a chain of it sees what is inside, and drops all of that. */
static void try_device(struct hunt *hunt, const struct ruleset_chain *chain, const struct way *way,
		       struct victims *victims)
{
	bool arrives = is_arrival(chain);
	struct hazard_packet packet = {
		.in = arrives ? way->device : "",
		.out = arrives ? "" : way->device,
		.state = RULESET_NEW,
	};
	struct hazard_walk walk = {.ruleset = hunt->view->ruleset, .packet = &packet};

	if (!sees_device(chain, way->device))
		return;
	walk_chain(hunt, &walk, chain);
	if (walk.dropped)
		add_victim(victims, way, walk.perhaps_accepted ? HAZARD_WARNING : HAZARD_CRITICAL);
}

static bool has_devices(const struct ruleset_chain *chain)
{
	return chain->base && chain->devices;
}

void find_device_drops(struct hunt *hunt)
{
	search(hunt, &(struct search){tunnelled, has_devices, try_device, say_drops, FIX_ARRIVING,
				      FIX_LEAVING});
}

static bool filters(const struct ruleset_chain *chain)
{
	return chain->base && !chain->nat;
}

static void try_protocol(struct hunt *hunt, const struct ruleset_chain *chain,
			 const struct way *way, struct victims *victims)
{
	struct hazard_walk walk;

	if (!sees_outer(chain, way))
		return;
	walk_outer(hunt, &walk, chain, way, RULESET_NEW);
	if (!walk.protocol_drop)
		return;
	victims->named = walk.protocol_drop;
	add_victim(victims, way,
		   walk.dropped && !walk.perhaps_accepted ? HAZARD_CRITICAL : HAZARD_WARNING);
}

static const char *say_protocol(struct hunt *hunt, const struct victims *victims)
{
	const char *drops = say_drops(hunt, victims);

	if (!is_calicos(victims->named->name))
		return drops;
	return arena_printf(&hunt->found->arena,
			    "until externalNodesList of its FelixConfiguration has their "
			    "addresses, %s",
			    drops);
}

void find_protocol_drops(struct hunt *hunt)
{
	search(hunt, &(struct search){tunnelled, filters, try_protocol, say_protocol,
				      FIX_FROM_PEERS, FIX_TO_PEERS});
}

static void try_nat(struct hunt *hunt, const struct ruleset_chain *chain, const struct way *way,
		    struct victims *victims)
{
	struct hazard_packet packet = {way->device, way->other, way->source,
				       {{0}, 0},    false,      RULESET_NEW};
	struct hazard_walk walk = {.ruleset = hunt->view->ruleset, .packet = &packet};

	walk_chain(hunt, &walk, chain);
	if (walk.translated || walk.perhaps_translated)
		add_victim(victims, way, walk.translated ? HAZARD_WARNING : HAZARD_INFO);
}

static bool translates_first(const struct ruleset_chain *chain)
{
	return chain->base && chain->nat && chain->hook == NF_INET_POST_ROUTING &&
	       chain->priority < OUR_NAT_PRIORITY;
}

static const char *say_translates(unused_ struct hunt *hunt, const struct victims *victims)
{
	return victims->severity == HAZARD_WARNING ? "translates" : "may translate";
}

void find_foreign_nat(struct hunt *hunt)
{
	search(hunt, &(struct search){forwarded, translates_first, try_nat, say_translates,
				      FIX_ARRIVING, FIX_ARRIVING});
}

/* Does it check packets that come out of that tunnel? Which of them it drops, the routes say. */
static bool checks_path(const struct ruleset_rule *rule, const struct way *way)
{
	const struct hazard_packet packet = {way->device, "",    {{0}, 0},
					     {{0}, 0},    false, RULESET_NEW};

	return rule->flags & RULESET_REVERSE_PATH && rule->verdict != RULESET_ACCEPT &&
	       rule->verdict != RULESET_NONE && hazard_walk_match(rule, &packet) != HAZARD_NO;
}

void find_reverse_path_checks(struct hunt *hunt)
{
	const struct ruleset *ruleset = hunt->view->ruleset;
	struct ways ways;

	tunnelled(hunt, &ways);
	for (size_t i = 0; i < ruleset->chains.len; i++) {
		const struct ruleset_chain *chain = &ruleset->chains.v[i];
		struct victims victims = {0};

		for (uint32_t r = 0; chain->read && r < chain->len; r++)
			for (size_t w = 0; w < ways.len && !victims.len; w++)
				if (checks_path(&ruleset->rules.v[chain->first + r], &ways.v[w]))
					add_victim(&victims, &ways.v[w], HAZARD_WARNING);
		if (!victims.len)
			continue;
		for (size_t w = 0; w < ways.len; w++)
			if (victims.v[0] != &ways.v[w])
				add_victim(&victims, &ways.v[w], HAZARD_WARNING);
		add_chain(hunt, &(struct verdict){chain, &victims, NULL, FIX_ARRIVING, ways.more});
	}
}

void find_unread_rules(struct hunt *hunt)
{
	const struct hazard_view *view = hunt->view;

	if (view->unread || view->ruleset->partial || hunt->steps > STEPS_MAX)
		hunt_add(hunt,
			 &(struct place){
				 .severity = HAZARD_INFO,
				 .object = "nft",
				 .what = view->unread ? view->unread : "there are too many of them",
			 });
}
