/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking both ends. The far one watches for a moment from its first byte on, so near is asked
 * to send its probes as soon as that byte is there.
 */
#include "cli/why_walk.h"

#include <string.h>

#include "base/arena.h"
#include "cli/document.h"
#include "cli/remotes.h"

enum {
	PEER_TIMEOUT_S = 3,
	SENT_TIMEOUT_S = 1,
	TUNNELS_MAX = 1000,
	ANSWER_MAX = 1 << 20,
	MTU_MIN = 68
};

/* The answer of an agent to a GET; NULL, with a line in notes (NULL: none), when it is none. */
static json_t *get(const struct why_host *host, const char *path, struct text *notes)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text ignored = {0};
	struct request request = {.method = "GET", .path = path};
	struct err err;

	if (!notes)
		notes = &ignored;
	if (client_send(host->client, &request, &response, &err))
		text_addf(notes, "%s\n", err.sentence); /* which names it */
	else if (response_is_ok(&response) && json_is_object(response.json))
		return json_incref(response.json);
	else
		text_addf(notes, "%s: %s: %s\n", host->name,
			  document_string(response.json, "title"),
			  document_string(response.json, "detail"));
	return NULL;
}

static int open_peer(const struct why_walk *walk, const char *name, unsigned timeout_s,
		     struct client **client)
{
	struct cli quick = *walk->cli;

	if (quick.config.timeout_s > timeout_s)
		quick.config.timeout_s = timeout_s;
	return cli_open(&quick, name, false, client);
}

static void add_parameter(struct text *path, const char *name, const char *value)
{
	text_addf(path, "&%s=", name);
	client_add_encoded(path, value);
}

static void add_near_path(const struct why_walk *walk, struct text *path)
{
	text_addf(path, "/v1/why?%s", walk->query);
	if (walk->in)
		add_parameter(path, "in", walk->in);
}

/* Without probes near's failure is that of the command. */
static int ask_near(struct why_walk *walk)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};

	add_near_path(walk, &path);
	int status = cli_get(walk->cli, text_str(&path), &response);
	if (status == CLI_OK && !json_is_object(response.json)) {
		cli_complain("what answers at %s is no ipipd", walk->near.name);
		return CLI_FAILED;
	}
	if (status == CLI_OK)
		walk->near.answer = json_incref(response.json);
	return status == CLI_INVALID ? CLI_USAGE : status;
}

static const json_t *find_check(const json_t *answer, const char *name)
{
	const json_t *checks = json_object_get(answer, "checks"), *check;
	size_t i;

	json_array_foreach(checks, i, check) {
		if (strcmp(document_string(check, "check"), name) == 0)
			return check;
	}
	return NULL;
}

/* What it had said without probes counts if it sends none. */
static void probe_near(struct why_walk *walk)
{
	cleanup_text struct text path = {0};

	add_near_path(walk, &path);
	text_addf(&path, "&id=%u&probe=true", walk->id);
	json_t *answer = get(&walk->near, text_str(&path), &walk->notes);
	if (!answer)
		return;
	json_decref(walk->near.answer);
	walk->near.answer = answer;
}

/* What one agent says is no more than a value to the other. */
static void add_far_path(const struct why_walk *walk, struct text *path)
{
	const json_t *near = walk->near.answer;
	json_int_t mtu = document_number(near, "mtu");

	text_addf(path, "/v1/why?%s&id=%u", walk->query, walk->id);
	add_parameter(path, "peer", document_string(near, "local"));
	add_parameter(path, "local", document_string(near, "remote"));
	if (!strstr(walk->query, "from="))
		add_parameter(path, "from", document_string(near, "from"));
	if (mtu >= MTU_MIN && mtu <= UINT16_MAX)
		text_addf(path, "&mtu=%lld", (long long)mtu);
}

/* Else what far did not see says nothing. */
static bool has_sent(const struct why_walk *walk)
{
	const json_t *answer = walk->near.answer;
	const char *verdict = document_string(find_check(answer, "send"), "verdict");

	return json_is_true(json_object_get(answer, "probe")) &&
	       (strcmp(verdict, "ok") == 0 || strcmp(verdict, "warn") == 0);
}

static void ask_hazards(struct why_host *host)
{
	json_t *answer = host->client ? get(host, "/v1/hazards", NULL) : NULL;

	host->hazards = json_incref(json_object_get(answer, "hazards"));
	json_decref(answer);
}

/* What far sees come back ends its watch by itself; that a port of UDP is closed does not.
 * Its answer comes by the connection that it waits on. Who cannot be told, waits. */
static void tell_sent(struct why_walk *walk)
{
	const json_t *reply = find_check(walk->near.answer, "reply");
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};
	struct client *client;
	struct err err;

	if ((strcmp(document_string(reply, "verdict"), "ok") == 0 &&
	     strcmp(document_string(walk->near.answer, "protocol"), "udp") != 0) ||
	    open_peer(walk, walk->far.name, SENT_TIMEOUT_S, &client) != CLI_OK)
		return;
	add_far_path(walk, &path);
	text_add(&path, "&sent=true");
	struct request request = {.method = "GET", .path = text_str(&path)};
	(void)!client_send(client, &request, &response, &err);
	client_close(client);
}

/* What far says while near sends. */
struct watching {
	struct why_walk *walk;
	struct text body;
	bool began;
	unsigned near_ms; /* that near took */
};

static bool take(void *user, const char *bytes, size_t len)
{
	struct watching *watching = user;

	if (!watching->began) {
		uint64_t start_ms = client_now_ms();

		watching->began = true;
		probe_near(watching->walk);
		watching->near_ms = (unsigned)(client_now_ms() - start_ms);
		tell_sent(watching->walk);
		ask_hazards(&watching->walk->near);
	}
	if (watching->body.len + len > ANSWER_MAX)
		return false;
	text_add_len(&watching->body, bytes, len);
	return true;
}

/* Far watches until it is told that near has sent, but for so long only. */
static bool was_late(const struct watching *watching, const json_t *answer)
{
	json_int_t watched_ms = document_number(answer, "took_ms");
	const char *arrival = document_string(find_check(answer, "arrival"), "verdict");
	struct why_walk *walk = watching->walk;

	if (strcmp(arrival, "broken") != 0 || (json_int_t)watching->near_ms <= watched_ms)
		return false;
	text_addf(&walk->notes, "%s watched for %lld ms, and %s took %u ms to send\n",
		  walk->far.name, (long long)watched_ms, walk->near.name, watching->near_ms);
	return true;
}

static void take_far(struct watching *watching)
{
	json_t *answer = json_loadb(text_str(&watching->body), watching->body.len, 0, NULL);

	if (has_sent(watching->walk) && !was_late(watching, answer))
		watching->walk->far.answer = json_incref(answer);
	json_decref(answer);
}

/* False: far has no answer, and need not be asked again. */
static bool probe_both(struct why_walk *walk)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};
	struct watching watching = {.walk = walk};
	struct err err;

	add_far_path(walk, &path);
	text_add(&path, "&probe=true");
	struct request request = {.method = "GET",
				  .path = text_str(&path),
				  .take = take,
				  .bounded = true,
				  .user = &watching};
	int error = client_send(walk->far.client, &request, &response, &err);
	if (error)
		text_addf(&walk->notes, "%s\n", err.sentence);
	else if (!response_is_ok(&response))
		text_addf(&walk->notes, "%s does not watch for probes: %s\n", walk->far.name,
			  document_string(response.json, "detail"));
	else
		take_far(&watching);
	text_done(&watching.body);
	if (!watching.began)
		probe_near(walk);
	return !error;
}

static void ask_both(struct why_walk *walk)
{
	cleanup_text struct text path = {0};

	if (walk->probe && walk->far.client && !probe_both(walk))
		return;
	if (walk->probe && !walk->far.client)
		probe_near(walk);
	if (walk->far.answer || !walk->far.client)
		return;
	add_far_path(walk, &path);
	walk->far.answer = get(&walk->far, text_str(&path), &walk->notes);
}

static bool has_address(const json_t *host, const char *wanted)
{
	const json_t *addresses = json_object_get(host, "addresses"), *address;
	size_t i;

	json_array_foreach(addresses, i, address) {
		if (strcmp(document_string(address, "address"), wanted) == 0)
			return true;
	}
	return false;
}

static bool has_tunnel(const json_t *list, const char *local, const char *remote)
{
	const json_t *items = json_object_get(list, "items"), *tunnel;
	size_t i;

	json_array_foreach(items, i, tunnel) {
		const char *own = json_string_value(document_value(tunnel, "local"));

		if (own && strcmp(own, local) == 0 &&
		    strcmp(document_string(tunnel, "remote"), remote) == 0)
			return true;
	}
	return false;
}

/* Is that the agent at the tunnel's other end, by what it says about its host? */
static bool is_far_end(struct why_walk *walk, const struct why_host *host, const json_t *about)
{
	const char *local = document_string(walk->near.answer, "local");
	const char *remote = document_string(walk->near.answer, "remote");
	bool found = has_address(about, remote);

	if (found || !about)
		return found;
	cleanup_text struct text path = {0};
	text_addf(&path, "/v1/tunnels?limit=%d", TUNNELS_MAX);
	json_t *tunnels = get(host, text_str(&path), &walk->notes);
	found = has_tunnel(tunnels, remote, local);
	json_decref(tunnels);
	return found;
}

/* By another name: what it would say as the far end is about another tunnel's. */
static bool is_near(struct why_walk *walk, const char *name, const json_t *about)
{
	json_t *own = get(&walk->near, "/v1/host", NULL);
	const char *id = document_string(own, "id");
	bool same = id[0] && strcmp(id, document_string(about, "id")) == 0;

	if (same)
		text_addf(&walk->notes, "%s is the agent that is asked already\n", name);
	json_decref(own);
	return same;
}

/* Opens it, and keeps it as far if it is that, or if nobody else can be. */
static bool try_host(struct why_walk *walk, const char *name, bool only)
{
	struct why_host host = {.name = name};

	if (open_peer(walk, name, PEER_TIMEOUT_S, &host.client) != CLI_OK)
		return false;
	json_t *about = get(&host, "/v1/host", &walk->notes);
	bool taken = is_far_end(walk, &host, about) || (only && !is_near(walk, name, about));

	json_decref(about);
	if (taken)
		walk->far = host;
	else
		client_close(host.client);
	return taken;
}

static void find_among_remotes(struct why_walk *walk)
{
	struct remotes remotes = {0};
	struct err err;

	if (remotes_read(&walk->arena, &remotes, &err) == 0)
		for (size_t i = 0; i < remotes.len; i++)
			if (try_host(walk, remotes.v[i].name, false))
				break;
	vec_done(&remotes);
}

/* Among the hosts of --peer, else among all remotes. */
static void find_far(struct why_walk *walk)
{
	const struct args *args = &walk->cli->args;
	bool only = args_nth(args, "peer", 0) && !args_nth(args, "peer", 1);
	const char *name;

	for (unsigned i = 0; !walk->far.client && (name = args_nth(args, "peer", i)); i++)
		try_host(walk, name, only);
	if (!args_nth(args, "peer", 0))
		find_among_remotes(walk);
	if (walk->far.client) /* who else was asked in vain does not matter */
		text_clear(&walk->notes);
}

static void add_steps(struct why_walk *walk, const struct why_host *host, const char *leg)
{
	const json_t *checks = json_object_get(host->answer, "checks"), *check;
	size_t i;

	json_array_foreach(checks, i, check) {
		if (strcmp(document_string(check, "leg"), leg) == 0)
			vec_push(&walk->steps, ((struct why_step){.host = host, .check = check}));
	}
}

/* The first break makes the rest unreached, whichever host it is on. */
static void order(struct why_walk *walk)
{
	const struct why_host *near = &walk->near, *far = &walk->far;

	add_steps(walk, near, "out");
	add_steps(walk, far, "out");
	add_steps(walk, far, "back");
	add_steps(walk, near, "back");
	for (size_t i = 0; i < walk->steps.len; i++) {
		struct why_step *step = &walk->steps.v[i];

		step->reached = !walk->broken;
		if (!walk->broken && strcmp(document_string(step->check, "verdict"), "broken") == 0)
			walk->broken = step;
	}
}

/* The packet does not get out of there. */
static bool is_broken_out(const struct why_host *host)
{
	const json_t *checks = json_object_get(host->answer, "checks"), *check;
	size_t i;

	json_array_foreach(checks, i, check) {
		if (strcmp(document_string(check, "verdict"), "broken") == 0)
			return strcmp(document_string(check, "leg"), "out") == 0;
	}
	return false;
}

/* What is mistyped is told before anything is sent. */
static int check_peers(const struct why_walk *walk)
{
	const char *name;

	for (unsigned i = 0; (name = args_nth(&walk->cli->args, "peer", i)); i++) {
		struct client *client = NULL;

		if (strcmp(name, walk->near.name) == 0)
			return cli_usage("--peer %s is the host that is asked already", name);
		int status = cli_open(walk->cli, name, false, &client);
		client_close(client);
		if (status != CLI_OK)
			return status;
	}
	return CLI_OK;
}

int why_walk(struct why_walk *walk)
{
	int status = check_peers(walk);

	if (status == CLI_OK)
		walk->near.client = cli_agent(walk->cli, &status);
	if (walk->near.client)
		status = ask_near(walk);
	if (status != CLI_OK)
		return status;
	walk->id = (unsigned)document_number(walk->near.answer, "id");
	/* what is broken without a probe will not be mended by one */
	if (!is_broken_out(&walk->near) && document_string(walk->near.answer, "remote")[0]) {
		find_far(walk);
		ask_both(walk);
	}
	if (!walk->near.hazards)
		ask_hazards(&walk->near);
	ask_hazards(&walk->far);
	order(walk);
	return CLI_OK;
}

static void host_done(struct why_host *host)
{
	json_decref(host->answer);
	json_decref(host->hazards);
}

void why_walk_done(struct why_walk *walk)
{
	client_close(walk->far.client); /* near's is the command's */
	host_done(&walk->near);
	host_done(&walk->far);
	text_done(&walk->notes);
	vec_done(&walk->steps);
	arena_done(&walk->arena);
}
