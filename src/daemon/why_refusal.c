/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's refusals on its input path, told apart with sysctls and the way to the source. */
#include "daemon/why_refusal.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { RP_STRICT = 1, RP_LOOSE = 2 };

const char *why_refusal_sysctl(const char *device, const char *name, char text[static WHY_SYSCTL])
{
	char path[IFNAMSIZ];

	snprintf(path, sizeof(path), "%s", device);
	for (char *dot = path; (dot = strchr(dot, '.'));)
		*dot = '/';
	snprintf(text, WHY_SYSCTL, "net.ipv4.conf.%s.%s", path, name);
	return text;
}

static bool has_address(const struct why_known *known, const char *device)
{
	const struct facts *facts = known->world.facts;

	for (size_t i = 0; i < facts->addrs.len; i++)
		if (strcmp(facts->addrs.v[i].device, device) == 0)
			return true;
	return false;
}

/* 2 is as strict as 1 where the device has no address, or where no way leads to the source. */
void why_refusal_loosen(const struct why_known *known, const char *device,
			const struct why_route *reverse, struct why_check *check)
{
	char sysctl[WHY_SYSCTL];

	why_refusal_sysctl(device, "rp_filter", sysctl);
	if (has_address(known, device) && !reverse->answer.error)
		why_fix(check, "sysctl -w %s=2", sysctl);
	else
		why_fix(check, "sysctl -w %s=0 net.ipv4.conf.all.rp_filter=0", sysctl);
}

static int in_force(const struct why_known *known, struct why_sysctls of)
{
	return of.rp_filter > known->of_all.rp_filter ? of.rp_filter : known->of_all.rp_filter;
}

/* kernel.md: 2 on a device without an address is as strict as 1. */
static bool rp_filter_drops(const struct why_known *known, const struct why_route *route,
			    const struct why_route *reverse, int rp_filter)
{
	bool elsewhere = reverse->asked &&
			 (reverse->answer.error ||
			  strcmp(reverse->answer.device, route->question.in) != 0);

	if (rp_filter <= 0 || !elsewhere)
		return false;
	return rp_filter == RP_STRICT || reverse->answer.error ||
	       !has_address(known, route->question.in);
}

static bool is_martian(struct addr addr)
{
	uint32_t top = addr.host >> 24;

	return top == 0 || top == 127 || top >= 224;
}

static void say_rp_filter(const struct why_known *known, const struct why_route *route,
			  const struct why_route *reverse, int rp_filter, struct why_check *check)
{
	char from[ADDR_TEXT];
	const char *way = reverse->answer.error ? "nowhere" : reverse->answer.device;
	bool bare = !has_address(known, route->question.in);

	why_say(check, WHY_BROKEN,
		"rp_filter (%d) of %s%s drops what comes from %s: the way there is %s", rp_filter,
		route->question.in, bare ? ", which has no address," : "",
		addr_text(route->question.from, from), way);
	why_object(check, "net.ipv4.conf.%s.rp_filter", route->question.in);
}

/* The address of the other end is one of this host: only one of them can have it. */
static void say_own_source(const struct why_known *known, const struct fact_addr *own,
			   struct why_check *check)
{
	const struct tunnel *tunnel = why_find_address(&known->world, own->addr);
	char text[ADDR_TEXT];
	cleanup_text struct text list = {0};

	addr_text(own->addr, text);
	why_say(check, WHY_BROKEN, "its source %s is an address of this host, on %s", text,
		own->device);
	if (!tunnel) {
		why_object(check, "address %s/%u dev %s", text, own->len, own->device);
		if (shell_word(own->device))
			why_fix(check, "ip address del %s/%u dev %s", text, own->len, own->device);
		return;
	}
	for (uint32_t i = 0; i < tunnel->addresses.len; i++) {
		char one[PREFIX_TEXT];

		if (tunnel->addresses.v[i].addr.host == own->addr.host) {
			struct prefix p = {{own->addr.host ^ (own->len == 31 ? 1 : 3)}, own->len};

			text_addf(&list, "%s%s", list.len ? "," : "", prefix_text(p, one));
			continue;
		}
		text_addf(&list, "%s%s", list.len ? "," : "",
			  prefix_text(tunnel->addresses.v[i], one));
	}
	why_resource(check, KIND_TUNNEL, tunnel->head.name);
	why_fix(check, "ipipctl tunnel set %s --addresses %s", tunnel->head.name, text_str(&list));
}

static enum why_refusal refusing_route(const struct why_route *route, const char *type,
				       struct why_check *check)
{
	char to[ADDR_TEXT];

	addr_text(route->question.to, to);
	why_say(check, WHY_BROKEN, "%s is refused by a route or rule of type %s", to, type);
	why_object(check, "route of type %s", type);
	why_fix(check, "ip route flush type %s to match %s", type, to);
	return WHY_REFUSED_ROUTE;
}

/* EINVAL, and EXDEV of older kernels. */
static enum why_refusal invalid(const struct why_known *known, const struct why_route *route,
				const struct why_route *reverse, struct why_sysctls of,
				struct why_check *check)
{
	struct addr from = route->question.from;
	const struct fact_addr *own = facts_addr(known->world.facts, from);
	int rp_filter = in_force(known, of);
	char text[ADDR_TEXT];

	if (own) {
		say_own_source(known, own, check);
		return WHY_REFUSED_SOURCE;
	}
	if (is_martian(from)) {
		why_say(check, WHY_BROKEN, "%s cannot be a source", addr_text(from, text));
		return WHY_REFUSED_SOURCE;
	}
	if (route->answer.error == -EXDEV || rp_filter_drops(known, route, reverse, rp_filter)) {
		say_rp_filter(known, route, reverse, rp_filter, check);
		return WHY_REFUSED_RP_FILTER;
	}
	return refusing_route(route, "blackhole", check);
}

enum why_refusal why_refusal_judge(const struct why_known *known, const struct why_route *route,
				   const struct why_route *reverse, struct why_sysctls of,
				   struct why_check *check)
{
	char to[ADDR_TEXT], from[ADDR_TEXT];

	addr_text(route->question.to, to);
	addr_text(route->question.from, from);
	switch (-route->answer.error) {
	case EHOSTUNREACH:
		if (of.forwarding != 0)
			return refusing_route(route, "unreachable", check);
		why_say(check, WHY_BROKEN, "%s from %s in %s: forwarding is off", to, from,
			route->question.in);
		why_object(check, "net.ipv4.conf.%s.forwarding", route->question.in);
		return WHY_REFUSED_FORWARDING;
	case EXDEV:
	case EINVAL:
		return invalid(known, route, reverse, of, check);
	case EACCES:
		return refusing_route(route, "prohibit", check);
	case ENETUNREACH:
		why_say(check, WHY_BROKEN, "%s from %s in %s: there is no route", to, from,
			route->question.in);
		return WHY_REFUSED_NO_ROUTE;
	default:
		why_say(check, WHY_BROKEN, "%s from %s in %s: %s", to, from, route->question.in,
			strerror(-route->answer.error));
		return WHY_REFUSED_UNKNOWN;
	}
}
