/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of the agent's answers: a row for each member that the other api_*.c write. */
#include "daemon/api_answers.h"

#include "daemon/api_call.h"
#include "daemon/api_problem.h"
#include "daemon/event_log.h"
#include "daemon/hazards.h"
#include "daemon/status.h"
#include "daemon/why.h"

#define NAMES(list, n)    .choices = (list), .n_choices = (n)
#define CHOICE(list, ...) NAMES(list, ARRAY_LEN(list)), __VA_ARGS__
#define REASON_CHOICE     NAMES(reason_names + 1, REASONS - 1) /* not REASON_NONE */
#define SCHEMA(text, rows)                                                                         \
	{                                                                                          \
		.name = (text), .members = (rows), .n_members = ARRAY_LEN(rows)                    \
	}

static const char *const alive_choices[] = {"alive"};
static const char *const ready_choices[] = {"ready"};
static const char *hazard_names[HAZARDS];
/* filled from the kinds, before they are walked */
static const char *resource_nouns[RESOURCE_KINDS];
static const char *object_nouns[OBJECT_KIND_END - OBJECT_KIND_FIRST];

/* clang-format off */
static const struct openapi_member object_status[] = {
	{"kind", OPENAPI_CHOICE, CHOICE(object_nouns, .doc = "of the kernel's")},
	{"key", OPENAPI_STRING, .doc = "what it is called"},
	{"state", OPENAPI_CHOICE, NAMES(object_state_names, OBJECT_CONTESTED),
	 .doc = "missing, differs and failed are put right by the agent; found and foreign are "
	 "somebody else's"},
	{"message", OPENAPI_STRING, OPENAPI_OPTIONAL, .doc = "the kernel's own words"},
};
static const struct openapi_member status[] = {
	{"state", OPENAPI_CHOICE, NAMES(state_names, STATES),
	 .doc = "one word for all its objects"},
	{"reason", OPENAPI_CHOICE, REASON_CHOICE, .doc = "InSync when all is well"},
	{"message", OPENAPI_STRING, .doc = "a sentence for people"},
	{"since", OPENAPI_TIME, .doc = "when state or reason last changed"},
	{"generation", OPENAPI_INTEGER, .doc = "that this was said of; 0: no pass has seen it"},
	{"objects", OPENAPI_SCHEMA, OPENAPI_LIST, "ObjectStatus",
	 .doc = "at most 100, the troubled ones first"},
	{"objects_total", OPENAPI_INTEGER, .doc = "how many there are"},
};
static const struct openapi_member pass[] = {
	{"number", OPENAPI_INTEGER, .doc = "counts from the start of the agent"},
	{"finished_at", OPENAPI_TIME, .doc = "when it ended"},
	{"duration_us", OPENAPI_INTEGER, .doc = "microseconds"},
	{"trigger", OPENAPI_STRING,
	 .doc = "what it was for: start, write, event, timer, request, …"},
	{"ops", OPENAPI_INTEGER, .doc = "steps that were tried"},
	{"failed", OPENAPI_INTEGER, .doc = "those that the kernel refused"},
	{"observed", OPENAPI_BOOLEAN, .doc = "whether the kernel could be looked at"},
	{"message", OPENAPI_STRING, .doc = "why not"},
};
static const struct openapi_member orphan[] = {
	{"kind", OPENAPI_CHOICE, CHOICE(object_nouns, .doc = "of the kernel's")},
	{"key", OPENAPI_STRING, .doc = "what it is called"},
};
static const struct openapi_member agent_status[] = {
	{"ready", OPENAPI_BOOLEAN, .doc = "the last pass ended well"},
	{"revision", OPENAPI_INTEGER, .doc = "counts the changes of the declaration"},
	{"resources", OPENAPI_SCHEMA, .schema = "ResourceCounts",
	 .doc = "how many are in which state"},
	{"last_pass", OPENAPI_SCHEMA, OPENAPI_NULLABLE, "Pass", .doc = "null: there was none"},
	{"drift_repaired", OPENAPI_INTEGER, .doc = "objects put right that others had changed"},
	{"orphans", OPENAPI_SCHEMA, OPENAPI_LIST, "Orphan", .doc = "left by another database"},
};
static const struct openapi_member abilities[] = {
	{"ipip", OPENAPI_BOOLEAN, .doc = "tunnels"},
	{"nf_tables", OPENAPI_BOOLEAN, .doc = "NAT"},
	{"ipv6", OPENAPI_BOOLEAN, .doc = "IPv6 is there, to be kept off the tunnels"},
};
static const struct openapi_member host_kernel[] = {
	{"release", OPENAPI_STRING, .doc = "as uname -r says it"},
	{"abilities", OPENAPI_SCHEMA, .schema = "Abilities",
	 .doc = "built in, or there to be loaded"},
};
static const struct openapi_member host_address[] = {
	{"address", OPENAPI_ADDRESS, .doc = "an own address of the host"},
	{"device", OPENAPI_STRING, .doc = "that has it"},
	{"driver", OPENAPI_STRING, .doc = "of the device, empty for hardware"},
	{"mtu", OPENAPI_INTEGER, .doc = "of the device"},
	{"default_route", OPENAPI_BOOLEAN, .doc = "the way to anywhere leaves by the device"},
};
static const struct openapi_member host[] = {
	{"id", OPENAPI_UUID, .doc = "made with the database"},
	{"hostname", OPENAPI_STRING, .doc = "as uname -n says it"},
	{"version", OPENAPI_STRING, .doc = "of the agent"},
	{"kernel", OPENAPI_SCHEMA, .schema = "HostKernel", .doc = "release and abilities"},
	{"addresses", OPENAPI_SCHEMA, OPENAPI_LIST, "HostAddress", .doc = "of the underlay"},
	{"observed_address", OPENAPI_STRING, OPENAPI_NULLABLE,
	 .doc = "where this request came from; null: the unix socket"},
};
static const struct openapi_member host_route[] = {
	{"to", OPENAPI_ADDRESS, OPENAPI_NULLABLE, .doc = "as asked"},
	{"device", OPENAPI_STRING, OPENAPI_NULLABLE, .doc = "it leaves by"},
	{"source", OPENAPI_ADDRESS, OPENAPI_NULLABLE, .doc = "it has"},
	{"gateway", OPENAPI_ADDRESS, OPENAPI_NULLABLE, .doc = "null: on the link"},
	{"mtu", OPENAPI_INTEGER, .doc = "of the way"},
	{"table", OPENAPI_INTEGER, .doc = "of the route"},
	{"local", OPENAPI_BOOLEAN, .doc = "it is this host"},
	{"error", OPENAPI_STRING, OPENAPI_NULLABLE, .doc = "why there is no way"},
};
static const struct openapi_member hazard[] = {
	{"hazard", OPENAPI_CHOICE, CHOICE(hazard_names, .doc = "its name")},
	{"severity", OPENAPI_CHOICE, NAMES(hazard_severity_names, HAZARD_SEVERITIES),
	 .doc = "critical: traffic is lost now"},
	{"object", OPENAPI_STRING, .doc = "what it is about: a chain, device, file or program"},
	{"message", OPENAPI_STRING, .doc = "what it does to our traffic"},
	{"fix", OPENAPI_STRING, OPENAPI_NULLABLE,
	 .doc = "a command for a root shell; null: the message says what to do"},
	{"resources", OPENAPI_STRING, OPENAPI_LIST, .doc = "that it endangers, the first few"},
};
static const struct openapi_member hazards[] = {
	{"scanned_at", OPENAPI_TIME, .doc = "when it was looked for them"},
	{"hazards", OPENAPI_SCHEMA, OPENAPI_LIST, "Hazard",
	 .doc = "at most 100, the worst first"},
	{"hazards_total", OPENAPI_INTEGER, .doc = "how many there are"},
};
static const struct openapi_member why_check[] = {
	{"leg", OPENAPI_CHOICE, NAMES(why_leg_names, WHY_BACK + 1),
	 .doc = "out: of the packet; back: of its reply"},
	{"check", OPENAPI_STRING, .doc = "what was looked at"},
	{"verdict", OPENAPI_CHOICE, NAMES(why_verdict_names, WHY_NOT_REACHED + 1),
	 .doc = "behind a broken one nothing is reached"},
	{"evidence", OPENAPI_STRING, .doc = "what was seen, in one line"},
	{"resource", OPENAPI_STRING, OPENAPI_NULLABLE, .doc = "whose it is, KIND/NAME"},
	{"object", OPENAPI_STRING, OPENAPI_NULLABLE,
	 .doc = "what is to blame where it is no resource"},
	{"fix", OPENAPI_STRING, OPENAPI_NULLABLE, .doc = "one line for a root's shell"},
};
static const struct openapi_member why[] = {
	{"role", OPENAPI_CHOICE, NAMES(why_role_names, 2), .doc = "which end this host is"},
	{"to", OPENAPI_ADDRESS, .doc = "as asked"},
	{"from", OPENAPI_ADDRESS, OPENAPI_NULLABLE, .doc = "as asked, or as the kernel picks"},
	{"protocol", OPENAPI_CHOICE, NAMES(why_protocol_names, 3), .doc = "of the packets"},
	{"port", OPENAPI_INTEGER, OPENAPI_NULLABLE, .doc = "null: icmp has none"},
	{"id", OPENAPI_INTEGER, OPENAPI_NULLABLE, .doc = "of the probes, or their source port"},
	{"probe", OPENAPI_BOOLEAN, .doc = "probes were asked for"},
	{"tunnel", OPENAPI_STRING, OPENAPI_NULLABLE,
	 .doc = "that the path goes through, or should"},
	{"device", OPENAPI_STRING, OPENAPI_NULLABLE, .doc = "of the tunnel"},
	{"mtu", OPENAPI_INTEGER, OPENAPI_NULLABLE, .doc = "of that device"},
	{"local", OPENAPI_ADDRESS, OPENAPI_NULLABLE, .doc = "of the tunnel, resolved"},
	{"remote", OPENAPI_ADDRESS, OPENAPI_NULLABLE, .doc = "of the tunnel"},
	{"verdict", OPENAPI_CHOICE, NAMES(why_verdict_names, WHY_BROKEN + 1),
	 .doc = "the worst of the checks"},
	{"checks", OPENAPI_SCHEMA, OPENAPI_LIST, "WhyCheck",
	 .doc = "in the order of the packet and its reply"},
	{"took_ms", OPENAPI_INTEGER, .doc = "milliseconds"},
};
static const struct openapi_member op[] = {
	{"verb", OPENAPI_CHOICE, NAMES(op_verb_names, OP_CONFLICT + 1), .doc = "what is done"},
	{"kind", OPENAPI_CHOICE, CHOICE(object_nouns, .doc = "to what")},
	{"key", OPENAPI_STRING, .doc = "what it is called"},
	{"want", OPENAPI_SCHEMA, OPENAPI_NULLABLE, "Object", .doc = "null: it goes"},
	{"have", OPENAPI_SCHEMA, OPENAPI_NULLABLE, "Object", .doc = "null: there is none"},
	{"why", OPENAPI_STRING, OPENAPI_NULLABLE, .doc = "a few words"},
	{"command", OPENAPI_STRING, OPENAPI_NULLABLE, .doc = "what a person would type"},
};
static const struct openapi_member plan[] = {
	{"ops", OPENAPI_SCHEMA, OPENAPI_LIST, "Op",
	 .doc = "in the order in which they are applied"},
	{"revision", OPENAPI_INTEGER, .doc = "of the declaration"},
};
static const struct openapi_member dry_run[] = {
	{"plan", OPENAPI_SCHEMA, .schema = "Plan", .doc = "what the write would do"},
};
static const struct openapi_member not_ready[] = {
	{"kind", OPENAPI_CHOICE, CHOICE(resource_nouns, .doc = "of the resource")},
	{"name", OPENAPI_STRING, .doc = "of the resource"},
	{"state", OPENAPI_CHOICE, NAMES(state_names, STATES), .doc = "neither ready nor disabled"},
	{"reason", OPENAPI_CHOICE, REASON_CHOICE, .doc = "of that state"},
	{"message", OPENAPI_STRING, .doc = "a sentence for people"},
};
static const struct openapi_member outcome[] = {
	{"revision", OPENAPI_INTEGER, .doc = "of the declaration"},
	{"created", OPENAPI_INTEGER, .doc = "resources"},
	{"updated", OPENAPI_INTEGER, .doc = "resources"},
	{"deleted", OPENAPI_INTEGER, .doc = "resources"},
	{"unchanged", OPENAPI_INTEGER, .doc = "resources"},
	{"not_ready", OPENAPI_SCHEMA, OPENAPI_LIST, "NotReady", .doc = "when this was answered"},
};
static const struct openapi_member counters[] = {
	{"packets", OPENAPI_INTEGER, .doc = "since they are counted"},
	{"bytes", OPENAPI_INTEGER, .doc = "since they are counted"},
};
static const struct openapi_member nat_rule_stats[] = {
	{"out", OPENAPI_SCHEMA, .schema = "Counters", .doc = "towards the destinations"},
	{"in", OPENAPI_SCHEMA, .schema = "Counters", .doc = "their replies"},
};
#define RECEIVED                                                                                   \
	{"bytes", OPENAPI_INTEGER, .doc = "of inner packets"},                                     \
	{"packets", OPENAPI_INTEGER, .doc = "inner ones"},                                         \
	{"errors", OPENAPI_INTEGER, .doc = "packets with a fault"},                                \
	{"dropped", OPENAPI_INTEGER, .doc = "packets without one"}
static const struct openapi_member received[] = {RECEIVED};
static const struct openapi_member sent[] = {
	RECEIVED,
	{"carrier_errors", OPENAPI_INTEGER, .doc = "packets that had no way"},
	{"collisions", OPENAPI_INTEGER, .doc = "packets that were to enter their own tunnel"},
};
static const struct openapi_member tunnel_stats[] = {
	{"device", OPENAPI_STRING, .doc = "whose counters these are"},
	{"rx", OPENAPI_SCHEMA, .schema = "Received", .doc = "out of the tunnel"},
	{"tx", OPENAPI_SCHEMA, .schema = "Sent", .doc = "into the tunnel"},
};
static const struct openapi_member rtt[] = {
	{"min", OPENAPI_NUMBER, .doc = "milliseconds"},
	{"avg", OPENAPI_NUMBER, .doc = "milliseconds"},
	{"max", OPENAPI_NUMBER, .doc = "milliseconds"},
};
static const struct openapi_member ping_result[] = {
	{"target", OPENAPI_ADDRESS, .doc = "that was asked"},
	{"sent", OPENAPI_INTEGER, .doc = "requests"},
	{"received", OPENAPI_INTEGER, .doc = "replies"},
	{"rtt_ms", OPENAPI_SCHEMA, OPENAPI_NULLABLE, "RoundTrip", .doc = "null: no reply"},
};
static const struct openapi_member liveness[] = {
	{"status", OPENAPI_CHOICE, CHOICE(alive_choices, .doc = "it answers")},
};
static const struct openapi_member readiness[] = {
	{"status", OPENAPI_CHOICE, CHOICE(ready_choices, .doc = "else it is 503")},
	{"last_pass", OPENAPI_SCHEMA, OPENAPI_OPTIONAL | OPENAPI_NULLABLE, "Pass",
	 .doc = "with verbose"},
};
static const struct openapi_member openapi[] = {
	{"openapi", OPENAPI_STRING, .doc = "the version of its form"},
};
static const struct openapi_member change[] = {
	{"field", OPENAPI_STRING, .doc = "that has another value now"},
	{"old", OPENAPI_ANY, OPENAPI_OPTIONAL, .doc = "what it was, if it was given"},
	{"new", OPENAPI_ANY, OPENAPI_OPTIONAL, .doc = "what it is, if it is given"},
	{"old_length", OPENAPI_INTEGER, OPENAPI_OPTIONAL, .doc = "of a value too long to tell"},
	{"new_length", OPENAPI_INTEGER, OPENAPI_OPTIONAL, .doc = "of a value too long to tell"},
	{"added", OPENAPI_STRING, OPENAPI_OPTIONAL | OPENAPI_LIST,
	 .doc = "of a list too long to tell: the first that came to it"},
	{"added_length", OPENAPI_INTEGER, OPENAPI_OPTIONAL, .doc = "how many came"},
	{"removed", OPENAPI_STRING, OPENAPI_OPTIONAL | OPENAPI_LIST,
	 .doc = "of a list too long to tell: the first that went"},
	{"removed_length", OPENAPI_INTEGER, OPENAPI_OPTIONAL, .doc = "how many went"},
};
static const struct openapi_member event[] = {
	{"id", OPENAPI_INTEGER, .doc = "goes up by one with each event"},
	{"time", OPENAPI_TIME, .doc = "when it was written down"},
	{"type", OPENAPI_CHOICE, CHOICE(event_type_names, .doc = "what happened; "
	 "keepalive: nothing, but all up to this id was passed over by the filter")},
	{"kind", OPENAPI_STRING, OPENAPI_OPTIONAL,
	 .doc = "of a resource or a kernel object; absent: the agent itself"},
	{"name", OPENAPI_STRING, OPENAPI_OPTIONAL, .doc = "what it is called"},
	{"names", OPENAPI_STRING, OPENAPI_OPTIONAL | OPENAPI_LIST,
	 .doc = "of many that are told together"},
	{"generation", OPENAPI_INTEGER, OPENAPI_OPTIONAL, .doc = "of the resource"},
	{"revision", OPENAPI_INTEGER, OPENAPI_OPTIONAL, .doc = "of the declaration"},
	{"caller", OPENAPI_STRING, OPENAPI_OPTIONAL, .doc = "who wrote"},
	{"address", OPENAPI_STRING, OPENAPI_OPTIONAL, .doc = "from where"},
	{"request_id", OPENAPI_STRING, OPENAPI_OPTIONAL, .doc = "by which request"},
	{"trigger", OPENAPI_STRING, OPENAPI_OPTIONAL, .doc = "of the pass"},
	{"state", OPENAPI_CHOICE, OPENAPI_OPTIONAL, NAMES(state_names, STATES),
	 .doc = "of the resource now"},
	{"reason", OPENAPI_CHOICE, OPENAPI_OPTIONAL, REASON_CHOICE, .doc = "of that state"},
	{"culprit", OPENAPI_STRING, OPENAPI_OPTIONAL, .doc = "whose change was repaired"},
	{"message", OPENAPI_STRING, OPENAPI_OPTIONAL, .doc = "a sentence for people"},
	{"changes", OPENAPI_SCHEMA, OPENAPI_OPTIONAL | OPENAPI_LIST, "Change",
	 .doc = "what an update changed"},
};
static const struct openapi_member fault[] = {
	{"pointer", OPENAPI_STRING, .doc = "JSON pointer (RFC 6901) to the member of the body"},
	{"code", OPENAPI_STRING, .doc = "as the codes of problems"},
	{"detail", OPENAPI_STRING, .doc = "a sentence for people"},
};

static const struct openapi_schema answers[] = {
	SCHEMA("ObjectStatus", object_status), SCHEMA("Status", status), SCHEMA("Pass", pass),
	SCHEMA("Orphan", orphan), SCHEMA("AgentStatus", agent_status),
	SCHEMA("Abilities", abilities), SCHEMA("HostKernel", host_kernel),
	SCHEMA("HostAddress", host_address), SCHEMA("Host", host), SCHEMA("HostRoute", host_route),
	SCHEMA("Hazard", hazard), SCHEMA("Hazards", hazards),
	SCHEMA("WhyCheck", why_check), SCHEMA("Why", why),
	SCHEMA("Op", op), SCHEMA("Plan", plan), SCHEMA("DryRun", dry_run),
	SCHEMA("NotReady", not_ready), SCHEMA("Outcome", outcome), SCHEMA("Counters", counters),
	SCHEMA("NatRuleStats", nat_rule_stats), SCHEMA("Received", received), SCHEMA("Sent", sent),
	SCHEMA("TunnelStats", tunnel_stats), SCHEMA("RoundTrip", rtt),
	SCHEMA("PingResult", ping_result), SCHEMA("Liveness", liveness),
	SCHEMA("Readiness", readiness), SCHEMA("Openapi", openapi), SCHEMA("Fault", fault),
	SCHEMA("Change", change), SCHEMA("Event", event),
};
/* clang-format on */

static void fill_names(void)
{
	for (unsigned i = 0; i < HAZARDS; i++)
		hazard_names[i] = hazard_name(i);
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		resource_nouns[k] = kinds[k]->noun;
	for (unsigned k = OBJECT_KIND_FIRST; k < OBJECT_KIND_END; k++)
		object_nouns[k - OBJECT_KIND_FIRST] = kinds[k]->noun;
}

/* A number for each state, for each kind. */
static void add_counts(json_t *schemas)
{
	struct openapi_member states[STATES] = {{0}}, of[RESOURCE_KINDS] = {{0}};

	for (unsigned s = 0; s < STATES; s++)
		states[s] = (struct openapi_member){state_names[s], OPENAPI_INTEGER,
						    .doc = "how many are"};
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		of[k] = (struct openapi_member){kinds[k]->path, OPENAPI_SCHEMA,
						.schema = "StateCounts", .doc = kinds[k]->doc};
	openapi_add(schemas, &(struct openapi_schema)SCHEMA("StateCounts", states));
	openapi_add(schemas, &(struct openapi_schema)SCHEMA("ResourceCounts", of));
}

static void add_problem(json_t *schemas)
{
	const char **codes = xcalloc(api_problems_count, sizeof(*codes));

	for (unsigned i = 0; i < api_problems_count; i++)
		codes[i] = api_problems[i].code;
	const struct openapi_member members[] = {
		{"type", OPENAPI_STRING, .doc = "urn:ipipd:problem: and the code"},
		{"title", OPENAPI_STRING, .doc = "the same for each of its code"},
		{"status", OPENAPI_INTEGER, .doc = "as that of the answer"},
		{"detail", OPENAPI_STRING, .doc = "what is wrong with this request"},
		{"instance", OPENAPI_STRING, .doc = "path of the request"},
		{"code", OPENAPI_CHOICE, NAMES(codes, api_problems_count),
		 .doc = "what went wrong"},
		{"request_id", OPENAPI_STRING, .doc = "stands in the agent's log too"},
		{"errors", OPENAPI_SCHEMA, OPENAPI_LIST, "Fault",
		 .doc = "all the faults of the body, if it is about a body"},
	};
	struct openapi_schema schema = SCHEMA("Problem", members);
	schema.doc = "a refusal (RFC 9457); nothing was changed";
	openapi_add(schemas, &schema);
	free(codes);
}

/* Any object of the kernel's. */
static void add_objects(json_t *schemas)
{
	json_t *any = json_array();
	char name[OPENAPI_NAME];

	openapi_add_object(schemas, kinds[KIND_NFT_RULE]);
	for (unsigned k = OBJECT_KIND_FIRST; k < OBJECT_KIND_END; k++) {
		openapi_add_object(schemas, kinds[k]);
		openapi_name(kinds[k]->noun, name);
		json_array_append_new(any, openapi_ref("schemas", name));
	}
	json_object_set_new(schemas, "Object", json_pack("{s:o}", "anyOf", any));
}

const struct openapi_schema *api_answers_tables(unsigned *n)
{
	fill_names();
	*n = ARRAY_LEN(answers);
	return answers;
}

void api_answers_add(json_t *schemas)
{
	fill_names();
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		openapi_add(schemas, &answers[i]);
	add_counts(schemas);
	add_objects(schemas);
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		openapi_add_resource(schemas, kinds[k]);
	openapi_add_config(schemas);
	openapi_add_body(schemas, &api_ping_body, "Ping");
	json_object_del(schemas, "Status"); /* each kind has its own */
	add_problem(schemas);
	openapi_add_examples(schemas);
}
