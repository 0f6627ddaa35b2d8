/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sizes that pass. An echo goes both ways, so it does not tell which of them is narrow. Both
 * ends send some, though, and count those of the other: what came from there is larger than what
 * comes back of the own, so it is the own way out that is narrow, or what lies behind it.
 */
#include "daemon/why_mtu.h"

#include "daemon/why_probe.h"

enum { OUTER_HEADER = 20 };

/* What the way told meanwhile: the tunnel's outer packets carry DF, and their ICMP says how long
 * they may be; else somebody told of the inner ones. 0: nobody did. */
static uint32_t told_mtu(const struct why_known *known)
{
	const struct probe_result *result = &known->probed.result;
	uint32_t outer = known->outer.asked && !known->outer.answer.error ? known->outer.answer.mtu
									  : 0;

	if (outer > OUTER_HEADER && known->underlay.asked && outer < known->underlay.answer.mtu)
		return outer - OUTER_HEADER;
	return result->told_mtu;
}

/* Those of the other end go on, and their answers do not come here; nobody says why. */
static bool vanish_behind(const struct why_known *known)
{
	const uint32_t *counts = known->probed.seen.counts.beside;

	return known->question.exit && known->path.asked && !known->path.answer.local &&
	       counts[TRACE_SIZES_ANSWERED] &&
	       counts[TRACE_SIZES_ANSWERED] < counts[TRACE_SIZES_CAME] &&
	       !counts[TRACE_TOLD_TOO_LARGE];
}

static void judge_whole(const struct why_known *known, struct why_check *check)
{
	unsigned passed = known->probed.result.largest_passed;

	if (vanish_behind(known))
		why_say(check, WHY_WARN,
			"%u bytes pass, all that %s takes; behind this host %u do, and longer ones "
			"vanish, without ICMP",
			passed, known->device,
			why_probe_size(known->probed.seen.counts.beside[TRACE_SIZES_ANSWERED]));
	else
		why_say(check, WHY_OK, "%u bytes pass, all that %s takes", passed, known->device);
}

/* The near end's is the break whichever way is narrow: its MTU is what both ends' TCP goes by. The
 * far end's is one where its own way is the narrow one. */
static void judge_black_hole(const struct why_known *known, uint32_t mtu, struct why_check *check)
{
	unsigned passed = known->probed.result.largest_passed;
	unsigned own = known->probed.result.n_passed;
	uint32_t came = known->probed.seen.counts.beside[TRACE_SIZES_CAME];
	bool exit = known->question.exit, is_own_way = came > own;
	const char *way = "";
	const struct probe_result *plain = &known->probed.result;

	if (plain->received < plain->sent) { /* a way that loses short ones loses long ones, too */
		why_say(check, WHY_WARN,
			"%u bytes pass, of %u that %s takes; longer ones did not come back, nor "
			"did %u of %u short ones: ask again",
			passed, mtu, known->device, plain->sent - plain->received, plain->sent);
		return;
	}
	if (exit && came && !is_own_way) {
		why_say(check, WHY_WARN,
			"%u bytes pass, of %u that %s takes; of the other end no longer ones came",
			passed, mtu, known->device);
		return;
	}
	if (is_own_way)
		way = exit ? " on the way back" : " on the way there";
	why_say(check, exit && !is_own_way ? WHY_WARN : WHY_BROKEN,
		"%u bytes pass, of %u that %s takes; longer ones vanish%s, without "
		"ICMP, or are not answered",
		passed, mtu, known->device, way);
	why_fix(check, "ipipctl tunnel set %s --mtu %u", known->tunnel->head.name, passed);
}

void why_mtu_judge(const struct why_known *known, struct why_check *check)
{
	const struct probe_result *result = &known->probed.result;
	const struct fact_link *link = facts_link(known->world.facts, known->device);
	uint32_t mtu = link ? link->mtu : 0, told = told_mtu(known);
	char by[ADDR_TEXT];

	if (!result->largest_passed && result->smallest_lost) {
		why_say(check, WHY_UNKNOWN, "no packet with DF came back, of any size");
	} else if (!result->largest_passed || !known->tunnel) {
		why_say(check, WHY_OK, "mtu %u of %s; no sizes were tried", mtu, known->device);
	} else if (result->largest_passed >= mtu) {
		judge_whole(known, check);
	} else if (told && told < mtu) {
		why_say(check, WHY_WARN, "%u bytes pass, of %u that %s takes; ICMP%s%s says %u",
			result->largest_passed, mtu, known->device,
			result->told_by.host ? " of " : "",
			result->told_by.host ? addr_text(result->told_by, by) : "", told);
		why_fix(check, "ipipctl tunnel set %s --mtu %u", known->tunnel->head.name, told);
	} else {
		judge_black_hole(known, mtu, check);
	}
	if (known->tunnel)
		why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
}
