/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a pass says of each resource: the status of api.md, as values. json in api_json.c.
 */

#include "model/declaration.h"
#include "model/op.h"

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

enum object_state {
	OBJECT_IN_SYNC,
	OBJECT_STATE_FOUND,
	OBJECT_MISSING,
	OBJECT_DIFFERS,
	OBJECT_FOREIGN,
	OBJECT_FAILED,
};

extern const char *const object_state_names[]; /* "in-sync" … */

enum { STATUS_OBJECTS_MAX = 100 };

struct status_object {
	enum kind_id kind;
	enum object_state state;
	char key[96];
	char *message; /* owned; NULL: none */
};

/* Of one resource; owned by reconcile, valid until the next turn of the loop. */
struct status {
	enum state state;
	char reason[32]; /* CamelCase word of api.md */
	char message[320];
	int64_t since_ms;    /* since the epoch: when state or reason last changed */
	uint64_t generation; /* that it speaks of */
	void *effective;     /* malloc'ed struct of the kind (kind_copy); NULL before a pass */
	struct status_object *objects; /* the troubled ones first */
	uint32_t objects_len;          /* at most STATUS_OBJECTS_MAX */
	uint32_t objects_total;
};
