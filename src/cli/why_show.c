/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the walk found: a table of steps, the break in a sentence, and the command that helps. */
#include "cli/why_walk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/document.h"

/* A line, of what agents say: no control character of theirs reaches the terminal. */
static void printf_(1, 2) say(const char *fmt, ...)
{
	cleanup_text struct text line = {0};
	cleanup_free char *raw = NULL;
	va_list args;

	va_start(args, fmt);
	int len = vasprintf(&raw, fmt, args);
	va_end(args);
	if (len < 0)
		out_of_memory(sizeof(line));
	output_add_clean(&line, raw);
	puts(text_str(&line));
}

static bool is_on_back(const struct why_step *step)
{
	return strcmp(document_string(step->check, "leg"), "back") == 0;
}

static unsigned number_of(const struct why_walk *walk, const struct why_step *step)
{
	return (unsigned)(step - walk->steps.v) + 1;
}

/* "ok", "warn", "unknown"; BROKEN, because it is what one looks for */
static const char *verdict_of(const struct why_step *step)
{
	const char *verdict = document_string(step->check, "verdict");

	return strcmp(verdict, "broken") == 0 ? "BROKEN" : verdict;
}

/* As a command would have it: "exit/qq" */
static void add_blamed(const json_t *check, struct output_table *table)
{
	const char *resource = document_string(check, "resource");
	size_t len = strcspn(resource, "/");
	cleanup_text struct text kind = {0};

	text_add_len(&kind, resource, len);
	const struct noun *noun = command_noun(text_str(&kind));
	if (noun)
		output_cellf(table, "%s%s", noun->name, resource + len);
	else
		output_cell(table, resource[0] ? resource : document_string(check, "object"));
}

void why_add_fix(struct text *out, const struct why_host *host, const char *fix)
{
	static const char program[] = "ipipctl ";
	bool begins = true;

	for (const char *at = fix; *at;) {
		if (begins && strncmp(at, program, strlen(program)) == 0) {
			text_add(out, program);
			if (!host->is_default)
				text_addf(out, "-H %s ", host->name);
			at += strlen(program);
		}
		begins = strncmp(at, "&& ", 3) == 0;
		size_t len = begins ? 3 : 1;
		text_add_len(out, at, len);
		at += len;
	}
}

static void add_row(const struct why_walk *walk, const struct why_step *step,
		    struct output_table *table)
{
	output_cellf(table, "%u", number_of(walk, step));
	output_cell(table, step->host->name);
	output_cell(table, document_string(step->check, "check"));
	output_cell(table, document_string(step->check, "evidence"));
	add_blamed(step->check, table);
	output_cell(table, verdict_of(step));
}

/* Behind the break: one row for all of a host's. */
static void add_unreached(const struct why_walk *walk, size_t first, struct output_table *table)
{
	for (size_t i = first, end; i < walk->steps.len; i = end) {
		const struct why_host *host = walk->steps.v[i].host;

		for (end = i; end < walk->steps.len && walk->steps.v[end].host == host;)
			end++;
		if (end == i + 1)
			output_cellf(table, "%zu", end);
		else
			output_cellf(table, "%zu-%zu", i + 1, end);
		output_cell(table, host->name);
		output_cellf(table, "%s%s", document_string(walk->steps.v[i].check, "check"),
			     end == i + 1 ? "" : " …");
		output_cell(table, "not reached");
		output_cell(table, "");
		output_cell(table, "");
	}
}

static void show_steps(const struct why_walk *walk)
{
	cleanup_table struct output_table table = {.columns = 6, .whole = 1, .keeps_last = true};
	static const char *const titles[] = {"#", "HOST", "CHECK", "EVIDENCE", "OBJECT", "VERDICT"};
	size_t i = 0;

	for (size_t t = 0; t < ARRAY_LEN(titles); t++)
		output_cell(&table, titles[t]);
	for (; i < walk->steps.len && walk->steps.v[i].reached; i++)
		add_row(walk, &walk->steps.v[i], &table);
	add_unreached(walk, i, &table);
	output_print(&table, &walk->cli->style);
}

static void print_fix(const char *word, const struct why_host *host, const char *fix)
{
	cleanup_text struct text command = {0};

	if (!fix[0])
		return;
	why_add_fix(&command, host, fix);
	bool is_client = strncmp(fix, "ipipctl ", strlen("ipipctl ")) == 0 && !strstr(fix, "&& ");
	if (is_client || host->is_default)
		say("%s: %s", word, text_str(&command));
	else
		say("%s on %s: %s", word, host->name, text_str(&command));
}

static bool is_mtu(const struct why_step *step)
{
	return strcmp(document_string(step->check, "check"), "mtu") == 0;
}

/* What becomes of which packet. Without the other end's agent nobody knows who lost the reply. */
static const char *fate_of(const struct why_walk *walk, const struct why_step *step)
{
	if (is_mtu(step))
		return "long packets vanish, by";
	if (!is_on_back(step))
		return "the packet dies at";
	return walk->far.answer ? "the reply dies at" : "no reply comes back, by";
}

/* Whose fix helps: of a way that loses what is long, that of who sends into it. */
static const struct why_step *find_fix(const struct why_walk *walk)
{
	const struct why_step *broken = walk->broken;

	if (!is_mtu(broken) || document_string(broken->check, "resource")[0])
		return broken;
	for (size_t i = 0; i < walk->steps.len; i++) {
		const struct why_step *step = &walk->steps.v[i];

		if (step->host != broken->host && is_mtu(step) &&
		    document_string(step->check, "fix")[0])
			return step;
	}
	return broken;
}

static void show_break(const struct why_walk *walk)
{
	const struct why_step *step = walk->broken, *fix = find_fix(walk);

	say("%s %u, on %s: %s", fate_of(walk, step), number_of(walk, step), step->host->name,
	    document_string(step->check, "evidence"));
	print_fix("fix", fix->host, document_string(fix->check, "fix"));
}

static void show_warnings(const struct why_walk *walk)
{
	for (size_t i = 0; i < walk->steps.len; i++) {
		const struct why_step *step = &walk->steps.v[i];

		if (!step->reached || strcmp(document_string(step->check, "verdict"), "warn") != 0)
			continue;
		say("also: %u, on %s: %s", number_of(walk, step), step->host->name,
		    document_string(step->check, "evidence"));
		print_fix("  fix", step->host, document_string(step->check, "fix"));
	}
}

static void show_hazards(const struct why_host *host)
{
	const json_t *hazard;
	size_t i;

	json_array_foreach(host->hazards, i, hazard) {
		const char *severity = document_string(hazard, "severity");

		if (strcmp(severity, "info") == 0)
			continue;
		say("hazard on %s: %s %s: %s", host->name, severity,
		    document_string(hazard, "hazard"), document_string(hazard, "message"));
		print_fix("  fix", host, document_string(hazard, "fix"));
	}
}

/* What came back to who sent the probes; NULL: nothing did. */
static const struct why_step *find_reply(const struct why_walk *walk)
{
	for (size_t i = 0; i < walk->steps.len; i++) {
		const struct why_step *step = &walk->steps.v[i];

		if (step->host == &walk->near &&
		    strcmp(document_string(step->check, "check"), "reply") == 0 &&
		    strcmp(document_string(step->check, "verdict"), "ok") == 0)
			return step;
	}
	return NULL;
}

static bool has_verdict(const struct why_walk *walk, const char *verdict)
{
	for (size_t i = 0; i < walk->steps.len; i++) {
		const struct why_step *step = &walk->steps.v[i];

		if (step->reached && strcmp(document_string(step->check, "verdict"), verdict) == 0)
			return true;
	}
	return false;
}

static void show_healthy(const struct why_walk *walk)
{
	const json_t *near = walk->near.answer, *far = walk->far.answer;
	const struct why_step *answered = find_reply(walk);

	if (!walk->probe || (!answered && has_verdict(walk, "unknown"))) {
		say("no break was found: what was asked would let packets to %s through %s%s%s; %s",
		    document_string(near, "to"), document_string(near, "tunnel"),
		    far ? " and " : "", far ? walk->far.name : "",
		    walk->probe ? "what is unknown may hide one" : "no firewall was tried");
		if (!walk->probe)
			puts("hint: without --no-probe a few packets are sent, which tell more");
		return;
	}
	say("%s: %s %s through %s%s%s%s%s", answered ? "healthy" : "no break was found",
	    document_string(near, "to"), answered ? "answers" : "is reached",
	    document_string(near, "tunnel"), far ? " and " : "", far ? walk->far.name : "",
	    answered ? ", " : "", answered ? document_string(answered->check, "evidence") : "");
}

/* What the command could not ask, and what it would need. */
static void show_missing(const struct why_walk *walk)
{
	const char *remote = document_string(walk->near.answer, "remote");

	for (const char *at = text_str(&walk->notes), *end; (end = strchr(at, '\n')); at = end + 1)
		say("%.*s", (int)(end - at), at);
	if (!walk->far.client && remote[0] && (!walk->broken || is_on_back(walk->broken)))
		say("no agent is known at %s, which could tell its part: `ipipctl remote add "
		    "NAME URL`, or --peer",
		    remote);
}

static json_t *host_document(const struct why_host *host)
{
	return json_pack("{s:s, s:O, s:O?}", "name", host->name, "answer", host->answer, "hazards",
			 host->hazards);
}

static json_t *step_document(const struct why_walk *walk, const struct why_step *step)
{
	json_t *document = json_pack("{s:i, s:s}", "step", (int)number_of(walk, step), "host",
				     step->host->name);

	json_object_update(document, (json_t *)(uintptr_t)step->check);
	if (!step->reached) {
		json_object_set_new(document, "verdict", json_string("not-reached"));
		json_object_set_new(document, "evidence", json_string("not reached"));
		json_object_set_new(document, "object", json_null());
		json_object_set_new(document, "fix", json_null());
	}
	return document;
}

/* What is not known of a path matters no more when the reply is there. */
static const char *worst(const struct why_walk *walk)
{
	if (walk->broken)
		return "broken";
	if (has_verdict(walk, "unknown") && !find_reply(walk))
		return "unknown";
	return has_verdict(walk, "warn") ? "warn" : "ok";
}

/* A line each. */
static json_t *notes_document(const struct why_walk *walk)
{
	json_t *notes = json_array();
	const char *end;

	for (const char *at = text_str(&walk->notes); (end = strchr(at, '\n')); at = end + 1)
		json_array_append_new(notes, json_stringn(at, (size_t)(end - at)));
	return notes;
}

static void show_json(const struct why_walk *walk)
{
	const struct why_step *broken = walk->broken, *fixed = broken ? find_fix(walk) : NULL;
	cleanup_text struct text fix = {0};
	json_t *hosts = json_array(), *checks = json_array();

	json_array_append_new(hosts, host_document(&walk->near));
	if (walk->far.answer)
		json_array_append_new(hosts, host_document(&walk->far));
	for (size_t i = 0; i < walk->steps.len; i++)
		json_array_append_new(checks, step_document(walk, &walk->steps.v[i]));
	if (broken)
		why_add_fix(&fix, fixed->host, document_string(fixed->check, "fix"));
	json_t *document = json_pack(
		"{s:O?, s:O?, s:s, s:o, s:s?, s:s?, s:o, s:o, s:o}", "to",
		json_object_get(walk->near.answer, "to"), "from",
		json_object_get(walk->near.answer, "from"), "verdict", worst(walk), "broken_at",
		broken ? json_integer(number_of(walk, broken)) : json_null(), "fix",
		fix.len ? text_str(&fix) : NULL, "fix_host", fix.len ? fixed->host->name : NULL,
		"hosts", hosts, "checks", checks, "notes", notes_document(walk));
	json_dumpf(document, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(document);
}

void why_show(const struct why_walk *walk)
{
	if (walk->cli->format == CLI_JSON) {
		show_json(walk);
		return;
	}
	show_steps(walk);
	if (walk->broken)
		show_break(walk);
	else
		show_healthy(walk);
	show_warnings(walk);
	show_missing(walk);
	show_hazards(&walk->near);
	show_hazards(&walk->far);
}
