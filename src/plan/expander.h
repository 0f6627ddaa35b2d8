/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Inside expand: what its files share. Each function adds objects of one kind of resource
 * to the desired ones, and claims them for the resource in hand.
 */

#include "base/text.h"
#include "plan/answers.h"

struct nft_rules vec_of(struct nft_rule);

/* NAT rules of one shape (priority, action, interfaces, destinations) share their sets, and
 * the devices that forward. */
struct nat_shape {
	const struct nat_rule *rule;  /* any of them: it speaks for the shape */
	struct prefixes destinations; /* merged */
	uint64_t digest;
	bool has[2]; /* sources of NAT_HOSTS, NAT_NETS */
	const struct nat_sets *sets;
	const struct object *forwarding[2]; /* out, in; NULL: without in_interface */
};

struct expander {
	const struct declaration *declaration;
	uint32_t database_id;
	const struct answers *answers;
	const struct answer *answer; /* to the resource in hand */
	struct arena *arena;
	struct expand_output *out;
	uint64_t compared[KINDS];          /* kind_compared of each */
	uint64_t left_out[RESOURCE_KINDS]; /* rows that no effective one has */
	uint64_t prefix_bit, device_bit;   /* of nft_element */
	struct expansion *now;             /* the resource in hand; NULL: nobody claims */
	struct shapes vec_of(struct nat_shape) shapes;
	/* the devices that forward because we switch it on, or did */
	struct opened vec_of(const struct sysctl *) opened;
	/* the chains' rules, gathered over all resources */
	struct nft_rules sources, clamp, forward, nat;
	/* elements of NAT sources, by which of a rule's sets: so that they come in few runs */
	struct object_list counted_out, counted_in, translated;
};

/* Names of our sets and chains. */
#define SET_TUNNELS "tunnels" /* every enabled tunnel's device */
#define SET_CLAMPED "clamped" /* devices whose TCP is clamped */
#define SET_OPENED  OUR_SET_OPENED

/* A desired object with every row set, claimed for the resource in hand. */
void *expander_want(struct expander *x, enum kind_id kind);
/* An object that another resource wanted before. */
void expander_claim(struct expander *x, enum kind_id kind, const struct object *object);
void expander_hold(struct expander *x, enum reason reason, const char *fmt, ...) printf_(3, 4);
const struct object *expander_sysctl(struct expander *x, const char *device, enum sysctl_name name,
				     uint32_t value);
/* It is to forward; closed: as the answer says. */
const struct object *expander_forwarding(struct expander *x, const char *device, bool closed);
void expander_set(struct expander *x, const char *name, enum nft_set_type type, bool map,
		  bool interval, bool counter);
void expander_ifname(struct expander *x, const char *set, const char *device);
void expander_prefix(struct expander *x, const char *set, struct prefix prefix, struct addr to);
/* The same, to one of the lists of elements. */
void expander_source(struct expander *x, struct object_list *list, const char *set,
		     struct prefix prefix, struct addr to);
/* Sorts, and drops what another one covers. Returns the new length. */
uint32_t prefixes_merge(struct prefix *v, uint32_t len);

/* The table of routes for that `from`; 0 when the store has not given it a number. */
uint32_t expander_table(const struct expander *x, struct prefix from);

/* One function a kind of resource. */
void expand_tunnel(struct expander *x, const struct tunnel *tunnel);
void expand_exit_route(struct expander *x, const struct exit_route *exit);
void expand_nat_rule(struct expander *x, const struct nat_rule *rule);
/* What all NAT rules share: sets and rules, one group a shape, and the closing drop. */
void expand_shapes(struct expander *x);
/* The policy rules that lead into our tables; only when there are exit routes. */
void expand_rules(struct expander *x);
