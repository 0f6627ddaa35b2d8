/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fake kernel's face: the vtable of kernel.h over fake_state.c, fake_apply.c and
 * fake_route.c. See fake_kernel.h.
 */
#include "failpoint.h"
#include "fake_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

static bool in(uint32_t value, uint32_t first, uint32_t last)
{
	return value >= first && value <= last;
}

uint32_t fake_link_marks(const struct link *link)
{
	uint32_t database_id;

	if (link->group == OUR_DOOMED_GROUP)
		return OBJECT_OURS | OBJECT_DOOMED;
	return link->group == OUR_GROUP || alias_parse(link->alias, &database_id) ? OBJECT_OURS : 0;
}

static uint32_t marks(enum kind_id kind, const struct object *object)
{
	switch (kind) {
	case KIND_LINK:
		return fake_link_marks((const struct link *)object);
	case KIND_ROUTE:
		return ((const struct route *)object)->protocol == OUR_PROTOCOL ? OBJECT_OURS : 0;
	case KIND_RULE:
		return ((const struct rule *)object)->protocol == OUR_PROTOCOL ? OBJECT_OURS : 0;
	case KIND_NFT_TABLE:
	case KIND_NFT_SET:
	case KIND_NFT_ELEMENT:
	case KIND_NFT_CHAIN:
		return OBJECT_OURS;
	case KIND_TUNNEL:
	case KIND_EXIT_ROUTE:
	case KIND_NAT_RULE:
	case KIND_ADDRESS:
	case KIND_SYSCTL:
	case KIND_NFT_RULE:
		break;
	}
	return 0;
}

/* What the kernel's adapters would show: not other tables, not other priorities. */
static bool is_shown(enum kind_id kind, const struct object *object)
{
	if (kind == KIND_LINK)
		return strcmp(((const struct link *)object)->device, "tunl0") != 0;
	if (kind == KIND_ROUTE)
		return in(((const struct route *)object)->table, OUR_TABLE_FIRST, OUR_TABLE_LAST);
	if (kind == KIND_RULE)
		return in(((const struct rule *)object)->priority, OUR_RULE_FIRST, OUR_RULE_LAST);
	return kind != KIND_SYSCTL;
}

void fake_show(enum kind_id kind, const struct object *object, struct arena *arena,
	       struct objects *observed)
{
	if (!is_shown(kind, object))
		return;
	struct object *copy = kind_copy(kinds[kind], object, arena);
	struct object *shown = objects_add(observed, kind);
	memcpy(shown, copy, kinds[kind]->size);
	shown->marks = marks(kind, shown);
}

static void show(const struct fake *fake, struct arena *arena, struct objects *observed)
{
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++)
		for (size_t i = 0; i < fake->state.kind[kind].len; i++)
			fake_show(kind, fake->state.kind[kind].v[i], arena, observed);
	objects_sort(observed);
}

static uint32_t sysctl_of(const struct fake *fake, const char *device, enum sysctl_name name)
{
	struct sysctl key = {.head.set = kind_all(&sysctl_kind), .name = (uint8_t)name};

	snprintf(key.device, sizeof(key.device), "%s", device);
	const struct sysctl *sysctl = (const struct sysctl *)fake_state_find(fake, KIND_SYSCTL,
									     &key);
	return sysctl ? sysctl->value : 0;
}

struct fact_link fake_link_fact(const struct fake *fake, const struct link *link)
{
	struct fact_link fact = {
		.ifindex = link->ifindex,
		.mtu = link->mtu,
		.up = link->up,
		.ours = fake_link_marks(link),
		.adoptable = link_is_adoptable(link),
		.loopback = strcmp(link->device, "lo") == 0,
		.local = link->local,
		.remote = link->remote,
		.forwarding = sysctl_of(fake, link->device, SYSCTL_FORWARDING),
		.rp_filter = (uint8_t)sysctl_of(fake, link->device, SYSCTL_RP_FILTER),
	};

	memcpy(fact.device, link->device, sizeof(fact.device));
	memcpy(fact.driver, link->driver, sizeof(fact.driver));
	return fact;
}

static void link_facts(const struct fake *fake, struct facts *facts)
{
	const struct object_list *list = &fake->state.kind[KIND_LINK];

	vec_clear(&facts->links);
	for (size_t i = 0; i < list->len; i++)
		vec_push(&facts->links, fake_link_fact(fake, (const struct link *)list->v[i]));
}

void fake_addr_facts(const struct fake *fake, struct facts *facts)
{
	const struct object_list *list = &fake->state.kind[KIND_ADDRESS];

	vec_clear(&facts->addrs);
	for (size_t i = 0; i < list->len; i++) {
		const struct address *address = (const struct address *)list->v[i];
		struct fact_addr *fact = vec_add(&facts->addrs);

		fact->addr = address->prefix.addr;
		fact->len = address->prefix.len;
		memcpy(fact->device, address->device, sizeof(fact->device));
	}
}

static void ask_remotes(struct kernel *kernel, unused_ struct arena *arena,
			struct vec_remotes *remotes)
{
	const struct fake *fake = (const struct fake *)kernel;

	for (size_t i = 0; i < remotes->len; i++) {
		struct fact_remote *remote = &remotes->v[i];
		struct route_question question = {.to = remote->remote, .underlay = true};
		struct route_answer answer;

		remote->error = fake_route_lookup(fake, &question, remote->underlay, &answer);
		if (in(answer.table, OUR_TABLE_FIRST, OUR_TABLE_LAST))
			remote->error = -EAGAIN;
		memcpy(remote->device, answer.device, sizeof(remote->device));
		remote->source = answer.source;
		remote->mtu = answer.mtu;
	}
}

static int observe(struct kernel *kernel, unsigned part, struct arena *arena,
		   struct objects *observed, struct facts *facts, struct err *err)
{
	struct fake *fake = (struct fake *)kernel;

	if (part == 0) {
		observed->arena = arena;
		return 1; /* all there is comes with the second */
	}
	fake_script_run(fake);
	int refused = fake->refuse_observe ? fake->refuse_observe : failpoint_error("fake.observe");
	if (refused)
		return err_set(err, refused, "observe: %s", strerror(-refused));
	show(fake, arena, observed);
	link_facts(fake, facts);
	fake_addr_facts(fake, facts);
	facts_sort(facts);
	facts->ip_forward = fake->ip_forward;
	facts->ipv6 = true;
	facts->default_forwarding = fake->ip_forward;
	facts->default_rp_filter = (uint8_t)fake->default_rp_filter;
	return 0;
}

static uint32_t ifindex(struct kernel *kernel, const char *device)
{
	const struct link *link = fake_state_link((struct fake *)kernel, device);

	return link ? link->ifindex : 0;
}

static int events_fd(struct kernel *kernel)
{
	return ((struct fake *)kernel)->inotify_fd;
}

/* Our own writes of `state` wake the descriptor too, and mean nothing. */
static void events_read(struct kernel *kernel, struct scope *scope, struct kernel_events *events)
{
	struct fake *fake = (struct fake *)kernel;
	char buf[4096];

	*events = (struct kernel_events){.culprit = events->culprit};
	while (fake->inotify_fd >= 0 && read(fake->inotify_fd, buf, sizeof(buf)) > 0)
		continue;
	struct fake_memory memory;
	fake_look_remember(fake, &memory);
	events->look = fake_script_run(fake) && !fake->quiet;
	if (events->look) {
		fake_look_compare(fake, &memory, scope);
		culprit_join(&events->culprit, &fake->by);
		events->culprit.changed = true;
	}
	events->overrun = fake->overrun;
	events->ruleset = fake->foreign.changed;
	fake->foreign.changed = false;
	events->culprit.several |= fake->overrun;
	scope->everything |= fake->overrun;
	fake->overrun = false;
	events->gone = fake->gone;
	fake->gone = (struct counted_links){0};
	fake_look_forget(&memory);
}

static int route(struct kernel *kernel, const struct route_question *question,
		 struct route_answer *answer, unused_ struct err *err)
{
	fake_script_run((struct fake *)kernel);
	fake_route_lookup((struct fake *)kernel, question, "", answer);
	return 0;
}

static int link_stats(struct kernel *kernel, const char *device, struct link_stats *stats,
		      struct err *err)
{
	if (!fake_state_link((struct fake *)kernel, device))
		return err_set(err, -ENODEV, "link %s: %s", device, strerror(ENODEV));
	*stats = fake_count_link((struct fake *)kernel,
				 fake_state_link((struct fake *)kernel, device));
	return 0;
}

static void close_fake(struct kernel *kernel)
{
	struct fake *fake = (struct fake *)kernel;

	fake_state_done(fake);
	vec_done(&fake->failures);
	text_done(&fake->later);
	vec_done(&fake->link_counts);
	vec_done(&fake->element_counts);
	vec_done(&fake->gone);
	fake_ruleset_clear(fake);
	vec_done(&fake->neighbours);
	if (fake->inotify_fd >= 0)
		close(fake->inotify_fd);
	free(fake->directory);
	free(fake);
}

static const struct kernel_vtable vtable = {
	.observe = observe,
	.observe_some = fake_look_at,
	.ask_remotes = ask_remotes,
	.apply = fake_apply,
	.ifindex = ifindex,
	.events_fd = events_fd,
	.events_read = events_read,
	.route = route,
	.link_stats = link_stats,
	.count = fake_count,
	.rulesets = fake_rulesets,
	.neighbour = fake_neighbour,
	.sysctl = fake_sysctl,
	.trace_open = fake_trace_open,
	.trace_read = fake_trace_read,
	.trace_close = fake_trace_close,
	.close = close_fake,
};

static int watch_directory(struct fake *fake, struct err *err)
{
	fake->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fake->inotify_fd < 0 ||
	    inotify_add_watch(fake->inotify_fd, fake->directory, IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
		return err_set(err, -errno, "fake kernel: %s: %s", fake->directory,
			       strerror(errno));
	return 0;
}

int kernel_open(struct kernel **kernel, struct err *err)
{
	struct fake *fake = xcalloc(1, sizeof(*fake));
	const char *directory = getenv("IPIPD_FAKE_KERNEL");

	fake->kernel.vt = &vtable;
	fake->inotify_fd = -1;
	if (directory) {
		fake->directory = xstrdup(directory);
		int ret = watch_directory(fake, err);
		if (ret < 0) {
			close_fake(&fake->kernel);
			return ret;
		}
		fake_state_load(fake);
	}
	if (!fake_state_link(fake, "lo")) {
		fake_script_line(fake, "link lo mtu 65536");
		fake_script_line(fake, "addr lo 127.0.0.1/8");
	}
	fake_script_run(fake);
	*kernel = &fake->kernel;
	return 0;
}

/* The first line of a file of the directory; false without. */
static bool read_line(const char *name, char *line, size_t size)
{
	const char *directory = getenv("IPIPD_FAKE_KERNEL");
	cleanup_text struct text path = {0};

	if (!directory)
		return false;
	text_addf(&path, "%s/%s", directory, name);
	FILE *file = fopen(path.s, "re");
	if (!file)
		return false;
	bool got = fgets(line, (int)size, file);
	fclose(file);
	if (got)
		line[strcspn(line, "\n")] = '\0';
	return got;
}

int kernel_namespace_cookie(uint64_t *cookie)
{
	char line[32];

	*cookie = read_line("cookie", line, sizeof(line)) ? strtoull(line, NULL, 0) : 1;
	return 0;
}

int kernel_boot_id(char boot_id[static 37])
{
	char line[64];

	snprintf(boot_id, 37, "%.36s",
		 read_line("boot_id", line, sizeof(line)) ? line
							  : "00000000-0000-4000-8000-000000000001");
	return 0;
}
