/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands that repair: of resources, the underlay, NAT and the way back. */
#include "daemon/why_fix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *why_fix_name(const struct why_known *known, enum kind_id kind, const char *stem,
			 char name[static RESOURCE_NAME])
{
	snprintf(name, RESOURCE_NAME, "%.50s", stem);
	for (unsigned i = 2; declaration_find(known->world.declaration, kind, name, NULL); i++)
		snprintf(name, RESOURCE_NAME, "%.50s-%u", stem, i);
	return name;
}

/* By the device that the remote is reached by. Where none is, nobody knows of which network the
 * address was: a guess would be no repair. */
static void add_local(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *way = &known->underlay.answer;
	char text[ADDR_TEXT];

	if (known->underlay.asked && !way->error && !way->local && shell_word(way->device))
		why_fix(check, "ip address add %s/32 dev %s", addr_text(known->local, text),
			way->device);
}

void why_fix_underlay(const struct why_known *known, struct why_check *check)
{
	const struct fact_addr *local = facts_addr(known->world.facts, known->local);
	char remote[ADDR_TEXT];

	addr_text(known->remote, remote);
	if (!local) {
		add_local(known, check);
		return;
	}
	const struct fact_link *link = facts_link(known->world.facts, local->device);
	if (link && !link->up && shell_word(link->device)) {
		why_fix(check, "ip link set %s up", link->device);
		return;
	}
	switch (-known->underlay.answer.error) {
	case EINVAL:
		why_fix(check, "ip route flush type blackhole to match %s", remote);
		return;
	case EHOSTUNREACH:
		why_fix(check, "ip route flush type unreachable to match %s", remote);
		return;
	case EACCES:
		why_fix(check, "ip route flush type prohibit to match %s", remote);
		return;
	default:
		if (prefix_covers((struct prefix){local->addr, local->len}, known->remote) &&
		    shell_word(local->device))
			why_fix(check, "ip route replace %s dev %s", remote, local->device);
	}
}

const char *why_fix_device(const struct why_known *known, struct addr remote,
			   char device[static IFNAMSIZ])
{
	snprintf(device, IFNAMSIZ, "tun_%u_%u", remote.host >> 8 & 0xff, remote.host & 0xff);
	if (facts_link(known->world.facts, device) || why_find_device(&known->world, device))
		snprintf(device, IFNAMSIZ, "t%08x", remote.host);
	return device;
}

/* Another device with the tunnel's endpoints: the tunnel can be made of it. */
static const struct fact_link *holder_of(const struct why_known *known, const struct tunnel *tunnel)
{
	const struct facts *facts = known->world.facts;
	struct addr local = why_find_local(&known->world, tunnel);

	for (size_t i = 0; i < facts->links.len; i++) {
		const struct fact_link *link = &facts->links.v[i];

		if (strcmp(link->driver, "ipip") == 0 && link->local.host == local.host &&
		    link->remote.host == tunnel->remote.host &&
		    strcmp(link->device, tunnel_device(tunnel)) != 0)
			return link;
	}
	return NULL;
}

/* Taken over where it is a tunnel's; else the tunnel gets a device of another name. */
static void fix_foreign(const struct why_known *known, const char *name, struct why_check *check)
{
	const struct tunnel *tunnel = (const struct tunnel *)declaration_find(
		known->world.declaration, KIND_TUNNEL, name, NULL);
	const struct fact_link *holder = tunnel ? holder_of(known, tunnel) : NULL;
	const struct fact_link *link = tunnel ? facts_link(known->world.facts,
							   tunnel_device(tunnel))
					      : NULL;
	char device[IFNAMSIZ];

	if (holder && shell_word(holder->device))
		why_fix(check, "ipipctl tunnel set %s --device %s --adopt", name, holder->device);
	else if (link && strcmp(link->driver, "ipip") != 0)
		why_fix(check, "ipipctl tunnel set %s --device %s", name,
			why_fix_device(known, tunnel->remote, device));
	else
		why_fix(check, "ipipctl tunnel set %s --adopt", name);
}

static void fix_tunnel(const struct why_known *known, const char *name, enum reason reason,
		       struct why_check *check)
{
	switch (reason) {
	case REASON_DISABLED:
	case REASON_DEPENDENCY_DISABLED:
		why_fix(check, "ipipctl tunnel set %s --enabled", name);
		break;
	case REASON_KERNEL_MODULE_MISSING:
		why_fix(check, "modprobe ipip && ipipctl reconcile");
		break;
	case REASON_LOCAL_ADDRESS_MISSING:
	case REASON_UNDERLAY_UNROUTABLE:
		why_fix_underlay(known, check);
		break;
	case REASON_INTERFACE_MISSING:
		why_fix(check, "ipipctl tunnel set %s --underlay ''", name);
		break;
	case REASON_FOREIGN_OBJECT:
	case REASON_DUPLICATE_ENDPOINTS:
		fix_foreign(known, name, check);
		break;
	case REASON_CONTESTED:
	case REASON_KERNEL_ERROR:
	case REASON_OUT_OF_MEMORY:
	case REASON_DEPENDENCY_FAILED:
		why_fix(check, "ipipctl reconcile");
		break;
	case REASON_NONE:
	case REASON_IN_SYNC:
	case REASON_NOT_TRIED:
	case REASON_PERMISSION_DENIED:
	case REASON_DELETING:
		break;
	}
}

static void fix_exit(const struct why_known *known, const char *name, const struct status *status,
		     struct why_check *check)
{
	const struct exit_route *exit = (const struct exit_route *)declaration_find(
		known->world.declaration, KIND_EXIT_ROUTE, name, NULL);
	const struct tunnel *tunnel = exit ? (const struct tunnel *)declaration_find(
						     known->world.declaration, KIND_TUNNEL,
						     exit->tunnel, NULL)
					   : NULL;
	bool is_off = tunnel && !tunnel->head.enabled;

	switch (status->reason) {
	case REASON_DISABLED:
		why_fix(check, "ipipctl exit set %s --enabled%s%s%s", name,
			is_off ? " && ipipctl tunnel set " : "", is_off ? exit->tunnel : "",
			is_off ? " --enabled" : "");
		break;
	case REASON_DEPENDENCY_DISABLED:
	case REASON_DEPENDENCY_FAILED:
		if (tunnel)
			fix_tunnel(known, exit->tunnel,
				   why_status(known, KIND_TUNNEL, exit->tunnel)->reason, check);
		break;
	case REASON_FOREIGN_OBJECT:
		why_fix(check, "ipipctl exit set %s --adopt", name);
		break;
	default:
		why_fix(check, "ipipctl reconcile");
	}
}

static void fix_nat(const struct why_known *known, const char *name, enum reason reason,
		    struct why_check *check)
{
	if (reason == REASON_DISABLED)
		why_fix(check, "ipipctl nat set %s --enabled", name);
	else if (reason == REASON_LOCAL_ADDRESS_MISSING)
		why_fix(check, "ipipctl nat set %s --action masquerade --to-address ''", name);
	else if (reason == REASON_INTERFACE_MISSING && shell_word(known->wan))
		why_fix(check, "ipipctl nat set %s --out-interface %s", name, known->wan);
	else
		why_fix(check, "ipipctl reconcile");
}

void why_fix_status(const struct why_known *known, enum kind_id kind, const char *name,
		    struct why_check *check)
{
	const struct status *status = why_status(known, kind, name);
	const char *message = status_message(status);
	/* "is disabled: Disabled" */
	const char *reason = status->reason == REASON_DISABLED ? "" : reason_names[status->reason];

	why_say(check, status->reason == REASON_NOT_TRIED ? WHY_UNKNOWN : WHY_BROKEN,
		"%s %s is %s%s%s%s%s", kinds[kind]->noun, name, state_names[status->state],
		*reason ? ": " : "", reason, *message ? ": " : "", message);
	why_resource(check, kind, name);
	if (kind == KIND_TUNNEL)
		fix_tunnel(known, name, status->reason, check);
	else if (kind == KIND_EXIT_ROUTE)
		fix_exit(known, name, status, check);
	else
		fix_nat(known, name, status->reason, check);
}

void why_fix_nat(const struct why_known *known, struct why_check *check)
{
	char name[RESOURCE_NAME], stem[RESOURCE_NAME], text[PREFIX_TEXT];
	struct prefix source = {known->from, 32};

	if (!known->tunnel || !shell_word(known->wan))
		return;
	why_find_subnet(known->tunnel, known->from, &source);
	snprintf(stem, sizeof(stem), "exit-%.50s", known->tunnel->head.name);
	why_fix(check, "ipipctl nat add %s --sources %s --out-interface %s",
		why_fix_name(known, KIND_NAT_RULE, stem, name), prefix_text(source, text),
		known->wan);
}

/* Another address of the subnet that FROM seems to be of: the other one of its /30, or /31. */
struct prefix why_fix_beside(const struct why_known *known)
{
	const struct nat_rule *nat = why_find_nat(known, known->from, known->device, known->wan);
	struct prefix p = {{known->from.host ^ 3}, 30};

	if (known->from.host % 4 == 0 || known->from.host % 4 == 3)
		p = (struct prefix){{known->from.host ^ 1}, 31};
	for (uint32_t i = 0; nat && i < nat->sources.len; i++)
		if (prefix_covers(nat->sources.v[i], known->from) &&
		    nat->sources.v[i].len < p.len && nat->sources.v[i].len >= 16)
			p.len = nat->sources.v[i].len;
	return p;
}

void why_fix_return(const struct why_known *known, struct why_check *check)
{
	const struct tunnel *tunnel = known->tunnel;
	char name[RESOURCE_NAME], stem[RESOURCE_NAME], from[ADDR_TEXT], one[PREFIX_TEXT];

	if (!tunnel)
		return;
	addr_text(known->from, from);
	if (!tunnel->addresses.len) {
		why_fix(check, "ipipctl tunnel set %s --addresses %s", tunnel->head.name,
			prefix_text(why_fix_beside(known), one));
		return;
	}
	/* an exit route ties with the longest route that main can have, and ties are ours */
	snprintf(stem, sizeof(stem), "back-%s", from);
	why_fix(check, "ipipctl exit add %s --tunnel %s --destinations %s/32",
		why_fix_name(known, KIND_EXIT_ROUTE, stem, name), tunnel->head.name, from);
}
