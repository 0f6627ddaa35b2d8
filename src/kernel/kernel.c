/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real kernel behind the vtable: opens everything, and hands each kind to its adapter.
 */
#include "kernel/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "kernel/count.h"
#include "kernel/events.h"
#include "kernel/question.h"
#include "kernel/tracer.h"

/* In the order in which they are read: each may need what was read before it. */
static const struct kern_adapter *const adapters[] = {
	&link_adapter, &address_adapter, &sysctl_adapter, &rule_adapter, &route_adapter,
};

enum { FIRST_DELETE_CHUNK = 256 };

static struct kern *kern_of(struct kernel *kernel)
{
	return (struct kern *)kernel; /* its first member */
}

/* For the events: a route that covers one of these can change what its tunnel needs. Watched
 * before they are asked about, so that no change is missed. */
static void watch_remotes(struct kern *kern, const struct vec_remotes *remotes)
{
	for (size_t i = 0; i < remotes->len; i++)
		vec_push(&kern->remotes, remotes->v[i].remote);
	vec_sort(&kern->remotes, addr_compare);
}

static void ask_remotes(struct kernel *kernel, struct arena *arena, struct vec_remotes *remotes)
{
	struct kern *kern = kern_of(kernel);

	watch_remotes(kern, remotes);
	question_remotes(kern, remotes, arena);
}

static void observe_begin(struct kern *kern, struct arena *arena, struct look *look)
{
	look->observed->arena = arena;
	vec_clear(&look->facts->links);
	vec_clear(&look->facts->addrs);
	look->facts->ipv6 = kern->sysctls.ipv6_fd >= 0;
	vec_clear(&kern->remotes);
	watch_remotes(kern, &look->facts->remotes);
}

static int observe(struct kernel *kernel, unsigned part, struct arena *arena,
		   struct objects *observed, struct facts *facts, struct err *err)
{
	struct kern *kern = kern_of(kernel);
	struct look look = {observed, facts};
	int error;

	if (part == 0)
		observe_begin(kern, arena, &look);
	if (part < ARRAY_LEN(adapters)) {
		error = adapters[part]->dump(kern, &look, err);
		return error ? error : 1;
	}
	if (part == ARRAY_LEN(adapters)) {
		error = nft_observe(kern->nft, arena, observed, err);
		return error ? error : 1;
	}
	objects_sort(observed);
	facts_sort(facts);
	return 0;
}

static int dump_and_pick(struct kern *kern, const struct kern_adapter *adapter,
			 const struct scope *scope, struct look *look, struct err *err)
{
	struct facts facts = {0};
	struct objects dumped = {.arena = look->observed->arena};
	enum kind_id kind = adapter->kind;
	int error = adapter->dump(kern, &(struct look){&dumped, &facts}, err);
	objects_sort(&dumped);
	if (!error)
		scope_pick(scope, kind, &dumped, look->observed);
	objects_done(&dumped);
	if (!error && kind == KIND_ADDRESS) {
		struct vec_addrs before = look->facts->addrs;

		look->facts->addrs = facts.addrs;
		facts.addrs = before;
		facts_sort(look->facts);
	}
	facts_done(&facts);
	return error;
}

/* An address that was told to be gone is none of the host's. */
static void drop_told(const struct object_list *addresses, struct facts *facts)
{
	for (size_t i = 0; i < addresses->len; i++) {
		const struct address *a = (const struct address *)addresses->v[i];

		if (a->head.marks & OBJECT_TOLD_GONE)
			facts_drop_addrs(facts, a->device, a->prefix.addr);
	}
}

static int look_at(struct kern *kern, const struct kern_adapter *adapter, const struct scope *scope,
		   struct look *look, struct err *err)
{
	struct object_list untold = {0};
	int error = 0;

	if (scope_is_whole(scope, adapter->kind))
		return dump_and_pick(kern, adapter, scope, look, err);
	scope_believe(scope, adapter->kind, look->observed, &untold);
	if (adapter->kind == KIND_ADDRESS)
		drop_told(&scope->keys.kind[KIND_ADDRESS], look->facts);
	if (untold.len && adapter->look_at)
		error = adapter->look_at(kern, &untold, look, err);
	else if (untold.len)
		error = dump_and_pick(kern, adapter, scope, look, err);
	free(untold.v);
	return error;
}

static int observe_some(struct kernel *kernel, struct arena *arena, const struct scope *scope,
			struct objects *observed, struct facts *facts, struct err *err)
{
	struct kern *kern = kern_of(kernel);
	struct look look = {observed, facts};
	int error = 0;

	observed->arena = arena;
	for (size_t i = 0; i < ARRAY_LEN(adapters) && !error; i++)
		error = look_at(kern, adapters[i], scope, &look, err);
	if (!error && scope_is_whole(scope, KIND_NFT_ELEMENT))
		error = nft_observe(kern->nft, arena, observed, err);
	else if (!error && scope->keys.kind[KIND_NFT_ELEMENT].len)
		error = nft_observe_elements(kern->nft, &scope->keys.kind[KIND_NFT_ELEMENT],
					     observed, err);
	objects_sort(observed);
	return error;
}

static void apply(struct kernel *kernel, struct arena *arena, struct op *ops, size_t n)
{
	struct kern *kern = kern_of(kernel);

	for (size_t i = 0; i < n; i++)
		ops[i].done = false;
	for (size_t i = 0; i < ARRAY_LEN(adapters) && n; i++) {
		const struct kern_adapter *adapter = adapters[i];

		if (adapter->kind != ops[0].kind)
			continue;
		if (adapter->apply)
			adapter->apply(kern, arena, ops, n);
		else
			adapter_apply(adapter, kern, arena, ops, n);
		return;
	}
	if (n)
		nft_apply(kern->nft, arena, ops, n);
}

static uint32_t ifindex(struct kernel *kernel, const char *device)
{
	return names_index(&kern_of(kernel)->names, device);
}

static int get_events_fd(struct kernel *kernel)
{
	return events_fd(kern_of(kernel)->events);
}

static void read_events(struct kernel *kernel, struct scope *scope, struct kernel_events *events)
{
	events_take(kern_of(kernel), scope, events);
}

static int route(struct kernel *kernel, const struct route_question *question,
		 struct route_answer *answer, struct err *err)
{
	return question_route(kern_of(kernel), question, answer, err);
}

static int link_stats(struct kernel *kernel, const char *device, struct link_stats *stats,
		      struct err *err)
{
	return question_link_stats(kern_of(kernel), device, stats, err);
}

static int count(struct kernel *kernel, unsigned what, struct counted *counted, struct err *err)
{
	struct kern *kern = kern_of(kernel);
	int error = what & COUNT_LINKS ? count_links(kern, &counted->links, err) : 0;

	return error || !(what & COUNT_ELEMENTS) ? error : nft_count(kern->nft, counted, err);
}

static int neighbour(struct kernel *kernel, const char *device, struct addr addr,
		     struct neighbour *to, struct err *err)
{
	return question_neighbour(kern_of(kernel), device, addr, to, err);
}

static int sysctl(struct kernel *kernel, const char *device, const char *name, int *value,
		  struct err *err)
{
	int error = sysctl_ask(kern_of(kernel)->sysctls.ipv4_fd, device, name, value);

	return error ? err_set(err, error, "net.ipv4.conf.%s.%s: %s", device, name,
			       strerror(-error))
		     : 0;
}

static int trace_open(struct kernel *kernel, const struct trace_question *question, struct err *err)
{
	return tracer_open(kern_of(kernel), question, err);
}

static int trace_read(struct kernel *kernel, struct trace_seen *seen, struct err *err)
{
	return tracer_read(kern_of(kernel), seen, err);
}

static int trace_close(struct kernel *kernel, struct err *err)
{
	return tracer_close(kern_of(kernel), err);
}

static int rulesets(unused_ struct kernel *kernel, struct ruleset *ruleset, struct err *err)
{
	return ruleset_read(ruleset, err);
}

static void kern_close(struct kernel *kernel)
{
	struct kern *kern = kern_of(kernel);
	struct err ignored;

	(void)!tracer_close(kern, &ignored);
	events_close(kern->events);
	if (kern->nft)
		nft_close(kern->nft);
	netlink_close(kern->netlink);
	sysctl_close(&kern->sysctls);
	names_done(&kern->names);
	vec_done(&kern->remotes);
	free(kern);
}

static const struct kernel_vtable vtable = {
	.observe = observe,
	.observe_some = observe_some,
	.ask_remotes = ask_remotes,
	.apply = apply,
	.ifindex = ifindex,
	.events_fd = get_events_fd,
	.events_read = read_events,
	.route = route,
	.link_stats = link_stats,
	.count = count,
	.neighbour = neighbour,
	.sysctl = sysctl,
	.trace_open = trace_open,
	.trace_read = trace_read,
	.trace_close = trace_close,
	.rulesets = rulesets,
	.close = kern_close,
};

/* The kernel looks at the privilege first, then at the message, which changes no device. */
static int check_privilege(struct kern *kern, struct err *err)
{
	cleanup_arena struct arena arena = {0};
	cleanup_batch struct batch batch = {.arena = &arena};
	struct ifinfomsg header = {0};

	batch_add(&batch, netlink_message(RTM_SETLINK, 0, &header, sizeof(header)), 0);
	batch_send(kern->netlink, &batch);
	if (batch.requests.v[0].result == -EPERM)
		return err_set(err, -EPERM, "CAP_NET_ADMIN is needed in this network namespace");
	return 0;
}

static uint32_t random_index(void)
{
	uint32_t random = 0;

	/* any start will do: a taken index is tried again with the next */
	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return 0x20000000 + (random & 0x3fffffff);
}

/* Events first, so that nothing is missed between a dump and the first look at them. */
static int open_sockets(struct kern *kern, struct err *err)
{
	int error = netlink_open(&kern->netlink, NETLINK_ROUTE, err);

	if (!error)
		error = check_privilege(kern, err);
	if (!error)
		error = events_open(&kern->events, adapters, ARRAY_LEN(adapters), err);
	if (!error)
		error = nft_open(&kern->nft, err);
	if (!error)
		events_ignore(kern->events, netlink_port(kern->netlink), nft_port(kern->nft));
	return error;
}

int kernel_open(struct kernel **kernel, struct err *err)
{
	struct kern *kern = xcalloc(1, sizeof(*kern));
	struct err ignored;

	kern->kernel.vt = &vtable;
	kern->next_index = random_index();
	kern->delete_chunk = FIRST_DELETE_CHUNK;
	sysctl_open(&kern->sysctls);
	int error = open_sockets(kern, err);
	if (error) {
		kern_close(&kern->kernel);
		return error;
	}
	(void)!tracer_sweep(kern, &ignored);
	*kernel = &kern->kernel;
	return 0;
}

int kernel_namespace_cookie(uint64_t *cookie)
{
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &size))
		return -errno;
	return 0;
}

int kernel_boot_id(char boot_id[static 37])
{
	cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[37] = {0};

	if (fd < 0)
		return -errno;
	if (read(fd, id, 36) != 36)
		return -EIO;
	memcpy(boot_id, id, sizeof(id));
	return 0;
}
