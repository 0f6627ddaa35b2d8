/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The walk of `why` over the agents of both ends: near is where the packet comes from, far
 * where the tunnel leads. Each is asked for its part of the path; their checks become one list
 * of steps, in the order of the packet and its reply.
 */

#include "base/arena.h"
#include "base/vec.h"
#include "cli/cli.h"

struct why_host {
	struct client *client; /* NULL: no agent is known there */
	const char *name;      /* as the user called it; of this host's own agent "local" */
	bool is_default;       /* which no -H has to name */
	json_t *answer;        /* NULL: it gave none */
	json_t *hazards;       /* array; NULL: not known */
};

/* A check of an answer at its place in the path. */
struct why_step {
	const struct why_host *host;
	const json_t *check;
	bool reached; /* no step before it is broken */
};

struct why_walk {
	struct cli *cli;
	const char *query; /* "to=…&from=…", encoded, for both ends */
	const char *in;    /* device of near that the packets come in by; NULL: they are its own */
	bool probe;
	unsigned id;
	struct why_host near, far;
	struct text notes; /* lines about what could not be asked */
	struct arena arena;
	struct why_steps vec_of(struct why_step) steps;
	const struct why_step *broken; /* the first; NULL: none */
};

/* Asks both ends. An exit status: of near's failure, after a message; far's is a note. */
int why_walk(struct why_walk *walk) must_check;
void why_walk_done(struct why_walk *walk);

/* A command of the host's, where every ipipctl names the host. */
void why_add_fix(struct text *out, const struct why_host *host, const char *fix);
/* To stdout, as the format wants it. */
void why_show(const struct why_walk *walk);
