/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statuses by name. What one says is status.c's. */
#include "daemon/statuses.h"

#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/loop.h"

enum { WELL_LINES_MAX = 16 }; /* lines in the log for what became ready in one pass */

static int compare_named(const void *a, const void *b)
{
	const struct named_status *status = b;

	return strcmp(a, status->name);
}

static struct named_status *find(const struct named_statuses *list, const char *name)
{
	return list->len ? bsearch(name, list->v, list->len, sizeof(*list->v), compare_named)
			 : NULL;
}

/* First where the last one was, and behind it: most come in order. *at begins with 0. */
static struct named_status *find_near(const struct named_statuses *list, const char *name,
				      size_t *at)
{
	for (size_t i = *at; i < list->len && i <= *at + 1; i++)
		if (strcmp(list->v[i].name, name) == 0)
			return &list->v[*at = i];
	struct named_status *found = find(list, name);
	if (found)
		*at = (size_t)(found - list->v);
	return found;
}

const struct status *statuses_find(const struct statuses *statuses, enum kind_id kind,
				   const char *name)
{
	const struct named_status *found = find(&statuses->kind[kind], name);

	return found ? &found->status : NULL;
}

static void list_done(struct named_statuses *list)
{
	for (size_t i = 0; i < list->len; i++)
		status_done(&list->v[i].status);
	vec_done(list);
}

void statuses_done(struct statuses *statuses)
{
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		list_done(&statuses->kind[k]);
	arena_done(&statuses->names);
}

static bool is_trouble(const struct status *status)
{
	return status->state == STATE_FAILED || status->state == STATE_CONFLICT;
}

static void add_event(struct event_log *events, enum kind_id kind, const struct named_status *now)
{
	const struct status *status = &now->status;

	if (status->state == STATE_DELETING)
		return; /* that was told when it was deleted, and may be over already */
	event_log_add(events, &(struct event){
				      .type = EVENT_STATE_CHANGED,
				      .kind = kinds[kind],
				      .name = now->name,
				      .generation = status->generation,
				      .state = state_names[status->state],
				      .reason = reason_names[status->reason],
				      .message = status->message,
			      });
}

/* since stays while the state and its reason stay. A change is worth a line; not each of
 * thousands that are well. */
static void carry_since(const struct named_status *before, enum kind_id kind,
			struct named_status *now, struct event_log *events, unsigned *well)
{
	struct status *status = &now->status;

	if (before && before->status.state == status->state &&
	    before->status.reason == status->reason) {
		status->since_ms = before->status.since_ms;
		return;
	}
	status->since_ms = loop_wall_ms();
	add_event(events, kind, now);
	if (status->state == STATE_READY && ++*well > WELL_LINES_MAX)
		return;
	log_line(is_trouble(status) ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "%s %s: %s %s%s%s",
		 kinds[kind]->noun, now->name, state_names[status->state],
		 reason_names[status->reason], status->message ? ": " : "", status_message(status));
}

/* One for each expansion, and no more: what is kept is kept for long. */
static void make_room(struct statuses *statuses, const struct expansions *expansions)
{
	size_t count[RESOURCE_KINDS] = {0};

	for (size_t i = 0; i < expansions->len; i++)
		count[expansions->v[i].kind->id]++;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		vec_reserve(&statuses->kind[k], count[k]);
}

void statuses_publish(struct statuses *statuses, const struct outcome *outcome,
		      const struct expansions *expansions, struct arena *arena,
		      struct event_log *events)
{
	struct statuses fresh = {0};
	size_t at[RESOURCE_KINDS] = {0}, tunnel_at = 0;
	unsigned well = 0;

	make_room(&fresh, expansions);
	/* tunnels come first, so that an exit route finds its own's status */
	for (size_t i = 0; i < expansions->len; i++) {
		const struct expansion *e = &expansions->v[i];
		/* the resource itself may have been replaced since the pass looked at it */
		const struct resource *head = e->effective;
		enum kind_id kind = e->kind->id;
		struct named_status *to = vec_add(&fresh.kind[kind]);
		const struct named_status *tunnel = NULL;

		if (kind == KIND_EXIT_ROUTE)
			tunnel = find_near(&fresh.kind[KIND_TUNNEL],
					   ((const struct exit_route *)head)->tunnel, &tunnel_at);
		to->name = arena_strdup(&fresh.names, head->name);
		status_of(outcome, e, tunnel ? &tunnel->status : NULL, arena, &to->status);
		fresh.counts.n[kind][to->status.state]++;
		carry_since(find_near(&statuses->kind[kind], to->name, &at[kind]), kind, to, events,
			    &well);
	}
	if (well > WELL_LINES_MAX)
		log_info("and %u more are ready", well - WELL_LINES_MAX);
	statuses_done(statuses);
	*statuses = fresh;
}

void statuses_drop(struct statuses *statuses, enum kind_id kind, const char *name)
{
	struct named_statuses *list = &statuses->kind[kind];
	struct named_status *found = find(list, name);

	if (!found)
		return;
	statuses->counts.n[kind][found->status.state]--;
	status_done(&found->status);
	list->len--;
	memmove(found, found + 1, (size_t)(list->v + list->len - found) * sizeof(*found));
}

bool statuses_troubled(const struct statuses *statuses)
{
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (unsigned s = 0; s < STATES; s++)
			if (s != STATE_READY && s != STATE_DISABLED && statuses->counts.n[k][s])
				return true;
	return false;
}
