/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake kernel's answer to a route question: own addresses, then the rules, then main. */
#include "fake_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TABLE_LOCAL = 255, TABLE_MAIN = 254, PRIORITY_MAIN = 32766 };

/* The longest prefix, of those the lowest metric; NULL when rule suppresses it. */
static const struct route *table_lookup(const struct fake *fake, uint32_t table, struct addr to,
					const char *oif, int32_t suppress)
{
	const struct object_list *list = &fake->state.kind[KIND_ROUTE];
	const struct route *best = NULL;

	for (size_t i = 0; i < list->len; i++) {
		const struct route *route = (const struct route *)list->v[i];

		if (route->table != table || !prefix_covers(route->dst, to))
			continue;
		if (*oif && strcmp(route->device, oif) != 0)
			continue;
		/* of one length the lowest metric stands first in the list */
		if (!best || route->dst.len > best->dst.len)
			best = route;
	}
	return best && best->dst.len > suppress ? best : NULL;
}

static bool rule_matches(const struct rule *rule, const struct route_question *question)
{
	uint32_t mark = question->underlay ? OUR_MARK : 0;

	return prefix_covers(rule->from, question->from) &&
	       (mark & rule->fwmask) == (rule->fwmark & rule->fwmask);
}

static const struct route *rules_lookup(const struct fake *fake,
					const struct route_question *question, const char *oif)
{
	const struct object_list *list = &fake->state.kind[KIND_RULE];
	const struct route *route = NULL;
	uint32_t from = 0;

	for (size_t i = 0; i < list->len && !route; i++) {
		const struct rule *rule = (const struct rule *)list->v[i];

		if (rule->priority >= PRIORITY_MAIN)
			break;
		if (rule->priority < from || !rule_matches(rule, question))
			continue;
		if (rule->action == RULE_GOTO)
			from = rule->target;
		if (rule->action == RULE_LOOKUP)
			route = table_lookup(fake, rule->table, question->to, oif,
					     rule->suppress_prefixlength);
	}
	return route ? route : table_lookup(fake, TABLE_MAIN, question->to, oif, SUPPRESS_NONE);
}

static struct addr first_address(const struct fake *fake, const char *device)
{
	const struct object_list *list = &fake->state.kind[KIND_ADDRESS];

	for (size_t i = 0; i < list->len; i++) {
		const struct address *address = (const struct address *)list->v[i];

		if (strcmp(address->device, device) == 0)
			return address->prefix.addr;
	}
	return (struct addr){0};
}

static bool forwards(const struct fake *fake, const char *device)
{
	struct sysctl key = {.head.set = kind_all(&sysctl_kind), .name = SYSCTL_FORWARDING};

	snprintf(key.device, sizeof(key.device), "%s", device);
	const struct sysctl *sysctl = (const struct sysctl *)fake_state_find(fake, KIND_SYSCTL,
									     &key);
	return sysctl && sysctl->value;
}

int fake_route_lookup(const struct fake *fake, const struct route_question *question,
		      const char *oif, struct route_answer *answer)
{
	*answer = (struct route_answer){0};
	if (fake_state_is_own(fake, question->to)) {
		answer->local = true;
		answer->table = TABLE_LOCAL;
		answer->source = question->to;
		strcpy(answer->device, "lo");
		return 0;
	}
	if (*question->in && !forwards(fake, question->in))
		return answer->error = -EHOSTUNREACH;
	const struct route *route = rules_lookup(fake, question, oif);
	if (!route)
		return answer->error = -ENETUNREACH;
	const struct link *link = fake_state_link(fake, route->device);
	memcpy(answer->device, route->device, sizeof(answer->device));
	answer->gateway = route->gateway;
	answer->table = route->table;
	answer->mtu = link ? link->mtu : 0;
	answer->source = question->from;
	if (!answer->source.host)
		answer->source = route->prefsrc;
	if (!answer->source.host)
		answer->source = first_address(fake, route->device);
	return 0;
}
