/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A namespace for each test, and short words for what tests do in it. */
#include "kernel/ground.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

int ground_new(void **state)
{
	struct ground *ground = calloc(1, sizeof(*ground));

	if (!ground || unshare(CLONE_NEWNET))
		return -1;
	*state = ground;
	ground_sh("ip link set lo up");
	if (kernel_open(&ground->kernel, &ground->err)) {
		print_error("%s\n", ground->err.sentence);
		return -1;
	}
	return 0;
}

int ground_free(void **state)
{
	struct ground *ground = *state;

	if (ground->kernel)
		ground->kernel->vt->close(ground->kernel);
	objects_done(&ground->observed);
	facts_done(&ground->facts);
	vec_done(&ground->gone);
	scope_done(&ground->scope);
	arena_done(&ground->arena);
	free(ground);
	return 0;
}

/* Runs a shell line with its output in fd; its status as wait gives it. */
static int run(const char *line, int fd)
{
	const char *const argv[] = {"/bin/sh", "-c", line, NULL};
	posix_spawn_file_actions_t actions;
	pid_t child;
	int status = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (!posix_spawn(&child, argv[0], &actions, NULL, (char *const *)argv, environ))
		waitpid(child, &status, 0);
	posix_spawn_file_actions_destroy(&actions);
	return status;
}

void ground_sh(const char *fmt, ...)
{
	char line[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	int status = run(line, STDERR_FILENO);
	if (status)
		print_error("%s: status %d\n", line, status);
	assert_int_equal(status, 0);
}

void ground_prints(const char *expected, const char *line)
{
	char output[4096] = {0};
	cleanup_fd int fd = memfd_create("output", MFD_CLOEXEC);

	assert_true(fd >= 0);
	run(line, fd);
	assert_true(pread(fd, output, sizeof(output) - 1, 0) >= 0);
	assert_string_equal(output, expected);
}

void ground_look(struct ground *ground)
{
	objects_done(&ground->observed);
	ground->observed.arena = &ground->arena;
	int error = kernel_observe(ground->kernel, &ground->arena, &ground->observed,
				   &ground->facts, &ground->err);
	if (error)
		print_error("observe: %s\n", ground->err.sentence);
	assert_int_equal(error, 0);
	ground->kernel->vt->ask_remotes(ground->kernel, &ground->arena, &ground->facts.remotes);
}

void *ground_find(struct ground *ground, enum kind_id kind, const char *key)
{
	const struct object_list *list = &ground->observed.kind[kind];

	for (size_t i = 0; i < list->len; i++)
		if (strcmp(kind_key_text(kinds[kind], list->v[i], &ground->arena), key) == 0)
			return list->v[i];
	return NULL;
}

int ground_apply(struct ground *ground, struct op *op)
{
	ground->kernel->vt->apply(ground->kernel, &ground->arena, op, 1);
	assert_true(op->done);
	if (op->result)
		assert_non_null(op->message);
	return op->result;
}

int ground_add(struct ground *ground, enum kind_id kind, const void *want)
{
	struct op op = {.verb = OP_ADD, .kind = kind, .want = want};

	return ground_apply(ground, &op);
}

int ground_delete(struct ground *ground, enum kind_id kind, const void *have)
{
	struct op op = {.verb = OP_DELETE, .kind = kind, .have = have};

	return ground_apply(ground, &op);
}

struct kernel_events ground_events(struct ground *ground, bool until_look)
{
	struct pollfd fd = {.fd = ground->kernel->vt->events_fd(ground->kernel), .events = POLLIN};
	struct kernel_events sum = {0};

	while (poll(&fd, 1, until_look ? 2000 : 50) > 0) {
		struct kernel_events events = {.culprit = sum.culprit};

		ground->kernel->vt->events_read(ground->kernel, &ground->scope, &events);
		sum.look |= events.look;
		sum.overrun |= events.overrun;
		for (size_t i = 0; i < events.gone.len; i++)
			vec_push(&ground->gone, events.gone.v[i]);
		vec_done(&events.gone);
		sum.culprit = events.culprit;
		if (sum.look && until_look)
			break;
	}
	return sum;
}

void ground_quiet(struct ground *ground)
{
	ground_events(ground, false);
	scope_done(&ground->scope);
	vec_clear(&ground->gone);
}

struct addr ground_addr(const char *s)
{
	struct addr addr = {0};

	assert_int_equal(addr_parse(s, &addr), 0);
	return addr;
}

struct prefix ground_prefix(const char *s)
{
	struct prefix prefix = {0};

	assert_int_equal(prefix_parse(s, &prefix), 0);
	return prefix;
}
