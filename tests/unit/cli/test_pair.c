/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pair against two agents in memory: success, each step failing, and again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cli/cli.h"
#include "cli/pair.h"

/* An agent that keeps what it is told, and fails where the test says. */
struct agent {
	struct client client;
	const char *letter;
	json_t *host, *resources; /* by path */
	const char *source;       /* of its routes */
};

/* "b PUT /v1/tunnels": the request that is refused; NULL: none */
static const char *refused;
static const char *not_ready; /* the same, stored but failed */
static const char *silent;    /* the same, no answer, yet stored */
static const char *unsent;    /* the same, interrupted before it left */
static const char *taken;     /* the same, stored, then changed by another */
static bool deaf;             /* pings are lost */
static char written[1024];    /* "a PUT /v1/tunnels/a-b; …" */
static unsigned writes, tags;

static bool matches(const char *what, const struct agent *agent, const struct request *request)
{
	char line[256];

	snprintf(line, sizeof(line), "%s %s %s", agent->letter, request->method, request->path);
	return what && strncmp(line, what, strlen(what)) == 0;
}

static void respond(struct response *response, long status, json_t *document)
{
	response->status = status;
	response->json = document;
}

static void store(struct agent *agent, const struct request *request, const char *path,
		  struct response *response)
{
	json_t *document = json_loads(request->body, 0, NULL);
	json_t *old = json_object_get(agent->resources, path);

	if (strcmp(request->method, "PATCH") == 0) {
		json_t *merged = json_deep_copy(old);

		json_object_update(merged, document);
		json_decref(document);
		document = merged;
	}
	json_object_set_new(document, "name", json_string(strrchr(path, '/') + 1));
	json_object_set_new(document, "status",
			    json_pack("{s:s, s:s}", "state",
				      matches(not_ready, agent, request) ? "failed" : "ready",
				      "reason", "InSync"));
	json_object_set_new(document, "tag", json_integer(++tags));
	json_object_set_new(agent->resources, path, document);
	respond(response, old ? 200 : 201, json_incref(document));
	snprintf(response->etag, sizeof(response->etag), "%u", tags);
	if (matches(taken, agent, request))
		json_object_set_new(document, "tag", json_integer(++tags));
}

static void route(struct agent *agent, const struct request *request, struct response *response)
{
	bool underlay = strstr(request->path, "underlay=true");

	respond(response, 200,
		json_pack("{s:s, s:s, s:i, s:b}", "device", "eth0", "source", agent->source, "mtu",
			  underlay ? 1500 : 1400, "local", 0));
}

static void get(struct agent *agent, const struct request *request, struct response *response)
{
	const char *path = request->path, *key;
	json_t *items, *document;

	if (strncmp(path, "/v1/host/route?", 15) == 0) {
		route(agent, request, response);
	} else if (strcmp(path, "/v1/host") == 0) {
		respond(response, 200, json_incref(agent->host));
	} else if (strcmp(path, "/v1/status") == 0) {
		respond(response, 200, json_pack("{s:b}", "ready", 1));
	} else if (strncmp(path, "/v1/tunnels?", 12) == 0) {
		items = json_array();
		json_object_foreach(agent->resources, key, document)
			if (strncmp(key, "/v1/tunnels/", 12) == 0)
				json_array_append(items, document);
		respond(response, 200, json_pack("{s:o, s:n}", "items", items, "next"));
	} else {
		document = json_object_get(agent->resources, path);
		respond(response, document ? 200 : 404, json_incref(document));
	}
}

static void note(const struct agent *agent, const struct request *request, const char *path)
{
	size_t len = strlen(written);

	writes++;
	snprintf(written + len, sizeof(written) - len, "%s%s %s %s", len ? "; " : "", agent->letter,
		 request->method, path + strlen("/v1/"));
}

static bool is_matched(const struct agent *agent, const struct request *request, const char *path)
{
	const json_t *document = json_object_get(agent->resources, path);
	char etag[16];

	snprintf(etag, sizeof(etag), "%lld",
		 (long long)json_integer_value(json_object_get(document, "tag")));
	return !request->if_match || !request->if_match[0] || strcmp(request->if_match, etag) == 0;
}

static int fake_send(struct client *client, const struct request *request,
		     struct response *response, struct err *err)
{
	struct agent *agent = (struct agent *)client;
	char path[128];

	if (matches(unsent, agent, request))
		return err_set(err, -EINTR, "interrupted");
	response->sent = true;
	if (matches(refused, agent, request)) {
		respond(response, 409, json_pack("{s:s}", "title", "Refused"));
		return 0;
	}
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(request->path, "?"), request->path);
	if (!is_matched(agent, request, path)) {
		respond(response, 412, json_pack("{s:s}", "title", "Changed"));
		return 0;
	}
	if (strcmp(request->method, "GET") == 0) {
		get(agent, request, response);
	} else if (strcmp(request->method, "POST") == 0) {
		respond(response, 200,
			json_pack("{s:i, s:i, s:{s:f}}", "sent", 3, "received", deaf ? 0 : 3,
				  "rtt_ms", "avg", 0.4));
	} else if (strcmp(request->method, "DELETE") == 0) {
		note(agent, request, path);
		respond(response, json_object_del(agent->resources, path) ? 404 : 204, NULL);
	} else {
		note(agent, request, path);
		store(agent, request, path, response);
	}
	if (matches(silent, agent, request)) {
		response_done(response);
		response->sent = true;
		return err_set(err, -ETIMEDOUT, "no answer in time");
	}
	return 0;
}

static struct agent agents[2];
static struct pair_request request;

static void agent_init(struct agent *agent, const char *letter, const char *address)
{
	*agent = (struct agent){
		.client = {.send = fake_send, .host = letter}, .letter = letter, .source = address};
	agent->resources = json_object();
	agent->host = json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:b}]}", "id", letter, "hostname",
				letter, "version", "0", "addresses", "address", address, "device",
				"eth0", "default_route", 1);
}

static int setup(void **state)
{
	(void)state;
	agent_init(&agents[0], "a", "172.16.16.22");
	agent_init(&agents[1], "b", "172.16.1.62");
	refused = not_ready = silent = unsent = taken = NULL;
	deaf = false;
	written[0] = '\0';
	writes = 0;
	request = (struct pair_request){.inner = {{0x0aff0000}, 16}, .exit = 1, .wait_s = 5};
	return prefix_parse("180.163.26.39/32", vec_add(&request.to));
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		json_decref(agents[i].host);
		json_decref(agents[i].resources);
	}
	vec_done(&request.to);
	return 0;
}

static int run(void)
{
	return pair_run(&request, &agents[0].client, &agents[1].client);
}

static void assert_stored(int side, const char *path, const char *member, const char *expected)
{
	const json_t *document = json_object_get(agents[side].resources, path);
	char *value = json_dumps(json_object_get(document, member), JSON_COMPACT | JSON_ENCODE_ANY);

	assert_non_null(value);
	assert_string_equal(expected, value);
	free(value);
}

static void assert_nothing_left(void)
{
	assert_int_equal(0, json_object_size(agents[0].resources));
	assert_int_equal(0, json_object_size(agents[1].resources));
}

static void makes_tunnels_then_nat_then_route(void **state)
{
	(void)state;
	assert_int_equal(CLI_OK, run());
	assert_string_equal("a PUT tunnels/a-b; b PUT tunnels/a-b; b PUT nat-rules/a-b; "
			    "a PUT exit-routes/a-b",
			    written);
	assert_stored(0, "/v1/tunnels/a-b", "local", "\"172.16.16.22\"");
	assert_stored(0, "/v1/tunnels/a-b", "remote", "\"172.16.1.62\"");
	assert_stored(0, "/v1/tunnels/a-b", "addresses", "[\"10.255.0.0/31\"]");
	assert_stored(1, "/v1/tunnels/a-b", "remote", "\"172.16.16.22\"");
	assert_stored(1, "/v1/tunnels/a-b", "addresses", "[\"10.255.0.1/31\"]");
	assert_stored(1, "/v1/nat-rules/a-b", "sources", "[\"10.255.0.0/32\"]");
	assert_stored(1, "/v1/nat-rules/a-b", "out_interface", "\"eth0\"");
	assert_stored(1, "/v1/nat-rules/a-b", "action", "\"masquerade\"");
	assert_stored(0, "/v1/exit-routes/a-b", "tunnel", "\"a-b\"");
	assert_stored(0, "/v1/exit-routes/a-b", "destinations", "[\"180.163.26.39/32\"]");
}

static void leaves_through_a_when_a_is_the_exit(void **state)
{
	(void)state;
	request.exit = 0;
	request.name[0] = "to-b";
	request.name[1] = "to-a";
	assert_int_equal(CLI_OK, run());
	assert_stored(0, "/v1/nat-rules/to-b", "sources", "[\"10.255.0.1/32\"]");
	assert_stored(1, "/v1/exit-routes/to-a", "tunnel", "\"to-a\"");
}

static void changes_nothing_when_run_again(void **state)
{
	(void)state;
	assert_int_equal(CLI_OK, run());
	writes = 0;
	assert_int_equal(CLI_OK, run());
	assert_int_equal(0, writes);
}

static void repairs_both_ends_when_an_underlay_address_changed(void **state)
{
	(void)state;
	assert_int_equal(CLI_OK, run());
	json_t *resources = agents[1].resources;
	json_decref(agents[1].host);
	agent_init(&agents[1], "b", "172.16.1.99");
	json_decref(agents[1].resources);
	agents[1].resources = resources;
	written[0] = '\0';
	assert_int_equal(CLI_OK, run());
	assert_string_equal("a PATCH tunnels/a-b; b PATCH tunnels/a-b", written);
	assert_stored(0, "/v1/tunnels/a-b", "remote", "\"172.16.1.99\"");
	assert_stored(1, "/v1/tunnels/a-b", "local", "\"172.16.1.99\"");
}

static void undoes_in_reverse_whichever_step_is_refused(void **state)
{
	static const struct {
		const char *refused, *written;
	} steps[] = {
		{"a PUT /v1/tunnels", ""},
		{"b PUT /v1/tunnels", "a PUT tunnels/a-b; a DELETE tunnels/a-b"},
		{"a POST /v1/tunnels", "a PUT tunnels/a-b; b PUT tunnels/a-b; "
				       "b DELETE tunnels/a-b; a DELETE tunnels/a-b"},
		{"b PUT /v1/nat", "a PUT tunnels/a-b; b PUT tunnels/a-b; b DELETE tunnels/a-b; "
				  "a DELETE tunnels/a-b"},
		{"a PUT /v1/exit", "a PUT tunnels/a-b; b PUT tunnels/a-b; b PUT nat-rules/a-b; "
				   "b DELETE nat-rules/a-b; b DELETE tunnels/a-b; "
				   "a DELETE tunnels/a-b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		written[0] = '\0';
		refused = steps[i].refused;
		assert_int_equal(CLI_CONFLICT, run());
		assert_string_equal(steps[i].written, written);
		assert_nothing_left();
	}
}

static void undoes_what_was_stored_but_is_not_ready(void **state)
{
	static const char *const steps[] = {"a PUT /v1/tunnels", "b PUT /v1/tunnels",
					    "b PUT /v1/nat", "a PUT /v1/exit"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		not_ready = steps[i];
		assert_int_equal(CLI_FAILED, run());
		assert_nothing_left();
	}
}

static void undoes_what_may_have_been_stored_without_an_answer(void **state)
{
	(void)state;
	silent = "b PUT /v1/tunnels";
	assert_int_equal(CLI_UNREACHABLE, run());
	assert_nothing_left();
}

static void leaves_what_it_never_sent(void **state)
{
	(void)state;
	unsent = "b PUT /v1/tunnels";
	assert_int_equal(CLI_FAILED, run());
	assert_string_equal("a PUT tunnels/a-b; a DELETE tunnels/a-b", written);
}

static void leaves_what_another_has_changed_since(void **state)
{
	(void)state;
	taken = "b PUT /v1/tunnels";
	deaf = true;
	assert_int_equal(CLI_FAILED, run());
	assert_int_equal(0, json_object_size(agents[0].resources));
	assert_int_equal(1, json_object_size(agents[1].resources));
}

static void undoes_when_pings_are_lost(void **state)
{
	(void)state;
	deaf = true;
	assert_int_equal(CLI_FAILED, run());
	assert_nothing_left();
}

static void puts_a_failed_repair_back(void **state)
{
	(void)state;
	assert_int_equal(CLI_OK, run());
	json_t *exit_route = json_object_get(agents[0].resources, "/v1/exit-routes/a-b");
	json_object_set_new(exit_route, "destinations", json_pack("[s]", "192.0.2.0/24"));
	json_t *nat = json_object_get(agents[1].resources, "/v1/nat-rules/a-b");
	json_object_set_new(nat, "out_interface", json_string("eth9"));
	refused = "a PATCH /v1/exit";
	assert_int_equal(CLI_CONFLICT, run());
	assert_stored(1, "/v1/nat-rules/a-b", "out_interface", "\"eth9\"");
	assert_stored(0, "/v1/exit-routes/a-b", "destinations", "[\"192.0.2.0/24\"]");
	assert_int_equal(2, json_object_size(agents[0].resources));
}

static void refuses_names_that_are_no_pair(void **state)
{
	(void)state;
	json_object_set_new(agents[0].resources, "/v1/tunnels/a-b",
			    json_pack("{s:s, s:s, s:s, s:[s]}", "name", "a-b", "local",
				      "172.16.16.22", "remote", "9.9.9.9", "addresses",
				      "10.1.0.0/31"));
	assert_int_equal(CLI_CONFLICT, run());
	json_object_set_new(agents[1].resources, "/v1/tunnels/a-b",
			    json_pack("{s:s, s:s, s:s, s:[s]}", "name", "a-b", "local",
				      "172.16.1.62", "remote", "8.8.8.8", "addresses",
				      "10.2.0.0/31"));
	assert_int_equal(CLI_CONFLICT, run());
	assert_int_equal(0, writes);
}

static void set(int side, const char *path, const char *member, json_t *value)
{
	json_t *document = json_object_get(agents[side].resources, path);

	if (!document) {
		document = json_object();
		json_object_set_new(agents[side].resources, path, document);
	}
	json_object_set_new(document, member, value);
}

static void refuses_a_nat_rule_or_route_that_is_not_its_own(void **state)
{
	(void)state;
	set(1, "/v1/nat-rules/a-b", "sources", json_pack("[s]", "192.168.1.0/24"));
	request.dry_run = true;
	assert_int_equal(CLI_CONFLICT, run());
	request.dry_run = false;
	assert_int_equal(CLI_CONFLICT, run());
	set(1, "/v1/nat-rules/a-b", "sources", json_pack("[s]", "10.255.0.0/32"));
	set(0, "/v1/exit-routes/a-b", "tunnel", json_string("c-d"));
	assert_int_equal(CLI_CONFLICT, run());
	assert_int_equal(0, writes);
}

static void makes_its_own_nat_rule_masquerade_again(void **state)
{
	(void)state;
	assert_int_equal(CLI_OK, run());
	set(1, "/v1/nat-rules/a-b", "action", json_string("snat"));
	set(1, "/v1/nat-rules/a-b", "to_address", json_string("172.16.1.62"));
	assert_int_equal(CLI_OK, run());
	assert_stored(1, "/v1/nat-rules/a-b", "action", "\"masquerade\"");
	assert_stored(1, "/v1/nat-rules/a-b", "to_address", "null");
}

static void refuses_hosts_that_do_not_reach_each_other(void **state)
{
	(void)state;
	agents[1].source = "10.9.9.9"; /* its route to a has a source that a cannot know */
	assert_int_equal(CLI_FAILED, run());
	assert_int_equal(0, writes);
}

static void a_dry_run_writes_nothing(void **state)
{
	(void)state;
	request.dry_run = true;
	assert_int_equal(CLI_OK, run());
	assert_int_equal(0, writes);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(makes_tunnels_then_nat_then_route),
		CASE(leaves_through_a_when_a_is_the_exit),
		CASE(changes_nothing_when_run_again),
		CASE(repairs_both_ends_when_an_underlay_address_changed),
		CASE(undoes_in_reverse_whichever_step_is_refused),
		CASE(undoes_what_was_stored_but_is_not_ready),
		CASE(undoes_what_may_have_been_stored_without_an_answer),
		CASE(leaves_what_it_never_sent),
		CASE(leaves_what_another_has_changed_since),
		CASE(undoes_when_pings_are_lost),
		CASE(puts_a_failed_repair_back),
		CASE(refuses_names_that_are_no_pair),
		CASE(refuses_a_nat_rule_or_route_that_is_not_its_own),
		CASE(makes_its_own_nat_rule_masquerade_again),
		CASE(refuses_hosts_that_do_not_reach_each_other),
		CASE(a_dry_run_writes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
