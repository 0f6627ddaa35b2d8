/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of links. They are made in two rounds, because a batch is not atomic: with the
 * chosen index taken, the create fails while everything after it would land on somebody
 * else's device. They are deleted by group, because one by one the kernel waits for a
 * grace period each time.
 */
#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/failpoint.h"
#include "kernel/adapter.h"
#include "kernel/link.h"

enum {
	CREATE_CHUNK = 64,
	INDEX_FIRST = 0x20000000,
	INDEX_LAST = 0x7ffffff0,
	INDEX_TRIES = 8,
	DELETE_CHUNK_MIN = 16,
	DELETE_CHUNK_MAX = 1024,
	DELETE_FAST_MS = 100, /* RTNL may be held longer: bigger chunks */
	DELETE_SLOW_MS = 400, /* it was held too long: smaller ones */
};

static const struct link *wanted(const struct op *op)
{
	assert(op && op->want);
	return (const struct link *)op->want;
}

static const struct link *found(const struct op *op)
{
	return (const struct link *)(op->have ? op->have : op->want);
}

/* Upward from a random start, never one twice. */
static uint32_t take_index(struct kern *kern)
{
	uint32_t index = kern->next_index++;

	if (kern->next_index > INDEX_LAST)
		kern->next_index = INDEX_FIRST;
	return index;
}

/* One link on its way into the kernel. */
struct creation {
	struct op *op;
	uint32_t index;
	bool made; /* acknowledged: round 2 is for those only */
};

static bool same_endpoints(const struct link *a, const struct link *b)
{
	return strcmp(a->driver, b->driver) == 0 && a->local.host == b->local.host &&
	       a->remote.host == b->remote.host && strcmp(a->underlay, b->underlay) == 0;
}

/* What is in the way of a create that failed with EEXIST: it may be three things. */
struct obstacle {
	bool index;
	bool name;
	char endpoints[IFNAMSIZ]; /* of which device; "": of none */
	char driver[IFNAMSIZ];    /* of the device that has the name */
};

static int find_obstacle(struct kern *kern, const struct creation *creation,
			 struct obstacle *obstacle)
{
	cleanup_free struct nlmsghdr *request = link_dump_request();
	cleanup_messages struct messages messages = {0};
	const struct link *want = wanted(creation->op);
	int error = netlink_dump(kern->netlink, request, &messages, NULL);

	if (error)
		return error;
	messages_each(h, &messages) {
		const struct ifinfomsg *header = nlmsg_data(h);
		struct link link = {0};

		if (!link_parse(h, &kern->names, &link))
			continue;
		if ((uint32_t)header->ifi_index == creation->index)
			obstacle->index = true;
		if (strcmp(link.device, want->device) == 0) {
			obstacle->name = true;
			memcpy(obstacle->driver, link.driver, sizeof(link.driver));
		} else if (same_endpoints(&link, want)) {
			memcpy(obstacle->endpoints, link.device, IFNAMSIZ);
		}
	}
	return 0;
}

static const char *obstacle_words(const struct obstacle *obstacle, const struct link *want,
				  struct arena *arena)
{
	char local[ADDR_TEXT], remote[ADDR_TEXT];

	if (obstacle->name)
		return arena_printf(arena, "the name is held by another device%s%s%s",
				    obstacle->driver[0] ? " (" : "", obstacle->driver,
				    obstacle->driver[0] ? ")" : "");
	if (obstacle->endpoints[0])
		return arena_printf(arena, "endpoints %s > %s%s%s are held by %s",
				    addr_text(want->local, local), addr_text(want->remote, remote),
				    want->underlay[0] ? " dev " : "", want->underlay,
				    obstacle->endpoints);
	return "";
}

/* True: the index was taken, and the creation has another one now. */
static bool try_again(struct kern *kern, struct arena *arena, struct creation *creation,
		      const char *words)
{
	struct obstacle obstacle = {0};

	if (!find_obstacle(kern, creation, &obstacle) && obstacle.index) {
		creation->index = take_index(kern);
		return true;
	}
	assert(creation->op);
	creation->op->duplicate = !obstacle.name && obstacle.endpoints[0];
	const char *ours = obstacle_words(&obstacle, wanted(creation->op), arena);
	adapter_fail(creation->op, arena, -EEXIST, "create", ours[0] ? ours : words);
	return false;
}

static void fail_create(struct op *op, struct arena *arena, int result, const char *words)
{
	if (result == -EOPNOTSUPP)
		words = arena_printf(arena,
				     "the kernel has no driver %s (%s): `modprobe %s` loads it, or "
				     "says why not",
				     wanted(op)->driver, words[0] ? words : strerror(EOPNOTSUPP),
				     wanted(op)->driver);
	adapter_fail(op, arena, result, "create", words);
}

/* Sends the creates that are neither made nor failed. True: some have a new index to try. */
static bool create_try(struct kern *kern, struct arena *arena, struct creation *creations, size_t n)
{
	cleanup_batch struct batch batch = {.arena = arena};
	bool again = false;

	for (size_t i = 0; i < n; i++) {
		struct creation *creation = &creations[i];
		struct err err = {0};

		if (creation->made || creation->op->done)
			continue;
		struct nlmsghdr *msg = link_build(wanted(creation->op), LINK_NAME | LINK_TUNNEL,
						  creation->index, NLM_F_CREATE | NLM_F_EXCL,
						  &kern->names, &err);
		if (msg)
			batch_add(&batch, msg, i);
		else
			adapter_fail(creation->op, arena, err.number, "create", err.sentence);
	}
	batch_send(kern->netlink, &batch);
	for (size_t i = 0; i < batch.requests.len; i++) {
		const struct request *request = &batch.requests.v[i];
		struct creation *creation = &creations[request->tag];

		if (!request->result)
			creation->made = true;
		else if (request->result == -EEXIST)
			again |= try_again(kern, arena, creation, request->words);
		else
			fail_create(creation->op, arena, request->result, request->words);
	}
	return again;
}

/*
 * Alias, mtu and up, for the acknowledged ones. IPv6 is switched off before the device
 * comes up: its autoconfiguration makes every further one slower, and IPIP carries none.
 */
static void create_finish(struct kern *kern, struct arena *arena, struct creation *creations,
			  size_t n)
{
	cleanup_batch struct batch batch = {.arena = arena};

	for (size_t i = 0; i < n; i++) {
		const struct creation *creation = &creations[i];
		const struct link *want = wanted(creation->op);

		if (!creation->made)
			continue;
		struct name_row *row = names_put(&kern->names, creation->index, want->device);
		row->ours = true;
		row->up = want->up;
		row->mtu = want->mtu;
		/* a kernel or a container without it has no IPv6 to switch off */
		(void)!sysctl_write(kern->sysctls.ipv6_fd, want->device, "disable_ipv6", 1);
		batch_add(&batch,
			  link_build(want, LINK_REST | LINK_SWITCH, creation->index, 0,
				     &kern->names, NULL),
			  i);
	}
	failpoint("link.finish");
	batch_send(kern->netlink, &batch);
	for (size_t i = 0; i < batch.requests.len; i++) {
		const struct request *request = &batch.requests.v[i];
		struct op *op = creations[request->tag].op;

		if (request->result)
			adapter_fail(op, arena, request->result, "set up", request->words);
		else
			adapter_succeed(op);
	}
	failpoint("link.finished");
}

static void create_chunk(struct kern *kern, struct arena *arena, struct op *ops, size_t n)
{
	struct creation creations[CREATE_CHUNK] = {0};

	for (size_t i = 0; i < n; i++) {
		creations[i].op = &ops[i];
		creations[i].index = take_index(kern);
	}
	for (unsigned i = 0; i < INDEX_TRIES; i++)
		if (!create_try(kern, arena, creations, n))
			break;
	failpoint("link.created");
	create_finish(kern, arena, creations, n);
	for (size_t i = 0; i < n; i++)
		if (!ops[i].done)
			adapter_fail(&ops[i], arena, -EEXIST, "create", "every index is taken");
}

static void create(struct kern *kern, struct arena *arena, struct op *ops, size_t n)
{
	for (size_t i = 0; i < n; i += CREATE_CHUNK)
		create_chunk(kern, arena, ops + i, n - i < CREATE_CHUNK ? n - i : CREATE_CHUNK);
}

static uint64_t tunnel_bits(void)
{
	return kind_all(&link_kind) &
	       ~(object_bit(link_kind, "mtu") | object_bit(link_kind, "up") |
		 object_bit(link_kind, "group") | object_bit(link_kind, "alias"));
}

/* What is not wanted in particular stays as it was found; the message has to say it all. */
static struct link merged(const struct op *op)
{
	struct link link = *found(op);

	for (unsigned i = 0; i < link_kind.n_fields; i++) {
		const struct field *field = &link_kind.fields[i];

		if (op->want->set >> i & 1)
			memcpy(field_of(field, &link), field_in(field, op->want), field->size);
	}
	return link;
}

/* The kernel computes the mtu anew when the tunnel changes: so the rest comes after it. */
static void change_add(struct kern *kern, struct batch *batch, struct op *op, size_t tag)
{
	struct link whole = merged(op);
	uint32_t index = names_index(&kern->names, wanted(op)->device);
	struct err err = {0};

	if (!index) {
		adapter_fail(op, batch->arena, -ENODEV, "change", "");
		return;
	}
	if (!op->differs || op->differs & tunnel_bits()) {
		struct nlmsghdr *msg = link_build(&whole, LINK_TUNNEL, index, 0, &kern->names,
						  &err);
		if (!msg) {
			adapter_fail(op, batch->arena, err.number, "change", err.sentence);
			return;
		}
		batch_add(batch, msg, tag);
	}
	batch_add(batch, link_build(wanted(op), LINK_REST, index, 0, &kern->names, NULL), tag);
}

static void change(struct kern *kern, struct arena *arena, struct op *ops, size_t n)
{
	cleanup_batch struct batch batch = {.arena = arena};

	for (size_t i = 0; i < n; i++)
		change_add(kern, &batch, &ops[i], i);
	batch_send(kern->netlink, &batch);
	for (size_t i = 0; i < batch.requests.len; i++) {
		const struct request *request = &batch.requests.v[i];
		struct op *op = &ops[request->tag];

		if (op->done && op->result)
			continue;
		op->duplicate = request->result == -EEXIST;
		if (!request->result)
			adapter_succeed(op);
		else if (op->duplicate && !request->words[0])
			adapter_fail(op, arena, -EEXIST, "change",
				     "endpoints are held by another device");
		else
			adapter_fail(op, arena, request->result, "change", request->words);
	}
}

static void deleted(struct kern *kern, struct arena *arena, struct op *op, int result,
		    const char *words)
{
	uint32_t index = names_index(&kern->names, found(op)->device);

	if (result && result != -ENODEV) {
		adapter_fail(op, arena, result, "delete", words);
		return;
	}
	names_remove(&kern->names, index);
	adapter_succeed(op);
}

static void delete_singly(struct kern *kern, struct arena *arena, struct op *ops, size_t n)
{
	cleanup_batch struct batch batch = {.arena = arena};

	for (size_t i = 0; i < n; i++) {
		struct ifinfomsg header = {
			.ifi_index = (int)names_index(&kern->names, found(&ops[i])->device),
		};

		if (ops[i].done)
			continue;
		if (header.ifi_index)
			batch_add(&batch, netlink_message(RTM_DELLINK, 0, &header, sizeof(header)),
				  i);
		else
			adapter_succeed(&ops[i]);
	}
	batch_send(kern->netlink, &batch);
	for (size_t i = 0; i < batch.requests.len; i++) {
		const struct request *request = &batch.requests.v[i];

		deleted(kern, arena, &ops[request->tag], request->result, request->words);
	}
}

/* Moves them to the doomed group; how many are there now. */
static size_t doom(struct kern *kern, struct arena *arena, struct op *ops, size_t n)
{
	cleanup_batch struct batch batch = {.arena = arena};
	uint32_t group = OUR_DOOMED_GROUP;
	size_t doomed = 0;

	for (size_t i = 0; i < n; i++) {
		struct ifinfomsg header = {
			.ifi_index = (int)names_index(&kern->names, found(&ops[i])->device),
		};

		if (!header.ifi_index) {
			adapter_succeed(&ops[i]);
			continue;
		}
		struct nlmsghdr *msg = netlink_message(RTM_SETLINK, 0, &header, sizeof(header));
		netlink_put(msg, IFLA_GROUP, &group, sizeof(group));
		batch_add(&batch, msg, i);
	}
	batch_send(kern->netlink, &batch);
	for (size_t i = 0; i < batch.requests.len; i++) {
		const struct request *request = &batch.requests.v[i];

		if (request->result)
			deleted(kern, arena, &ops[request->tag], request->result, request->words);
		else
			doomed++;
	}
	return doomed;
}

static int index_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Is the doomed group exactly the ops that are not done? A group delete hits all of it. */
static bool group_is_ours(struct kern *kern, const struct op *ops, size_t n, size_t doomed)
{
	cleanup_free struct nlmsghdr *request = link_dump_request();
	cleanup_messages struct messages messages = {0};
	cleanup_free uint32_t *indexes = xcalloc(doomed, sizeof(*indexes));
	size_t len = 0, members = 0;

	for (size_t i = 0; i < n; i++)
		if (!ops[i].done && len < doomed)
			indexes[len++] = names_index(&kern->names, found(&ops[i])->device);
	qsort(indexes, len, sizeof(*indexes), index_compare);
	if (netlink_dump(kern->netlink, request, &messages, NULL))
		return false;
	messages_each(h, &messages) {
		const struct ifinfomsg *header = nlmsg_data(h);
		uint32_t group = attr_u32(nlmsg_find_attr(h, sizeof(*header), IFLA_GROUP));
		uint32_t index = (uint32_t)header->ifi_index;

		if (group != OUR_DOOMED_GROUP)
			continue;
		if (!bsearch(&index, indexes, len, sizeof(*indexes), index_compare))
			return false;
		members++;
	}
	return members == len;
}

static int delete_group(struct kern *kern, struct arena *arena)
{
	cleanup_batch struct batch batch = {.arena = arena};
	struct ifinfomsg header = {0};
	uint32_t group = OUR_DOOMED_GROUP;
	struct nlmsghdr *msg = netlink_message(RTM_DELLINK, 0, &header, sizeof(header));

	netlink_put(msg, IFLA_GROUP, &group, sizeof(group));
	batch_add(&batch, msg, 0);
	batch_send(kern->netlink, &batch);
	return batch.requests.v[0].result;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* The group delete holds RTNL and blocks us: the next chunk goes by how long this one took. */
static void adapt_chunk(struct kern *kern, int64_t took_ms)
{
	if (took_ms < DELETE_FAST_MS && kern->delete_chunk < DELETE_CHUNK_MAX)
		kern->delete_chunk *= 2;
	else if (took_ms > DELETE_SLOW_MS && kern->delete_chunk > DELETE_CHUNK_MIN)
		kern->delete_chunk /= 2;
}

static void delete_chunk(struct kern *kern, struct arena *arena, struct op *ops, size_t n)
{
	size_t doomed = doom(kern, arena, ops, n);

	failpoint("link.doomed");
	/* each time: who is down joins a group without a word (do_setlink in rtnetlink.c) */
	if (doomed > 1 && group_is_ours(kern, ops, n, doomed)) {
		int64_t start_ms = now_ms();
		int error = delete_group(kern, arena);

		failpoint("link.group-deleted");
		adapt_chunk(kern, now_ms() - start_ms);
		for (size_t i = 0; i < n && !error; i++)
			if (!ops[i].done)
				deleted(kern, arena, &ops[i], 0, "");
	}
	delete_singly(kern, arena, ops, n); /* what is left */
}

static void delete_links(struct kern *kern, struct arena *arena, struct op *ops, size_t n)
{
	while (n) {
		size_t chunk = n < kern->delete_chunk ? n : kern->delete_chunk;

		if (chunk == 1)
			delete_singly(kern, arena, ops, chunk);
		else
			delete_chunk(kern, arena, ops, chunk);
		ops += chunk;
		n -= chunk;
	}
}

/* Deletes, then creates, each as if it were the only verb. */
static void replace(struct kern *kern, struct arena *arena, struct op *ops, size_t n)
{
	delete_links(kern, arena, ops, n);
	for (size_t i = 0; i < n; i++) {
		if (ops[i].result) /* it still stands */
			continue;
		ops[i].done = false;
		create(kern, arena, &ops[i], 1);
	}
}

void link_apply(struct kern *kern, struct arena *arena, struct op *ops, size_t n)
{
	while (n) {
		size_t run = 1;

		while (run < n && ops[run].verb == ops[0].verb)
			run++;
		switch (ops[0].verb) {
		case OP_ADD:
			create(kern, arena, ops, run);
			break;
		case OP_CHANGE:
		case OP_ADOPT:
			change(kern, arena, ops, run);
			break;
		case OP_REPLACE:
			replace(kern, arena, ops, run);
			break;
		case OP_DELETE:
			delete_links(kern, arena, ops, run);
			break;
		case OP_FOUND:
		case OP_FORGET:
		case OP_CONFLICT:
			break;
		}
		ops += run;
		n -= run;
	}
}
