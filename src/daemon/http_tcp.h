/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Within http*.c and conf.c: addresses of TCP, "192.0.2.1:7070" and "[2001:db8::1]:7070". */

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"

union http_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* No names: -EINVAL. Port 0 is any free one. */
int http_tcp_parse(const char *text, union http_address *address) must_check;
bool http_tcp_is_loopback(const union http_address *address);
/* The listening socket, and where it listens. */
enum { HTTP_ADDRESS_TEXT = INET6_ADDRSTRLEN + sizeof("[]:65535") };
int http_tcp_open(const char *text, unsigned backlog, int *fd, char where[static HTTP_ADDRESS_TEXT],
		  struct err *err) must_check;

/* How long the peer may leave unacknowledged what was sent: keepalive is silent then, and by
 * itself the kernel gives up after a quarter of an hour. */
void http_tcp_patience(int fd, unsigned ms);
/* The address at the other end, without its port. */
void http_tcp_peer(int fd, char text[static INET6_ADDRSTRLEN]);
/* Is this Host header the address that the connection came to? Whatever port it says. */
bool http_tcp_came_to(int fd, const char *host);
/* Is it that name? */
bool http_tcp_is_host(const char *host, const char *name);
