/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The one epoll loop: file descriptors, timers on the monotonic clock, signals, and hooks
 * that run once a turn. Nothing here blocks but loop_run's own epoll_wait.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/err.h"

struct loop;
struct loop_watch;
struct loop_timer;

int loop_new(struct loop **loop, struct err *err) must_check;
void loop_free(struct loop *loop);
/* Turns until loop_stop; returns the code given there. Can be run again. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop, int exit_code);

uint64_t loop_now_ms(void); /* CLOCK_MONOTONIC */
uint64_t loop_now_us(void);
/* When this turn began: where the clock is read by a system call, that costs as much as a send. */
uint64_t loop_turn_ms(const struct loop *loop);
int64_t loop_wall_ms(void); /* since the epoch */

/* Level-triggered EPOLLIN. */
struct loop_watch *loop_watch_fd(struct loop *loop, int fd, void (*ready)(void *user), void *user);
/* Before the descriptor is closed. From any callback, the watch's own too. */
void loop_unwatch(struct loop *loop, struct loop_watch *watch);

/* A timer that is not armed; arm again at will, from its own callback too. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*fire)(void *user), void *user);
void loop_timer_free(struct loop *loop, struct loop_timer *timer);
void loop_timer_arm(struct loop *loop, struct loop_timer *timer, uint64_t at_ms);
void loop_timer_disarm(struct loop *loop, struct loop_timer *timer);
/* when it will fire, 0 when it is not armed */
uint64_t loop_timer_at(const struct loop_timer *timer);

/* Called for each signal of those given (they are blocked and read by signalfd). */
int loop_signals(struct loop *loop, const int *signals, unsigned n,
		 void (*signal)(void *user, int number), void *user, struct err *err) must_check;

/*
 * A guest's turn, in the order of registration: run is called once every turn, after
 * descriptors and timers; wait tells how long the loop may sleep at most (UINT64_MAX: no
 * limit), in ms. NULL for a hook without that half.
 */
void loop_hook(struct loop *loop, void (*run)(void *user), uint64_t (*wait_ms)(void *user),
	       void *user);
/* Removes the hooks of that user; from inside a hook too. */
void loop_unhook(struct loop *loop, void *user);
