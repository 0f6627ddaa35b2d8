/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Requests that are answered later: after the turn's commit, when a pass has dealt with what
 * they wrote, or when their time is over. Each answer is made from the state at that time, but
 * with the document that its client has written, whoever wrote over it since.
 */

#include "daemon/agent.h"

struct api;

enum api_wait_for {
	API_WAIT_READY,  /* this resource's generation, or a later one, is no longer pending */
	API_WAIT_GONE,   /* a pass has covered the revision of its deletion */
	API_WAIT_CONFIG, /* a pass has covered the revision, and nothing of it is pending */
	API_WAIT_PASS,   /* that many passes are over */
};

struct api_waiter {
	struct http_request *request; /* NULL: its client went away */
	enum api_wait_for what;
	const struct kind *kind; /* of READY and GONE */
	char name[RESOURCE_NAME], uid[RESOURCE_UID];
	struct resource *declared; /* of READY, as it was written; owned */
	uint64_t revision, passes;
	unsigned status;                               /* of the answer */
	unsigned created, updated, deleted, unchanged; /* counts of CONFIG and PASS */
	uint64_t wait_ms; /* 0: answered after the commit, whatever the state */
};

struct api_waiters vec_of(struct api_waiter *);

/* Too many requests wait already: 429 was answered. */
bool api_wait_refused(struct api *api, struct http_request *request);
bool api_wait_is_full(const struct api *api);
/* Answers it, or lets it wait: what the waiter owns is a heap copy's then. */
void api_wait_settle(struct api *api, struct api_waiter *waiter);
/* A heap copy, which takes over what the waiter owns. */
struct api_waiter *api_wait_keep(struct api_waiter *waiter);
void api_wait_free(struct api_waiter *kept);
/* A pass is over: answers those whose wait it ended. */
void api_wait_pass(void *user);
/* The deadline of one of them has come. */
void api_wait_deadline(void *user);
void api_wait_gone(struct api *api, struct http_request *request);
