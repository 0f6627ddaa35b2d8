/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of pair to one agent, and the journal of changes. */
#include "cli/pair_side.h"

#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/document.h"

enum { PAGE = 1000, PING_COUNT = 3 };

const char *pair_side_noun(const struct kind *kind)
{
	for (unsigned i = 0; i < command_n_resources; i++)
		if (command_nouns[i].kind == kind)
			return command_nouns[i].name;
	return kind->noun;
}

static int fail(const struct pair_side *side, int result, const struct err *err)
{
	cleanup_text struct text who = {0};

	text_addf(&who, "ipipctl: %s", side->letter);
	return client_print_failure(text_str(&who), result, err);
}

/* what names the thing in a message: "tunnel/a-b", or "" */
static int call(const struct pair_side *side, const char *what, const struct request *request,
		struct response *response)
{
	struct err err;
	int result = client_send(side->client, request, response, &err);

	if (result)
		return fail(side, result, &err);
	if (!response_is_ok(response)) {
		cleanup_text struct text who = {0};

		fflush(stdout);
		text_addf(&who, "ipipctl: %s (%s) refused %s", side->letter, side->client->host,
			  what);
		client_print_problem(stderr, text_str(&who), response);
	}
	return client_exit_of_status(response->status);
}

static int get(const struct pair_side *side, const char *path, struct response *response)
{
	return call(side, path, &(struct request){.method = "GET", .path = path}, response);
}

static int read_tunnels(struct pair_side *side)
{
	cleanup_text struct text path = {0};
	bool more = true;

	side->tunnels = json_array();
	side->documents = json_object();
	text_addf(&path, "/v1/tunnels?limit=%d", PAGE);
	while (more) {
		cleanup_response struct response response = {0};
		int status = get(side, text_str(&path), &response);

		if (status != CLI_OK)
			return status;
		json_array_extend(side->tunnels, json_object_get(response.json, "items"));
		const char *next = json_string_value(json_object_get(response.json, "next"));
		more = next;
		text_clear(&path);
		text_addf(&path, "/v1/tunnels?limit=%d&after=", PAGE);
		client_add_encoded(&path, next ? next : "");
	}
	return CLI_OK;
}

int pair_side_read(struct pair_side *side)
{
	cleanup_response struct response host = {0}, health = {0};
	const json_t *tunnel;
	size_t i;
	int status = get(side, "/v1/host", &host);

	if (status == CLI_OK)
		status = get(side, "/v1/status", &health);
	if (status == CLI_OK)
		status = read_tunnels(side);
	if (status != CLI_OK)
		return status;
	pair_plan_read_host(host.json, &side->host);
	side->ready = json_is_true(json_object_get(health.json, "ready"));
	json_array_foreach(side->tunnels, i, tunnel)
		pair_plan_read_tunnel(tunnel, &side->host);
	return CLI_OK;
}

void pair_side_find_tunnel(struct pair_side *side)
{
	const json_t *tunnel;
	size_t i;

	json_array_foreach(side->tunnels, i, tunnel)
		if (strcmp(document_string(tunnel, "name"), side->name) == 0)
			side->tunnel = tunnel;
}

void pair_side_done(struct pair_side *side)
{
	pair_plan_host_done(&side->host);
	json_decref(side->tunnels);
	json_decref(side->documents);
	side->tunnels = side->documents = NULL;
	side->tunnel = NULL;
}

int pair_side_route(const struct pair_side *side, struct addr to, bool underlay,
		    struct pair_route *route)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};
	char text[ADDR_TEXT];
	struct addr source = {0};

	text_addf(&path, "/v1/host/route?to=%s%s", addr_text(to, text),
		  underlay ? "&underlay=true" : "");
	int status = get(side, text_str(&path), &response);
	if (status != CLI_OK)
		return status;
	if (addr_parse(document_string(response.json, "source"), &source))
		source.host = 0;
	*route = (struct pair_route){
		.to = to,
		.source = source,
		.mtu = (unsigned)document_number(response.json, "mtu"),
		.local = json_is_true(json_object_get(response.json, "local")),
	};
	snprintf(route->device, sizeof(route->device), "%s",
		 document_string(response.json, "device"));
	return CLI_OK;
}

/* what of want the document does not say already; a new object, empty when all agrees */
static json_t *missing(const json_t *want, const json_t *document)
{
	json_t *patch = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)want, key, value) {
		const json_t *said = document_value(document, key);

		if (said ? !json_equal(value, said) : !json_is_null(value))
			json_object_set(patch, key, value);
	}
	return patch;
}

/* the patch that puts these members back to what the document says */
static char *reverse_of(const json_t *patch, const json_t *document)
{
	json_t *back = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
		json_t *before = json_object_get(document, key);

		json_object_set_new(back, key, before ? json_incref(before) : json_null());
	}
	char *body = json_dumps(back, JSON_COMPACT);
	json_decref(back);
	return body;
}

/* A GET that finds nothing is no failure, and prints nothing: then 404, and no document. */
static int look(const struct pair_side *side, const char *path, struct response *found)
{
	struct err err;
	int result = client_send(side->client, &(struct request){.method = "GET", .path = path},
				 found, &err);

	if (result)
		return fail(side, result, &err);
	if (found->status == 404) {
		json_decref(take_ptr(found->json));
		return CLI_OK;
	}
	if (!response_is_ok(found))
		client_print_problem(stderr, side->letter, found);
	return client_exit_of_status(found->status);
}

int pair_side_check(const struct pair_side *side, const struct kind *kind, const char *member,
		    json_t *want)
{
	cleanup_response struct response found = {0};
	cleanup_text struct text path = {0};

	document_add_path(&path, kind, side->name);
	int status = look(side, text_str(&path), &found);
	bool is_ours = !found.json || json_equal(want, json_object_get(found.json, member));
	json_decref(want);
	if (status != CLI_OK || is_ours)
		return status;
	cli_complain("%s/%s exists on %s and is not this pair's; give another --name",
		     pair_side_noun(kind), side->name, side->letter);
	return CLI_CONFLICT;
}

static void undo_done(struct pair_undo *undo)
{
	free(undo->body);
}

/* Sends a change, and keeps its way back unless it was refused, or never left: an answer that
 * does not come may still have been a change. Takes undo. */
static int change(struct pair_undo *undo, const char *what, struct request *request,
		  struct pair_journal *journal, struct response *response)
{
	int status = call(undo->side, what, request, response);

	memcpy(undo->etag, response->etag, sizeof(undo->etag));
	if (!response->sent || (response->status && !response_is_ok(response)))
		undo_done(undo);
	else
		vec_push(journal, *undo);
	return status;
}

static int expect_ready(const struct pair_side *side, const char *what, const json_t *document)
{
	const char *state = document_state(document);
	cleanup_text struct text text = {0};

	if (strcmp(state, "ready") == 0)
		return CLI_OK;
	document_add_state(&text, document_status(document));
	cli_complain("%s (%s): %s is %s", side->letter, side->client->host, what, text_str(&text));
	return strcmp(state, "pending") == 0 ? CLI_TIMEOUT : CLI_FAILED;
}

struct ensure {
	const struct pair_side *side;
	const struct kind *kind;
	const char *what; /* "tunnel/a-b" */
	const char *path; /* without query */
	unsigned wait_s;
	struct pair_journal *journal;
};

static int send_change(const struct ensure *e, const json_t *body, const json_t *before,
		       struct response *response)
{
	cleanup_text struct text path = {0};
	cleanup_free char *dump = json_dumps(body, JSON_COMPACT);
	struct pair_undo undo = {
		.side = e->side, .kind = e->kind, .body = before ? reverse_of(body, before) : NULL};
	struct request request = {.method = before ? "PATCH" : "PUT",
				  .body = dump,
				  .create_only = !before,
				  .wait_s = e->wait_s};

	text_addf(&path, "%s?wait=%u", e->path, e->wait_s);
	request.path = text_str(&path);
	return change(&undo, e->what, &request, e->journal, response);
}

static int finish(const struct ensure *e, const char *verb, const struct response *response)
{
	int status = expect_ready(e->side, e->what, response->json);

	json_object_set(e->side->documents, pair_side_noun(e->kind), response->json);
	if (status != CLI_OK || e->side->quiet)
		return status;
	printf("%s  %s  %s, ready", e->side->letter, e->what, verb);
	if (response->took_ms && strcmp(verb, "unchanged") != 0)
		printf(" in %u ms", response->took_ms);
	putchar('\n');
	fflush(stdout);
	return status;
}

static int finish_dry(const struct ensure *e, const char *verb, json_t *want)
{
	json_object_set(e->side->documents, pair_side_noun(e->kind), want);
	if (!e->side->quiet)
		printf("%s  %s  would be %s\n", e->side->letter, e->what, verb);
	return CLI_OK;
}

static int ensure(const struct ensure *e, json_t *want)
{
	cleanup_response struct response found = {0}, changed = {0};
	int status = look(e->side, e->path, &found);

	if (status != CLI_OK)
		return status;
	json_t *patch = missing(want, found.json);
	const char *verb = found.json ? "repaired" : "created";
	if (found.json && json_object_size(patch) == 0)
		status = finish(e, "unchanged", &found);
	else if (e->side->dry_run)
		status = finish_dry(e, verb, want);
	else if ((status = send_change(e, patch, found.json, &changed)) == CLI_OK)
		status = finish(e, verb, &changed);
	json_decref(patch);
	return status;
}

int pair_side_ensure(const struct pair_side *side, const struct kind *kind, json_t *want,
		     unsigned wait_s, struct pair_journal *journal)
{
	cleanup_text struct text what = {0}, path = {0};

	text_addf(&what, "%s/%s", pair_side_noun(kind), side->name);
	document_add_path(&path, kind, side->name);
	int status = ensure(&(struct ensure){.side = side,
					     .kind = kind,
					     .what = text_str(&what),
					     .path = text_str(&path),
					     .wait_s = wait_s,
					     .journal = journal},
			    want);
	json_decref(want);
	return status;
}

int pair_side_ping(const struct pair_side *side, const struct pair_side *other)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0}, body = {0};
	char text[ADDR_TEXT];

	document_add_path(&path, &tunnel_kind, side->name);
	text_add(&path, "/ping");
	text_addf(&body, "{\"target\":\"%s\",\"count\":%d}", addr_text(other->inner.addr, text),
		  PING_COUNT);
	int status = call(side, "the ping",
			  &(struct request){.method = "POST",
					    .path = text_str(&path),
					    .body = text_str(&body),
					    .wait_s = PING_COUNT},
			  &response);
	if (status != CLI_OK)
		return status;
	json_int_t received = document_number(response.json, "received");
	const json_t *rtt = json_object_get(response.json, "rtt_ms");
	if (!received) {
		cli_complain("%s: no answer from %s through the tunnel: is IP protocol 4 let "
			     "through between the two hosts?",
			     side->letter, text);
		return CLI_FAILED;
	}
	if (side->quiet)
		return CLI_OK;
	printf("ping %s->%s %lld/%lld %.1f ms\n", side->letter, other->letter, (long long)received,
	       (long long)document_number(response.json, "sent"),
	       json_number_value(json_object_get(rtt, "avg")));
	fflush(stdout);
	return CLI_OK;
}

static void undo(const struct pair_undo *step, unsigned wait_s)
{
	const struct pair_side *side = step->side;
	const char *noun = pair_side_noun(step->kind);
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};
	struct request request = {.method = step->body ? "PATCH" : "DELETE",
				  .body = step->body,
				  .if_match = step->etag,
				  .wait_s = wait_s};
	struct err err = {0};

	document_add_path(&path, step->kind, side->name);
	text_addf(&path, "?wait=%u", wait_s);
	request.path = text_str(&path);
	int result = client_send(side->client, &request, &response, &err);
	if (result == 0 && response.status == 202)
		fprintf(stderr, "%s  %s/%s  no longer declared, its objects still stand\n",
			side->letter, noun, side->name);
	else if (result == 0 && (response_is_ok(&response) || response.status == 404))
		fprintf(stderr, "%s  %s/%s  %s\n", side->letter, noun, side->name,
			step->body ? "put back" : "removed");
	else if (result == 0 && response.status == 412)
		fprintf(stderr, "%s  %s/%s  is left as it is: it was changed or removed since\n",
			side->letter, noun, side->name);
	else
		fprintf(stderr, "%s  %s/%s  is left there (%s): `ipipctl -H %s %s %s %s`\n",
			side->letter, noun, side->name, result ? err.sentence : "the agent refused",
			side->client->host, noun, step->body ? "show" : "rm", side->name);
}

void pair_journal_undo(struct pair_journal *journal, unsigned wait_s)
{
	fflush(stdout);
	client_ignore_signals();
	if (!journal->len)
		fputs("nothing was changed\n", stderr);
	while (journal->len) {
		struct pair_undo *step = &journal->v[journal->len - 1];

		undo(step, wait_s);
		undo_done(step);
		journal->len--;
	}
}

void pair_journal_done(struct pair_journal *journal)
{
	while (journal->len)
		undo_done(&journal->v[--journal->len]);
	vec_done(journal);
}
