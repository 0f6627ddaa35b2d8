/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One side of a pair: its requests, each failure told with the side's letter, and a journal
 * of what was changed, so that all of it can be undone.
 */

#include "cli/client.h"
#include "cli/pair_plan.h"
#include "model/resource.h"

struct pair_side {
	const char *letter; /* "a", "b" */
	struct client *client;
	char name[RESOURCE_NAME]; /* of its tunnel, NAT rule and exit route */
	bool dry_run, quiet;      /* change nothing; print no progress */
	bool ready;               /* the agent says so */
	struct pair_host host;
	json_t *tunnels;      /* array: all of them */
	const json_t *tunnel; /* of these, the one of that name; NULL: none */
	struct prefix inner;
	json_t *documents; /* by noun: what was ensured; in a dry run, what would be wanted */
};

/* How to take one change back. */
struct pair_undo {
	const struct pair_side *side;
	const struct kind *kind;
	char *body;    /* PATCH back to this; NULL: DELETE. Owned. */
	char etag[64]; /* of what the change made; "": its answer never came */
};

struct pair_journal vec_of(struct pair_undo);

/* Functions that return int return an exit status, after a message when it is not CLI_OK. */

/* Reads host, status and tunnels. */
int pair_side_read(struct pair_side *side) must_check;
/* name must be set: looks for the tunnel of that name */
void pair_side_find_tunnel(struct pair_side *side);
void pair_side_done(struct pair_side *side);

struct pair_route {
	struct addr to, source;
	char device[IFNAMSIZ]; /* "": the host has no route there */
	unsigned mtu;          /* bytes */
	bool local;            /* to is the host's own */
};

int pair_side_route(const struct pair_side *side, struct addr to, bool underlay,
		    struct pair_route *route) must_check;

/*
 * May the resource of the side's name be made, or is one there that want's member tells to
 * be this pair's? Another one is CLI_CONFLICT. Takes want.
 */
int pair_side_check(const struct pair_side *side, const struct kind *kind, const char *member,
		    json_t *want) must_check;
/*
 * Makes the resource of the side's name hold the members of want (null: is not there): creates
 * it, changes what differs, or leaves it. Returns when it is ready; everything else is a
 * failure. Takes want.
 */
int pair_side_ensure(const struct pair_side *side, const struct kind *kind, json_t *want,
		     unsigned wait_s, struct pair_journal *journal) must_check;
/* Pings the other side's inner address through this side's tunnel. */
int pair_side_ping(const struct pair_side *side, const struct pair_side *other) must_check;

/* Takes everything back, the last change first, and says so. */
void pair_journal_undo(struct pair_journal *journal, unsigned wait_s);
void pair_journal_done(struct pair_journal *journal);

/* "tunnel", "nat", "exit": as the commands call the kind */
const char *pair_side_noun(const struct kind *kind);
