/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The nouns of the API. What they mean is in api.md; the tables are in tunnel.c,
 * exit_route.c and nat_rule.c.
 */

#include <net/if.h>

#include "model/kind.h"

enum { RESOURCE_NAME = 64, RESOURCE_UID = 37 };

/* Head of every resource: the declared fields that all kinds share, and what the agent adds. */
struct resource {
	uint64_t set;
	char name[RESOURCE_NAME];
	struct labels labels;
	const char *comment;
	bool enabled, adopt;

	/* by the agent; not rows of the table */
	bool deleting;                  /* declared no more; its objects still stand */
	char uid[RESOURCE_UID];         /* RFC 9562 version 4 */
	uint64_t generation;            /* counts this resource's declarations, from 1 */
	uint64_t revision;              /* of the declaration when it was last changed */
	int64_t created_ms, updated_ms; /* since the epoch */
};

/* rows that each table begins with, after `struct resource head` named head */
#define RESOURCE_FIELDS(st)                                                                        \
	{FIELD_AT_CHARS(st, head.name),       .type = FIELD_NAME, FIELD_CALLED("name"),            \
	 .flags = FIELD_KEY | FIELD_REQUIRED, .min = 1,           .max = RESOURCE_NAME - 1,        \
	 .doc = "name of the resource"},                                                           \
		{FIELD_AT(st, head.labels, struct labels), .type = FIELD_LABELS,                   \
		 FIELD_CALLED("labels"), .max_count = 32, .doc = "free labels, key=value"},        \
		{FIELD_AT(st, head.comment, const char *), .type = FIELD_STRING,                   \
		 FIELD_CALLED("comment"), .max = 1024, .doc = "free text"},                        \
		{FIELD_AT(st, head.enabled, bool),                                                 \
		 .type = FIELD_BOOL,                                                               \
		 FIELD_CALLED("enabled"),                                                          \
		 .max = 1,                                                                         \
		 .dflt = 1,                                                                        \
		 .doc = "false: absent from the kernel, name and references held"},                \
	{                                                                                          \
		FIELD_AT(st, head.adopt, bool),                                                    \
			.type = FIELD_BOOL, FIELD_CALLED("adopt"), .max = 1,                       \
			.doc = "take over a foreign link, address or route in the way"             \
	}

enum { LABEL_KEY_MAX = 63, LABEL_VALUE_MAX = 255 }; /* bytes */

enum rp_filter_choice { RP_FILTER_KEEP, RP_FILTER_OFF, RP_FILTER_STRICT, RP_FILTER_LOOSE };
enum nat_action { NAT_MASQUERADE, NAT_SNAT, NAT_NONE };
enum { TOS_INHERIT = 1 }; /* bit 0, see iptunnel in the kernel's ip_tunnels.h */

struct tunnel {
	struct resource head;
	struct addr local; /* 0: auto */
	struct addr remote;
	char device[IFNAMSIZ];   /* "": the name */
	char underlay[IFNAMSIZ]; /* "": not bound */
	struct prefixes addresses;
	uint32_t mtu; /* bytes; 0: auto */
	uint8_t ttl;  /* 0: inherit */
	uint8_t tos;  /* TOS_INHERIT: inherit */
	bool path_mtu_discovery;
	bool mss_clamp;
	uint8_t rp_filter; /* enum rp_filter_choice */
	struct prefixes allowed_sources;
};

struct exit_route {
	struct resource head;
	char tunnel[RESOURCE_NAME];
	struct prefixes destinations;
	struct addr source; /* 0: the tunnel's first address */
	uint32_t metric;
	struct prefixes from; /* none: all */
};

struct nat_rule {
	struct resource head;
	struct prefixes sources;
	char out_interface[IFNAMSIZ];
	uint8_t action; /* enum nat_action */
	struct addr to_address;
	char in_interface[IFNAMSIZ];  /* "": every tunnel of this agent */
	struct prefixes destinations; /* none: any */
	uint16_t priority;
};

extern const struct kind tunnel_kind, exit_route_kind, nat_rule_kind;

/* A name by api.md's rule; the sentence says what is wrong with it, NULL when nothing is. */
const char *resource_name_fault(const char *name);
/* An interface name: 1-15 bytes of [A-Za-z0-9_.-], not lo, all, default, tunl0, "." or "..". */
const char *ifname_fault(const char *name);

/* The device of a tunnel: what is declared, else its name. */
const char *tunnel_device(const struct tunnel *tunnel);
/* How many routes of the kernel it stands for: each destination, in the table of each `from`. */
uint64_t exit_route_routes(const struct exit_route *route);

/* The resource kind of that URL path ("exit-routes"), of that noun, or NULL. */
const struct kind *resource_kind_of_path(const char *path);
