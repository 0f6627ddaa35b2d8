/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events to rows of the store. Who adds which is said where it happens. */
#include "daemon/event_log.h"

#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "codec/json.h"
#include "daemon/loop.h"

const char *const event_type_names[EVENT_TYPES + 1] = {
	[EVENT_CREATED] = "created",
	[EVENT_UPDATED] = "updated",
	[EVENT_DELETED] = "deleted",
	[EVENT_STATE_CHANGED] = "state-changed",
	[EVENT_DRIFT_DETECTED] = "drift-detected",
	[EVENT_DRIFT_REPAIRED] = "drift-repaired",
	[EVENT_ORPHANS_DELETED] = "orphans-deleted",
	[EVENT_PASS_FAILED] = "pass-failed",
	[EVENT_STARTED] = "started",
	[EVENT_STOPPING] = "stopping",
	[EVENT_KEEPALIVE] = "keepalive",
};

enum { NAME_MAX_BYTES = 255, MESSAGE_MAX_BYTES = 1000 };

/* Those that can be told together. */
struct group {
	const struct event *first;
	size_t len;
	struct text names; /* of those that are not written yet */
	unsigned n_names;
};

struct groups vec_of(struct group);

struct writing {
	struct store *store;
	const struct event_origin *origin;
	struct groups groups;
	int64_t now_ms;
	struct text document;
};

/* No longer than that. Half of a character at its end becomes a "?" in JSON. */
static const char *keep(struct event_log *log, const char *s, size_t max)
{
	return s ? arena_strndup(&log->arena, s, strnlen(s, max)) : NULL;
}

void event_log_add(struct event_log *log, const struct event *event)
{
	struct event *kept = vec_add(&log->events);

	*kept = *event;
	kept->name = keep(log, event->name, NAME_MAX_BYTES);
	kept->message = keep(log, event->message, MESSAGE_MAX_BYTES);
	kept->culprit = keep(log, event->culprit, MESSAGE_MAX_BYTES);
	kept->changes = event->changes ? arena_strdup(&log->arena, event->changes) : NULL;
}

static bool is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static unsigned group_of(struct groups *groups, const struct event *event)
{
	for (size_t i = groups->len; i-- > 0;) { /* it often is the last one's */
		const struct event *first = groups->v[i].first;

		if (first->type == event->type && first->kind == event->kind &&
		    is_same(first->state, event->state) && is_same(first->reason, event->reason))
			return (unsigned)i;
	}
	*vec_add(groups) = (struct group){.first = event};
	return (unsigned)groups->len - 1;
}

static void add_string(struct text *text, const char *name, const char *value)
{
	if (value && *value)
		json_member_string(text, name, value);
}

static void add_number(struct text *text, const char *name, uint64_t value)
{
	if (value)
		json_member_number(text, name, value);
}

/* The members that all of a group have. */
static void add_shared(struct text *text, const struct event_origin *origin,
		       const struct event *event)
{
	add_number(text, "revision", origin->revision);
	add_string(text, "caller", origin->caller);
	add_string(text, "address", origin->address);
	add_string(text, "request_id", origin->request_id);
	add_string(text, "trigger", origin->trigger);
	add_string(text, "state", event->state);
	add_string(text, "reason", event->reason);
	add_string(text, "culprit", event->culprit);
}

static int write_one(struct writing *w, const struct event *event, struct err *err)
{
	struct text *text = &w->document;

	text_clear(text);
	add_number(text, "generation", event->generation);
	add_shared(text, w->origin, event);
	add_string(text, "message", event->message);
	if (event->changes) {
		json_add_name(text, "changes");
		text_add(text, event->changes);
	}
	return store_event_add(w->store,
			       &(struct store_event){
				       .time_ms = w->now_ms,
				       .type = event_type_names[event->type],
				       .kind = event->kind ? event->kind->noun : NULL,
				       .name = event->name,
				       .document = text_str(text),
			       },
			       err);
}

/* The names that have come together. */
static int write_names(struct writing *w, struct group *group, struct err *err)
{
	struct text *text = &w->document;

	if (!group->n_names)
		return 0;
	text_add_char(&group->names, ']');
	text_clear(text);
	add_shared(text, w->origin, group->first);
	int rc = store_event_add(w->store,
				 &(struct store_event){
					 .time_ms = w->now_ms,
					 .type = event_type_names[group->first->type],
					 .kind = group->first->kind->noun,
					 .names = text_str(&group->names),
					 .document = text_str(text),
				 },
				 err);
	text_clear(&group->names);
	group->n_names = 0;
	return rc;
}

static int add_name(struct writing *w, struct group *group, const char *name, struct err *err)
{
	text_add_char(&group->names, group->n_names ? ',' : '[');
	json_add_string(&group->names, name);
	return ++group->n_names < EVENTS_NAMES_MAX ? 0 : write_names(w, group, err);
}

static int write_all(struct writing *w, struct event_log *log, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < log->events.len; i++) {
		log->events.v[i].group = group_of(&w->groups, &log->events.v[i]);
		w->groups.v[log->events.v[i].group].len++;
	}
	for (size_t i = 0; i < log->events.len && !rc; i++) {
		const struct event *event = &log->events.v[i];
		struct group *group = &w->groups.v[event->group];

		if (group->len > EVENTS_EACH_MAX)
			rc = add_name(w, group, event->name, err);
		else
			rc = write_one(w, event, err);
	}
	for (size_t i = 0; i < w->groups.len && !rc; i++)
		rc = write_names(w, &w->groups.v[i], err);
	return rc;
}

int event_log_write(struct event_log *log, const struct event_origin *origin, struct store *store,
		    struct err *err)
{
	struct writing w = {.store = store, .origin = origin, .now_ms = loop_wall_ms()};
	int rc = write_all(&w, log, err);

	for (size_t i = 0; i < w.groups.len; i++)
		text_done(&w.groups.v[i].names);
	vec_done(&w.groups);
	text_done(&w.document);
	return rc;
}

void event_log_commit(struct event_log *log, const struct event_origin *origin, struct store *store)
{
	struct err err = {0};

	if (log->events.len) {
		int rc = store_begin(store, &err);

		if (!rc)
			rc = event_log_write(log, origin, store, &err);
		failpoint("events.commit");
		if (!rc)
			rc = store_commit(store, &err);
		failpoint("events.committed");
		if (rc) {
			store_rollback(store);
			log_warning("%zu events are lost: %s", log->events.len, err.sentence);
		}
	}
	event_log_done(log);
}

void event_log_done(struct event_log *log)
{
	arena_done(&log->arena);
	vec_done(&log->events);
}
