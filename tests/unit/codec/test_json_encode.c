/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was decoded is encoded as it was sent; kernel objects are shown with what is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "codec/json.h"
#include "unit/codec/samples.h"

static struct resource *decode(const struct kind *kind, const char *s, struct arena *arena)
{
	static struct errs errs;
	struct resource *resource;
	uint64_t generation;
	json_t *document;

	errs = (struct errs){0};
	assert_int_equal(json_parse(s, strlen(s), NULL, &document, &errs), 0);
	if (json_decode(kind, document, NULL, NULL, arena, &resource, &generation, &errs) != 0)
		fail_msg("%s: %s", errs.v[0].pointer, errs.v[0].sentence);
	json_decref(document);
	return resource;
}

static void assert_declared(const struct kind *kind, const struct resource *resource,
			    const char *want)
{
	cleanup_text struct text text = {0};

	json_add_declared(&text, kind, resource);
	assert_string_equal(text_str(&text), want);
}

static void assert_object(const struct kind *kind, const void *object, const char *want)
{
	cleanup_text struct text text = {0};

	json_add_object(&text, kind, object);
	assert_string_equal(text_str(&text), want);
}

static void samples_have_every_field(void **state)
{
	cleanup_arena struct arena arena = {0};

	(void)state;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		struct resource *resource = decode(kinds[k], full_samples[k], &arena);

		assert_int_equal(resource->set, kind_all(kinds[k]));
	}
}

static void encodes_what_was_decoded(void **state)
{
	cleanup_arena struct arena arena = {0};

	(void)state;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		const char *const samples[] = {full_samples[k], least_samples[k]};

		for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
			struct resource *resource = decode(kinds[k], samples[i], &arena);
			json_auto_t *encoded = json_encode(kinds[k], resource);
			json_auto_t *sent = json_loads(samples[i], 0, NULL);

			assert_true(json_equal(encoded, sent));
		}
	}
}

static void decodes_what_was_encoded(void **state)
{
	cleanup_arena struct arena arena = {0};

	(void)state;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		struct resource *first = decode(kinds[k], full_samples[k], &arena);
		json_auto_t *encoded = json_encode(kinds[k], first);
		char *text = json_dumps(encoded, 0);
		struct resource *second = decode(kinds[k], text, &arena);

		assert_true(kind_same(kinds[k], first, second));
		free(text);
	}
}

static void encodes_in_the_order_of_the_table(void **state)
{
	cleanup_arena struct arena arena = {0};

	(void)state;
	assert_declared(&nat_rule_kind,
			decode(&nat_rule_kind,
			       "{\"priority\":7,\"out_interface\":\"eth0\",\"sources\":"
			       "[\"10.0.0.0/8\"],\"enabled\":true,\"name\":\"n\"}",
			       &arena),
			"\"name\":\"n\",\"enabled\":true,\"sources\":[\"10.0.0.0/8\"],"
			"\"out_interface\":\"eth0\",\"priority\":7");
}

static void encodes_words(void **state)
{
	cleanup_arena struct arena arena = {0};

	(void)state;
	assert_declared(&tunnel_kind,
			decode(&tunnel_kind,
			       "{\"name\":\"t\",\"remote\":\"192.0.2.1\","
			       "\"local\":\"auto\",\"mtu\":\"auto\",\"tos\":\"inherit\"}",
			       &arena),
			"\"name\":\"t\",\"remote\":\"192.0.2.1\",\"local\":\"auto\","
			"\"mtu\":\"auto\",\"tos\":\"inherit\"");
}

static void encodes_only_the_rows_asked_for(void **state)
{
	struct tunnel t = {.ttl = 64, .mtu = 1480, .device = "tun_a"};
	cleanup_text struct text text = {0};

	(void)state;
	json_add_members(&text, &tunnel_kind, &t,
			 object_bit(tunnel_kind, "ttl") | object_bit(tunnel_kind, "device") |
				 object_bit(tunnel_kind, "mtu"));
	assert_string_equal(text.s, "\"device\":\"tun_a\",\"mtu\":1480,\"ttl\":64");
}

static void encodes_the_key_and_what_is_set_of_an_object(void **state)
{
	struct link link = {.device = "tun_a", .mtu = 1480, .ttl = 64};
	struct address address = {.device = "tun_a", .prefix = {{0xc0a80101}, 24}};

	(void)state;
	link.head.set = object_bit(link_kind, "mtu");
	assert_object(&link_kind, &link, "{\"device\":\"tun_a\",\"mtu\":1480}");
	assert_object(&address_kind, &address,
		      "{\"device\":\"tun_a\",\"prefix\":\"192.168.1.1/24\"}");
}

static void encodes_names_that_are_not_utf8(void **state)
{
	struct link link = {.device = "a\xff\xc3\xa9\xe2\x82", .alias = "\xf0\x9f\x9a\x87\xc3"};

	(void)state;
	link.head.set = object_bit(link_kind, "alias");
	assert_object(&link_kind, &link,
		      "{\"device\":\"a?\xc3\xa9??\",\"alias\":\"\xf0\x9f\x9a\x87?\"}");
}

static void encodes_rules_of_a_chain(void **state)
{
	struct nft_rule rules[] = {
		{.iif = "tun_b", .oif = "eth0", .saddr_set = "s", .verdict = NFT_VERDICT_ACCEPT},
		{.clamp = true},
	};
	struct nft_chain chain = {.name = "forward", .rules = {rules, 2}};

	(void)state;
	chain.head.set = object_bit(nft_chain_kind, "rules");
	assert_object(&nft_chain_kind, &chain,
		      "{\"name\":\"forward\",\"rules\":[{\"iif\":\"tun_b\",\"oif\":\"eth0\","
		      "\"saddr_set\":\"s\",\"verdict\":\"accept\"},{\"clamp\":true}]}");
}

static void encodes_every_kind_of_object(void **state)
{
	char zero[1024] = {0};

	(void)state;
	for (unsigned k = 0; k < KINDS; k++) {
		assert_true(kinds[k]->size <= sizeof(zero));
		memcpy(zero, &(uint64_t){kind_all(kinds[k])}, sizeof(uint64_t));
		cleanup_text struct text text = {0};
		json_add_object(&text, kinds[k], zero);
		json_auto_t *document = json_loads(text.s, JSON_REJECT_DUPLICATES, NULL);
		assert_int_equal(json_object_size(document), kinds[k]->n_fields);
	}
}

/* jansson is the judge of what is UTF-8, and of what is escaped how. */
static void assert_like_jansson(const char *s)
{
	json_auto_t *value = json_string(s);
	cleanup_text struct text text = {0};

	json_add_string(&text, s);
	if (value) {
		char *want = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		assert_string_equal(text.s, want);
		free(want);
		return;
	}
	json_auto_t *read = json_loads(text.s, JSON_DECODE_ANY, NULL);
	assert_non_null(read);
	assert_non_null(strchr(text.s, '?'));
}

static void writes_texts_as_jansson_does(void **state)
{
	static const char *const texts[] = {"", "a\"b\\c/d", "\x7f",
					    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x87"};
	static const unsigned char seconds[] = {1, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_like_jansson(texts[i]);
	for (int first = 1; first < 256; first++) {
		assert_like_jansson((char[]){(char)first, 0});
		for (size_t i = 0; i < ARRAY_LEN(seconds); i++)
			for (size_t more = 0; more < 3; more++) {
				char s[5] = {(char)first, (char)seconds[i]};

				memset(s + 2, 0x80, more);
				assert_like_jansson(s);
			}
	}
}

static void separates_members(void **state)
{
	cleanup_text struct text text = {0};

	(void)state;
	json_member_string(&text, "a", "{");
	json_member_number(&text, "b", 7);
	json_member_time(&text, "c", 0);
	assert_string_equal(text.s, "\"a\":\"{\",\"b\":7,\"c\":\"1970-01-01T00:00:00.000Z\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_have_every_field),
		cmocka_unit_test(encodes_what_was_decoded),
		cmocka_unit_test(decodes_what_was_encoded),
		cmocka_unit_test(encodes_in_the_order_of_the_table),
		cmocka_unit_test(encodes_words),
		cmocka_unit_test(encodes_only_the_rows_asked_for),
		cmocka_unit_test(encodes_the_key_and_what_is_set_of_an_object),
		cmocka_unit_test(encodes_names_that_are_not_utf8),
		cmocka_unit_test(encodes_rules_of_a_chain),
		cmocka_unit_test(encodes_every_kind_of_object),
		cmocka_unit_test(writes_texts_as_jansson_does),
		cmocka_unit_test(separates_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
