/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The agent as a whole: what main.c puts together and api.c works on. */

#include "daemon/reconcile.h"
#include "daemon/http.h"
#include "daemon/loop.h"
#include "daemon/metrics.h"

struct hazard_scan;

struct agent {
	struct loop *loop;
	struct kernel *kernel;
	struct store *store;
	struct declaration declaration;
	struct reconcile *reconcile;
	struct http *http;
	struct metrics metrics;
	struct hazard_scan *hazards;
	char host_id[37]; /* random UUID, made with the database */
};
