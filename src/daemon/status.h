/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a pass says of each resource: the status of api.md, as values. json in api_json.c.
 */

#include "model/declaration.h"
#include "model/op.h"
#include "model/reason.h"

enum state {
	STATE_PENDING,
	STATE_READY,
	STATE_FAILED,
	STATE_CONFLICT,
	STATE_DISABLED,
	STATE_DELETING,
};
enum { STATES = STATE_DELETING + 1 };

extern const char *const state_names[STATES]; /* "pending" … */

/* Of resources. */
struct state_counts {
	size_t n[RESOURCE_KINDS][STATES];
};

enum object_state {
	OBJECT_IN_SYNC,
	OBJECT_STATE_FOUND,
	OBJECT_MISSING,
	OBJECT_DIFFERS,
	OBJECT_FOREIGN,
	OBJECT_FAILED,
	OBJECT_CONTESTED,
};

extern const char *const object_state_names[]; /* "in-sync" … */

enum { STATUS_OBJECTS_MAX = 100 };

struct status_object {
	enum kind_id kind;
	enum object_state state;
	const char *key;
	const char *message; /* NULL: none */
};

/*
 * Of one resource; owned by reconcile, valid until the next turn of the loop. There are tens
 * of thousands: what can be told again from the declaration and the facts is not kept, see
 * reconcile_details.
 */
struct status {
	enum state state;
	enum reason reason;
	char *message;                 /* owned; NULL: none */
	int64_t since_ms;              /* since the epoch: when state or reason last changed */
	uint64_t generation;           /* that it speaks of */
	struct status_object *objects; /* of a troubled one: the troubled ones first; else NULL */
	uint32_t objects_len;          /* at most STATUS_OBJECTS_MAX */
	uint32_t objects_total;
};

/* "" when there is none */
const char *status_message(const struct status *status);
/* What tunnels share in nftables is listed for them only when it is in trouble. */
bool status_lists(const struct kind *of, enum kind_id kind, enum object_state state);
