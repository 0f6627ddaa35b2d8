/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `events`: each as a line as it comes. Who loses the agent asks again behind the last event
 * that he has; what is no longer kept by then is said to be missing.
 */
#include "cli/cli.h"
#include "cli/document.h"
#include "cli/run.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum {
	LINE_MAX_BYTES = 1 << 20,
	PAUSE_MIN_MS = 250,
	PAUSE_MAX_MS = 30000,
	VALUES_SHOWN = 3,
	NAMES_SHOWN = 6,
};

struct following {
	struct cli *cli;
	bool follows;
	char last[24];    /* id of the last event; "": none yet */
	char behind[24];  /* the one behind which events were no longer kept; "": no gap */
	struct text line; /* what came of the one that is not whole yet */
	unsigned pause_ms;
	bool was_there;  /* the agent answered once: later on it may come back */
	bool is_garbage; /* what it said last */
};

static void add_object(struct text *out, const json_t *event)
{
	const char *kind = document_string(event, "kind"), *name = document_string(event, "name");
	const struct noun *noun = command_noun(kind);
	const json_t *names = json_object_get(event, "names");

	output_add_clean(out, noun ? noun->name : kind[0] ? kind : "agent");
	if (names)
		text_addf(out, " (%zu)", json_array_size(names));
	else if (name[0])
		text_add(out, "/");
	output_add_clean(out, name);
}

static void add_change_value(struct text *out, const json_t *change, const char *name)
{
	const json_t *value = json_object_get(change, name);
	char length_name[16];

	snprintf(length_name, sizeof(length_name), "%s_length", name);
	const json_t *length = json_object_get(change, length_name);
	if (value)
		document_add_value(out, value, VALUES_SHOWN);
	else if (length)
		text_addf(out, "(%lld)", (long long)json_integer_value(length));
	else
		text_add(out, "unset");
}

/* Of a list that is told by its length. */
static void add_difference(struct text *out, const json_t *change)
{
	json_int_t added = document_number(change, "added_length");
	json_int_t removed = document_number(change, "removed_length");

	if (json_object_get(change, "added_length"))
		text_addf(out, " (%lld added, %lld removed)", (long long)added, (long long)removed);
}

/* "ttl 9 -> 8"; of what was made, "remote 172.16.1.62". */
static void add_changes(struct text *out, const json_t *event)
{
	const json_t *change;
	bool is_update = strcmp(document_string(event, "type"), "updated") == 0;
	size_t i;

	if (strcmp(document_string(event, "type"), "deleted") == 0)
		return; /* all that it had */
	json_array_foreach(json_object_get(event, "changes"), i, change) {
		text_add(out, i ? ", " : "");
		output_add_clean(out, document_string(change, "field"));
		text_add(out, " ");
		if (is_update) {
			add_change_value(out, change, "old");
			text_add(out, " -> ");
		}
		add_change_value(out, change, "new");
		add_difference(out, change);
	}
}

static void add_names(struct text *out, const json_t *names)
{
	const json_t *name;
	size_t i, n = json_array_size(names);

	json_array_foreach(names, i, name) {
		if (i == NAMES_SHOWN) {
			text_addf(out, " and %zu more", n - i);
			break;
		}
		text_add(out, i ? ", " : "");
		output_add_clean(out, json_string_value(name) ? json_string_value(name) : "");
	}
}

static void add_words(struct text *out, const struct following *f, const json_t *event)
{
	static const struct {
		const char *member, *words;
	} culprits[] = {{"caller", "by "}, {"culprit", "because of "}};
	const char *state = document_string(event, "state"),
		   *reason = document_string(event, "reason"),
		   *message = document_string(event, "message");

	if (state[0])
		output_add_state(out, state, f->cli->style.color);
	if (reason[0] && strcmp(reason, "InSync") != 0)
		text_addf(out, " %s", reason);
	text_add(out, state[0] && message[0] ? ": " : "");
	output_add_clean(out, message);
	if (json_object_get(event, "names")) {
		text_add(out, state[0] || message[0] ? ": " : "");
		add_names(out, json_object_get(event, "names"));
	}
	add_changes(out, event);
	for (size_t i = 0; i < ARRAY_LEN(culprits); i++) {
		const char *who = document_string(event, culprits[i].member);

		if (!who[0])
			continue;
		text_addf(out, "%s%s", out->len ? ", " : "", culprits[i].words);
		output_add_clean(out, who);
	}
}

static void print_line(const struct following *f, const json_t *event)
{
	time_t seconds = (time_t)output_time(document_string(event, "time"));
	cleanup_text struct text object = {0}, words = {0};
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	add_object(&object, event);
	add_words(&words, f, event);
	printf("%s  %-15s  %-20s  %s\n", when, document_string(event, "type"), text_str(&object),
	       text_str(&words));
}

static void tell_gap(struct following *f, json_int_t first)
{
	bool is_older = strtoll(f->behind, NULL, 10) < first;

	/* Where an older database's ended nobody knows, so no number is told. */
	if (is_older && !f->cli->quiet)
		cli_complain("what came next behind event %s is no longer kept; from here on all "
			     "are there",
			     f->behind);
	else if (!f->cli->quiet)
		cli_complain("event %s is another database's; this one's begin here", f->behind);
	f->behind[0] = '\0';
}

/* False: it is no event, so that whoever answers is no agent. */
static bool take_line(struct following *f)
{
	json_t *event = json_loadb(f->line.s, f->line.len, 0, NULL);
	json_int_t id = document_number(event, "id");

	if (id <= 0) {
		json_decref(event);
		return false;
	}
	snprintf(f->last, sizeof(f->last), "%lld", (long long)id);
	if (f->behind[0])
		tell_gap(f, id);
	if (strcmp(document_string(event, "type"), "keepalive") == 0) {
		json_decref(event);
		return true; /* the filter passed over what was */
	}
	if (f->cli->format == CLI_JSON)
		printf("%s\n", text_str(&f->line));
	else
		print_line(f, event);
	json_decref(event);
	return true;
}

static bool take(void *user, const char *bytes, size_t len)
{
	struct following *f = user;
	const char *end = bytes + len;

	f->pause_ms = 0;
	while (bytes < end) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
		const char *to = newline ? newline : end;

		text_add_len(&f->line, bytes, (size_t)(to - bytes));
		f->is_garbage = f->line.len > LINE_MAX_BYTES ||
				(newline && f->line.len && !take_line(f));
		if (f->is_garbage)
			return false;
		if (newline)
			text_clear(&f->line);
		bytes = to + 1;
	}
	return fflush(stdout) == 0;
}

static void pause_for(const struct following *f, unsigned least_ms)
{
	unsigned ms = f->pause_ms > least_ms ? f->pause_ms : least_ms;
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&pause, NULL); /* a signal ends it */
}

/* Before the next request, a longer time each time that nothing came. */
static void wait_for_agent(struct following *f, const char *why, unsigned least_ms)
{
	if (!f->pause_ms && !f->cli->quiet)
		cli_complain("%s; asking again", why);
	f->pause_ms = f->pause_ms ? f->pause_ms * 2 : PAUSE_MIN_MS;
	if (f->pause_ms > PAUSE_MAX_MS)
		f->pause_ms = PAUSE_MAX_MS;
	pause_for(f, least_ms);
}

static void add_path(struct text *path, const struct following *f)
{
	static const char *const filters[] = {"type", "name"};
	const char *kind = args_value(&f->cli->args, "kind");
	const struct noun *noun = kind ? command_noun(kind) : NULL;

	text_addf(path, "/v1/events?follow=%s", f->follows ? "true" : "false");
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		const char *value = args_value(&f->cli->args, filters[i]);

		if (!value)
			continue;
		text_addf(path, "&%s=", filters[i]);
		client_add_encoded(path, value);
	}
	if (kind) {
		text_add(path, "&kind=");
		client_add_encoded(path, noun ? noun->kind->noun : kind);
	}
	if (f->last[0]) {
		text_add(path, "&since=");
		client_add_encoded(path, f->last);
	}
}

/* An answer that is none of events: -1 to ask again, or an exit status. */
static int refused(struct following *f, const struct response *response)
{
	if (response->status == 410 && f->last[0] && !f->behind[0]) {
		snprintf(f->behind, sizeof(f->behind), "%s", f->last);
		snprintf(f->last, sizeof(f->last), "0");
		return -1;
	}
	if (f->follows && (response->status == 429 || response->status == 503)) {
		wait_for_agent(f, document_string(response->json, "title"),
			       response->retry_after_s * 1000);
		return -1;
	}
	client_print_problem(stderr, "ipipctl", response);
	int status = client_exit_of_status(response->status);
	/* what the agent did not take stands in the options */
	return status == CLI_INVALID ? CLI_USAGE : status;
}

/* The same of a request that ended without one. */
static int lost(struct following *f, int result, const struct err *err)
{
	bool stays = f->is_garbage || result == -EACCES || result == -EPERM || result == -EINVAL ||
		     result == -EKEYREJECTED;

	if (f->follows && f->was_there && !stays) {
		wait_for_agent(f, err->sentence, 0);
		return -1;
	}
	cli_complain("%s", f->is_garbage ? "what answers is no agent" : err->sentence);
	return client_exit_of_errno(result);
}

static int ask(struct following *f)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};
	int status = CLI_OK;
	struct client *client = cli_agent(f->cli, &status);
	struct err err;

	if (!client)
		return status;
	add_path(&path, f);
	text_clear(&f->line);
	int result = client_send(client,
				 &(struct request){.method = "GET",
						   .path = text_str(&path),
						   .accept = "application/x-ndjson",
						   .take = take,
						   .user = f},
				 &response, &err);
	if (client_interrupted())
		return CLI_OK;
	if (ferror(stdout))
		return CLI_FAILED; /* cli_main tells it */
	if (response.status && !response_is_ok(&response))
		return refused(f, &response);
	f->was_there |= response.status != 0;
	if (!f->last[0]) /* from now on: that is the newest one of then */
		snprintf(f->last, sizeof(f->last), "%s", response.last_event);
	if (result)
		return lost(f, result, &err);
	if (!f->follows)
		return CLI_OK;
	wait_for_agent(f, "the agent has ended the answer", 0);
	return -1;
}

int events_events(struct cli *cli)
{
	const char *since = args_value(&cli->args, "since");
	struct following f = {.cli = cli, .follows = !args_value(&cli->args, "no-follow")};
	int status = -1;

	if (since && (!since[0] || since[strspn(since, "0123456789")] || strlen(since) > 18))
		return cli_usage("--since %s: the id of an event, or 0, is wanted", since);
	if (!f.follows && !since)
		since = "0";
	snprintf(f.last, sizeof(f.last), "%s", since ? since : "");
	client_catch_signals();
	while (status < 0 && !client_interrupted())
		status = ask(&f);
	text_done(&f.line);
	return status < 0 ? CLI_OK : status;
}
