/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of settings: parser, check, printed file and help all walk it. */
#include "daemon/conf.h"

#include "base/log.h"
#include "daemon/http_tcp.h"

#include <ctype.h>
#include <string.h>

/* offsetof, and a compile-time refusal when the member is not of the setting's C type */
#define AT(member, ctype)                                                                          \
	.offset = offsetof(struct conf, member) +                                                  \
		  0 * sizeof(char[__builtin_types_compatible_p(                                    \
					  __typeof__(((struct conf *)0)->member), ctype)           \
					  ? 1                                                      \
					  : -1])
#define TEXT(member, ...)   .type = SETTING_TEXT, AT(member, const char *), __VA_ARGS__
#define LIST(member, ...)   .type = SETTING_LIST, AT(member, struct http_names), __VA_ARGS__
#define NUMBER(member, ...) .type = SETTING_NUMBER, AT(member, unsigned), __VA_ARGS__
#define SIZE(member, ...)   .type = SETTING_SIZE, AT(member, size_t), __VA_ARGS__
#define TIME(member, ...)   .type = SETTING_TIME, AT(member, unsigned), __VA_ARGS__

static const char *level_fault(const char *value)
{
	return log_level_parse(value) < 0 ? "error, warning, notice, info or debug" : NULL;
}

static const char *address_fault(const char *value)
{
	union http_address address;

	return http_tcp_parse(value, &address) < 0
		       ? "ADDRESS:PORT, as 192.0.2.1:7443 or [2001:db8::1]:7443"
		       : NULL;
}

static const char *host_fault(const char *value)
{
	static const char wanted[] = "a host's name or address, without a port";

	for (const char *s = value; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(".-_[]:", *s))
			return wanted;
	return strlen(value) > 128 || !http_tcp_is_host(value, value) ? wanted : NULL;
}

static const char *common_name_fault(const char *value)
{
	return strlen(value) > 64 ? "a common name of at most 64 bytes" : NULL;
}

enum { KB = 1024, MB = 1024 * KB, S = 1000, PATH_LEN = 180, TIME_MAX = 3600 * S };

/* clang-format off */
const struct setting conf_settings[] = {
	{"agent", "socket", TEXT(http.socket_path, .min = 1, .max = 107),
	 .dflt = "/run/ipipd/ipipd.sock", .option = "socket",
	 .doc = "The unix socket of the API"},
	{"agent", "group", TEXT(http.group, .max = 32), .dflt = "ipipd",
	 .doc = "Who may use the socket, beside root; empty: nobody"},
	{"agent", "database", TEXT(database, .min = 1, .max = PATH_LEN),
	 .dflt = "/var/lib/ipipd/ipipd.db", .option = "db",
	 .doc = "Where the declaration is kept"},
	{"agent", "log_level", TEXT(log_level, .min = 1, .max = 10), .dflt = "info",
	 .option = "log-level", .reload = true, .fault = level_fault,
	 .doc = "error, warning, notice, info or debug"},

	{"events", "kept", NUMBER(events_kept, .min = 100, .max = 100000), .dflt = "10000",
	 .doc = "Events that are kept at least, the newest ones"},
	{"events", "followers", NUMBER(events.followers_max, .min = 1, .max = 10000), .dflt = "32",
	 .doc = "Clients that follow events at one time"},
	{"events", "keepalive", TIME(events.keepalive_ms, .min = 100, .max = TIME_MAX),
	 .dflt = "15s", .doc = "Without an event, until a follower hears that the agent is there"},

	{"tcp", "listen", LIST(http.addresses, .max = HTTP_ADDRESSES_MAX), .dflt = "",
	 .option = "listen", .fault = address_fault,
	 .doc = "ADDRESS:PORT to listen on as well, several with commas; empty: none"},
	{"tcp", "host_names", LIST(http.access.host_names, .max = 32), .dflt = "localhost",
	 .reload = true, .fault = host_fault,
	 .doc = "What a request may call this host, beside the address that it came to"},
	{"tcp", "tokens", TEXT(http.access.tokens, .max = PATH_LEN), .dflt = "", .reload = true,
	 .doc = "File of tokens: lines of NAME ROLE SHA256HEX (ipipctl token new)"},

	{"tls", "certificate", TEXT(http.access.certificate, .max = PATH_LEN), .dflt = "",
	 .reload = true,
	 .doc = "PEM file: the certificate and its chain; empty: only loopback, without TLS"},
	{"tls", "key", TEXT(http.access.key, .max = PATH_LEN), .dflt = "", .reload = true,
	 .doc = "PEM file: the key of the certificate, not readable by others"},
	{"tls", "client_ca", TEXT(http.access.client_ca, .max = PATH_LEN), .dflt = "",
	 .reload = true,
	 .doc = "PEM file: authorities whose client certificates are accepted"},
	{"tls", "admins", LIST(http.access.admins, .max = 256), .dflt = "", .reload = true,
	 .fault = common_name_fault,
	 .doc = "Common names of client certificates that may write; *: all the others"},
	{"tls", "readers", LIST(http.access.readers, .max = 256), .dflt = "", .reload = true,
	 .fault = common_name_fault,
	 .doc = "Common names of client certificates that may read; *: all the others"},

	{"limits", "connections", NUMBER(http.connections_max, .min = 1, .max = 10000),
	 .dflt = "256", .doc = "Connections to the socket, and to each address"},
	{"limits", "connections_per_address",
	 NUMBER(http.address_connections_max, .min = 1, .max = 10000), .dflt = "16",
	 .doc = "Connections from one address over TCP"},
	{"limits", "backlog", NUMBER(http.backlog, .min = 1, .max = 65535), .dflt = "128",
	 .doc = "Connections that wait to be accepted"},
	{"limits", "connection_memory",
	 SIZE(http.connection_memory, .min = 32 * KB, .max = 1 * MB), .dflt = "64K",
	 .doc = "Buffer of a connection"},
	{"limits", "body", SIZE(http.body_max, .min = 4 * KB, .max = 64 * MB), .dflt = "8M",
	 .doc = "Body of a request; 8 of them are held at one time"},
	{"limits", "patch_body", SIZE(http.patch_max, .min = 4 * KB, .max = 1 * MB), .dflt = "64K",
	 .doc = "Body of a PATCH"},
	{"limits", "idle_timeout", TIME(http.idle_timeout_ms, .min = 1 * S, .max = TIME_MAX),
	 .dflt = "10s", .doc = "Without a request, or a byte of one"},
	{"limits", "header_timeout",
	 TIME(http.header_deadline_ms, .min = 100, .max = TIME_MAX), .dflt = "5s",
	 .doc = "For the TLS handshake and all headers"},
	{"limits", "body_timeout", TIME(http.body_deadline_ms, .min = 100, .max = TIME_MAX),
	 .dflt = "30s", .doc = "For all of the body"},
	{"limits", "stream_timeout", TIME(http.stream_deadline_ms, .min = 100, .max = TIME_MAX),
	 .dflt = "60s", .doc = "For taking a long answer, or what a stream has just said"},
};
/* clang-format on */

const unsigned conf_n_settings = ARRAY_LEN(conf_settings);

_Static_assert(ARRAY_LEN(conf_settings) <= SETTINGS_MAX, "more settings than conf.h has room for");
