/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What happened, gathered until it is written: the events of one write go into its
 * transaction, those of a pass into one of their own. Many of a kind are told together, by
 * their names, so that ten thousand tunnels are a few dozen rows and push no history out.
 */

#include "base/vec.h"
#include "model/kind.h"
#include "store/store.h"

enum event_type {
	EVENT_CREATED,
	EVENT_UPDATED,
	EVENT_DELETED,
	EVENT_STATE_CHANGED,
	EVENT_DRIFT_DETECTED,
	EVENT_DRIFT_REPAIRED,
	EVENT_ORPHANS_DELETED,
	EVENT_PASS_FAILED,
	EVENT_STARTED,
	EVENT_STOPPING,
	EVENT_TYPES,
	EVENT_KEEPALIVE = EVENT_TYPES, /* is none: tells a follower how far it got */
};

extern const char *const event_type_names[EVENT_TYPES + 1]; /* "created" … */

enum {
	EVENTS_EACH_MAX = 64,   /* of one type, kind and state, that are told one by one */
	EVENTS_NAMES_MAX = 128, /* in one event of many */
};

/* Texts are copied when it is added, long ones in part; NULL, or 0, is left out. */
struct event {
	enum event_type type;
	const struct kind *kind; /* of a resource or an object; NULL: the agent itself */
	const char *name;
	uint64_t generation;
	const char *state, *reason; /* never freed */
	const char *message;
	const char *culprit; /* whose change was repaired */
	const char *changes; /* JSON: json_add_changes */
	unsigned group;      /* event_log.c's own */
};

/* What all events of one log share. */
struct event_origin {
	uint64_t revision;
	const char *caller, *address, *request_id; /* of a write */
	const char *trigger;                       /* of a pass */
};

struct event_log {
	struct arena arena;
	struct vec_of(struct event) events;
};

void event_log_add(struct event_log *log, const struct event *event);
/* Into the transaction that is open. */
int event_log_write(struct event_log *log, const struct event_origin *origin, struct store *store,
		    struct err *err) must_check;
/* In a transaction of its own, if there is something; where that fails, it is lost, with one
 * line in the log. Empty afterwards. */
void event_log_commit(struct event_log *log, const struct event_origin *origin,
		      struct store *store);
void event_log_done(struct event_log *log);
#define cleanup_events cleanup_(event_log_done)
