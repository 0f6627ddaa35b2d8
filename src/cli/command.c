/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands, and looking things up in it. */
#include "cli/command.h"

#include <string.h>

#include "cli/run.h"
#include "model/resource.h"

/* clang-format off */
const struct option command_globals[] = {
	{"host", 'H', "HOST", false,
	 "the agent: unix:///PATH, http://, https:// or a remote (default $IPIPCTL_HOST, "
	 "else unix:///run/ipipd/ipipd.sock)"},
	{"token-file", 0, "FILE", false,
	 "the file of a bearer token, one line (default $IPIPCTL_TOKEN_FILE)"},
	{"cacert", 0, "FILE", false, "https: trust these authorities only (PEM)"},
	{"cert", 0, "FILE", false, "https: show this certificate (PEM)"},
	{"key", 0, "FILE", false, "its key (PEM; default: it stands in the certificate's file)"},
	{"output", 'o', "table|wide|json|name", false,
	 "how results are printed; wide: with all columns, nothing cut"},
	{"json", 'j', NULL, false, "the same as -o json: the API's document, unchanged"},
	{"no-headers", 0, NULL, false, "tables without their first line"},
	{"color", 0, "auto|always|never", false, "auto: on a terminal, unless NO_COLOR is set"},
	{"quiet", 'q', NULL, false, "print only what was asked for, and errors"},
	{"verbose", 'v', NULL, false, "print each request on stderr"},
	{"request-timeout", 0, "S", false, "seconds for one HTTP request (default 30)"},
	{"dry-run", 'n', NULL, false, "validate and show the plan, change nothing"},
	{"wait", 0, "S", true, "seconds to wait for ready (default 5; 0: do not wait)"},
	{"yes", 'y', NULL, false, "do not ask"},
	{"help", 'h', NULL, false, "this help"},
	{"version", 0, NULL, false, "the version of ipipctl"},
};
const unsigned command_n_globals = ARRAY_LEN(command_globals);

#define AS_SHELL                                                                                   \
	{                                                                                          \
		"as-shell", 0, NULL, false,                                                        \
			"a plan as the ip, nft and sysctl lines that a person would type"          \
	}
static const struct option list_options[] = {
	{"state", 0, "ready|pending|failed|conflict|disabled|deleting", false,
	 "only those in that state"},
	{"label", 0, "K=V", false, "only those with that label; repeatable: with all of them"},
	{"rates", 0, NULL, false, "tunnels: RX and TX per second, measured for one second"},
};
static const struct option ping_options[] = {
	{"target", 0, "ADDR", false, "inner address (default: the other one of a /30 or /31)"},
	{"count", 'c', "N", false, "how many (default 3, at most 10)"},
};
static const struct option file_options[] = {
	{"file", 'f', "FILE|-", false, "the config, required: JSON with tunnels, exit_routes, "
	 "nat_rules"},
	{"prune", 0, NULL, false, "remove what the file does not have"},
	AS_SHELL,
};
static const struct option plan_options[] = {AS_SHELL};
static const struct option reconcile_options[] = {
	{"orphans", 0, "delete", false, "also delete objects of an agent with another database"},
	AS_SHELL,
};
static const struct option pair_options[] = {
	{"name", 0, "NAME", false, "of the tunnel on both sides (default: HOSTA-HOSTB)"},
	{"name-a", 0, "NAME", false, "on a only"},
	{"name-b", 0, "NAME", false, "on b only"},
	{"inner", 0, "CIDR", false, "pool for a free /31, or the /30 or /31 to take "
	 "(default 10.255.0.0/16)"},
	{"exit", 0, "a|b", false, "the side where traffic leaves"},
	{"to", 0, "PREFIX", false, "with --exit: what leaves there; repeatable"},
};
static const struct option unpair_options[] = {
	{"on", 0, "HOST,…", false, "the hosts to remove it on, required"},
};
static const struct option wait_options[] = {
	{"for", 0, "ready|deleted", false, "what to wait for (default ready)"},
	{"timeout", 0, "S", false, "give up after S seconds (default 60)"},
};
static const struct option events_options[] = {
	{"since", 0, "ID", false,
	 "those behind that one; 0: all that are kept (default: from now on)"},
	{"no-follow", 0, NULL, false,
	 "end when all are shown (without --since: all that are kept)"},
	{"type", 0, "created|updated|deleted|state-changed|drift-detected|drift-repaired|"
	 "orphans-deleted|pass-failed|started|stopping", false, "only of that type"},
	{"kind", 0, "tunnel|exit|nat|link|address|route|rule|sysctl|"
	 "nft-table|nft-set|nft-element|nft-chain", false,
	 "only of resources, or objects in the kernel, of that kind"},
	{"name", 0, "NAME", false, "only of that name"},
};
static const struct option why_options[] = {
	{"from", 0, "ADDR", false, "the packet's source (default: what the host picks)"},
	{"in", 0, "DEVICE", false, "the packet comes in by that device, from elsewhere"},
	{"peer", 0, "HOST", false, "agent of the tunnel's other end; repeatable (default: found "
	 "among the remotes)"},
	{"protocol", 0, "icmp|tcp|udp", false, "of the packet (default icmp)"},
	{"port", 0, "N", false, "its destination port (default: tcp 443, udp 53)"},
	{"no-probe", 0, NULL, false, "send nothing, only ask both kernels what they would do"},
};
static const struct option api_options[] = {
	{"data", 'd', "JSON|@FILE", false, "the request's body; @- is stdin"},
};

static const struct option token_options[] = {
	{"role", 0, "admin|read", false, "what its bearer may do, required"},
};

static const struct option top_options[] = {
	{"interval", 0, "S", false, "seconds between two refreshes (default 1, at least 0.1)"},
	{"count", 'c', "N", false, "end after N refreshes"},
	{"lines", 0, "N", false, "tunnels shown (default: as many as the terminal holds, else 50)"},
};

#define OPTIONS(list) .options = (list), .n_options = ARRAY_LEN(list)

static const struct command resource_verbs[] = {
	{"list", "", 0, 0, OPTIONS(list_options), .has_names = true, .run = resources_list,
	 .doc = "list all", .example = "-o wide"},
	{"show", "NAME…", 1, WORDS_ANY, WORDS_NAMES, .has_names = true, .run = resources_show,
	 .doc = "everything about one, with its objects in the kernel"},
	{"add", "NAME", 1, 1, OPTIONS(plan_options), .has_fields = true, .has_names = true,
	 .run = resources_add, .doc = "declare a new one"},
	{"set", "NAME", 1, 1, WORDS_NAMES, OPTIONS(plan_options), .has_fields = true,
	 .has_names = true, .run = resources_set,
	 .doc = "change the given fields only; an empty value resets one, --label KEY= a label"},
	{"rm", "NAME…", 1, WORDS_ANY, WORDS_NAMES, OPTIONS(plan_options), .has_names = true,
	 .run = resources_rm, .doc = "remove"},
	{"ping", "NAME", 1, 1, WORDS_NAMES, OPTIONS(ping_options), .only = &tunnel_kind,
	 .run = resources_ping, .doc = "ICMP through the tunnel", .example = "tun_a -c 5"},
};

static const struct command remote_verbs[] = {
	{"add", "NAME URL", 2, 2, .has_names = true, .run = remote_add,
	 .doc = "keep an agent's address, with --token-file, --cacert, --cert and --key",
	 .example = "b https://b.example:7443 --token-file ~/b.token --cacert ~/ca.pem"},
	{"list", "", 0, 0, .has_names = true, .run = remote_list, .doc = "list all",
	 .example = "-o wide"},
	{"rm", "NAME…", 1, WORDS_ANY, WORDS_NAMES, .has_names = true, .run = remote_rm,
	 .doc = "forget"},
};

static const struct command token_verbs[] = {
	{"new", "NAME", 1, 1, OPTIONS(token_options), .run = token_new,
	 .doc = "make one: it is printed once, with the line for the agent's file of tokens",
	 .example = "grafana --role read"},
};

#define VERBS(list) .verbs = (list), .n_verbs = ARRAY_LEN(list)

const struct noun command_nouns[] = {
	{"tunnel", "t", &tunnel_kind, VERBS(resource_verbs),
	 .add_example = "--remote 172.16.1.62 --addresses 192.168.1.1/24",
	 .set_example = "--mtu 1400 --no-mss-clamp"},
	{"exit", "e", &exit_route_kind, VERBS(resource_verbs),
	 .add_example = "--tunnel tun_a --destinations 180.163.26.39/32",
	 .set_example = "--from 10.0.0.0/8 --metric 10"},
	{"nat", "n", &nat_rule_kind, VERBS(resource_verbs),
	 .add_example = "--sources 192.168.1.0/24 --out-interface eth0",
	 .set_example = "--action snat --to-address 172.16.1.62"},
	{"remote", NULL, NULL, VERBS(remote_verbs),
	 .doc = "agents by a name that stands wherever a host does: -H NAME, pair NAME NAME"},
	{"token", NULL, NULL, VERBS(token_verbs), .doc = "what a caller over TCP shows"},
};
const unsigned command_n_nouns = ARRAY_LEN(command_nouns);
const unsigned command_n_resources = 3;

const struct command command_bare[] = {
	{"status", "", 0, 0, .run = status_status, .doc = "one screen of health"},
	{"pair", "A B", 2, WORDS_ANY, WORDS_HOSTS, OPTIONS(pair_options), .has_names = true,
	 .run = pair_pair,
	 .doc = "build a tunnel between two hosts, and let one leave through the other",
	 .example = "unix:///run/ipipd/ipipd.sock https://b.example:7443 --exit b "
		    "--to 180.163.26.39/32"},
	{"unpair", "NAME", 1, 1, OPTIONS(unpair_options), .has_names = true, .run = pair_unpair,
	 .doc = "remove what pair made",
	 .example = "a-b --on unix:///run/ipipd/ipipd.sock,https://b.example:7443"},
	{"apply", "", 0, 0, OPTIONS(file_options), .run = apply_apply,
	 .doc = "declare what a file says", .example = "-f config.json"},
	{"diff", "", 0, 0, OPTIONS(file_options), .is_plan = true, .run = apply_diff,
	 .doc = "what apply would do; exit status 1 when it would do something",
	 .example = "-f config.json --prune"},
	{"plan", "", 0, 0, OPTIONS(plan_options), .is_plan = true, .run = apply_plan,
	 .doc = "what the agent would do now: drift", .example = "--as-shell"},
	{"export", "", 0, 0, .run = apply_export,
	 .doc = "the whole declaration, as apply takes it", .example = "> config.json"},
	{"reconcile", "", 0, 0, OPTIONS(reconcile_options), .run = apply_reconcile,
	 .doc = "compare everything with the kernel now"},
	{"wait", "KIND/NAME…", 1, WORDS_ANY, WORDS_RESOURCES, OPTIONS(wait_options),
	 .has_names = true, .run = wait_wait, .doc = "until resources are ready, or gone",
	 .example = "tunnel/tun_a exit/qq --timeout 10"},
	{"events", "", 0, 0, OPTIONS(events_options), .run = events_events,
	 .doc = "what happens, as it happens, and who did it", .example = "--since 0 --no-follow"},
	{"why", "DST", 1, 1, OPTIONS(why_options), .run = why_why,
	 .doc = "does no reply come? At which hop the packet dies, on which host, and what helps",
	 .example = "180.163.26.39 --peer https://b.example:7443"},
	{"api", "METHOD PATH", 2, 2, OPTIONS(api_options), .run = raw_api,
	 .doc = "one raw request", .example = "GET /v1/host"},
	{"top", "", 0, 0, OPTIONS(top_options), .is_text = true, .run = top_top,
	 .doc = "the busiest tunnels, live; q ends it. Not on a terminal: a block each time",
	 .example = "--interval 5"},
	{"completion", "bash|zsh|fish", 1, 1, .is_text = true, .run = completion_script,
	 .doc = "a script that lets the shell complete", .example = "bash"},
	{"complete", "WORD…", 0, WORDS_ANY, .is_hidden = true, .run = completion_complete,
	 .doc = "what may stand in place of the last word, for such a script",
	 .example = "-- tunnel sh"},
	{"version", "", 0, 0, .run = cli_version, .doc = "the version of ipipctl"},
	{"help", "[COMMAND|options]", 0, 2, WORDS_TOPICS,
	 .doc = "help on a command, or the global options", .example = "tunnel add"},
};
const unsigned command_n_bare = ARRAY_LEN(command_bare);
/* clang-format on */

static bool is_or_plural(const char *name, const char *word)
{
	size_t len = strlen(name);

	return strncmp(name, word, len) == 0 && (!word[len] || strcmp(word + len, "s") == 0);
}

static bool is_called(const struct noun *noun, const char *word)
{
	return is_or_plural(noun->name, word) ||
	       (noun->kind && is_or_plural(noun->kind->noun, word)) ||
	       (noun->alias && strcmp(noun->alias, word) == 0);
}

const struct noun *command_noun(const char *word)
{
	for (unsigned i = 0; i < command_n_nouns; i++)
		if (is_called(&command_nouns[i], word))
			return &command_nouns[i];
	return NULL;
}

const struct noun *command_resource(const char *word)
{
	const struct noun *noun = command_noun(word);

	return noun && noun->kind ? noun : NULL;
}

const char *command_noun_doc(const struct noun *noun)
{
	return noun->kind ? noun->kind->doc : noun->doc;
}

bool command_is_verb(const struct noun *noun, const struct command *command)
{
	return !command->only || command->only == noun->kind;
}

const struct command *command_find(const struct noun *noun, const char *word)
{
	const struct command *table = noun ? noun->verbs : command_bare;
	unsigned n = noun ? noun->n_verbs : command_n_bare;

	for (unsigned i = 0; i < n; i++)
		if (strcmp(table[i].name, word) == 0 && (!noun || command_is_verb(noun, &table[i])))
			return &table[i];
	return NULL;
}
