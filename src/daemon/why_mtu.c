/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sizes that pass. That a long echo is not answered says little: who is asked may not answer
 * such, or not so many. A way is called broken by what was counted: what came out of the tunnel was
 * cut at one size, be it asked for or not; or a long packet passed when it might be fragmented.
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

/* Where the other end's long ones stop on their way through this host and back; none of it is proof
 * of more than that: a firewall may limit echoes. */
struct stretch {
	enum trace_beside from, to;
	const char *words;
};

static const struct stretch stretches[] = {
	{TRACE_SIZES_CAME, TRACE_SIZES_LEFT, "longer ones do not leave this host"},
	{TRACE_SIZES_LEFT, TRACE_SIZES_ANSWERED,
	 "longer ones left, and are not answered: lost behind it, or it answers none such"},
	{TRACE_SIZES_ANSWERED, TRACE_SIZES_RETURNED, "longer answers do not leave this host"},
};

static const struct stretch *find_stretch(const struct why_known *known)
{
	const uint32_t *counts = known->probed.seen.counts.beside;

	if (!known->question.exit || !known->path.asked || known->path.answer.local ||
	    counts[TRACE_TOLD_TOO_LARGE])
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(stretches); i++)
		if (counts[stretches[i].to] && counts[stretches[i].to] < counts[stretches[i].from])
			return &stretches[i];
	return NULL;
}

static void judge_whole(const struct why_known *known, struct why_check *check)
{
	const uint32_t *counts = known->probed.seen.counts.beside;
	const struct stretch *stretch = find_stretch(known);
	unsigned passed = known->probed.result.largest_passed;

	if (stretch)
		why_say(check, WHY_WARN, "%u bytes pass %s; to the destination %u do: %s", passed,
			known->device, why_probe_size(why_peer_mtu(known), counts[stretch->to]),
			stretch->words);
	else
		why_say(check, WHY_OK, "%u bytes pass, all that %s takes", passed, known->device);
}

/* What the other end sent by itself, and what it sent as an answer, both end at one size. */
static bool is_cut(const struct why_known *known)
{
	const struct probe_result *result = &known->probed.result;
	uint32_t came = known->probed.seen.counts.beside[TRACE_SIZES_CAME];

	return came && came < why_probe_sizes(why_peer_mtu(known)) && result->n_passed == came;
}

static void judge_short(const struct why_known *known, struct why_check *check)
{
	const struct probe_result *result = &known->probed.result;
	uint32_t came = known->probed.seen.counts.beside[TRACE_SIZES_CAME],
		 mtu = why_own_mtu(known);
	unsigned passed = result->largest_passed, lost = result->sent - result->received;

	if (lost) { /* a way that loses short ones loses long ones, too */
		why_say(check, WHY_WARN,
			"%u bytes pass, of %u that %s takes; longer ones did not come back, nor "
			"did %u of %u short ones: ask again",
			passed, mtu, known->device, lost, result->sent);
		return;
	}
	if (is_cut(known)) {
		char peer[ADDR_TEXT];

		passed = why_probe_size(why_peer_mtu(known), came);
		why_say(check, WHY_BROKEN,
			"%u bytes pass, of %u that %s takes; longer ones vanish on the way here, "
			"without ICMP",
			passed, mtu, known->device);
		why_object(check, "the way from %s", addr_text(known->remote, peer));
	} else if (result->whole_passed) {
		/* one that is lost may be lost by chance */
		why_say(check, why_probe_sizes(mtu) > result->n_passed + 1 ? WHY_BROKEN : WHY_WARN,
			"%u bytes pass, of %u that %s takes; longer ones only in fragments, and "
			"no ICMP says so",
			passed, mtu, known->device);
	} else {
		why_say(check, WHY_WARN,
			"%u bytes pass, of %u that %s takes; longer ones are lost, or %s does not "
			"answer such",
			passed, mtu, known->device,
			known->question.exit ? "the other end" : "the destination");
	}
	why_fix(check, "ipipctl tunnel set %s --mtu %u", known->tunnel->head.name, passed);
}

void why_mtu_judge(const struct why_known *known, struct why_check *check)
{
	const struct probe_result *result = &known->probed.result;
	uint32_t mtu = why_own_mtu(known), told = told_mtu(known);
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
		judge_short(known, check);
	}
	if (known->tunnel && !*check->object)
		why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
}
