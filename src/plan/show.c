/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An op as the line that a person would type: ip, nft or sysctl. One function a kind. */
#include "plan/plan.h"

#include <string.h>

#include "base/text.h"

static const char *nft_verb(const struct op *op)
{
	return op->verb == OP_DELETE ? "delete" : "add";
}

static void show_link(const struct op *op, struct text *text)
{
	const struct link *l = (const struct link *)op_object(op);
	char local[ADDR_TEXT], remote[ADDR_TEXT];

	if (op->verb == OP_REPLACE)
		text_addf(text, "ip link del %s; ", l->device);
	if (op->verb == OP_DELETE) {
		text_addf(text, "ip link del %s", l->device);
		return;
	}
	text_addf(text, "ip link %s %s type ipip remote %s local %s",
		  op->verb == OP_CHANGE || op->verb == OP_ADOPT ? "change" : "add", l->device,
		  addr_text(l->remote, remote), l->local.host ? addr_text(l->local, local) : "any");
	if (l->underlay[0])
		text_addf(text, " dev %s", l->underlay);
	if (l->ttl)
		text_addf(text, " ttl %u", l->ttl);
	else
		text_add(text, " ttl inherit");
	if (l->tos)
		text_addf(text, " tos %#x", l->tos);
	if (!l->pmtudisc)
		text_add(text, " nopmtudisc");
	text_addf(text, "; ip link set %s group %u alias %s", l->device, l->group, l->alias);
	if (l->mtu)
		text_addf(text, " mtu %u", l->mtu);
	text_add(text, " up");
}

static void show_address(const struct op *op, struct text *text)
{
	const struct address *a = (const struct address *)op_object(op);
	char prefix[PREFIX_TEXT];

	text_addf(text, "ip address %s %s dev %s", op->verb == OP_DELETE ? "del" : "replace",
		  prefix_text(a->prefix, prefix), a->device);
}

static void show_sysctl(const struct op *op, struct text *text)
{
	static const char *const names[] = {"forwarding", "rp_filter"};
	const struct sysctl *s = (const struct sysctl *)op_object(op);
	bool dotted = strchr(s->device, '.') != NULL;

	text_addf(text,
		  dotted ? "sysctl -w net/ipv4/conf/%s/%s=%u" : "sysctl -w net.ipv4.conf.%s.%s=%u",
		  s->device, names[s->name], op->verb == OP_DELETE ? s->before : s->value);
}

static void show_route(const struct op *op, struct text *text)
{
	const struct route *r = (const struct route *)op_object(op);
	char prefix[PREFIX_TEXT], addr[ADDR_TEXT];

	text_addf(text, "ip route %s %s table %u", op->verb == OP_DELETE ? "del" : "replace",
		  prefix_text(r->dst, prefix), r->table);
	if (r->device[0])
		text_addf(text, " dev %s", r->device);
	if (r->prefsrc.host)
		text_addf(text, " src %s", addr_text(r->prefsrc, addr));
	text_addf(text, " scope link proto %u", r->protocol);
	if (r->metric)
		text_addf(text, " metric %u", r->metric);
}

static void show_rule(const struct op *op, struct text *text)
{
	const struct rule *r = (const struct rule *)op_object(op);
	char prefix[PREFIX_TEXT];

	text_addf(text, "ip rule %s pref %u from %s", op->verb == OP_DELETE ? "del" : "add",
		  r->priority, r->from.len ? prefix_text(r->from, prefix) : "all");
	if (r->fwmask)
		text_addf(text, " fwmark %#x/%#x", r->fwmark, r->fwmask);
	switch ((enum rule_action)r->action) {
	case RULE_LOOKUP:
		text_addf(text, " lookup %u", r->table);
		if (r->suppress_prefixlength != SUPPRESS_NONE)
			text_addf(text, " suppress_prefixlength %d", r->suppress_prefixlength);
		break;
	case RULE_GOTO:
		text_addf(text, " goto %u", r->target);
		break;
	case RULE_NOP:
	case RULE_OTHER:
		text_add(text, " nop");
		break;
	}
	text_addf(text, " protocol %u", r->protocol);
}

static void show_table(const struct op *op, struct text *text)
{
	text_addf(text, "nft %s table ip %s", nft_verb(op), OUR_NFT_TABLE);
}

static void show_set(const struct op *op, struct text *text)
{
	const struct nft_set *s = (const struct nft_set *)op_object(op);
	const char *noun = s->map ? "map" : "set";

	text_addf(text, "nft %s %s ip %s %s", nft_verb(op), noun, OUR_NFT_TABLE, s->name);
	if (op->verb == OP_DELETE)
		return;
	text_addf(text, " '{ type %s%s; ", s->type == NFT_SET_IFNAME ? "ifname" : "ipv4_addr",
		  s->map ? " : ipv4_addr" : "");
	text_addf(text, "%s%s}'", s->interval ? "flags interval; " : "",
		  s->counter ? "counter; " : "");
}

static void show_element(const struct op *op, struct text *text)
{
	const struct nft_element *e = (const struct nft_element *)op_object(op);
	char prefix[PREFIX_TEXT], to[ADDR_TEXT];

	text_addf(text, "nft %s element ip %s %s '{ ", nft_verb(op), OUR_NFT_TABLE, e->set_name);
	if (e->device[0])
		text_addf(text, "\"%s\"", e->device);
	else if (e->prefix.len == 32)
		text_add(text, addr_text(e->prefix.addr, prefix));
	else
		text_add(text, prefix_text(e->prefix, prefix));
	if (e->to.host && op->verb != OP_DELETE)
		text_addf(text, " : %s", addr_text(e->to, to));
	text_add(text, " }'");
}

static void show_match(struct text *text, const char *what, const char *name, const char *set)
{
	if (name[0])
		text_addf(text, "%s \"%s\" ", what, name);
	else if (set[0])
		text_addf(text, "%s @%s ", what, set);
}

static void show_nft_rule(const struct nft_rule *r, struct text *text)
{
	static const char *const verdicts[] = {"", "accept", "drop", "masquerade", "snat", ""};

	show_match(text, "iifname", r->iif, r->iif_set);
	show_match(text, "oifname", r->oif, r->oif_set);
	show_match(text, "ip saddr", "", r->saddr_set);
	show_match(text, "ip daddr", "", r->daddr_set);
	if (r->established)
		text_add(text, "ct state established,related ");
	if (r->clamp)
		text_add(text, "tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu ");
	text_add(text, verdicts[r->verdict]);
	if (r->verdict == NFT_VERDICT_SNAT)
		text_addf(text, " to ip saddr map @%s", r->snat_map);
}

static void show_chain(const struct op *op, struct text *text)
{
	static const char *const hooks[] = {"prerouting", "input", "forward", "output",
					    "postrouting"};
	const struct nft_chain *c = (const struct nft_chain *)op_object(op);
	const struct nft_rule *rules = c->rules.v;

	if (op->verb == OP_DELETE) {
		text_addf(text, "nft delete chain ip %s %s", OUR_NFT_TABLE, c->name);
		return;
	}
	if (op->verb == OP_CHANGE)
		text_addf(text, "nft flush chain ip %s %s", OUR_NFT_TABLE, c->name);
	else
		text_addf(text, "nft add chain ip %s %s '{ type %s hook %s priority %d; }'",
			  OUR_NFT_TABLE, c->name, c->type == NFT_CHAIN_NAT ? "nat" : "filter",
			  hooks[c->hook], c->priority);
	for (uint32_t i = 0; i < c->rules.len; i++) {
		text_addf(text, "; nft add rule ip %s %s '", OUR_NFT_TABLE, c->name);
		show_nft_rule(&rules[i], text);
		text_add(text, "'");
	}
}

const char *show_command(const struct op *op, struct arena *arena)
{
	static void (*const show[KINDS])(const struct op *op, struct text *text) = {
		[KIND_LINK] = show_link,       [KIND_ADDRESS] = show_address,
		[KIND_SYSCTL] = show_sysctl,   [KIND_ROUTE] = show_route,
		[KIND_RULE] = show_rule,       [KIND_NFT_TABLE] = show_table,
		[KIND_NFT_SET] = show_set,     [KIND_NFT_ELEMENT] = show_element,
		[KIND_NFT_CHAIN] = show_chain,
	};
	cleanup_text struct text text = {0};

	if (op->verb != OP_FOUND && op->verb != OP_FORGET && op->verb != OP_CONFLICT &&
	    show[op->kind])
		show[op->kind](op, &text);
	return arena_strdup(arena, text_str(&text));
}
