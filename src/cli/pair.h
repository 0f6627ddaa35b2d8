/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A tunnel between two hosts, and one leaving through the other: all of it, or nothing. */

#include "cli/cli.h"
#include "cli/pair_plan.h"

struct pair_request {
	const char *name[2];             /* of side a and b; NULL: chosen */
	struct prefix inner;             /* the pool, or the /30 or /31 itself */
	int exit;                        /* the side where traffic leaves: 0, 1, or -1 for none */
	struct vec_of(struct prefix) to; /* what leaves there */
	unsigned wait_s;                 /* for each resource */
	bool dry_run;
	enum cli_format format;
	bool quiet; /* no progress; JSON and names come without it anyway */
};

/* Returns an exit status. What was done is on stdout, as JSON the documents of both sides by
 * noun; why not is on stderr. On a failure all that it changed is taken back. The caller keeps
 * the clients. */
int pair_run(const struct pair_request *request, struct client *a, struct client *b) must_check;
