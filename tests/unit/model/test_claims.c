/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What no two resources may claim: endpoints, devices, destinations. */
#include "model/claims.h"

#include <errno.h>
#include <stdio.h>

#include "unit/model/declared.h"

static void refuses_equal_endpoints(void **state)
{
	struct tunnel a = tunnel("tun_a", "192.0.2.1", "192.0.2.2", NULL);
	struct tunnel b = tunnel("tun_b", "192.0.2.1", "192.0.2.2", NULL);
	struct tunnel c = tunnel("tun_c", NULL, "192.0.2.2", NULL);
	struct tunnel e = tunnel("tun_e", NULL, "192.0.2.2", NULL);

	(void)state;
	accepts(KIND_TUNNEL, &a);
	accepts(KIND_TUNNEL, &a); /* over itself */
	refuses(KIND_TUNNEL, &b, -EEXIST, "endpoints-in-use", "/remote",
		"tunnel/tun_a has the same local");
	strcpy(b.underlay, "eth1");
	accepts(KIND_TUNNEL, &b);
	accepts(KIND_TUNNEL, &c); /* auto is a value of its own */
	refuses(KIND_TUNNEL, &e, -EEXIST, "endpoints-in-use", "/remote", "tunnel/tun_c");
	/* the other way round is another tunnel */
	struct tunnel f = tunnel("tun_f", "192.0.2.2", "192.0.2.1", NULL);
	accepts(KIND_TUNNEL, &f);
}

static void disabled_and_deleting_keep_their_claims(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.2", NULL);
	struct tunnel b = tunnel("tun_b", NULL, "192.0.2.2", NULL);

	(void)state;
	a.head.enabled = false;
	accepts(KIND_TUNNEL, &a);
	refuses(KIND_TUNNEL, &b, -EEXIST, "endpoints-in-use", "/remote", "tunnel/tun_a");
	a.head.deleting = true;
	put(KIND_TUNNEL, &a);
	refuses(KIND_TUNNEL, &b, -EEXIST, "endpoints-in-use", "/remote", "tunnel/tun_a");
}

static void refuses_equal_devices(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.1", NULL);
	struct tunnel b = tunnel("tun_b", NULL, "192.0.2.2", NULL);
	struct tunnel c = tunnel("tun_c", NULL, "192.0.2.3", NULL);

	(void)state;
	accepts(KIND_TUNNEL, &a);
	strcpy(b.device, "tun_a");
	refuses(KIND_TUNNEL, &b, -EEXIST, "interface-name-taken", "/device",
		"tunnel/tun_a has the device tun_a");
	strcpy(b.device, "tun_c");
	accepts(KIND_TUNNEL, &b);
	refuses(KIND_TUNNEL, &c, -EEXIST, "interface-name-taken", "/device", "tunnel/tun_b");
	strcpy(c.device, "tun_b");
	accepts(KIND_TUNNEL, &c);
}

static void accepts_one_inner_address_on_two_tunnels(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.1", "10.9.0.1/32");
	struct tunnel b = tunnel("tun_b", NULL, "192.0.2.2", "10.9.0.1/32");

	(void)state;
	accepts(KIND_TUNNEL, &a);
	accepts(KIND_TUNNEL, &b);
}

static void refuses_equal_destinations(void **state)
{
	struct exit_route a = route("a", "tun_a", "10.0.0.0/8 11.0.0.0/8", NULL);
	struct exit_route b = route("b", "tun_a", "12.0.0.0/8 11.0.0.0/8", NULL);

	(void)state;
	put_tunnels();
	accepts(KIND_EXIT_ROUTE, &a);
	accepts(KIND_EXIT_ROUTE, &a);
	refuses(KIND_EXIT_ROUTE, &b, -EEXIST, "destination-in-use", "/destinations/1",
		"exit-route/a has 11.0.0.0/8");
	b.metric = 1;
	accepts(KIND_EXIT_ROUTE, &b);
	b.metric = 0;
	b.from = prefixes("10.1.0.0/16");
	accepts(KIND_EXIT_ROUTE, &b);
	/* another length is another destination */
	struct exit_route c = route("c", "tun_a", "10.0.0.0/9 0.0.0.0/0", NULL);
	accepts(KIND_EXIT_ROUTE, &c);
}

static void compares_each_from_by_itself(void **state)
{
	struct exit_route a = route("a", "tun_a", "10.0.0.0/8", NULL);
	struct exit_route b = route("b", "tun_a", "10.0.0.0/8", NULL);

	(void)state;
	put_tunnels();
	a.from = prefixes("10.1.0.0/16 10.2.0.0/16");
	b.from = prefixes("10.3.0.0/16 10.2.0.0/16");
	accepts(KIND_EXIT_ROUTE, &a);
	refuses(KIND_EXIT_ROUTE, &b, -EEXIST, "destination-in-use", "/destinations/0",
		"exit-route/a");
	b.from = prefixes("10.3.0.0/16");
	accepts(KIND_EXIT_ROUTE, &b);
	/* everywhere is no from at all */
	struct exit_route c = route("c", "tun_a", "10.0.0.0/8", NULL);
	struct exit_route e = route("e", "tun_a", "10.0.0.0/8", NULL);
	accepts(KIND_EXIT_ROUTE, &c);
	e.from = prefixes("0.0.0.0/0");
	refuses(KIND_EXIT_ROUTE, &e, -EEXIST, "destination-in-use", "/destinations/0",
		"exit-route/c");
}

static bool clashes(const struct resource *resource)
{
	const struct tunnel *t = (const struct tunnel *)resource;

	for (size_t i = 0; i < d.kind[KIND_TUNNEL].len; i++) {
		const struct tunnel *other = (const struct tunnel *)d.kind[KIND_TUNNEL].v[i];

		if (strcmp(other->head.name, t->head.name) == 0)
			continue;
		if (strcmp(tunnel_device(other), tunnel_device(t)) == 0)
			return true;
		if (other->remote.host == t->remote.host && other->local.host == t->local.host)
			return true;
	}
	return false;
}

/* What is being deleted keeps its claims beside a new holder's, so clashes are put, too. */
static void knows_the_claims_of_what_was_put_and_removed(void **state)
{
	uint32_t random = 1;
	unsigned clashed = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char name[16], device[16];

		random = random * 1664525 + 1013904223;
		snprintf(name, sizeof(name), "t%u", random >> 8 & 31);
		snprintf(device, sizeof(device), "d%u", random >> 13 & 63);
		struct tunnel t = tunnel(name, NULL, NULL, NULL);
		strcpy(t.device, device);
		t.remote.host = 0x0b000000 + (random >> 19 & 63);
		bool clash = clashes(&t.head);
		assert_int_equal(check_put(KIND_TUNNEL, &t), clash ? -EEXIST : 0);
		clashed += clash;
		if (random >> 25 & 3)
			put(KIND_TUNNEL, &t);
		else
			declaration_remove(&d, KIND_TUNNEL, name);
		arena_reset(&arena);
	}
	assert_in_range(clashed, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_equal_endpoints),
		TEST(disabled_and_deleting_keep_their_claims),
		TEST(refuses_equal_devices),
		TEST(accepts_one_inner_address_on_two_tunnels),
		TEST(refuses_equal_destinations),
		TEST(compares_each_from_by_itself),
		TEST(knows_the_claims_of_what_was_put_and_removed),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
