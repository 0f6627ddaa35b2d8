/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The nouns of the kernel, by the names of iproute2 and nft. The planner compares these;
 * adapters in kernel/ read and write them. Links go by name, never by index.
 *
 * Desired, observed and owned are each a `struct objects`: per kind an array of pointers,
 * sorted by key, without two of one key.
 */

#include <net/if.h>
#include <string.h>

#include "model/kind.h"

/* Our numbers. Each can be moved in the INI file. */
enum {
	OUR_PROTOCOL = 105, /* of routes, rules and addresses */
	OUR_RULE_FIRST = 7000,
	OUR_RULE_LAST = 9999,
	OUR_TABLE_FIRST = 7000,
	OUR_TABLE_LAST = 7999,
	OUR_GROUP = 0x69706970,        /* of links */
	OUR_DOOMED_GROUP = 0x69706964, /* of links about to be deleted */
	OUR_MARK = 0x69706970,         /* fwmark of the agent's own route questions */
	OUR_NAT_PRIORITY = 95,
};
#define OUR_NFT_TABLE  "ipipd" /* of family ip */
/* Set of the devices whose forwarding the agent switched on. */
#define OUR_SET_OPENED "opened"

enum object_mark {
	OBJECT_OURS = 1 << 0,    /* the kernel, or the ledger, says that we made it */
	OBJECT_FOUND = 1 << 1,   /* ledger: equal to what is declared, made by another */
	OBJECT_ORPHAN = 1 << 2,  /* ledger: made by an agent with another database */
	OBJECT_ADOPT = 1 << 3,   /* desired: a foreign one in the way may be taken over */
	OBJECT_DOOMED = 1 << 4,  /* observed link: in our doomed group */
	OBJECT_SHARED = 1 << 6,  /* desired: needed by all resources of a kind, claimed by none */
	OBJECT_COVERED = 1 << 7, /* desired: another element stands for it; not in the list */
	OBJECT_KEEP = 1 << 5,    /* desired link: kept where it stands, not made where not */
	OBJECT_ON_OURS = 1 << 8, /* observed sysctl: of a device that carries our mark */
	OBJECT_TOLD = 1 << 9,    /* key of a scope: the object is there, and like this */
	OBJECT_TOLD_GONE = 1 << 10, /* key of a scope: nothing is there */
};

/* Head of every kernel object. */
struct object {
	uint64_t set;
	uint32_t marks; /* enum object_mark */
};

enum { SET_NAME = 32, ALIAS_TEXT = 96 };
enum { SUPPRESS_NONE = -1 };

struct link {
	struct object head;
	char device[IFNAMSIZ];
	char driver[IFNAMSIZ]; /* IFLA_INFO_KIND: "ipip"; "" for a device without one */
	struct addr local, remote;
	char underlay[IFNAMSIZ]; /* IFLA_IPTUN_LINK, by name */
	uint8_t ttl, tos;
	bool pmtudisc;
	uint8_t proto; /* inner protocol, 4; 0 is read as 4 */
	uint32_t fwmark;
	uint16_t encap; /* TUNNEL_ENCAP_*: 0 is none */
	bool external;  /* IFLA_IPTUN_COLLECT_METADATA */
	uint32_t mtu;   /* bytes */
	bool up;
	uint32_t group;
	char alias[ALIAS_TEXT];
	uint32_t ifindex; /* observed; not compared */
};

struct address {
	struct object head;
	char device[IFNAMSIZ];
	struct prefix prefix; /* host bits kept */
	uint32_t ifindex;     /* owned: of the device that it was made on; not compared */
};

enum sysctl_name { SYSCTL_FORWARDING, SYSCTL_RP_FILTER };

/* net.ipv4.conf.DEVICE.NAME */
struct sysctl {
	struct object head;
	char device[IFNAMSIZ];
	uint8_t name; /* enum sysctl_name */
	uint32_t value;
	uint32_t before;  /* owned: what was found; not compared */
	uint32_t ifindex; /* owned: of the device that it was written for; not compared */
};

enum route_type { ROUTE_UNICAST, ROUTE_OTHER };

struct route {
	struct object head;
	uint32_t table;
	struct prefix dst;
	uint32_t metric;
	uint8_t tos;
	uint8_t type;          /* enum route_type */
	char device[IFNAMSIZ]; /* "" when it is multipath or has none */
	struct addr gateway, prefsrc;
	uint8_t scope;    /* RT_SCOPE_*: link 253 for ours */
	uint8_t protocol; /* RTPROT_* */
};

enum rule_action { RULE_LOOKUP, RULE_GOTO, RULE_NOP, RULE_OTHER };

/* The kernel's identity of a rule is all of it, so every field is a key. */
struct rule {
	struct object head;
	uint32_t priority;
	struct prefix from;
	uint32_t fwmark, fwmask;
	uint8_t action;                /* enum rule_action */
	uint32_t table;                /* of lookup */
	int32_t suppress_prefixlength; /* SUPPRESS_NONE, or 0-32 */
	uint32_t target;               /* of goto: a priority */
	uint8_t protocol;
};

struct nft_table {
	struct object head;
	char name[SET_NAME];
	uint32_t flags; /* NFT_TABLE_F_*: 0 */
};

/* NFT_SET_OTHER, observed: of another type, or with contents that are not of our forms; its
 * elements are not read. */
enum nft_set_type { NFT_SET_IPV4_ADDR, NFT_SET_IFNAME, NFT_SET_OTHER };

struct nft_set {
	struct object head;
	char name[SET_NAME];
	uint8_t type;  /* enum nft_set_type: of the key */
	bool map;      /* ipv4_addr : ipv4_addr, for snat */
	bool interval; /* prefixes shorter than /32 */
	bool counter;  /* each element counts */
};

struct nft_element {
	struct object head;
	char set_name[SET_NAME];
	char device[IFNAMSIZ]; /* of an ifname set */
	struct prefix prefix;  /* of an ipv4_addr set; /32 in a set without intervals */
	struct addr to;        /* of a map */
};

enum nft_chain_type { NFT_CHAIN_FILTER, NFT_CHAIN_NAT, NFT_CHAIN_OTHER };
enum nft_hook {
	NFT_HOOK_PREROUTING,
	NFT_HOOK_INPUT,
	NFT_HOOK_FORWARD,
	NFT_HOOK_OUTPUT,
	NFT_HOOK_POSTROUTING
}; /* NF_INET_* numbers */

/* A base chain with policy accept. Its rules change as one: the chain is flushed and filled
 * in one batch, and the counters live in the elements. */
struct nft_chain {
	struct object head;
	char name[SET_NAME];
	uint8_t type; /* enum nft_chain_type */
	uint8_t hook; /* enum nft_hook */
	int32_t priority;
	bool accept;       /* policy */
	struct rows rules; /* struct nft_rule, in order */
};

enum nft_verdict {
	NFT_VERDICT_NONE, /* an unconditional mss clamp goes on to the next rule */
	NFT_VERDICT_ACCEPT,
	NFT_VERDICT_DROP,
	NFT_VERDICT_MASQUERADE,
	NFT_VERDICT_SNAT,  /* to the address that snat_map has for the source */
	NFT_VERDICT_OTHER, /* observed: a rule that is not of this form */
};

/* Matches in the order of the members, each only when not empty, then the verdict. */
struct nft_rule {
	struct object head;
	char iif[IFNAMSIZ], iif_set[SET_NAME]; /* iifname NAME, iifname @SET */
	char oif[IFNAMSIZ], oif_set[SET_NAME];
	char saddr_set[SET_NAME], daddr_set[SET_NAME]; /* ip saddr @SET, ip daddr @SET */
	bool established;                              /* ct state established,related */
	bool clamp;              /* tcp flags & (syn|rst) == syn: maxseg size set rt mtu */
	char snat_map[SET_NAME]; /* snat to ip saddr map @MAP */
	uint8_t verdict;         /* enum nft_verdict */
};

/* Can a tunnel be made of it without making it anew? kernel.md: a remote, not external. */
static inline bool link_is_adoptable(const struct link *link)
{
	return strcmp(link->driver, "ipip") == 0 && link->remote.host && !link->external;
}

extern const struct kind link_kind, address_kind, sysctl_kind, route_kind, rule_kind,
	nft_table_kind, nft_set_kind, nft_element_kind, nft_chain_kind, nft_rule_kind;

struct object_list {
	struct object **v;
	size_t len, cap;
};

/* Objects and all that they point to live in the arena. */
struct objects {
	struct arena *arena;
	struct object_list kind[KINDS]; /* only OBJECT_KIND_FIRST … are used */
};

/* A zeroed object of that kind in the arena, appended to its list; sort when all are there. */
struct object *objects_add(struct objects *objects, enum kind_id kind)
	__attribute__((returns_nonnull));
void object_list_push(struct object_list *list, struct object *object);
/* Sorts every list by key. Of equal keys the first added stays, others are dropped. */
void objects_sort(struct objects *objects);
/* The object with the key of that one, in a sorted list; NULL when there is none. */
struct object *objects_find(const struct objects *objects, enum kind_id kind, const void *key);
/* The same: looked for first where the last one was found, and behind it. *at begins with 0. */
struct object *objects_find_near(const struct objects *objects, enum kind_id kind, const void *key,
				 size_t *at);
/* Order of their keys, in a merge of sorted lists: NULL, the end of one, comes last. */
int object_order(enum kind_id kind, const struct object *a, const struct object *b);
/* kind_differences of two kernel objects */
uint64_t object_differences(enum kind_id kind, const struct object *want,
			    const struct object *have);
size_t objects_count(const struct objects *objects);
/* Frees the lists; the objects go with the arena. */
void objects_done(struct objects *objects);

/* the bit of a row in the set mask, by its name */
#define object_bit(kind, name) kind_bit(&(kind), kind_field(&(kind), (name)))

/* "ipipd:<8 hex of the database's id>:<name>": the mark of a link */
void alias_format(char alias[static ALIAS_TEXT], uint32_t database_id, const char *name);
/* The database's id in an alias of that form; false when it is not of that form. */
bool alias_parse(const char *alias, uint32_t *database_id);
