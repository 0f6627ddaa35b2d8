/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hazards by other programs' settings: who removes what we make, or undoes it. */
#include "daemon/hazard_hunt.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { DEVICES_MAX = 32, KEY_TEXT = 64 };

void find_networkd(struct hunt *hunt)
{
	const struct hazard_files *files = hunt->view->files;
	bool rules = !files->networkd_keeps_rules, routes = !files->networkd_keeps_routes;

	if (files->networkd && (rules || routes) && hunt_wants(hunt, KIND_EXIT_ROUTE))
		hunt_add(hunt, &(struct place){
				       .severity = HAZARD_WARNING,
				       .object = "systemd-networkd",
				       .what = !routes  ? "rules"
					       : !rules ? "routes"
							: "rules and routes",
			       });
}

static bool is_spec(const char *spec, const struct fact_link *link)
{
	static const char name[] = "interface-name:", driver[] = "driver:";

	if (strncmp(spec, name, strlen(name)) == 0) {
		spec += strlen(name);
		return *spec == '=' ? strcmp(spec + 1, link->device) == 0
				    : fnmatch(spec, link->device, 0) == 0;
	}
	if (strncmp(spec, driver, strlen(driver)) == 0)
		return fnmatch(spec + strlen(driver), link->driver, 0) == 0;
	return strcmp(spec, "*") == 0 || strcmp(spec, link->device) == 0 ||
	       strcmp(spec, "type:ip-tunnel") == 0;
}

static bool is_unmanaged(const struct hazard_view *view, const struct fact_link *link)
{
	static const char except[] = "except:";
	bool unmanaged = false;

	for (size_t i = 0; i < view->n_unmanaged; i++)
		if (strcmp(view->unmanaged[i], link->device) == 0)
			return true;
	for (size_t i = 0; i < view->files->unmanaged.len; i++) {
		const char *spec = view->files->unmanaged.v[i];

		if (strncmp(spec, except, strlen(except)) != 0)
			unmanaged |= is_spec(spec, link);
		else if (is_spec(spec + strlen(except), link))
			return false;
	}
	return unmanaged;
}

void find_network_manager(struct hunt *hunt)
{
	const struct resources *tunnels = hunt_declared(hunt, KIND_TUNNEL);

	if (!hunt->view->files->network_manager)
		return;
	for (size_t i = 0; i < tunnels->len && i < HAZARD_DEVICES_ASKED; i++) {
		const char *device = tunnel_device((const struct tunnel *)tunnels->v[i]);
		const struct fact_link *link = facts_link(hunt->view->facts, device);

		if (hunt_is_wanted(tunnels->v[i]) && link && link->ours &&
		    !is_unmanaged(hunt->view, link))
			hunt_add(hunt,
				 &(struct place){
					 .severity = HAZARD_WARNING,
					 .object = device,
					 .resources = {hunt_name(hunt, KIND_TUNNEL, tunnels->v[i])},
				 });
	}
}

/* The line that counts for a key: the last of its own, else the last pattern, unless the key is
 * taken out of these. */
static const struct hazard_sysctl *line_for(const struct hunt *hunt, const char *key)
{
	const struct hazard_sysctls *lines = &hunt->view->files->sysctls;
	const struct hazard_sysctl *own = NULL, *pattern = NULL;

	for (size_t i = 0; i < lines->len; i++) {
		if (strcmp(lines->v[i].key, key) == 0)
			own = &lines->v[i];
		else if (lines->v[i].value && fnmatch(lines->v[i].key, key, FNM_PATHNAME) == 0)
			pattern = &lines->v[i];
	}
	if (own)
		return own->value ? own : NULL;
	return pattern;
}

/* -1: it sets none. */
static long value_of(const struct hazard_sysctl *line)
{
	char *end;

	if (!line)
		return -1;
	long value = strtol(line->value, &end, 0);
	return *end || end == line->value ? -1 : value;
}

/* In words: net.ipv4.conf.eth0.rp_filter; a dot of the device's name is a slash there. */
static const char *dotted(struct arena *arena, const char *key)
{
	char *text = arena_strdup(arena, key);

	for (char *c = text; *c; c++)
		*c = (char)(*c == '.' ? '/' : *c == '/' ? '.' : *c);
	return text;
}

static void add_line(struct hunt *hunt, const struct hazard_sysctl *line, const char *key,
		     long wanted, const char *resource)
{
	struct arena *arena = &hunt->found->arena;
	const char *name = dotted(arena, key);

	hunt_add(hunt, &(struct place){
			       .severity = HAZARD_WARNING,
			       .object = line->where,
			       .what = arena_printf(arena, "%s to %s", name, line->value),
			       .rules = arena_printf(arena, "%s = %ld", name, wanted),
			       .resources = {resource},
		       });
}

static void try_forwarding(struct hunt *hunt, const char *device, const char *resource)
{
	char key[KEY_TEXT];

	snprintf(key, sizeof(key), "net/ipv4/conf/%s/forwarding", device);
	const struct hazard_sysctl *line = line_for(hunt, key);
	if (value_of(line) == 0)
		add_line(hunt, line, key, 1, resource);
}

/* Both of its devices; those of a rule for every tunnel are the tunnels'. */
static void try_rules(struct hunt *hunt)
{
	const struct resources *rules = hunt_declared(hunt, KIND_NAT_RULE);

	for (size_t i = 0; i < rules->len && i < DEVICES_MAX; i++) {
		const struct nat_rule *rule = (const struct nat_rule *)rules->v[i];
		const char *name = hunt_name(hunt, KIND_NAT_RULE, &rule->head);

		if (!hunt_is_wanted(&rule->head))
			continue;
		try_forwarding(hunt, rule->out_interface, name);
		if (rule->in_interface[0])
			try_forwarding(hunt, rule->in_interface, name);
	}
}

/* Off for the whole host takes it from our devices, too; where it is off already, nothing is
 * written. */
static void try_host(struct hunt *hunt)
{
	static const char *const keys[] = {"net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct hazard_sysctl *line = line_for(hunt, keys[i]);

		if (value_of(line) == 0 && hunt->view->facts->ip_forward)
			add_line(hunt, line, keys[i], 1, NULL);
	}
}

/* What is in force is the larger one of the device's and all's. */
static void try_rp_filter(struct hunt *hunt, const struct tunnel *tunnel)
{
	static const long wanted[] = {
		[RP_FILTER_OFF] = 0, [RP_FILTER_STRICT] = 1, [RP_FILTER_LOOSE] = 2};
	static const char all[] = "net/ipv4/conf/all/rp_filter";
	const char *name = hunt_name(hunt, KIND_TUNNEL, &tunnel->head);
	char key[KEY_TEXT];

	if (tunnel->rp_filter == RP_FILTER_KEEP)
		return;
	long want = wanted[tunnel->rp_filter];
	snprintf(key, sizeof(key), "net/ipv4/conf/%s/rp_filter", tunnel_device(tunnel));
	const struct hazard_sysctl *line = line_for(hunt, key);
	if (value_of(line) >= 0 && value_of(line) != want)
		add_line(hunt, line, key, want, name);
	line = line_for(hunt, all);
	if (value_of(line) > want)
		add_line(hunt, line, all, want, name);
}

void find_sysctl_lines(struct hunt *hunt)
{
	const struct resources *tunnels = hunt_declared(hunt, KIND_TUNNEL);
	bool forwards = hunt_wants(hunt, KIND_NAT_RULE);

	if (!hunt->view->files->sysctls.len)
		return;
	if (forwards) {
		try_host(hunt);
		try_rules(hunt);
	}
	for (size_t i = 0; i < tunnels->len && i < DEVICES_MAX; i++) {
		const struct tunnel *tunnel = (const struct tunnel *)tunnels->v[i];

		if (!hunt_is_wanted(&tunnel->head))
			continue;
		try_rp_filter(hunt, tunnel);
		if (forwards)
			try_forwarding(hunt, tunnel_device(tunnel),
				       hunt_name(hunt, KIND_TUNNEL, &tunnel->head));
	}
}
