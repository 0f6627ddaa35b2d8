/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop: one epoll descriptor, timers in a flat array (the agent has a dozen), hooks. What
 * is to be done about a descriptor or a timer is its owner's business.
 */
#include "daemon/loop.h"

#include "base/cleanup.h"
#include "base/vec.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>

enum { EVENTS_MAX = 64 };

struct loop_watch {
	int fd;
	bool dead; /* removed in this turn; its event may still be in the batch */
	void (*ready)(void *user);
	void *user;
};

struct loop_timer {
	uint64_t at_ms; /* 0: not armed */
	bool dead;
	void (*fire)(void *user);
	void *user;
};

struct loop_hook {
	void (*run)(void *user); /* NULL: without */
	uint64_t (*wait_ms)(void *user);
	void *user;
};

struct loop {
	int epoll_fd;
	int signal_fd; /* -1: none */
	struct loop_watch *signal_watch;
	void (*signal)(void *user, int number);
	void *signal_user;
	struct vec_of(struct loop_watch *) watches;
	struct vec_of(struct loop_timer *) timers;
	struct vec_of(struct loop_hook) hooks;
	bool buried;      /* a dead watch or timer waits to be freed */
	uint64_t turn_ms; /* when it woke last */
	bool stopped;
	int exit_code;
};

int loop_new(struct loop **loop, struct err *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "epoll: %s", strerror(errno));
	struct loop *made = xcalloc(1, sizeof(*made));

	made->epoll_fd = fd;
	made->signal_fd = -1;
	*loop = made;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	for (size_t i = 0; i < loop->watches.len; i++)
		free(loop->watches.v[i]);
	for (size_t i = 0; i < loop->timers.len; i++)
		free(loop->timers.v[i]);
	vec_done(&loop->watches);
	vec_done(&loop->timers);
	vec_done(&loop->hooks);
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
	close(loop->epoll_fd);
	free(loop);
}

uint64_t loop_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t loop_now_ms(void)
{
	return loop_now_us() / 1000;
}

uint64_t loop_turn_ms(const struct loop *loop)
{
	return loop->turn_ms ? loop->turn_ms : loop_now_ms();
}

int64_t loop_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct loop_watch *loop_watch_fd(struct loop *loop, int fd, void (*ready)(void *user), void *user)
{
	struct loop_watch *watch = xcalloc(1, sizeof(*watch));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

	*watch = (struct loop_watch){.fd = fd, .ready = ready, .user = user};
	/* fails for a bad or twice watched descriptor (our mistake), or without memory */
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		assert(errno == ENOMEM || errno == ENOSPC);
		out_of_memory(sizeof(*watch));
	}
	vec_push(&loop->watches, watch);
	return watch;
}

void loop_unwatch(struct loop *loop, struct loop_watch *watch)
{
	if (!watch)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->dead = true;
	loop->buried = true;
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*fire)(void *user), void *user)
{
	struct loop_timer *timer = xcalloc(1, sizeof(*timer));

	*timer = (struct loop_timer){.fire = fire, .user = user};
	vec_push(&loop->timers, timer);
	return timer;
}

void loop_timer_free(struct loop *loop, struct loop_timer *timer)
{
	if (!timer)
		return;
	timer->at_ms = 0;
	timer->dead = true;
	loop->buried = true;
}

void loop_timer_arm(unused_ struct loop *loop, struct loop_timer *timer, uint64_t at_ms)
{
	timer->at_ms = at_ms ? at_ms : 1;
}

void loop_timer_disarm(unused_ struct loop *loop, struct loop_timer *timer)
{
	timer->at_ms = 0;
}

uint64_t loop_timer_at(const struct loop_timer *timer)
{
	return timer->at_ms;
}

static void signals_ready(void *user)
{
	struct loop *loop = user;
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof(info)) == sizeof(info))
		loop->signal(loop->signal_user, (int)info.ssi_signo);
}

int loop_signals(struct loop *loop, const int *signals, unsigned n,
		 void (*signal)(void *user, int number), void *user, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < n; i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_set(err, -errno, "signals: %s", strerror(errno));
	int fd = signalfd(loop->signal_fd, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "signals: %s", strerror(errno));
	loop->signal_fd = fd;
	loop->signal = signal;
	loop->signal_user = user;
	if (!loop->signal_watch)
		loop->signal_watch = loop_watch_fd(loop, fd, signals_ready, loop);
	return 0;
}

void loop_hook(struct loop *loop, void (*run)(void *user), uint64_t (*wait_ms)(void *user),
	       void *user)
{
	vec_push(&loop->hooks, ((struct loop_hook){run, wait_ms, user}));
}

void loop_unhook(struct loop *loop, void *user)
{
	/* emptied, not removed: it may be called from a hook */
	for (size_t i = 0; i < loop->hooks.len; i++)
		if (loop->hooks.v[i].user == user)
			loop->hooks.v[i] = (struct loop_hook){0};
}

static int sleep_ms(const struct loop *loop)
{
	uint64_t now = loop_now_ms(), wait = UINT64_MAX;

	for (size_t i = 0; i < loop->timers.len; i++) {
		uint64_t at = loop->timers.v[i]->at_ms;
		uint64_t left = at > now ? at - now : 0;

		if (at && left < wait)
			wait = left;
	}
	for (size_t i = 0; i < loop->hooks.len; i++) {
		const struct loop_hook *hook = &loop->hooks.v[i];
		uint64_t left = hook->wait_ms ? hook->wait_ms(hook->user) : UINT64_MAX;

		if (left < wait)
			wait = left;
	}
	if (wait == UINT64_MAX)
		return -1;
	return wait < INT_MAX ? (int)wait : INT_MAX;
}

static void wait_and_dispatch(struct loop *loop)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, sleep_ms(loop));

	loop->turn_ms = loop_now_ms();
	for (int i = 0; i < n; i++) {
		struct loop_watch *watch = events[i].data.ptr;

		if (!watch->dead)
			watch->ready(watch->user);
	}
}

static void fire_timers(struct loop *loop)
{
	uint64_t now = loop->turn_ms;

	/* each is looked at once a turn, so that one which arms itself for "now" cannot keep
	 * the rest of the loop from running */
	for (size_t i = 0, n = loop->timers.len; i < n; i++) {
		struct loop_timer *timer = loop->timers.v[i];

		if (!timer->at_ms || timer->at_ms > now)
			continue;
		timer->at_ms = 0;
		timer->fire(timer->user);
	}
}

static void run_hooks(struct loop *loop)
{
	for (size_t i = 0; i < loop->hooks.len; i++)
		if (loop->hooks.v[i].run)
			loop->hooks.v[i].run(loop->hooks.v[i].user);
}

static void bury(struct loop *loop)
{
	size_t kept = 0;

	if (!loop->buried)
		return;
	for (size_t i = 0; i < loop->watches.len; i++)
		if (loop->watches.v[i]->dead)
			free(loop->watches.v[i]);
		else
			loop->watches.v[kept++] = loop->watches.v[i];
	loop->watches.len = kept;
	kept = 0;
	for (size_t i = 0; i < loop->timers.len; i++)
		if (loop->timers.v[i]->dead)
			free(loop->timers.v[i]);
		else
			loop->timers.v[kept++] = loop->timers.v[i];
	loop->timers.len = kept;
	loop->buried = false;
}

int loop_run(struct loop *loop)
{
	while (!loop->stopped) {
		wait_and_dispatch(loop);
		fire_timers(loop);
		run_hooks(loop);
		bury(loop);
	}
	loop->stopped = false;
	return loop->exit_code;
}

void loop_stop(struct loop *loop, int exit_code)
{
	loop->stopped = true;
	loop->exit_code = exit_code;
}
