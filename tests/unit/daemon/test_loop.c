/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: descriptors, timers, signals and hooks, turned until a callback stops it. */
#include "daemon/loop.h"

#include "base/arena.h"
#include "base/cleanup.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

struct scene {
	struct loop *loop;
	int fd[2];
	struct loop_watch *watch[2];
	struct loop_timer *timer[2];
	unsigned ready, fired, turns;
	int signal;
	char order[32];
};

static void note(struct scene *scene, char c)
{
	scene->order[strlen(scene->order)] = c;
}

static int setup(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));

	assert_int_equal(loop_new(&scene->loop, NULL), 0);
	for (int i = 0; i < 2; i++)
		scene->fd[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	loop_free(scene->loop);
	close(scene->fd[0]);
	close(scene->fd[1]);
	free(scene);
	return 0;
}

static void stop(void *user)
{
	struct scene *scene = user;

	scene->fired++;
	loop_stop(scene->loop, 7);
}

static void ready_twice(void *user)
{
	struct scene *scene = user;

	if (++scene->ready == 2) /* nothing was read: level-triggered */
		loop_stop(scene->loop, 3);
}

static void reports_a_descriptor_as_long_as_it_is_readable(void **state)
{
	struct scene *scene = *state;

	loop_watch_fd(scene->loop, scene->fd[0], ready_twice, scene);
	assert_int_equal(loop_run(scene->loop), 3);
	assert_int_equal(scene->ready, 2);
}

static void unwatch_both(void *user)
{
	struct scene *scene = user;

	scene->ready++;
	for (int i = 0; i < 2; i++)
		loop_unwatch(scene->loop, scene->watch[i]);
}

static void a_watch_removed_by_another_callback_of_the_same_batch_is_not_called(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < 2; i++)
		scene->watch[i] = loop_watch_fd(scene->loop, scene->fd[i], unwatch_both, scene);
	struct loop_timer *end = loop_timer_new(scene->loop, stop, scene);
	loop_timer_arm(scene->loop, end, loop_now_ms() + 20);
	assert_int_equal(loop_run(scene->loop), 7);
	assert_int_equal(scene->ready, 1);
}

static void fire_a(void *user)
{
	note(user, 'a');
}

static void fire_b(void *user)
{
	struct scene *scene = user;

	note(scene, 'b');
	loop_stop(scene->loop, 0);
}

static void timers_fire_at_their_time_and_once(void **state)
{
	struct scene *scene = *state;
	struct loop_timer *b = loop_timer_new(scene->loop, fire_b, scene);
	struct loop_timer *a = loop_timer_new(scene->loop, fire_a, scene);
	struct loop_timer *never = loop_timer_new(scene->loop, fire_a, scene);
	uint64_t start = loop_now_ms();

	loop_timer_arm(scene->loop, b, start + 30);
	loop_timer_arm(scene->loop, a, start + 10);
	loop_timer_arm(scene->loop, never, start + 5);
	assert_int_equal(loop_timer_at(never), start + 5);
	loop_timer_disarm(scene->loop, never);
	assert_int_equal(loop_timer_at(never), 0);
	loop_run(scene->loop);
	assert_string_equal(scene->order, "ab");
	assert_true(loop_now_ms() >= start + 30);
	assert_int_equal(loop_timer_at(b), 0);
}

static void fire_again(void *user)
{
	struct scene *scene = user;

	if (++scene->fired == 3)
		loop_stop(scene->loop, 0);
	else
		loop_timer_arm(scene->loop, scene->timer[0], loop_now_ms());
}

static void count_turn(void *user)
{
	((struct scene *)user)->turns++;
}

static void a_timer_that_arms_itself_for_now_lets_the_turn_end(void **state)
{
	struct scene *scene = *state;

	scene->timer[0] = loop_timer_new(scene->loop, fire_again, scene);
	loop_hook(scene->loop, count_turn, NULL, scene);
	loop_timer_arm(scene->loop, scene->timer[0], 1);
	loop_run(scene->loop);
	assert_int_equal(scene->fired, 3);
	assert_true(scene->turns >= 3);
}

static void free_both(void *user)
{
	struct scene *scene = user;

	scene->fired++;
	for (int i = 0; i < 2; i++)
		loop_timer_free(scene->loop, scene->timer[i]);
	loop_stop(scene->loop, 0);
}

static void a_timer_freed_by_another_callback_does_not_fire(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < 2; i++) {
		scene->timer[i] = loop_timer_new(scene->loop, free_both, scene);
		loop_timer_arm(scene->loop, scene->timer[i], 1);
	}
	loop_run(scene->loop);
	assert_int_equal(scene->fired, 1);
}

static void on_signal(void *user, int number)
{
	struct scene *scene = user;

	scene->signal = number;
	loop_stop(scene->loop, 0);
}

static void hands_over_the_signals_asked_for(void **state)
{
	struct scene *scene = *state;
	const int signals[] = {SIGUSR1, SIGUSR2};

	assert_int_equal(loop_signals(scene->loop, signals, 2, on_signal, scene, NULL), 0);
	raise(SIGUSR2);
	loop_run(scene->loop);
	assert_int_equal(scene->signal, SIGUSR2);
}

static void ready_once(void *user)
{
	struct scene *scene = user;
	uint64_t count;

	assert_int_equal(read(scene->fd[0], &count, sizeof(count)), sizeof(count));
	note(scene, 'w');
}

static void fire_t(void *user)
{
	note(user, 't');
}

static void hook_1(void *user)
{
	note(user, '1');
}

static void hook_2(void *user)
{
	struct scene *scene = user;

	note(scene, '2');
	loop_stop(scene->loop, 0);
}

static void a_turn_is_descriptors_then_timers_then_hooks_in_order(void **state)
{
	struct scene *scene = *state;

	loop_hook(scene->loop, hook_1, NULL, scene);
	loop_hook(scene->loop, hook_2, NULL, scene);
	loop_timer_arm(scene->loop, loop_timer_new(scene->loop, fire_t, scene), 1);
	loop_watch_fd(scene->loop, scene->fd[0], ready_once, scene);
	loop_run(scene->loop);
	assert_string_equal(scene->order, "wt12");
}

static uint64_t wait_10(unused_ void *user)
{
	return 10;
}

static uint64_t wait_forever(unused_ void *user)
{
	return UINT64_MAX;
}

static void sleeps_no_longer_than_a_hook_allows(void **state)
{
	struct scene *scene = *state;
	uint64_t start = loop_now_ms();

	loop_hook(scene->loop, NULL, wait_10, scene);
	loop_hook(scene->loop, hook_2, wait_forever, scene);
	loop_run(scene->loop);
	assert_in_range(loop_now_ms() - start, 9, 5000);
}

static void unhook_itself(void *user)
{
	struct scene *scene = user;

	note(scene, 'h');
	loop_unhook(scene->loop, scene);
}

static void a_hook_can_remove_itself(void **state)
{
	struct scene *scene = *state;

	loop_hook(scene->loop, unhook_itself, NULL, scene);
	loop_timer_arm(scene->loop, loop_timer_new(scene->loop, fire_t, scene), 1);
	loop_timer_arm(scene->loop, loop_timer_new(scene->loop, stop, scene), loop_now_ms() + 20);
	loop_run(scene->loop);
	assert_string_equal(scene->order, "th");
}

static void stopping_before_the_run_ends_it_at_once(void **state)
{
	struct scene *scene = *state;

	loop_hook(scene->loop, count_turn, NULL, scene);
	loop_stop(scene->loop, 5);
	assert_int_equal(loop_run(scene->loop), 5);
	assert_int_equal(scene->turns, 0);
}

#define scene_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(reports_a_descriptor_as_long_as_it_is_readable),
		scene_test(a_watch_removed_by_another_callback_of_the_same_batch_is_not_called),
		scene_test(timers_fire_at_their_time_and_once),
		scene_test(a_timer_that_arms_itself_for_now_lets_the_turn_end),
		scene_test(a_timer_freed_by_another_callback_does_not_fire),
		scene_test(hands_over_the_signals_asked_for),
		scene_test(a_turn_is_descriptors_then_timers_then_hooks_in_order),
		scene_test(sleeps_no_longer_than_a_hook_allows),
		scene_test(a_hook_can_remove_itself),
		scene_test(stopping_before_the_run_ends_it_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
