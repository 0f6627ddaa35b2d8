/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a path without sending anything: the kernel's answers, for the judges. */
#include "daemon/why.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/why_device.h"
#include "daemon/why_find.h"

static void ask(struct why_known *known, struct why_route *route,
		const struct route_question *question)
{
	struct kernel *kernel = known->world.kernel;
	struct err err = {0};

	route->asked = true;
	route->question = *question;
	if (!question->protocol) {
		route->question.protocol = known->question.protocol;
		route->question.source_port = known->question.id;
		route->question.port = known->question.port;
	}
	int error = kernel->vt->route(kernel, &route->question, &route->answer, &err);
	if (error)
		route->answer = (struct route_answer){.error = error};
}

static int ask_sysctl(const struct why_known *known, const char *device, const char *name)
{
	struct kernel *kernel = known->world.kernel;
	struct err err = {0};
	int value = -1;

	if (!*device || kernel->vt->sysctl(kernel, device, name, &value, &err))
		return -1;
	return value;
}

static struct why_sysctls ask_sysctls(const struct why_known *known, const char *device)
{
	return (struct why_sysctls){ask_sysctl(known, device, "forwarding"),
				    ask_sysctl(known, device, "rp_filter")};
}

static void use_tunnel(struct why_known *known, const struct tunnel *tunnel)
{
	if (!tunnel)
		return;
	known->tunnel = tunnel;
	name_copy(known->device, tunnel_device(tunnel));
	known->remote = tunnel->remote;
	known->local = why_find_local(&known->world, tunnel);
}

/* The packet around it, as the tunnel sends it; once with our mark, past our rules. */
static void ask_outer(struct why_known *known)
{
	struct route_question question = {
		.to = known->remote, .from = known->local, .protocol = IPPROTO_IPIP};

	if (!known->tunnel)
		return;
	ask(known, &known->outer, &question);
	question.from = (struct addr){0};
	question.underlay = true;
	ask(known, &known->underlay, &question);
}

static void ask_neighbour(struct why_known *known)
{
	const struct route_answer *way = &known->underlay.answer;
	struct kernel *kernel = known->world.kernel;
	struct err err = {0};

	known->neighbour_error = -ENODATA;
	if (!known->underlay.asked || way->error || way->local)
		return;
	known->neighbour_addr = way->gateway.host ? way->gateway : known->remote;
	known->neighbour_error = kernel->vt->neighbour(kernel, way->device, known->neighbour_addr,
						       &known->neighbour, &err);
}

/* Another's packets come in by the device that he is on; behind a gateway that is a guess. */
static void find_ingress(struct why_known *known)
{
	struct why_question *q = &known->question;
	struct why_route where = {0};

	if (!q->from.host || q->in[0] || facts_addr(known->world.facts, q->from) ||
	    why_find_address(&known->world, q->from))
		return;
	ask(known, &where, &(struct route_question){.to = q->from, .underlay = true});
	if (!where.answer.error && !where.answer.local && !where.answer.gateway.host &&
	    !why_is_tunnel(known, where.answer.device))
		name_copy(q->in, where.answer.device);
}

static void ask_path(struct why_known *known)
{
	const struct why_question *q = &known->question;
	struct route_question question = {.to = q->to, .from = q->from};

	memcpy(question.in, q->in, sizeof(question.in));
	if (!q->from.host && !q->in[0]) {
		ask(known, &known->first, &question);
		question.from = known->from = known->first.answer.source;
	}
	ask(known, &known->path, &question);
}

/* The tunnel that the path goes into, else that it should go into. */
static void find_tunnel(struct why_known *known)
{
	const struct route_answer *path = &known->path.answer;
	const struct tunnel *tunnel = NULL;

	if (!path->error && !path->local)
		tunnel = why_find_device(&known->world, path->device);
	known->enters = tunnel;
	if (!tunnel) {
		struct why_exit exit = why_find_exit(known, NULL, known->question.to, known->from,
						     true);
		if (exit.route)
			tunnel = (const struct tunnel *)declaration_find(
				known->world.declaration, KIND_TUNNEL, exit.route->tunnel, NULL);
	}
	use_tunnel(known, tunnel);
}

/* A reply: its ports are those of the question the other way round. */
static struct route_question reply_to(const struct why_known *known, struct addr to)
{
	const struct why_question *q = &known->question;

	return (struct route_question){
		.to = to,
		.protocol = q->protocol,
		.source_port = q->port,
		.port = q->id,
	};
}

/* Where FROM is, as the kernel looks for it when a packet of the question comes in. */
static void ask_reverse(struct why_known *known)
{
	struct route_question question = reply_to(known, known->from);

	ask(known, &known->reverse, &question);
}

static void ask_client(struct why_known *known)
{
	const struct why_question *q = &known->question;

	find_ingress(known);
	known->of_in = ask_sysctls(known, q->in);
	ask_path(known);
	find_tunnel(known);
	ask_outer(known);
	ask_neighbour(known);
	ask(known, &known->out, &(struct route_question){.to = q->to});
	if (known->from.host)
		ask_reverse(known);
	if (!known->enters || !known->from.host)
		return;
	struct route_question back = reply_to(known, known->from);
	back.from = q->to;
	memcpy(back.in, known->device, sizeof(back.in));
	ask(known, &known->back, &back);
	known->of_tunnel = ask_sysctls(known, known->device);
}

/* Where the exit's packets leave: what is delivered here does not. */
static void find_wan(struct why_known *known)
{
	const struct route_answer *path = &known->path.answer, *out = &known->out.answer;

	if (known->path.asked && !path->error && !path->local)
		memcpy(known->wan, path->device, sizeof(known->wan));
	else if (!out->error && !out->local)
		memcpy(known->wan, out->device, sizeof(known->wan));
}

/* Does it translate sources, or jump where that may be done? */
static bool translates(const struct ruleset *ruleset, const struct ruleset_chain *chain)
{
	for (uint32_t i = chain->first; i < chain->first + chain->len; i++) {
		const struct ruleset_rule *rule = &ruleset->rules.v[i];

		if (rule->flags & RULESET_SNAT || rule->verdict == RULESET_JUMP ||
		    rule->verdict == RULESET_GOTO)
			return true;
	}
	return false;
}

/* The first chain of others that could have done it: of nat, only postrouting's are read. */
static void find_translator(struct why_known *known)
{
	struct kernel *kernel = known->world.kernel;
	struct why_chain *found = &known->translator;
	struct ruleset ruleset = {0};
	struct err err = {0};
	bool is_read = kernel->vt->rulesets(kernel, &ruleset, &err) == 0;

	for (size_t i = 0; is_read && i < ruleset.chains.len; i++) {
		const struct ruleset_chain *chain = &ruleset.chains.v[i];

		if (!chain->base || !chain->nat || !translates(&ruleset, chain) ||
		    strlen(chain->table) >= TRACE_NAME || strlen(chain->name) >= TRACE_NAME ||
		    (*found->table && found->priority <= chain->priority))
			continue;
		found->priority = chain->priority;
		snprintf(found->family, sizeof(found->family), "%s", chain->family);
		snprintf(found->table, sizeof(found->table), "%s", chain->table);
		snprintf(found->name, sizeof(found->name), "%s", chain->name);
	}
	ruleset_done(&ruleset);
}

/* To an address that the packets cannot leave with. */
static bool is_mistranslated(const struct why_known *known)
{
	const struct trace_flow *flow = &known->probed.seen.flow;
	const struct fact_addr *own = facts_addr(known->world.facts, flow->source);

	return known->probed.done && flow->known && flow->source.host != known->from.host &&
	       !(own && strcmp(own->device, known->wan) == 0);
}

static void ask_exit(struct why_known *known)
{
	const struct why_question *q = &known->question;
	const char *seen = known->probed.seen.devices[TRACE_BACK][TRACE_INNER][TRACE_CAME];
	struct route_question path = {.to = q->to, .from = q->from};
	struct route_question back = reply_to(known, q->from);

	use_tunnel(known, why_find_tunnel(&known->world, q->local, q->peer));
	ask_reverse(known);
	ask(known, &known->out, &(struct route_question){.to = q->to});
	if (known->tunnel && facts_link(known->world.facts, known->device)) {
		memcpy(path.in, known->device, sizeof(path.in));
		ask(known, &known->path, &path);
		known->of_tunnel = ask_sysctls(known, known->device);
	}
	find_wan(known);
	ask_outer(known);
	back.from = q->to;
	memcpy(back.in, *seen ? seen : known->wan, sizeof(back.in));
	ask(known, &known->back, &back);
	known->of_back = ask_sysctls(known, back.in);
	if (is_mistranslated(known))
		find_translator(known);
}

void why_ask(const struct why_world *world, const struct why_question *question,
	     struct why_known *known)
{
	struct why_probed probed = known->probed;
	struct why_sysctls unknown = {-1, -1};

	*known = (struct why_known){.world = *world, .question = *question, .from = question->from};
	known->probed = probed;
	known->of_tunnel = known->of_in = known->of_back = unknown;
	known->of_all = ask_sysctls(known, "all");
	known->neighbour_error = -ENODATA;
	if (question->exit)
		ask_exit(known);
	else
		ask_client(known);
	why_device_ask(known);
}
