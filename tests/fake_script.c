/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The script of the fake kernel: what an admin, or a fault, does to the host. */
#include "fake_kernel.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>

#include "fake_line.h"

enum { TABLE_MAIN = 254, PROTOCOL_STATIC = 4, MTU_DEFAULT = 1500 };

#define ALL(kind)                                                                                  \
	{                                                                                          \
		.set = kind_all(&kind)                                                             \
	}

static const char *const ways[] = {"out", "back"}, *const layers[] = {"inner", "outer"},
			 *const edges[] = {"first", "last"},
			 *const hooks[] = {"prerouting", "input", "forward", "output",
					   "postrouting"};

static void link_options(struct line *line, struct link *link)
{
	while (line->next < line->n)
		if (line_take(line, "up"))
			link->up = true;
		else if (line_take(line, "down"))
			link->up = false;
		else if (line_take(line, "mtu"))
			link->mtu = line_number(line);
		else if (line_take(line, "group"))
			link->group = line_number(line);
		else if (line_take(line, "ttl"))
			link->ttl = (uint8_t)line_number(line);
		else if (line_take(line, "tos"))
			link->tos = (uint8_t)line_number(line);
		else if (line_take(line, "local"))
			link->local = line_address(line);
		else if (line_take(line, "remote"))
			link->remote = line_address(line);
		else if (line_take(line, "driver"))
			line_name(line, link->driver, sizeof(link->driver));
		else if (line_take(line, "alias"))
			line_name(line, link->alias, sizeof(link->alias));
		else
			line_bad(line, "no such option of a link");
}

static void run_link(struct fake *fake, struct line *line)
{
	struct link link = {.head = ALL(link_kind), .mtu = MTU_DEFAULT, .up = true};

	line_name(line, link.device, sizeof(link.device));
	const struct link *have = fake_state_link(fake, link.device);
	if (have)
		link = *have;
	link_options(line, &link);
	fake_state_put_link(fake, &link);
}

static void run_flap(struct fake *fake, struct line *line)
{
	line_name(line, fake->flapped, sizeof(fake->flapped));
	const struct link *have = fake_state_link(fake, fake->flapped);
	if (!have)
		line_bad(line, "no such device");
	struct link link = *have;
	link.up = false;
	fake_state_put_link(fake, &link);
	link.up = true;
	fake_state_put_link(fake, &link);
}

static void run_foreign_link(struct fake *fake, struct line *line)
{
	struct link link = {.mtu = 1480, .up = true, .pmtudisc = true, .proto = 4, .ttl = 64};

	line_name(line, link.device, sizeof(link.device));
	line_name(line, link.driver, sizeof(link.driver));
	link.local = line_address(line);
	link.remote = line_address(line);
	fake_state_put_link(fake, &link);
}

static struct address read_address(struct line *line)
{
	struct address read = {.head = ALL(address_kind)};

	line_name(line, read.device, sizeof(read.device));
	read.prefix = line_prefix(line);
	return read;
}

static void run_addr(struct fake *fake, struct line *line)
{
	struct address added = read_address(line);

	if (!fake_state_link(fake, added.device))
		line_bad(line, "no such device");
	fake_state_put_address(fake, &added);
}

static struct route read_route(struct line *line)
{
	struct route route = {
		.head = ALL(route_kind),
		.table = TABLE_MAIN,
		.protocol = PROTOCOL_STATIC,
	};

	route.dst = line_prefix(line);
	while (line->next < line->n)
		if (line_take(line, "dev"))
			line_name(line, route.device, sizeof(route.device));
		else if (line_take(line, "via"))
			route.gateway = line_address(line);
		else if (line_take(line, "src"))
			route.prefsrc = line_address(line);
		else if (line_take(line, "table"))
			route.table = line_number(line);
		else if (line_take(line, "metric"))
			route.metric = line_number(line);
		else if (line_take(line, "protocol"))
			route.protocol = (uint8_t)line_number(line);
		else
			line_bad(line, "no such option of a route");
	return route;
}

static void run_route(struct fake *fake, struct line *line)
{
	struct route route = read_route(line);

	if (!fake_state_link(fake, route.device))
		line_bad(line, "no such device");
	fake_state_put(fake, KIND_ROUTE, &route);
}

static void run_rule(struct fake *fake, struct line *line)
{
	struct rule rule = {
		.priority = line_number(line),
		.suppress_prefixlength = SUPPRESS_NONE,
		.protocol = PROTOCOL_STATIC,
	};

	while (line->next < line->n)
		if (line_take(line, "from"))
			rule.from = line_prefix(line);
		else if (line_take(line, "lookup"))
			rule.table = line_number(line);
		else if (line_take(line, "suppress"))
			rule.suppress_prefixlength = (int32_t)line_number(line);
		else if (line_take(line, "protocol"))
			rule.protocol = (uint8_t)line_number(line);
		else
			line_bad(line, "no such option of a rule");
	fake_state_put(fake, KIND_RULE, &rule);
}

static struct nft_element read_element(struct line *line)
{
	struct nft_element element = {.head = ALL(nft_element_kind)};

	line_name(line, element.set_name, sizeof(element.set_name));
	element.prefix = line_prefix(line);
	return element;
}

static void run_element(struct fake *fake, struct line *line)
{
	struct nft_element element = read_element(line);

	fake_state_put(fake, KIND_NFT_ELEMENT, &element);
}

static void delete_rules(struct fake *fake, uint32_t priority)
{
	const struct object_list *list = &fake->state.kind[KIND_RULE];

	for (size_t i = list->len; i-- > 0;)
		if (((struct rule *)list->v[i])->priority == priority)
			fake_state_remove(fake, KIND_RULE, list->v[i]);
}

static void run_delete(struct fake *fake, struct line *line)
{
	if (line_take(line, "link")) {
		const struct link *gone = fake_state_link(fake, line_word(line));
		if (gone) {
			fake_count_gone(fake, gone);
			fake_state_remove_link(fake, gone->device);
		}
	} else if (line_take(line, "addr")) {
		struct address gone = read_address(line);
		fake_state_remove_address(fake, &gone);
	} else if (line_take(line, "route")) {
		struct route gone = read_route(line);
		fake_state_remove(fake, KIND_ROUTE, &gone);
	} else if (line_take(line, "rule")) {
		delete_rules(fake, line_number(line));
	} else if (line_take(line, "set")) {
		struct nft_set gone = {.head = ALL(nft_set_kind)};
		line_name(line, gone.name, sizeof(gone.name));
		fake_state_remove(fake, KIND_NFT_SET, &gone);
	} else if (line_take(line, "chain")) {
		struct nft_chain gone = {.head = ALL(nft_chain_kind)};
		line_name(line, gone.name, sizeof(gone.name));
		fake_state_remove(fake, KIND_NFT_CHAIN, &gone);
	} else if (line_take(line, "element")) {
		struct nft_element gone = read_element(line);
		fake_state_remove(fake, KIND_NFT_ELEMENT, &gone);
	} else {
		line_bad(line, "cannot delete that");
	}
}

static void run_foreign_chain(struct fake *fake, struct line *line)
{
	struct ruleset_chain chain = {.family = line_word(line),
				      .table = line_word(line),
				      .name = line_word(line),
				      .base = true};

	chain.nat = line_take(line, "nat");
	chain.hook = line_choice(line, hooks, ARRAY_LEN(hooks));
	chain.priority = (int32_t)line_number(line);
	chain.drops = line_take(line, "drop");
	if (!chain.drops && !line_take(line, "accept"))
		line_bad(line, "no such policy");
	fake_ruleset_add_chain(fake, &chain);
}

static void run_foreign_rule(struct fake *fake, struct line *line)
{
	const char *family = line_word(line), *table = line_word(line), *chain = line_word(line);
	struct ruleset_rule rule = {.verdict = RULESET_ACCEPT, .target = RULESET_NO_CHAIN};

	if (line_take(line, "drop"))
		rule.verdict = RULESET_DROP;
	else if (line_take(line, "snat"))
		rule.flags = RULESET_SNAT;
	else if (!line_take(line, "accept"))
		line_bad(line, "no such verdict");
	while (line->next < line->n) {
		struct ruleset_device *device = line_take(line, "in")    ? &rule.in
						: line_take(line, "out") ? &rule.out
									 : NULL;
		if (!device)
			line_bad(line, "no such match");
		device->given = true;
		line_name(line, device->name, sizeof(device->name));
	}
	if (!fake_ruleset_add_rule(fake, family, table, chain, &rule))
		line_bad(line, "no such chain");
}

static void run_flush(struct fake *fake, struct line *line)
{
	if (line_take(line, "foreign")) {
		fake_ruleset_clear(fake);
		return;
	}
	if (!line_take(line, "nft"))
		line_bad(line, "cannot flush that");
	fake_state_clear_nft(fake);
}

static void run_sysctl(struct fake *fake, struct line *line)
{
	struct sysctl sysctl = {.head = ALL(sysctl_kind)};

	if (line_take(line, "ip_forward")) {
		fake_state_forward(fake, line_number(line) != 0);
		return;
	}
	line_name(line, sysctl.device, sizeof(sysctl.device));
	if (line_take(line, "rp_filter"))
		sysctl.name = SYSCTL_RP_FILTER;
	else if (!line_take(line, "forwarding"))
		line_bad(line, "no such sysctl");
	sysctl.value = line_number(line);
	if (strcmp(sysctl.device, "default") == 0 && sysctl.name == SYSCTL_RP_FILTER)
		fake->default_rp_filter = sysctl.value;
	else if (!fake_state_find(fake, KIND_SYSCTL, &sysctl))
		line_bad(line, "no such device");
	else
		fake_state_put(fake, KIND_SYSCTL, &sysctl);
}

static void run_fail(struct fake *fake, struct line *line)
{
	struct fake_failure failure = {0};

	line_name(line, failure.kind, sizeof(failure.kind));
	line_name(line, failure.verb, sizeof(failure.verb));
	line_name(line, failure.key, sizeof(failure.key));
	failure.number = line_errno(line);
	cleanup_text struct text text = {0};
	while (line->next < line->n)
		text_addf(&text, "%s%s", text.len ? " " : "", line_word(line));
	snprintf(failure.text, sizeof(failure.text), "%s",
		 text.len ? text.s : strerror(-failure.number));
	vec_push(&fake->failures, failure);
}

static void run_refuse_observe(struct fake *fake, struct line *line)
{
	fake->refuse_observe = line_errno(line);
}

static void run_by(struct fake *fake, struct line *line)
{
	uint32_t port = line_number(line);

	if (line->next == line->n) {
		culprit_add(&fake->by, port);
		return;
	}
	culprit_add_nft(&fake->by, port);
	const char *process = line_word(line);
	uint32_t pid = line->next < line->n ? line_number(line) : port;
	culprit_tell_nft(&fake->by, port, pid, process);
}

static void run_refuse_count(struct fake *fake, struct line *line)
{
	fake->refuse_count = line_errno(line);
}

static void run_slow_apply(struct fake *fake, struct line *line)
{
	fake->slow_apply_ms = line_number(line);
}

static void run_slow_count(struct fake *fake, struct line *line)
{
	fake->slow_count_ms = line_number(line);
}

static void run_refuse_trace(struct fake *fake, struct line *line)
{
	fake->refuse_trace = line_errno(line);
}

static void run_refuse_trace_close(struct fake *fake, struct line *line)
{
	fake->refuse_trace_close = line_errno(line);
}

static void run_neighbour(struct fake *fake, struct line *line)
{
	static const char *const states[] = {"none",  "incomplete", "reachable", "stale",   "delay",
					     "probe", "failed",     "permanent", "needless"};
	static const uint16_t bits[] = {0,          NUD_INCOMPLETE, NUD_REACHABLE,
					NUD_STALE,  NUD_DELAY,      NUD_PROBE,
					NUD_FAILED, NUD_PERMANENT,  NUD_NOARP};
	struct fake_neighbour *one = vec_add(&fake->neighbours);

	line_name(line, one->device, sizeof(one->device));
	one->addr = line_address(line);
	one->neighbour.state = bits[line_choice(line, states, ARRAY_LEN(states))];
	one->neighbour.needless = one->neighbour.state == NUD_NOARP;
}

static void run_seen(struct fake *fake, struct line *line)
{
	unsigned way = line_choice(line, ways, ARRAY_LEN(ways));
	unsigned layer = line_choice(line, layers, ARRAY_LEN(layers));
	unsigned hook = line_choice(line, hooks, ARRAY_LEN(hooks));
	unsigned edge = line_choice(line, edges, ARRAY_LEN(edges));

	fake->seen.counts.packets[way][layer][hook][edge] = line_number(line);
}

static void run_drop(struct fake *fake, struct line *line)
{
	if (fake->seen.n_drops == TRACE_DROPS_MAX)
		line_bad(line, "too many drops");
	struct trace_drop *drop = &fake->seen.drops[fake->seen.n_drops++];

	drop->way = line_choice(line, ways, ARRAY_LEN(ways));
	drop->layer = line_choice(line, layers, ARRAY_LEN(layers));
	drop->hook = line_choice(line, hooks, ARRAY_LEN(hooks));
	line_name(line, drop->family, sizeof(drop->family));
	line_name(line, drop->table, sizeof(drop->table));
	line_name(line, drop->chain, sizeof(drop->chain));
	if (line->next < line->n)
		drop->handle = line_number(line);
}

static void run_flow(struct fake *fake, struct line *line)
{
	fake->seen.flow = (struct trace_flow){.known = true, .source = line_address(line)};
	fake->seen.flow.destination = line_address(line);
	fake->seen.flow.replied = line_take(line, "replied");
}

static void run_device(struct fake *fake, struct line *line)
{
	static const char *const doors[] = {"came", "left"};
	unsigned way = line_choice(line, ways, ARRAY_LEN(ways));
	unsigned layer = line_choice(line, layers, ARRAY_LEN(layers));

	line_name(line, fake->seen.devices[way][layer][line_choice(line, doors, ARRAY_LEN(doors))],
		  IFNAMSIZ);
}

static void run_rp_filter(struct fake *fake, struct line *line)
{
	fake->seen.rp_filter_drops = line_number(line);
}

static void run_overrun(struct fake *fake, unused_ struct line *line)
{
	fake->overrun = true;
}

static void run_quiet(struct fake *fake, unused_ struct line *line)
{
	fake->quiet = true;
}

#define COUNTER(st, member)                                                                        \
	{                                                                                          \
#member, offsetof(struct st, member)                                               \
	}

static const struct counter {
	const char *name;
	size_t offset;
} link_counters[] =
	{
		COUNTER(link_stats, rx_bytes),  COUNTER(link_stats, rx_packets),
		COUNTER(link_stats, rx_errors), COUNTER(link_stats, rx_dropped),
		COUNTER(link_stats, tx_bytes),  COUNTER(link_stats, tx_packets),
		COUNTER(link_stats, tx_errors), COUNTER(link_stats, tx_dropped),
},
  element_counters[] = {
	  COUNTER(element_stats, packets),
	  COUNTER(element_stats, bytes),
};

static void add_traffic(struct line *line, const struct counter *counters, size_t n, void *stats)
{
	while (line->next < line->n) {
		const char *wanted = line_word(line);
		size_t i = 0;

		while (i < n && strcmp(counters[i].name, wanted) != 0)
			i++;
		if (i == n)
			line_bad(line, "no such counter");
		*(uint64_t *)((char *)stats + counters[i].offset) += line_number(line);
	}
}

static void run_traffic(struct fake *fake, struct line *line)
{
	if (line_take(line, "link")) {
		const struct link *link = fake_state_link(fake, line_word(line));

		if (!link)
			line_bad(line, "no such device");
		add_traffic(line, link_counters, ARRAY_LEN(link_counters),
			    fake_count_of_link(fake, link));
	} else if (line_take(line, "element")) {
		struct nft_element element = read_element(line);

		if (!fake_state_find(fake, KIND_NFT_ELEMENT, &element))
			line_bad(line, "no such element");
		add_traffic(line, element_counters, ARRAY_LEN(element_counters),
			    fake_count_of_element(fake, &element));
	} else {
		line_bad(line, "no traffic on that");
	}
}

static const struct {
	const char *verb;
	void (*run)(struct fake *fake, struct line *line);
} commands[] = {
	{"link", run_link},
	{"foreign-link", run_foreign_link},
	{"addr", run_addr},
	{"route", run_route},
	{"rule", run_rule},
	{"element", run_element},
	{"delete", run_delete},
	{"traffic", run_traffic},
	{"flush", run_flush},
	{"sysctl", run_sysctl},
	{"fail", run_fail},
	{"refuse-observe", run_refuse_observe},
	{"by", run_by},
	{"refuse-count", run_refuse_count},
	{"slow-count", run_slow_count},
	{"slow-apply", run_slow_apply},
	{"overrun", run_overrun},
	{"quiet", run_quiet},
	{"flap", run_flap},
	{"foreign-chain", run_foreign_chain},
	{"foreign-rule", run_foreign_rule},
	{"refuse-trace", run_refuse_trace},
	{"refuse-trace-close", run_refuse_trace_close},
	{"neighbour", run_neighbour},
	{"seen", run_seen},
	{"drop", run_drop},
	{"flow", run_flow},
	{"device", run_device},
	{"rp-filter", run_rp_filter},
};

static void run(struct fake *fake, struct line *line)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!line_take(line, commands[i].verb))
			continue;
		commands[i].run(fake, line);
		if (line->next < line->n)
			line_bad(line, "too many line");
		return;
	}
	line_bad(line, "no such command");
}

void fake_script_line(struct fake *fake, const char *text)
{
	struct line line = line_split(text);

	if (line.n)
		run(fake, &line);
	line_done(&line);
}

void fake_script_next(struct fake *fake)
{
	cleanup_free char *lines = xstrdup(text_str(&fake->later));
	char *rest = lines;

	text_clear(&fake->later);
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (strcmp(line, "next") != 0) {
			fake_script_line(fake, line);
			continue;
		}
		text_add(&fake->later, rest);
		return;
	}
}

static bool is_another(const struct stat *a, const struct stat *b)
{
	return a->st_ino != b->st_ino || a->st_size != b->st_size ||
	       a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

bool fake_script_run(struct fake *fake)
{
	cleanup_text struct text path = {0};
	cleanup_free char *line = NULL;
	size_t size = 0;
	struct stat now;

	if (!fake->directory)
		return false;
	text_addf(&path, "%s/script", fake->directory);
	FILE *file = fopen(path.s, "re");
	if (!file)
		return false;
	bool another = fstat(fileno(file), &now) == 0 && is_another(&now, &fake->script);
	if (another) {
		fake->script = now;
		vec_clear(&fake->failures);
		fake->refuse_observe = fake->refuse_count = fake->refuse_trace = 0;
		fake->slow_count_ms = fake->slow_apply_ms = 0;
		fake->refuse_trace_close = 0;
		fake->seen = (struct trace_seen){0};
		fake->by = (struct culprit){0};
		fake->quiet = false;
		fake->flapped[0] = '\0';
		text_clear(&fake->later);
		while (getline(&line, &size, file) >= 0)
			text_add(&fake->later, line);
		fake_script_next(fake);
		fake_state_save(fake);
	}
	fclose(file);
	return another;
}
