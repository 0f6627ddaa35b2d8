/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of the probes of one question: trace, packets, and the end of both. */
#include "daemon/why_probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum {
	NEAR_MS = 400,   /* the near end waits so long for answers */
	LOOK_MS = 20,    /* how often it looks, */
	REST = 2,        /* or so many times as long as a look takes */
	QUIET_MS = 200,  /* it is over when so long nothing more came, if not all did before; */
	STILL_MS = 40,   /* so long when no more is sent: what still moves is not lost */
	LAST_MS = 2000,  /* so long at most: who is to send may be slow, and tell nothing */
	SIZES_MS = 400,  /* of its own probes */
	FAR_ID = 0x8000, /* which have the other's id but for that bit */
};

struct why_probe {
	struct why_probe_call call;
	struct why_question question;
	struct why_probed probed;
	char device[IFNAMSIZ];
	bool traced;
	struct probe *packets;     /* NULL: none, or all is known of them */
	struct probe_question far; /* what the far end is still to send; n_sizes 0: nothing */
	struct loop_timer *timer;
	uint64_t began_ms;
	uint64_t moved_ms; /* when the counts were others for the last time, or no more was sent */
	uint64_t rest_ms;  /* between the last look and the next */
	unsigned sizes;    /* that the near end sends, of all of which answers may come */
	bool ends;         /* all that there was has been sent */
	bool over;
};

static void close_trace(struct why_probe *probe)
{
	struct kernel *kernel = probe->call.kernel;
	struct err err;

	if (probe->traced)
		(void)!kernel->vt->trace_close(kernel, &err);
	probe->traced = false;
}

void why_probe_free(struct why_probe *probe)
{
	if (!probe)
		return;
	close_trace(probe);
	if (probe->packets)
		probe_free(probe->packets);
	loop_timer_free(probe->call.loop, probe->timer);
	free(probe);
}

static void count(struct why_probe *probe, struct link_stats *stats)
{
	struct kernel *kernel = probe->call.kernel;
	struct err err = {0};

	if (!*probe->device || kernel->vt->link_stats(kernel, probe->device, stats, &err))
		*stats = (struct link_stats){0};
}

static void look(struct why_probe *probe)
{
	struct kernel *kernel = probe->call.kernel;
	struct err err = {0};

	if (kernel->vt->trace_read(kernel, &probe->probed.seen, &err))
		snprintf(probe->probed.fault, sizeof(probe->probed.fault), "%.150s", err.sentence);
}

static void finish(struct why_probe *probe)
{
	count(probe, &probe->probed.after);
	close_trace(probe);
	loop_timer_disarm(probe->call.loop, probe->timer);
	probe->over = true;
	probe->probed.done = !probe->probed.fault[0];
	struct why_probed told = probe->probed;
	/* which frees it */
	probe->call.done(probe->call.user, &told);
}

static void look_soon(struct why_probe *probe)
{
	loop_timer_arm(probe->call.loop, probe->timer, loop_now_ms());
}

void why_probe_end(struct why_probe *probe)
{
	if (probe->over)
		return;
	probe->ends = true;
	probe->moved_ms = loop_now_ms();
	look_soon(probe);
}

/* The near end has all answers; of the far one all replies have left, as the last look saw, and
 * nothing is to be sent. */
static bool is_complete(const struct why_probe *probe, unsigned replies, unsigned sizes)
{
	const struct trace_counts *seen = &probe->probed.seen.counts;

	if (probe->packets || probe->far.n_sizes)
		return false;
	if (!probe->question.exit)
		return probe->probed.result.received >= replies &&
		       probe->probed.result.n_passed >= sizes;
	return seen->packets[TRACE_BACK][TRACE_OUTER][TRACE_POSTROUTING][TRACE_LAST] >= replies &&
	       seen->beside[TRACE_SIZES_RETURNED] >= sizes;
}

/* Only some of them came to a place: a rule or a route stops all, so the rest may still move. */
static bool is_uneven(const struct trace_counts *seen)
{
	const uint32_t *n = (const uint32_t *)seen->packets;

	for (size_t i = 0; i < sizeof(seen->packets) / sizeof(*n); i++)
		if (n[i] && n[i] < PROBE_COUNT)
			return true;
	return false;
}

/* By what was just looked at; what it sends itself has an end of its own. */
static bool is_over(const struct why_probe *probe)
{
	uint64_t now = loop_now_ms();
	uint64_t still_ms = probe->rest_ms > STILL_MS ? probe->rest_ms : STILL_MS;
	bool passed = is_complete(probe, 1, 0);

	if (probe->packets)
		return false;
	if (is_complete(probe, PROBE_COUNT, probe->sizes) || now >= probe->began_ms + LAST_MS)
		return true;
	if (now < probe->moved_ms + still_ms || (is_uneven(&probe->probed.seen.counts) && !passed))
		return false;
	return probe->ends || (passed && now >= probe->moved_ms + QUIET_MS);
}

static void packets_done(void *user, const struct probe_result *result);

/* Not before the near end's have come in: a firewall that lets in what belongs to packets of
 * ours would be opened for them. */
static void send_far(struct why_probe *probe)
{
	const struct trace_counts *seen = &probe->probed.seen.counts;
	struct probe_question question = probe->far;
	struct err err = {0};

	if (!question.n_sizes ||
	    !seen->packets[TRACE_OUT][TRACE_INNER][TRACE_PREROUTING][TRACE_FIRST])
		return;
	probe->far.n_sizes = 0;
	if (probe_start(&probe->packets, probe->call.loop, &question, packets_done, probe, &err))
		probe->packets = NULL;
}

static void look_again(void *user)
{
	struct why_probe *probe = user;
	struct trace_counts before = probe->probed.seen.counts;
	uint64_t began_ms = loop_now_ms();

	look(probe);
	if (memcmp(&before, &probe->probed.seen.counts, sizeof(before)) != 0)
		probe->moved_ms = began_ms;
	send_far(probe);
	if (is_over(probe) || probe->probed.fault[0]) {
		finish(probe);
		return;
	}
	probe->rest_ms = (loop_now_ms() - began_ms) * REST;
	if (probe->rest_ms < LOOK_MS)
		probe->rest_ms = LOOK_MS;
	loop_timer_arm(probe->call.loop, probe->timer, loop_now_ms() + probe->rest_ms);
}

/* The near end's are all that it waits for, the far one's are not. */
static void packets_done(void *user, const struct probe_result *result)
{
	struct why_probe *probe = user;

	probe->probed.result = *result;
	probe_free(probe->packets);
	probe->packets = NULL;
	probe->ends |= !probe->question.exit;
	look_again(probe);
}

/* Bytes of packets, of ways that are narrower as they mostly are. */
static const uint16_t narrower[PROBE_SIZES_MAX - 1] = {576,  1280, 1340, 1372, 1400, 1420,
						       1440, 1452, 1460, 1472, 1480};

/* Those, and the device's own. */
unsigned why_probe_sizes(uint32_t mtu)
{
	unsigned n = 0;

	if (mtu < 68 || mtu > UINT16_MAX)
		return 0;
	while (n < ARRAY_LEN(narrower) && narrower[n] < mtu)
		n++;
	return n + 1;
}

unsigned why_probe_size(uint32_t mtu, unsigned n)
{
	unsigned of = why_probe_sizes(mtu);

	if (!n || n > of)
		return 0;
	return n == of ? mtu : narrower[n - 1];
}

static void choose_sizes(uint32_t mtu, struct probe_question *question)
{
	question->n_sizes = why_probe_sizes(mtu);
	for (unsigned i = 0; i < question->n_sizes; i++)
		question->sizes[i] = (uint16_t)why_probe_size(mtu, i + 1);
}

uint32_t why_own_mtu(const struct why_known *known)
{
	const struct fact_link *link = facts_link(known->world.facts, known->device);

	return link ? link->mtu : 0;
}

uint32_t why_peer_mtu(const struct why_known *known)
{
	return known->question.peer_mtu ? known->question.peer_mtu : why_own_mtu(known);
}

static int send_near(struct why_probe *probe, const struct why_known *known, struct err *err)
{
	const struct why_question *q = &known->question;
	struct probe_question question = {
		.from = known->from,
		.to = q->to,
		.protocol = q->protocol,
		.id = q->id,
		.port = q->port,
		.count = PROBE_COUNT,
		.timeout_ms = NEAR_MS,
	};

	if (q->protocol == IPPROTO_ICMP)
		choose_sizes(why_own_mtu(known), &question);
	if (question.n_sizes)
		question.whole = question.sizes[question.n_sizes - 1];
	probe->sizes = question.n_sizes;
	/* so that it is known then what still moves */
	loop_timer_arm(probe->call.loop, probe->timer, probe->began_ms + NEAR_MS - 2 * STILL_MS);
	return probe_start(&probe->packets, probe->call.loop, &question, packets_done, probe, err);
}

/* Through the tunnel to where the packets come from; without an own address in it there is none
 * that could answer. */
static void choose_far(struct why_probe *probe, const struct why_known *known)
{
	const struct tunnel *tunnel = known->tunnel;
	struct probe_question question = {
		.to = known->from,
		.device = probe->device,
		.protocol = IPPROTO_ICMP,
		.id = known->question.id ^ FAR_ID,
		.timeout_ms = SIZES_MS,
	};

	if (!tunnel || !tunnel->addresses.len)
		return;
	question.from = tunnel->addresses.v[0].addr;
	choose_sizes(why_own_mtu(known), &question);
	probe->far = question;
}

static int open_trace(struct why_probe *probe, const struct why_known *known, struct err *err)
{
	const struct why_question *q = &known->question;
	struct kernel *kernel = probe->call.kernel;
	struct trace_question question = {
		.from = known->from,
		.to = q->to,
		.local = q->exit && q->local.host ? q->local : known->local,
		.remote = q->exit ? q->peer : known->remote,
		.protocol = q->protocol,
		.id = q->id,
		.port = q->port,
		.sizes_id = q->exit ? q->id : q->id ^ FAR_ID,
		.exit = q->exit,
	};

	memcpy(question.device, known->device, sizeof(question.device));
	int error = kernel->vt->trace_open(kernel, &question, err);
	probe->traced = !error;
	return error;
}

/* What comes from elsewhere cannot be sent from here. */
static int may_send(const struct why_known *known, struct err *err)
{
	if (known->question.exit || facts_addr(known->world.facts, known->from))
		return 0;
	return err_set(err, -EADDRNOTAVAIL,
		       "no probes: a packet of another host cannot be sent "
		       "from here");
}

int why_probe_start(struct why_probe **out, const struct why_probe_call *call,
		    struct why_known *known)
{
	struct why_probe *probe = xcalloc(1, sizeof(*probe));
	struct err err = {0};

	*probe = (struct why_probe){.call = *call, .question = known->question};
	probe->timer = loop_timer_new(call->loop, look_again, probe);
	memcpy(probe->device, known->device, sizeof(probe->device));
	probe->began_ms = loop_now_ms();
	probe->probed.path_mtu = known->outer.asked ? known->outer.answer.mtu : 0;
	count(probe, &probe->probed.before);
	int error = may_send(known, &err);
	if (!error)
		error = open_trace(probe, known, &err);
	if (!error && !known->question.exit)
		error = send_near(probe, known, &err);
	if (error) {
		snprintf(known->probed.fault, sizeof(known->probed.fault), "%.150s", err.sentence);
		why_probe_free(probe);
		return error;
	}
	if (known->question.exit) {
		choose_far(probe, known);
		if (known->question.protocol == IPPROTO_ICMP)
			probe->sizes = why_probe_sizes(why_peer_mtu(known));
		loop_timer_arm(call->loop, probe->timer, loop_now_ms() + LOOK_MS);
	}
	*out = probe;
	return 0;
}
