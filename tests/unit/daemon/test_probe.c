/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets as they are read, and probes over the loopback of a namespace that the test made. */
#include "daemon/packet.h"
#include "daemon/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static bool alone; /* in a namespace of its own, whose lo is up */

static const uint8_t echo_reply[] = {
	0x45, 0, 0, 84, 0,    0,    0, 0,   64, 1, 0, 0, 180, 163, 26, 39, 192, 168, 1, 1, /* IP */
	0,    0, 0, 0,  0x12, 0x34, 0, 100, /* ICMP */
};
/* 172.16.0.1 to 192.168.1.1: fragmentation needed, mtu 1400, about an echo request */
static const uint8_t too_big[] =
	{
		0x45, 0, 0,   56,  0,  0,  0,    0,    64, 1, 0,    0,    172, 16,
		0,    1, 192, 168, 1,  1,              /* IP */
		3,    4, 0,   0,   0,  0,  0x05, 0x78, /* ICMP */
		0x45, 0, 5,   220, 0,  0,  0x40, 0,    63, 1, 0,    0,    192, 168,
		1,    1, 180, 163, 26, 39, 8,    0,    0,  0, 0x12, 0x34, 0,   101,
};
static const uint8_t syn_ack[] = {
	0x45, 0,   0,    40,   0,  0,  0,   0,   64, 6,
	0,    0,   180,  163,  26, 39, 192, 168, 1,  1, /* IP */
	1,    187, 0x12, 0x34, 0,  0,  0,   1,   0,  0,
	0,    2,   0x50, 0x12, 4,  0,  0,   0,   0,  0, /* TCP */
};

static void an_echo_reply_is_read(void **state)
{
	struct packet packet = {0};

	(void)state;
	assert_true(packet_read(echo_reply, sizeof(echo_reply), &packet));
	assert_int_equal(packet.protocol, IPPROTO_ICMP);
	assert_int_equal(packet.source.host, 0xb4a31a27);
	assert_int_equal(packet.destination.host, 0xc0a80101);
	assert_int_equal(packet.type, 0);
	assert_int_equal(packet.id, 0x1234);
	assert_int_equal(packet.sequence, 100);
	assert_null(packet.quoted);
}

static void an_error_tells_the_mtu_and_what_it_is_about(void **state)
{
	struct packet packet = {0}, quoted = {0};

	(void)state;
	assert_true(packet_read(too_big, sizeof(too_big), &packet));
	assert_int_equal(packet.mtu, 1400);
	assert_int_equal(packet.source.host, 0xac100001);
	assert_true(packet_read(packet.quoted, packet.quoted_len, &quoted));
	assert_int_equal(quoted.destination.host, 0xb4a31a27);
	assert_int_equal(quoted.id, 0x1234);
	assert_int_equal(quoted.sequence, 101);
}

/* an error about a tunnel's packet, whose header is of 20 or more bytes, around that request */
static size_t make_outer(uint8_t *bytes, size_t header)
{
	const size_t quote = PACKET_IP_HEADER + PACKET_ICMP_HEADER;

	memset(bytes, 0, quote + header);
	memcpy(bytes, too_big, quote);
	bytes[quote] = (uint8_t)(0x40 | header / 4);
	bytes[quote + 9] = IPPROTO_IPIP;
	memcpy(bytes + quote + header, too_big + quote, sizeof(too_big) - quote);
	return sizeof(too_big) + header;
}

static void of_a_tunnels_packet_the_one_inside_is_meant(void **state)
{
	uint8_t bytes[sizeof(too_big) + 60];

	(void)state;
	for (size_t header = 20; header <= 60; header += 20) {
		size_t len = make_outer(bytes, header);
		struct packet error = {0}, sent = {0};

		assert_true(packet_read(bytes, len, &error));
		assert_true(packet_read_quoted(&error, &sent));
		assert_int_equal(sent.sequence, 101);
		assert_int_equal(error.mtu, 1400 - header);
		for (size_t cut = 28; cut < len; cut++) {
			assert_true(packet_read(bytes, cut, &error));
			assert_false(packet_read_quoted(&error, &sent));
		}
	}
	struct packet error = {0}, sent = {0};
	size_t len = make_outer(bytes, 20);

	bytes[26] = 0; /* an mtu of 19: nothing is left */
	bytes[27] = 19;
	assert_true(packet_read(bytes, len, &error));
	assert_true(packet_read_quoted(&error, &sent));
	assert_int_equal(error.mtu, 0);
}

static void a_segment_has_ports_and_flags(void **state)
{
	struct packet packet = {0};

	(void)state;
	assert_true(packet_read(syn_ack, sizeof(syn_ack), &packet));
	assert_int_equal(packet.source_port, 443);
	assert_int_equal(packet.port, 0x1234);
	assert_true(packet.syn && packet.ack && !packet.reset);
}

static void what_is_cut_off_or_lies_is_no_packet(void **state)
{
	uint8_t bytes[sizeof(too_big)];
	struct packet packet = {.id = 77}, quoted;

	(void)state;
	for (size_t len = 0; len < sizeof(echo_reply); len++)
		assert_false(packet_read(echo_reply, len, &packet));
	assert_int_equal(packet.id, 77);
	memcpy(bytes, echo_reply, sizeof(echo_reply));
	bytes[0] = 0x65; /* another version */
	assert_false(packet_read(bytes, sizeof(echo_reply), &packet));
	bytes[0] = 0x44; /* a header of 16 bytes */
	assert_false(packet_read(bytes, sizeof(echo_reply), &packet));
	bytes[0] = 0x4f; /* one of 60 */
	assert_false(packet_read(bytes, sizeof(echo_reply), &packet));
	bytes[0] = 0x45;
	bytes[7] = 1; /* a later fragment */
	assert_false(packet_read(bytes, sizeof(echo_reply), &packet));
	for (size_t len = 28; len < sizeof(too_big); len++) {
		assert_true(packet_read(too_big, len, &packet));
		assert_false(packet_read(packet.quoted, packet.quoted_len, &quoted));
	}
}

struct run {
	struct loop *loop;
	struct probe *probe;
	struct probe_result result;
	unsigned calls;
};

static void finished(void *user, const struct probe_result *result)
{
	struct run *run = user;

	run->result = *result;
	run->calls++;
	probe_free(run->probe);
	loop_stop(run->loop, 0);
}

static struct probe_result probe(const struct probe_question *question)
{
	struct run run = {0};
	struct err err = {0};

	assert_int_equal(loop_new(&run.loop, &err), 0);
	int rc = probe_start(&run.probe, run.loop, question, finished, &run, &err);
	if (rc)
		fail_msg("%s", err.sentence);
	loop_run(run.loop);
	loop_free(run.loop);
	assert_int_equal(run.calls, 1);
	return run.result;
}

#define LOOPBACK                                                                                   \
	{                                                                                          \
		0x7f000001                                                                         \
	}

static void echoes_come_back(void **state)
{
	(void)state;
	if (!alone)
		skip();
	struct probe_result result = probe(&(struct probe_question){
		.to = LOOPBACK, .protocol = IPPROTO_ICMP, .id = 7, .count = 3, .timeout_ms = 2000});

	assert_int_equal(result.sent, 3);
	assert_int_equal(result.received, 3);
	assert_int_equal(result.icmp_by.host, 0);
	assert_true(result.min_us <= result.avg_us && result.avg_us <= result.max_us);
}

static void the_device_bounds_the_size_and_tells(void **state)
{
	(void)state;
	if (!alone)
		skip();
	struct probe_result result = probe(&(struct probe_question){.to = LOOPBACK,
								    .protocol = IPPROTO_ICMP,
								    .id = 7,
								    .sizes = {576, 1400, 1500},
								    .n_sizes = 3,
								    .timeout_ms = 2000});

	assert_int_equal(result.sent, 0);
	assert_int_equal(result.largest_passed, 1400);
	assert_int_equal(result.smallest_lost, 1500);
	assert_int_equal(result.told_mtu, 1400);
	assert_int_equal(result.told_by.host, 0);
}

/* The device takes 1400 bytes at once. */
static void what_may_be_fragmented_passes(void **state)
{
	struct probe_question question = {.to = LOOPBACK,
					  .protocol = IPPROTO_ICMP,
					  .id = 7,
					  .sizes = {1400, 1500},
					  .n_sizes = 2,
					  .timeout_ms = 2000};

	(void)state;
	if (!alone)
		skip();
	assert_false(probe(&question).whole_passed);
	question.whole = 1500;
	struct probe_result result = probe(&question);
	assert_true(result.whole_passed);
	assert_int_equal(result.largest_passed, 1400);
	assert_int_equal(result.smallest_lost, 1500);
}

static void answer_echoes(bool answer)
{
	int fd = open("/proc/sys/net/ipv4/icmp_echo_ignore_all", O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, answer ? "0" : "1", 1), 1);
	close(fd);
}

/* Of the tunnel's packet around the first size: it comes to another address than it left from. */
static void send_error(uint16_t id)
{
	uint8_t bytes[sizeof(too_big) + 20];
	size_t len = make_outer(bytes, 20) - PACKET_IP_HEADER;
	uint8_t *icmp = bytes + PACKET_IP_HEADER, *echo = icmp + PACKET_ICMP_HEADER + 20;
	const uint8_t ends[] = {127, 0, 0, 2, 127, 0, 0, 1};
	struct sockaddr_in to = packet_sockaddr((struct addr)LOOPBACK, 0);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	uint32_t sum = 0;

	memcpy(echo + 12, ends, sizeof(ends));
	echo[24] = (uint8_t)(id >> 8);
	echo[25] = (uint8_t)id;
	echo[27] = PROBE_SIZES_SEQUENCE;
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)icmp[i] << 8 | icmp[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	assert_int_equal(sendto(fd, icmp, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
	close(fd);
}

static void an_error_about_the_tunnels_packet_is_heard(void **state)
{
	struct run run = {0};
	struct err err = {0};
	const struct probe_question question = {.from = {0x7f000002},
						.to = LOOPBACK,
						.protocol = IPPROTO_ICMP,
						.id = 9,
						.sizes = {1400},
						.n_sizes = 1,
						.timeout_ms = 20000};

	(void)state;
	if (!alone)
		skip();
	uint64_t start_ms = loop_now_ms();
	answer_echoes(false);
	assert_int_equal(loop_new(&run.loop, &err), 0);
	assert_int_equal(probe_start(&run.probe, run.loop, &question, finished, &run, &err), 0);
	send_error(9);
	loop_run(run.loop);
	loop_free(run.loop);
	answer_echoes(true);
	assert_int_equal(run.calls, 1);
	assert_true(loop_now_ms() - start_ms < 10000);
	assert_int_equal(run.result.told_mtu, 1380);
	assert_int_equal(run.result.largest_passed, 0);
	assert_int_equal(run.result.smallest_lost, 1400);
}

static void what_could_not_be_sent_is_not_waited_for(void **state)
{
	(void)state;
	if (!alone)
		skip();
	uint64_t start_ms = loop_now_ms();
	struct probe_result result = probe(&(struct probe_question){.to = {0x0a010101},
								    .protocol = IPPROTO_ICMP,
								    .id = 7,
								    .count = 3,
								    .sizes = {1500},
								    .n_sizes = 1,
								    .timeout_ms = 20000});

	assert_true(loop_now_ms() - start_ms < 10000);
	assert_int_equal(result.sent, 3);
	assert_int_equal(result.received, 0);
	assert_int_equal(result.send_error, -ENETUNREACH);
	assert_int_equal(result.smallest_lost, 1500);
}

static int listener(int type, uint16_t port)
{
	struct sockaddr_in address = packet_sockaddr((struct addr)LOOPBACK, port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void tcp_is_answered_by_who_listens_and_by_who_does_not(void **state)
{
	struct probe_question question = {.to = LOOPBACK,
					  .protocol = IPPROTO_TCP,
					  .id = 40000,
					  .port = 443,
					  .count = 3,
					  .timeout_ms = 2000};

	(void)state;
	if (!alone)
		skip();
	assert_int_equal(probe(&question).received, 3);
	int fd = listener(SOCK_STREAM, 443);
	question.id = 40001;
	assert_true(probe(&question).received >= 1);
	close(fd);
}

static void udp_to_nobody_is_answered_by_icmp(void **state)
{
	(void)state;
	if (!alone)
		skip();
	struct probe_result result = probe(&(struct probe_question){.to = LOOPBACK,
								    .protocol = IPPROTO_UDP,
								    .id = 40002,
								    .port = 53,
								    .count = 3,
								    .timeout_ms = 2000});

	assert_int_equal(result.received, 3);
	assert_int_equal(result.send_error, 0);
	assert_int_equal(result.icmp_type, 3);
	assert_int_equal(result.icmp_code, 3);
}

static void silence_ends_with_the_time(void **state)
{
	(void)state;
	if (!alone)
		skip();
	int fd = listener(SOCK_DGRAM, 53);
	uint64_t start_ms = loop_now_ms();
	struct probe_result result = probe(&(struct probe_question){.to = LOOPBACK,
								    .protocol = IPPROTO_UDP,
								    .id = 40003,
								    .port = 53,
								    .count = 3,
								    .timeout_ms = 100});

	close(fd);
	assert_int_equal(result.sent, 3);
	assert_int_equal(result.received, 0);
	assert_true(loop_now_ms() - start_ms >= 99);
}

static void a_foreign_source_is_refused(void **state)
{
	struct probe_question question = {.from = {0x0a010101},
					  .to = LOOPBACK,
					  .protocol = IPPROTO_ICMP,
					  .id = 1,
					  .count = 1};
	struct probe *made = NULL;
	struct loop *loop = NULL;
	struct err err = {0};

	(void)state;
	if (!alone)
		skip();
	assert_int_equal(loop_new(&loop, &err), 0);
	assert_int_equal(probe_start(&made, loop, &question, finished, NULL, &err), -EADDRNOTAVAIL);
	assert_null(made);
	loop_free(loop);
}

/* lo up, with an mtu at which a size can be too much */
static bool enter_namespace(void)
{
	struct ifreq request = {.ifr_name = "lo"};

	if (unshare(CLONE_NEWNET) < 0)
		return false;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	request.ifr_flags = IFF_UP;
	bool up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	request.ifr_mtu = 1400;
	up = up && ioctl(fd, SIOCSIFMTU, &request) == 0;
	close(fd);
	return up;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_echo_reply_is_read),
		cmocka_unit_test(an_error_tells_the_mtu_and_what_it_is_about),
		cmocka_unit_test(of_a_tunnels_packet_the_one_inside_is_meant),
		cmocka_unit_test(a_segment_has_ports_and_flags),
		cmocka_unit_test(what_is_cut_off_or_lies_is_no_packet),
		cmocka_unit_test(echoes_come_back),
		cmocka_unit_test(the_device_bounds_the_size_and_tells),
		cmocka_unit_test(what_may_be_fragmented_passes),
		cmocka_unit_test(an_error_about_the_tunnels_packet_is_heard),
		cmocka_unit_test(what_could_not_be_sent_is_not_waited_for),
		cmocka_unit_test(tcp_is_answered_by_who_listens_and_by_who_does_not),
		cmocka_unit_test(udp_to_nobody_is_answered_by_icmp),
		cmocka_unit_test(silence_ends_with_the_time),
		cmocka_unit_test(a_foreign_source_is_refused),
	};

	alone = enter_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
