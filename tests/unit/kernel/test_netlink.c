/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own words in an answer, and names of devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "kernel/names.h"
#include "kernel/netlink.h"

/* An error answer: the request's header, its payload unless capped, then the text. */
static struct nlmsghdr *error_with(const char *text, unsigned flags, size_t payload)
{
	struct nlmsgerr error = {.error = -EEXIST};

	error.msg.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + payload);
	struct nlmsghdr *msg = netlink_message(NLMSG_ERROR, (int)flags, &error, sizeof(error));
	if (!(flags & NLM_F_CAPPED))
		msg->nlmsg_len += NLMSG_ALIGN((uint32_t)payload);
	netlink_put(msg, NLMSGERR_ATTR_MSG, text, strlen(text) + 1);
	return msg;
}

static void reads_the_words_of_an_error(void **state)
{
	char words[NETLINK_WORDS] = "before";
	(void)state;

	cleanup_free struct nlmsghdr *capped = error_with("File is there",
							  NLM_F_ACK_TLVS | NLM_F_CAPPED, 40);
	netlink_words(capped, words);
	assert_string_equal(words, "File is there");
	cleanup_free struct nlmsghdr *whole = error_with("behind it", NLM_F_ACK_TLVS, 30);
	netlink_words(whole, words);
	assert_string_equal(words, "behind it");
}

static void no_words_are_empty_words(void **state)
{
	char words[NETLINK_WORDS] = "before";
	(void)state;

	cleanup_free struct nlmsghdr *msg = error_with("not flagged", NLM_F_CAPPED, 40);
	netlink_words(msg, words);
	assert_string_equal(words, "");
}

static void long_words_are_cut(void **state)
{
	char words[NETLINK_WORDS], text[400];
	(void)state;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cleanup_free struct nlmsghdr *msg = error_with(text, NLM_F_ACK_TLVS | NLM_F_CAPPED, 40);
	netlink_words(msg, words);
	assert_int_equal(strlen(words), NETLINK_WORDS - 1);
}

static void a_length_that_lies_is_survived(void **state)
{
	char words[NETLINK_WORDS] = "before";
	(void)state;

	cleanup_free struct nlmsghdr *msg = error_with("unseen", NLM_F_ACK_TLVS, 8);
	struct nlmsgerr *error = nlmsg_data(msg);
	error->msg.nlmsg_len = UINT32_MAX;
	netlink_words(msg, words);
	assert_string_equal(words, "");
	error->msg.nlmsg_len = 3;
	netlink_words(msg, words);
	msg->nlmsg_len = NLMSG_LENGTH(2);
	netlink_words(msg, words);
	assert_string_equal(words, "");
}

static void names_go_both_ways(void **state)
{
	struct names names = {0};
	char device[IFNAMSIZ];
	(void)state;

	assert_int_equal(names_index(&names, "eth0"), 0);
	for (uint32_t i = 1; i <= 10000; i++) {
		snprintf(device, sizeof(device), "t%u", i);
		names_put(&names, 0x20000000 + i * 3, device);
	}
	for (uint32_t i = 1; i <= 10000; i++) {
		snprintf(device, sizeof(device), "t%u", i);
		assert_int_equal(names_index(&names, device), 0x20000000 + i * 3);
	}
	names_put(&names, 0x20000003, "renamed");
	assert_int_equal(names_index(&names, "t1"), 0);
	names_device(&names, 0x20000003, device);
	assert_string_equal(device, "renamed");
	names_remove(&names, 0x20000003);
	assert_int_equal(names_index(&names, "renamed"), 0);
	names_device(&names, 17, device);
	assert_string_equal(device, "if17");
	names_device(&names, 0, device);
	assert_string_equal(device, "");
	names_clear(&names);
	assert_int_equal(names_index(&names, "t2"), 0);
	names_done(&names);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_the_words_of_an_error),
	cmocka_unit_test(no_words_are_empty_words),
	cmocka_unit_test(long_words_are_cut),
	cmocka_unit_test(a_length_that_lies_is_survived),
	cmocka_unit_test(names_go_both_ways),
};

int main(void)
{
	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
