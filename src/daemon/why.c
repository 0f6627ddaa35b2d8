/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of the judges: each row of the table of checks in the order of the packet, until one
 * is broken. The document of what they said is api_why_json.c's.
 */
#include "daemon/why.h"

#include <stdio.h>
#include <string.h>

const char *const why_verdict_names[] = {
	[WHY_OK] = "ok",
	[WHY_WARN] = "warn",
	[WHY_UNKNOWN] = "unknown",
	[WHY_BROKEN] = "broken",
	[WHY_NOT_REACHED] = "not-reached",
};
const char *const why_leg_names[] = {[WHY_OUT] = "out", [WHY_BACK] = "back"};
const char *const why_role_names[] = {"client", "exit"};
const char *const why_protocol_names[] = {"icmp", "tcp", "udp"};

void why_say(struct why_check *check, enum why_verdict verdict, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	check->verdict = verdict;
	vsnprintf(check->evidence, sizeof(check->evidence), fmt, args);
	va_end(args);
}

/* Names of the kernel's may have anything in them: outside of quotes only what means nothing to a
 * shell, and " && ". */
static bool is_command(const char *line)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789 ./,:=_+-",
			  both[] = " && ";
	bool quoted = false;

	for (const char *at = line; *at; at++)
		if (*at == '\'')
			quoted = !quoted;
		else if (!quoted && strncmp(at, both, strlen(both)) == 0)
			at += strlen(both) - 1;
		else if (quoted ? (unsigned char)*at < ' ' || *at == 0x7f : !strchr(plain, *at))
			return false;
	return !quoted;
}

/* Half a command is worse than none. */
void why_fix(struct why_check *check, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(check->fix, sizeof(check->fix), fmt, args);
	va_end(args);
	if (len >= (int)sizeof(check->fix) || !is_command(check->fix))
		check->fix[0] = '\0';
}

void why_object(struct why_check *check, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(check->object, sizeof(check->object), fmt, args);
	va_end(args);
}

void why_resource(struct why_check *check, enum kind_id kind, const char *name)
{
	snprintf(check->resource, sizeof(check->resource), "%s/%s", kinds[kind]->noun, name);
}

static void judge_row(const struct why_known *known, const struct why_judge *row,
		      struct why_checks *checks)
{
	struct why_check *check = &checks->v[checks->len++];

	*check = (struct why_check){.leg = row->leg, .name = row->name};
	if (checks->broken)
		why_say(check, WHY_NOT_REACHED, "not reached");
	else if (row->probed && !known->probed.done)
		why_say(check, WHY_UNKNOWN, "%s",
			*known->probed.fault ? known->probed.fault : "no probes were sent");
	else
		row->judge(known, check);
	checks->broken |= check->verdict == WHY_BROKEN;
}

void why_judge(const struct why_known *known, struct why_checks *checks)
{
	bool is_exit = known->question.exit;
	const struct why_judge *rows = is_exit ? why_exit_judges : why_client_judges;
	unsigned n = is_exit ? why_exit_judges_count : why_client_judges_count;

	checks->len = 0;
	checks->broken = false;
	for (unsigned i = 0; i < n && checks->len < WHY_CHECKS_MAX; i++)
		if (!rows[i].probed || known->question.probe)
			judge_row(known, &rows[i], checks);
}

enum why_verdict why_worst(const struct why_checks *checks)
{
	enum why_verdict worst = WHY_OK;

	for (unsigned i = 0; i < checks->len; i++)
		if (checks->v[i].verdict != WHY_NOT_REACHED && checks->v[i].verdict > worst)
			worst = checks->v[i].verdict;
	return worst;
}
