/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit of writes. Refusals are logged where they are answered: api_problem.c. */
#include "daemon/audit.h"

#include "base/log.h"
#include "codec/json.h"

enum {
	LINES_MAX = 16,   /* in the log, of one request */
	LINKS_NAMED = 16, /* of the orphans that go at once */
};

static enum event_type type_of(const struct resource *before, const struct resource *after)
{
	if (after->deleting)
		return EVENT_DELETED;
	return before ? EVENT_UPDATED : EVENT_CREATED;
}

/* Is it one of so few that each of them is told? */
struct counts {
	unsigned n[EVENT_TYPES][RESOURCE_KINDS];
};

static const struct resource *before_of(const struct api_call *call,
					const struct api_change *change)
{
	return declaration_find(&call->agent->declaration, change->kind->id, change->resource->name,
				NULL);
}

static void count(const struct api_call *call, const struct api_changes *changes,
		  struct counts *counts)
{
	for (size_t i = 0; i < changes->len; i++) {
		const struct api_change *change = &changes->v[i];
		enum event_type type = type_of(before_of(call, change), change->resource);

		counts->n[type][change->kind->id]++;
	}
}

void audit_gather(const struct api_call *call, const struct api_changes *changes,
		  struct event_log *log)
{
	cleanup_text struct text text = {0};
	struct counts counts = {0};

	count(call, changes, &counts);
	for (size_t i = 0; i < changes->len; i++) {
		const struct resource *after = changes->v[i].resource;
		const struct resource *before = before_of(call, &changes->v[i]);
		const struct kind *kind = changes->v[i].kind;
		enum event_type type = type_of(before, after);
		bool is_told = counts.n[type][kind->id] <= EVENTS_EACH_MAX;

		text_clear(&text);
		if (is_told)
			json_add_changes(&text, kind, before, after->deleting ? NULL : after);
		event_log_add(log, &(struct event){
					   .type = type,
					   .kind = kind,
					   .name = after->name,
					   .generation = after->generation,
					   .changes = is_told ? text_str(&text) : NULL,
				   });
	}
}

int audit_store(const struct api_call *call, struct event_log *log, uint64_t revision,
		struct err *err)
{
	const struct http_request *request = call->request;
	const struct event_origin origin = {
		.revision = revision,
		.caller = request->caller.name,
		.address = request->caller.address,
		.request_id = request->id,
	};

	return event_log_write(log, &origin, call->agent->store, err);
}

/* "26 objects; links: tun_a, tun_b": what the others hang on. */
static void list_orphans(struct text *text, const struct reconcile_report *report)
{
	size_t links = 0;

	text_addf(text, "%zu object%s", report->n_orphans, report->n_orphans == 1 ? "" : "s");
	for (size_t i = 0; i < report->n_orphans; i++) {
		const struct orphan *orphan = &report->orphans[i];

		if (orphan->kind == KIND_LINK && ++links <= LINKS_NAMED)
			text_addf(text, "%s%s", links > 1 ? ", " : "; links: ", orphan->key);
	}
	if (links > LINKS_NAMED)
		text_addf(text, " and %zu more", links - LINKS_NAMED);
}

int audit_orphans(const struct api_call *call, const struct reconcile_report *report,
		  struct err *err)
{
	struct store *store = call->agent->store;
	cleanup_events struct event_log log = {0};
	cleanup_text struct text text = {0};

	if (!report->n_orphans)
		return 0;
	list_orphans(&text, report);
	event_log_add(&log,
		      &(struct event){.type = EVENT_ORPHANS_DELETED, .message = text_str(&text)});
	int rc = store_begin(store, err);
	if (!rc)
		rc = audit_store(call, &log, call->agent->declaration.revision, err);
	if (!rc)
		rc = store_commit(store, err);
	if (rc)
		store_rollback(store);
	return rc;
}

void audit_log(const struct api_call *call, const struct event_log *log)
{
	const struct http_request *request = call->request;
	size_t n = log->events.len;

	for (size_t i = 0; i < n && i < LINES_MAX; i++) {
		const struct event *event = &log->events.v[i];

		log_notice("request %s: %s \"%s\" %s by %s from %s, generation %llu%s%s",
			   request->id, event->kind->noun, event->name,
			   event_type_names[event->type], request->caller.name,
			   request->caller.address, (unsigned long long)event->generation,
			   event->changes ? ": " : "", event->changes ? event->changes : "");
	}
	if (n > LINES_MAX)
		log_notice("request %s: and %zu more by %s from %s", request->id, n - LINES_MAX,
			   request->caller.name, request->caller.address);
}
