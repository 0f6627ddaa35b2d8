/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the judges said, as a document. */
#include "daemon/api_why_json.h"

#include <netinet/in.h>

#include "base/text.h"

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

/* Names from the kernel need not be UTF-8: then what is not ASCII is a "?". */
static json_t *printable(const char *text)
{
	cleanup_text struct text plain = {0};
	json_t *value = text_or_null(text);

	if (value)
		return value;
	for (; *text; text++)
		text_add_char(&plain, (unsigned char)*text < 0x80 ? *text : '?');
	return json_string(text_str(&plain));
}

static json_t *addr_or_null(struct addr addr)
{
	char text[ADDR_TEXT];

	return addr.host ? json_string(addr_text(addr, text)) : json_null();
}

static json_t *number_or_null(unsigned number)
{
	return number ? json_integer(number) : json_null();
}

static json_t *checks_document(const struct why_checks *checks)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < checks->len; i++) {
		const struct why_check *check = &checks->v[i];

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "leg",
					why_leg_names[check->leg], "check", check->name, "verdict",
					why_verdict_names[check->verdict], "evidence",
					printable(check->evidence), "resource",
					printable(check->resource), "object",
					printable(check->object), "fix", printable(check->fix)));
	}
	return list;
}

static const char *protocol_name(uint8_t protocol)
{
	if (protocol == IPPROTO_TCP)
		return why_protocol_names[1];
	return why_protocol_names[protocol == IPPROTO_UDP ? 2 : 0];
}

json_t *api_why_json(const struct why_known *known, const struct why_checks *checks,
		     unsigned took_ms)
{
	const struct why_question *q = &known->question;
	const struct fact_link *link = facts_link(known->world.facts, known->device);
	json_t *document = json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:b}", "role",
				     why_role_names[q->exit], "to", addr_or_null(q->to), "from",
				     addr_or_null(known->from), "protocol",
				     protocol_name(q->protocol), "port", number_or_null(q->port),
				     "id", number_or_null(q->id), "probe", q->probe);
	json_t *found = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:I}", "tunnel",
		known->tunnel ? json_string(known->tunnel->head.name) : json_null(), "device",
		printable(known->device), "mtu", number_or_null(link ? link->mtu : 0), "local",
		addr_or_null(known->local), "remote", addr_or_null(known->remote), "verdict",
		why_verdict_names[why_worst(checks)], "checks", checks_document(checks), "took_ms",
		(json_int_t)took_ms);

	json_object_update(document, found);
	json_decref(found);
	return document;
}
