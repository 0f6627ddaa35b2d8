/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening on TCP, and the addresses at both ends of a connection. */
#include "daemon/http_tcp.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { KEEPALIVE_IDLE_S = 25, KEEPALIVE_INTERVAL_S = 5, KEEPALIVE_PROBES = 3 };

/* Digits up to the end; -1 when it is no port. */
static int port_of(const char *text)
{
	size_t len = strlen(text);

	if (len < 1 || len > 5 || strspn(text, "0123456789") != len)
		return -1;
	int port = (int)strtol(text, NULL, 10);
	return port > UINT16_MAX ? -1 : port;
}

int http_tcp_parse(const char *text, union http_address *address)
{
	bool is_v6 = text[0] == '[';
	const char *colon = strrchr(text, ':');
	int port = colon ? port_of(colon + 1) : -1;
	char host[INET6_ADDRSTRLEN];

	if (port < 0)
		return -EINVAL;
	size_t len = (size_t)(colon - text);
	if (is_v6) {
		if (len < 2 || text[len - 1] != ']')
			return -EINVAL;
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	*address = (union http_address){0};
	address->any.sa_family = is_v6 ? AF_INET6 : AF_INET;
	if (is_v6)
		address->v6.sin6_port = htons((uint16_t)port);
	else
		address->v4.sin_port = htons((uint16_t)port);
	void *to = is_v6 ? (void *)&address->v6.sin6_addr : &address->v4.sin_addr;
	return inet_pton(address->any.sa_family, host, to) == 1 ? 0 : -EINVAL;
}

bool http_tcp_is_loopback(const union http_address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

/* Its address as text, and its port. */
static unsigned show(const union http_address *address, char text[static INET6_ADDRSTRLEN])
{
	bool is_v6 = address->any.sa_family == AF_INET6;
	const void *from = is_v6 ? (const void *)&address->v6.sin6_addr : &address->v4.sin_addr;

	text[0] = '\0';
	inet_ntop(address->any.sa_family, from, text, INET6_ADDRSTRLEN);
	return ntohs(is_v6 ? address->v6.sin6_port : address->v4.sin_port);
}

static void set(int fd, int level, int option, int value)
{
	/* what a kernel lacks of these is missed by nobody */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_options(int fd, bool is_v6)
{
	/* connections inherit these: a peer that died without a word is noticed */
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	/* at boot the address may come later than we do */
	set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	/* [::] and 0.0.0.0 may both be listened on */
	if (is_v6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

int http_tcp_open(const char *text, unsigned backlog, int *fd, char where[static HTTP_ADDRESS_TEXT],
		  struct err *err)
{
	union http_address address;
	socklen_t size = sizeof(address);
	char host[INET6_ADDRSTRLEN];

	if (http_tcp_parse(text, &address) < 0)
		return err_set(err, -EINVAL, "%s: is no ADDRESS:PORT", text);
	bool is_v6 = address.any.sa_family == AF_INET6;
	cleanup_fd int s = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				  0);
	if (s < 0)
		return err_set(err, -errno, "%s: socket: %s", text, strerror(errno));
	set_options(s, is_v6);
	if (bind(s, &address.any, is_v6 ? sizeof(address.v6) : sizeof(address.v4)) < 0)
		return err_set(err, -errno, "%s: %s", text, strerror(errno));
	if (listen(s, (int)backlog) < 0 || getsockname(s, &address.any, &size) < 0)
		return err_set(err, -errno, "%s: listen: %s", text, strerror(errno));
	unsigned port = show(&address, host);
	snprintf(where, HTTP_ADDRESS_TEXT, is_v6 ? "[%s]:%u" : "%s:%u", host, port);
	*fd = take_fd(&s);
	return 0;
}

void http_tcp_patience(int fd, unsigned ms)
{
	/* keepalive ends by it, too (tcp_keepalive_timer): not before its last probe */
	unsigned least_ms = (KEEPALIVE_IDLE_S + KEEPALIVE_PROBES * KEEPALIVE_INTERVAL_S) * 1000;

	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)(ms < least_ms ? least_ms : ms));
}

void http_tcp_peer(int fd, char text[static INET6_ADDRSTRLEN])
{
	union http_address address = {0};
	socklen_t size = sizeof(address);

	if (getpeername(fd, &address.any, &size) < 0)
		snprintf(text, INET6_ADDRSTRLEN, "unknown");
	else
		show(&address, text);
}

/* The host of "host", "host:80" and "[host]:80", of so many bytes; 0: it is none. */
static size_t host_len(const char *host)
{
	size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	if (len > strlen(host) || (host[len] == ':' && port_of(host + len + 1) < 0))
		return 0;
	return host[len] == ':' || host[len] == '\0' ? len : 0;
}

bool http_tcp_is_host(const char *host, const char *name)
{
	size_t len = host_len(host);

	return len && strlen(name) == len && strncasecmp(host, name, len) == 0;
}

bool http_tcp_came_to(int fd, const char *host)
{
	union http_address address = {0};
	socklen_t size = sizeof(address);
	char text[INET6_ADDRSTRLEN], name[HTTP_ADDRESS_TEXT];

	if (getsockname(fd, &address.any, &size) < 0)
		return false;
	show(&address, text);
	snprintf(name, sizeof(name), address.any.sa_family == AF_INET6 ? "[%s]" : "%s", text);
	return http_tcp_is_host(host, name);
}
