/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The script of the fake kernel: what an admin, or a fault, does to the host. */
#include "fake_kernel.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 32, TABLE_MAIN = 254, PROTOCOL_STATIC = 4, MTU_DEFAULT = 1500 };

/* The words of a line, in order; reading past the end is a mistake in the script. */
struct words {
	const char *line;
	char *v[WORDS_MAX];
	size_t n, next;
};

noreturn_ static void bad(const struct words *words, const char *why)
{
	fprintf(stderr, "fake kernel: script: %s: %s\n", words->line, why);
	abort();
}

static const char *word(struct words *words)
{
	if (words->next == words->n)
		bad(words, "a word is missing");
	return words->v[words->next++];
}

/* Takes the next word if it is that one. */
static bool take(struct words *words, const char *wanted)
{
	if (words->next == words->n || strcmp(words->v[words->next], wanted) != 0)
		return false;
	words->next++;
	return true;
}

static uint32_t number(struct words *words)
{
	char *end;
	unsigned long value = strtoul(word(words), &end, 0);

	if (*end)
		bad(words, "not a number");
	return (uint32_t)value;
}

static struct addr address(struct words *words)
{
	struct addr addr = {0};

	if (addr_parse(word(words), &addr) < 0)
		bad(words, "not an address");
	return addr;
}

static struct prefix prefix(struct words *words)
{
	struct prefix prefix = {0};

	if (take(words, "default"))
		return prefix;
	if (prefix_parse(word(words), &prefix) < 0)
		bad(words, "not a prefix");
	return prefix;
}

static void name(struct words *words, char *to, size_t size)
{
	snprintf(to, size, "%s", word(words));
}

static int error_number(struct words *words)
{
	const char *wanted = word(words);

	for (int i = 1; i < 134; i++) {
		const char *text = strerrorname_np(i);

		if (text && strcmp(text, wanted) == 0)
			return -i;
	}
	bad(words, "not an errno");
}

#define ALL(kind)                                                                                  \
	{                                                                                          \
		.set = kind_all(&kind)                                                             \
	}

static void link_options(struct words *words, struct link *link)
{
	while (words->next < words->n)
		if (take(words, "up"))
			link->up = true;
		else if (take(words, "down"))
			link->up = false;
		else if (take(words, "mtu"))
			link->mtu = number(words);
		else if (take(words, "group"))
			link->group = number(words);
		else if (take(words, "ttl"))
			link->ttl = (uint8_t)number(words);
		else if (take(words, "tos"))
			link->tos = (uint8_t)number(words);
		else if (take(words, "local"))
			link->local = address(words);
		else if (take(words, "remote"))
			link->remote = address(words);
		else if (take(words, "driver"))
			name(words, link->driver, sizeof(link->driver));
		else if (take(words, "alias"))
			name(words, link->alias, sizeof(link->alias));
		else
			bad(words, "no such option of a link");
}

static void run_link(struct fake *fake, struct words *words)
{
	struct link link = {.head = ALL(link_kind), .mtu = MTU_DEFAULT, .up = true};

	name(words, link.device, sizeof(link.device));
	const struct link *have = fake_state_link(fake, link.device);
	if (have)
		link = *have;
	link_options(words, &link);
	fake_state_put_link(fake, &link);
}

static void run_foreign_link(struct fake *fake, struct words *words)
{
	struct link link = {.mtu = 1480, .up = true, .pmtudisc = true, .proto = 4, .ttl = 64};

	name(words, link.device, sizeof(link.device));
	name(words, link.driver, sizeof(link.driver));
	link.local = address(words);
	link.remote = address(words);
	fake_state_put_link(fake, &link);
}

static struct address read_address(struct words *words)
{
	struct address read = {.head = ALL(address_kind)};

	name(words, read.device, sizeof(read.device));
	read.prefix = prefix(words);
	return read;
}

static void run_addr(struct fake *fake, struct words *words)
{
	struct address added = read_address(words);

	if (!fake_state_link(fake, added.device))
		bad(words, "no such device");
	fake_state_put_address(fake, &added);
}

static struct route read_route(struct words *words)
{
	struct route route = {
		.head = ALL(route_kind),
		.table = TABLE_MAIN,
		.protocol = PROTOCOL_STATIC,
	};

	route.dst = prefix(words);
	while (words->next < words->n)
		if (take(words, "dev"))
			name(words, route.device, sizeof(route.device));
		else if (take(words, "via"))
			route.gateway = address(words);
		else if (take(words, "src"))
			route.prefsrc = address(words);
		else if (take(words, "table"))
			route.table = number(words);
		else if (take(words, "metric"))
			route.metric = number(words);
		else if (take(words, "protocol"))
			route.protocol = (uint8_t)number(words);
		else
			bad(words, "no such option of a route");
	return route;
}

static void run_route(struct fake *fake, struct words *words)
{
	struct route route = read_route(words);

	if (!fake_state_link(fake, route.device))
		bad(words, "no such device");
	fake_state_put(fake, KIND_ROUTE, &route);
}

static void run_rule(struct fake *fake, struct words *words)
{
	struct rule rule = {
		.priority = number(words),
		.suppress_prefixlength = SUPPRESS_NONE,
		.protocol = PROTOCOL_STATIC,
	};

	while (words->next < words->n)
		if (take(words, "from"))
			rule.from = prefix(words);
		else if (take(words, "lookup"))
			rule.table = number(words);
		else if (take(words, "suppress"))
			rule.suppress_prefixlength = (int32_t)number(words);
		else if (take(words, "protocol"))
			rule.protocol = (uint8_t)number(words);
		else
			bad(words, "no such option of a rule");
	fake_state_put(fake, KIND_RULE, &rule);
}

static struct nft_element read_element(struct words *words)
{
	struct nft_element element = {.head = ALL(nft_element_kind)};

	name(words, element.set_name, sizeof(element.set_name));
	element.prefix = prefix(words);
	return element;
}

static void run_element(struct fake *fake, struct words *words)
{
	struct nft_element element = read_element(words);

	fake_state_put(fake, KIND_NFT_ELEMENT, &element);
}

static void delete_rules(struct fake *fake, uint32_t priority)
{
	const struct object_list *list = &fake->state.kind[KIND_RULE];

	for (size_t i = list->len; i-- > 0;)
		if (((struct rule *)list->v[i])->priority == priority)
			fake_state_remove(fake, KIND_RULE, list->v[i]);
}

static void run_delete(struct fake *fake, struct words *words)
{
	if (take(words, "link")) {
		const struct link *gone = fake_state_link(fake, word(words));
		if (gone) {
			fake_count_gone(fake, gone);
			fake_state_remove_link(fake, gone->device);
		}
	} else if (take(words, "addr")) {
		struct address gone = read_address(words);
		fake_state_remove_address(fake, &gone);
	} else if (take(words, "route")) {
		struct route gone = read_route(words);
		fake_state_remove(fake, KIND_ROUTE, &gone);
	} else if (take(words, "rule")) {
		delete_rules(fake, number(words));
	} else if (take(words, "set")) {
		struct nft_set gone = {.head = ALL(nft_set_kind)};
		name(words, gone.name, sizeof(gone.name));
		fake_state_remove(fake, KIND_NFT_SET, &gone);
	} else if (take(words, "chain")) {
		struct nft_chain gone = {.head = ALL(nft_chain_kind)};
		name(words, gone.name, sizeof(gone.name));
		fake_state_remove(fake, KIND_NFT_CHAIN, &gone);
	} else if (take(words, "element")) {
		struct nft_element gone = read_element(words);
		fake_state_remove(fake, KIND_NFT_ELEMENT, &gone);
	} else {
		bad(words, "cannot delete that");
	}
}

static void run_foreign_chain(struct fake *fake, struct words *words)
{
	static const char *const hooks[] = {"prerouting", "input", "forward", "output",
					    "postrouting"};
	struct ruleset_chain chain = {
		.family = word(words), .table = word(words), .name = word(words), .base = true};

	chain.nat = take(words, "nat");
	while (chain.hook < ARRAY_LEN(hooks) && !take(words, hooks[chain.hook]))
		chain.hook++;
	if (chain.hook == ARRAY_LEN(hooks))
		bad(words, "no such hook");
	chain.priority = (int32_t)number(words);
	chain.drops = take(words, "drop");
	if (!chain.drops && !take(words, "accept"))
		bad(words, "no such policy");
	fake_ruleset_add_chain(fake, &chain);
}

static void run_foreign_rule(struct fake *fake, struct words *words)
{
	const char *family = word(words), *table = word(words), *chain = word(words);
	struct ruleset_rule rule = {.verdict = RULESET_ACCEPT, .target = RULESET_NO_CHAIN};

	if (take(words, "drop"))
		rule.verdict = RULESET_DROP;
	else if (take(words, "snat"))
		rule.flags = RULESET_SNAT;
	else if (!take(words, "accept"))
		bad(words, "no such verdict");
	while (words->next < words->n) {
		struct ruleset_device *device = take(words, "in")    ? &rule.in
						: take(words, "out") ? &rule.out
								     : NULL;
		if (!device)
			bad(words, "no such match");
		device->given = true;
		name(words, device->name, sizeof(device->name));
	}
	if (!fake_ruleset_add_rule(fake, family, table, chain, &rule))
		bad(words, "no such chain");
}

static void run_flush(struct fake *fake, struct words *words)
{
	if (take(words, "foreign")) {
		fake_ruleset_clear(fake);
		return;
	}
	if (!take(words, "nft"))
		bad(words, "cannot flush that");
	fake_state_clear_nft(fake);
}

static void run_sysctl(struct fake *fake, struct words *words)
{
	struct sysctl sysctl = {.head = ALL(sysctl_kind)};

	if (take(words, "ip_forward")) {
		fake_state_forward(fake, number(words) != 0);
		return;
	}
	name(words, sysctl.device, sizeof(sysctl.device));
	if (take(words, "rp_filter"))
		sysctl.name = SYSCTL_RP_FILTER;
	else if (!take(words, "forwarding"))
		bad(words, "no such sysctl");
	sysctl.value = number(words);
	if (strcmp(sysctl.device, "default") == 0 && sysctl.name == SYSCTL_RP_FILTER)
		fake->default_rp_filter = sysctl.value;
	else if (!fake_state_find(fake, KIND_SYSCTL, &sysctl))
		bad(words, "no such device");
	else
		fake_state_put(fake, KIND_SYSCTL, &sysctl);
}

static void run_fail(struct fake *fake, struct words *words)
{
	struct fake_failure failure = {0};

	name(words, failure.kind, sizeof(failure.kind));
	name(words, failure.verb, sizeof(failure.verb));
	name(words, failure.key, sizeof(failure.key));
	failure.number = error_number(words);
	cleanup_text struct text text = {0};
	while (words->next < words->n)
		text_addf(&text, "%s%s", text.len ? " " : "", word(words));
	snprintf(failure.text, sizeof(failure.text), "%s",
		 text.len ? text.s : strerror(-failure.number));
	vec_push(&fake->failures, failure);
}

static void run_refuse_observe(struct fake *fake, struct words *words)
{
	fake->refuse_observe = error_number(words);
}

static void run_by(struct fake *fake, struct words *words)
{
	uint32_t port = number(words);

	if (words->next == words->n) {
		culprit_add(&fake->by, port);
		return;
	}
	culprit_add_nft(&fake->by, port);
	const char *process = word(words);
	uint32_t pid = words->next < words->n ? number(words) : port;
	culprit_tell_nft(&fake->by, port, pid, process);
}

static void run_refuse_count(struct fake *fake, struct words *words)
{
	fake->refuse_count = error_number(words);
}

static void run_slow_count(struct fake *fake, struct words *words)
{
	fake->slow_count_ms = number(words);
}

static void run_refuse_trace(struct fake *fake, struct words *words)
{
	fake->refuse_trace = error_number(words);
}

static void run_refuse_trace_close(struct fake *fake, struct words *words)
{
	fake->refuse_trace_close = error_number(words);
}

/* Its place in the list of words that there are. */
static unsigned choice(struct words *words, const char *const *choices, size_t n)
{
	for (unsigned i = 0; i < n; i++)
		if (take(words, choices[i]))
			return i;
	bad(words, "no such word");
}

static void run_neighbour(struct fake *fake, struct words *words)
{
	static const char *const states[] = {"none",  "incomplete", "reachable", "stale",   "delay",
					     "probe", "failed",     "permanent", "needless"};
	static const uint16_t bits[] = {0,          NUD_INCOMPLETE, NUD_REACHABLE,
					NUD_STALE,  NUD_DELAY,      NUD_PROBE,
					NUD_FAILED, NUD_PERMANENT,  NUD_NOARP};
	struct fake_neighbour *one = vec_add(&fake->neighbours);

	name(words, one->device, sizeof(one->device));
	one->addr = address(words);
	one->neighbour.state = bits[choice(words, states, ARRAY_LEN(states))];
	one->neighbour.needless = one->neighbour.state == NUD_NOARP;
}

static const char *const ways[] = {"out", "back"}, *const layers[] = {"inner", "outer"},
			 *const edges[] = {"first", "last"},
			 *const hooks[] = {"prerouting", "input", "forward", "output",
					   "postrouting"};

static void run_seen(struct fake *fake, struct words *words)
{
	unsigned way = choice(words, ways, ARRAY_LEN(ways));
	unsigned layer = choice(words, layers, ARRAY_LEN(layers));
	unsigned hook = choice(words, hooks, ARRAY_LEN(hooks));
	unsigned edge = choice(words, edges, ARRAY_LEN(edges));

	fake->seen.counts.packets[way][layer][hook][edge] = number(words);
}

static void run_drop(struct fake *fake, struct words *words)
{
	if (fake->seen.n_drops == TRACE_DROPS_MAX)
		bad(words, "too many drops");
	struct trace_drop *drop = &fake->seen.drops[fake->seen.n_drops++];

	drop->way = choice(words, ways, ARRAY_LEN(ways));
	drop->layer = choice(words, layers, ARRAY_LEN(layers));
	drop->hook = choice(words, hooks, ARRAY_LEN(hooks));
	name(words, drop->family, sizeof(drop->family));
	name(words, drop->table, sizeof(drop->table));
	name(words, drop->chain, sizeof(drop->chain));
	if (words->next < words->n)
		drop->handle = number(words);
}

static void run_flow(struct fake *fake, struct words *words)
{
	fake->seen.flow = (struct trace_flow){.known = true, .source = address(words)};
	fake->seen.flow.destination = address(words);
	fake->seen.flow.replied = take(words, "replied");
}

static void run_device(struct fake *fake, struct words *words)
{
	static const char *const doors[] = {"came", "left"};
	unsigned way = choice(words, ways, ARRAY_LEN(ways));
	unsigned layer = choice(words, layers, ARRAY_LEN(layers));

	name(words, fake->seen.devices[way][layer][choice(words, doors, ARRAY_LEN(doors))],
	     IFNAMSIZ);
}

static void run_rp_filter(struct fake *fake, struct words *words)
{
	fake->seen.rp_filter_drops = number(words);
}

static void run_overrun(struct fake *fake, unused_ struct words *words)
{
	fake->overrun = true;
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

static void add_traffic(struct words *words, const struct counter *counters, size_t n, void *stats)
{
	while (words->next < words->n) {
		const char *wanted = word(words);
		size_t i = 0;

		while (i < n && strcmp(counters[i].name, wanted) != 0)
			i++;
		if (i == n)
			bad(words, "no such counter");
		*(uint64_t *)((char *)stats + counters[i].offset) += number(words);
	}
}

static void run_traffic(struct fake *fake, struct words *words)
{
	if (take(words, "link")) {
		const struct link *link = fake_state_link(fake, word(words));

		if (!link)
			bad(words, "no such device");
		add_traffic(words, link_counters, ARRAY_LEN(link_counters),
			    fake_count_of_link(fake, link));
	} else if (take(words, "element")) {
		struct nft_element element = read_element(words);

		if (!fake_state_find(fake, KIND_NFT_ELEMENT, &element))
			bad(words, "no such element");
		add_traffic(words, element_counters, ARRAY_LEN(element_counters),
			    fake_count_of_element(fake, &element));
	} else {
		bad(words, "no traffic on that");
	}
}

static const struct {
	const char *verb;
	void (*run)(struct fake *fake, struct words *words);
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
	{"overrun", run_overrun},
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

static void run(struct fake *fake, struct words *words)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!take(words, commands[i].verb))
			continue;
		commands[i].run(fake, words);
		if (words->next < words->n)
			bad(words, "too many words");
		return;
	}
	bad(words, "no such command");
}

void fake_script_line(struct fake *fake, const char *line)
{
	cleanup_free char *copy = xstrdup(line);
	struct words words = {.line = line};
	char *rest = copy;

	copy[strcspn(copy, "#\n")] = '\0';
	for (char *s; (s = strsep(&rest, " \t"));) {
		if (!*s)
			continue;
		if (words.n == WORDS_MAX)
			bad(&words, "too many words");
		words.v[words.n++] = s;
	}
	if (words.n)
		run(fake, &words);
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
		fake->slow_count_ms = 0;
		fake->refuse_trace_close = 0;
		fake->seen = (struct trace_seen){0};
		fake->by = (struct culprit){0};
		text_clear(&fake->later);
		while (getline(&line, &size, file) >= 0)
			text_add(&fake->later, line);
		fake_script_next(fake);
		fake_state_save(fake);
	}
	fclose(file);
	return another;
}
