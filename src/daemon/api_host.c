/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host is, as far as somebody needs it who wants to reach it with a tunnel. */
#include "daemon/api_call.h"
#include "daemon/api_json.h"
#include "daemon/api_problem.h"
#include "daemon/modules.h"

#include <string.h>
#include <sys/utsname.h>

static bool has_module(const char *name)
{
	return modules_state("", name) == MODULE_THERE;
}

static json_t *kernel_document(struct agent *agent)
{
	struct utsname name;

	uname(&name);
	return json_pack("{s:s, s:{s:b, s:b, s:b}}", "release", name.release, "abilities", "ipip",
			 has_module("ipip"), "nf_tables", has_module("nf_tables"), "ipv6",
			 reconcile_facts(agent->reconcile)->ipv6);
}

/* The device that a packet to anywhere leaves by: "" without a default route. The address is
 * of a documentation prefix, which no better route should cover. */
static void default_device(struct agent *agent, char device[static IFNAMSIZ])
{
	struct route_question question = {.underlay = true};
	struct route_answer answer = {0};
	struct err err = {0};

	device[0] = '\0';
	if (addr_parse("198.51.100.1", &question.to) == 0 &&
	    agent->kernel->vt->route(agent->kernel, &question, &answer, &err) == 0 && !answer.error)
		memcpy(device, answer.device, IFNAMSIZ);
}

static json_t *addresses(struct agent *agent)
{
	const struct facts *facts = reconcile_facts(agent->reconcile);
	char outside[IFNAMSIZ], text[ADDR_TEXT];
	json_t *list = json_array();

	default_device(agent, outside);
	for (size_t i = 0; i < facts->addrs.len; i++) {
		const struct fact_addr *addr = &facts->addrs.v[i];
		const struct fact_link *link = facts_link(facts, addr->device);

		if (!link || link->ours || link->loopback)
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:b}", "address",
						      addr_text(addr->addr, text), "device",
						      addr->device, "driver", link->driver, "mtu",
						      (json_int_t)link->mtu, "default_route",
						      strcmp(outside, addr->device) == 0));
	}
	return list;
}

void api_host_get(struct api_call *call)
{
	const struct http_caller *caller = &call->request->caller;
	bool is_local = !caller->address[0] || strcmp(caller->address, "unix") == 0;
	struct utsname name;

	uname(&name);
	api_json_respond(call->request, 200, NULL,
			 json_pack("{s:s, s:s, s:s, s:o, s:o, s:s?}", "id", call->agent->host_id,
				   "hostname", name.nodename, "version", IPIPD_VERSION, "kernel",
				   kernel_document(call->agent), "addresses",
				   addresses(call->agent), "observed_address",
				   is_local ? NULL : caller->address));
}

static json_t *addr_or_null(struct addr addr)
{
	char text[ADDR_TEXT];

	return addr.host ? json_string(addr_text(addr, text)) : json_null();
}

void api_host_route(struct api_call *call)
{
	struct kernel *kernel = call->agent->kernel;
	struct route_question question = {.to = call->params.to,
					  .from = call->params.from,
					  .underlay = call->params.underlay};
	struct route_answer answer = {0};
	struct err err = {0};

	memcpy(question.in, call->params.in, sizeof(question.in));
	if (kernel->vt->route(kernel, &question, &answer, &err)) {
		api_problem(call->request, "not-ready", "the kernel did not answer: %s",
			    err.sentence);
		return;
	}
	bool found = !answer.error;
	api_json_respond(call->request, 200, NULL,
			 json_pack("{s:o, s:s?, s:o, s:o, s:I, s:I, s:b, s:s?}", "to",
				   addr_or_null(question.to), "device",
				   found && answer.device[0] ? answer.device : NULL, "source",
				   addr_or_null(answer.source), "gateway",
				   addr_or_null(answer.gateway), "mtu", (json_int_t)answer.mtu,
				   "table", (json_int_t)answer.table, "local", answer.local,
				   "error", found ? NULL : strerror(-answer.error)));
}
