/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of the far end: out of the tunnel to the destination, and the reply back into it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/why_fix.h"

static void judge_tunnel(const struct why_known *known, struct why_check *check)
{
	char peer[ADDR_TEXT];

	if (!known->tunnel) {
		why_say(check, WHY_BROKEN, "no tunnel with remote %s",
			addr_text(known->question.peer, peer));
		return;
	}
	why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
	if (why_status(known, KIND_TUNNEL, known->tunnel->head.name)->state != STATE_READY)
		why_fix_status(known, KIND_TUNNEL, known->tunnel->head.name, check);
	else
		why_say(check, WHY_OK, "matches %s", known->tunnel->head.name);
}

static void judge_input(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *a = &known->path.answer;
	char to[ADDR_TEXT], from[ADDR_TEXT];

	addr_text(known->question.to, to);
	addr_text(known->from, from);
	if (a->error == -EHOSTUNREACH) {
		why_say(check, WHY_BROKEN, "%s from %s in %s: forwarding is off", to, from,
			known->device);
		why_fix_nat(known, check);
	} else if (a->error) {
		why_say(check, WHY_BROKEN, "%s from %s in %s: %s", to, from, known->device,
			strerror(-a->error));
	} else {
		why_say(check, WHY_OK, "%s from %s in %s: dev %s", to, from, known->device,
			a->device);
	}
}

static void judge_nat(const struct why_known *known, struct why_check *check)
{
	const struct nat_rule *nat = why_find_nat(known, known->from, known->device, known->wan);
	char from[ADDR_TEXT];

	addr_text(known->from, from);
	if (!*known->wan) {
		why_say(check, WHY_OK, "delivered here");
	} else if (!nat) {
		why_say(check, WHY_WARN, "no NAT rule for %s out of %s", from, known->wan);
		why_fix_nat(known, check);
	} else {
		why_say(check, WHY_OK, "%s out of %s", from, known->wan);
		why_resource(check, KIND_NAT_RULE, nat->head.name);
	}
}

static void judge_return(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *a = &known->back.answer;
	char from[ADDR_TEXT];

	addr_text(known->from, from);
	if (a->error) {
		why_say(check, WHY_BROKEN, "%s in %s: %s", from, known->wan, strerror(-a->error));
		why_fix_return(known, check);
	} else if (strcmp(a->device, known->device) != 0) {
		why_say(check, WHY_BROKEN, "replies to %s leave by %s, not by %s", from, a->device,
			known->device);
		why_fix_return(known, check);
	} else {
		why_say(check, WHY_OK, "%s dev %s", from, a->device);
	}
}

const struct why_judge why_exit_judges[] = {
	{WHY_OUT, "tunnel", false, judge_tunnel},
	{WHY_OUT, "input", false, judge_input},
	{WHY_OUT, "nat", false, judge_nat},
	{WHY_BACK, "return", false, judge_return},
};
const unsigned why_exit_judges_count = ARRAY_LEN(why_exit_judges);
