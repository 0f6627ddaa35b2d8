/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The HTTP API, version 1, as a handler of whole requests: api.md is its contract. Writers
 * of one turn of the loop share one transaction and are answered after its commit.
 */

#include "daemon/agent.h"
#include "daemon/api_events.h"

struct api;

/* Borrows both; the agent's http may still be NULL. */
struct api *api_new(struct agent *agent, const struct events_config *events)
	__attribute__((returns_nonnull)) must_check;
void api_free(struct api *api);
const struct http_handler *api_handler(struct api *api);
/* Registers the commit at the end of each turn. Call after http_start: what its own hook
 * served in a turn must be committed in that turn. */
void api_join_loop(struct api *api);
