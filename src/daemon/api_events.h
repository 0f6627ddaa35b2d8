/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Events, as they are read and followed: each follower is an id, and a filter. */

#include <stdint.h>

struct api;
struct api_follower;

struct events_config {
	unsigned followers_max; /* 32 */
	unsigned keepalive_ms;  /* 15000 */
};

struct api_followers {
	struct api_follower *first;
	unsigned len;
	const struct events_config *config;
	uint64_t told; /* the newest event that they were woken for */
	struct loop_timer *keepalive;
};

void api_events_init(struct api *api, const struct events_config *config);
/* When the server has stopped: none follows any more. */
void api_events_done(struct api *api);
/* Once a turn: wakes the followers if there is something new. */
void api_events_tell(struct api *api);
