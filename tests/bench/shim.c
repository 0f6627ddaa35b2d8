/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in front of libc in the agent under test (LD_PRELOAD) and counts, into the file
 * $BENCH_COUNTERS that the benchmark has mapped: netlink messages that change something,
 * the time that the kernel took for batches of nftables, syncs, writes below /proc/sys, and
 * why epoll_wait came back. With $BENCH_EVENT_BUFFER it gives the sockets of that agent a
 * small receive buffer.
 */
#include "netlink.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The order is that of bench.py. */
struct counters {
	uint64_t requests;   /* netlink messages sent */
	uint64_t modifying;  /* of those, the ones that change something */
	uint64_t nft_ns;     /* in sends of batches of nftables */
	uint64_t receive_ns; /* in receives from netlink, dumps mostly */
	uint64_t send_ns;    /* in sends to rtnetlink */
	uint64_t syncs;
	uint64_t sysctls; /* writes below /proc/sys */
	uint64_t events;  /* returns of epoll_wait with something */
	uint64_t timeouts;
};

static struct counters nowhere, *counters = &nowhere;
static int event_buffer;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("BENCH_COUNTERS"), *buffer = getenv("BENCH_EVENT_BUFFER");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	event_buffer = buffer ? atoi(buffer) : 0;
	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		counters = map;
	close(fd);
}

/* ISO C has no word for an object pointer that becomes a function. */
static void next(const char *name, void *function)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	memcpy(function, &symbol, sizeof(symbol));
}

/* NETLINK_*, or -1. */
static int protocol_of(int fd)
{
	int domain = 0, protocol = -1;
	socklen_t size = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain != AF_NETLINK)
		return -1;
	size = sizeof(protocol);
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
	return protocol;
}

static int is_modifying(int protocol, const struct nlmsghdr *h)
{
	if (h->nlmsg_type < NLMSG_MIN_TYPE)
		return 0;
	if (protocol == NETLINK_ROUTE)
		return (h->nlmsg_type & 3) != 2; /* RTM_GET* */
	if (h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return 0;
	return (h->nlmsg_type & 0xff) < NFT_MSG_NEWGEN && (h->nlmsg_type & 0xff) % 3 != 1;
}

/* Returns whether it is a batch of nftables. */
static int count(int protocol, const void *bytes, size_t size)
{
	size_t left = size;
	int batch = 0;

	for (const struct nlmsghdr *h = bytes; message_ok(h, left); h = message_next(h, &left)) {
		counters->requests++;
		counters->modifying += (uint64_t)is_modifying(protocol, h);
		batch |= protocol == NETLINK_NETFILTER && h->nlmsg_type == NFNL_MSG_BATCH_BEGIN;
	}
	return batch;
}

static void sent(int protocol, int batch, uint64_t begin)
{
	if (batch)
		counters->nft_ns += now_ns() - begin;
	else if (protocol == NETLINK_ROUTE)
		counters->send_ns += now_ns() - begin;
}

EXPORT ssize_t sendto(int fd, const void *bytes, size_t size, int flags, __CONST_SOCKADDR_ARG to,
		      socklen_t to_len)
{
	static ssize_t (*real)(int, const void *, size_t, int, __CONST_SOCKADDR_ARG, socklen_t);
	int protocol = protocol_of(fd);

	if (!real)
		next("sendto", &real);
	int batch = protocol < 0 ? 0 : count(protocol, bytes, size);
	uint64_t begin = now_ns();
	ssize_t result = real(fd, bytes, size, flags, to, to_len);
	sent(protocol, batch, begin);
	return result;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	static ssize_t (*real)(int, const struct msghdr *, int);
	int protocol = protocol_of(fd), batch = 0;

	if (!real)
		next("sendmsg", &real);
	for (size_t i = 0; protocol >= 0 && i < msg->msg_iovlen; i++)
		batch |= count(protocol, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len);
	uint64_t begin = now_ns();
	ssize_t result = real(fd, msg, flags);
	sent(protocol, batch, begin);
	return result;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	static ssize_t (*real)(int, struct msghdr *, int);

	if (!real)
		next("recvmsg", &real);
	uint64_t begin = now_ns();
	ssize_t result = real(fd, msg, flags);
	int saved = errno;
	if (protocol_of(fd) >= 0)
		counters->receive_ns += now_ns() - begin;
	errno = saved;
	return result;
}

EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	static int (*real)(int, int, int, const void *, socklen_t);
	int wanted = 0;

	if (!real)
		next("setsockopt", &real);
	/* the event sockets are those that ask for more than a request socket needs */
	if (event_buffer && level == SOL_SOCKET && option == SO_RCVBUFFORCE &&
	    size == sizeof(wanted)) {
		memcpy(&wanted, value, sizeof(wanted));
		if (wanted > 8 << 20)
			return real(fd, level, option, &event_buffer, sizeof(event_buffer));
	}
	return real(fd, level, option, value, size);
}

EXPORT int fsync(int fd)
{
	static int (*real)(int);

	if (!real)
		next("fsync", &real);
	counters->syncs++;
	return real(fd);
}

EXPORT int fdatasync(int fd)
{
	static int (*real)(int);

	if (!real)
		next("fdatasync", &real);
	counters->syncs++;
	return real(fd);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size)
{
	static ssize_t (*real)(int, const void *, size_t);
	struct statfs fs = {0};
	int saved = errno;

	if (!real)
		next("write", &real);
	/* the agent writes below /proc nowhere else */
	if (size < 16 && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
		counters->sysctls++;
	errno = saved;
	return real(fd, bytes, size);
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
	static int (*real)(int, struct epoll_event *, int, int);

	if (!real)
		next("epoll_wait", &real);
	int result = real(fd, events, most, timeout);
	/* one that may not wait is a poll of libmicrohttpd's, not a wake-up */
	if (result > 0 && timeout)
		counters->events++;
	else if (result == 0 && timeout)
		counters->timeouts++;
	return result;
}
