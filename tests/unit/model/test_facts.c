/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking near the last one finds what looking everywhere does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/text.h"
#include "model/facts.h"

static const char *const devices[] = {"", "eth0", "lo", "ta", "tb", "tc"};

static void add(struct facts *facts, unsigned i)
{
	struct fact_link link = {.ifindex = i};
	struct fact_remote remote = {.remote = {i / 2}, .mtu = i};

	name_copy(link.device, devices[i]);
	name_copy(remote.underlay, i % 2 ? "eth0" : "");
	vec_push(&facts->links, link);
	vec_push(&facts->remotes, remote);
}

static void near_is_as_anywhere(void **state)
{
	const unsigned all = ARRAY_LEN(devices);

	(void)state;
	for (unsigned present = 0; present < 1U << all; present++) {
		cleanup_(facts_done) struct facts facts = {0};

		for (unsigned i = 0; i < all; i++)
			if (present >> i & 1)
				add(&facts, i);
		facts_sort(&facts);
		for (unsigned i = 0; i < all * (all + 2); i++) {
			size_t at = i / all, remote_at = at;
			unsigned key = i % all;
			const char *underlay = key % 2 ? "eth0" : "";

			assert_ptr_equal(facts_link_near(&facts, devices[key], &at),
					 facts_link(&facts, devices[key]));
			assert_ptr_equal(facts_remote_near(&facts, (struct addr){key / 2}, underlay,
							   &remote_at),
					 facts_remote(&facts, (struct addr){key / 2}, underlay));
			assert_true(!facts_link(&facts, devices[key]) == !(present >> key & 1));
			assert_true(!facts_remote(&facts, (struct addr){key / 2}, underlay) ==
				    !(present >> key & 1));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(near_is_as_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
