/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What systemd hears, on a socket that plays its part. */
#include "daemon/notify.h"

#include "base/arena.h"
#include "base/text.h"
#include "daemon/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
	char folder[32], path[48];
	int systemd;
	struct loop *loop;
	struct notify *notify;
};

/* At a path, or at a name without a file ("@…"). */
static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 5};
	size_t len = strlen(path);
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(s, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	assert_int_equal(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	return s;
}

static int setup(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));

	snprintf(scene->folder, sizeof(scene->folder), "/tmp/ipipd-notify-XXXXXX");
	if (!mkdtemp(scene->folder))
		return -1;
	snprintf(scene->path, sizeof(scene->path), "%s/notify", scene->folder);
	scene->systemd = listen_at(scene->path);
	assert_int_equal(loop_new(&scene->loop, NULL), 0);
	setenv("NOTIFY_SOCKET", scene->path, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	notify_free(scene->notify);
	loop_free(scene->loop);
	close(scene->systemd);
	unlink(scene->path);
	rmdir(scene->folder);
	free(scene);
	return 0;
}

static void assert_hears(const struct scene *scene, const char *message)
{
	char heard[300] = "";

	assert_true(recv(scene->systemd, heard, sizeof(heard) - 1, 0) > 0);
	assert_string_equal(heard, message);
}

static void assert_hears_nothing(const struct scene *scene)
{
	char byte;

	assert_int_equal(recv(scene->systemd, &byte, 1, MSG_DONTWAIT), -1);
}

static void is_ready_once(void **state)
{
	struct scene *scene = *state;

	scene->notify = notify_new(scene->loop);
	assert_hears_nothing(scene);
	notify_ready(scene->notify);
	notify_ready(scene->notify);
	assert_hears(scene, "READY=1");
	assert_hears_nothing(scene);
}

static void tells_a_status_when_it_is_another(void **state)
{
	struct scene *scene = *state;

	scene->notify = notify_new(scene->loop);
	notify_status(scene->notify, "one");
	notify_status(scene->notify, "one");
	notify_status(scene->notify, "two");
	notify_status(scene->notify, "one");
	assert_hears(scene, "STATUS=one");
	assert_hears(scene, "STATUS=two");
	assert_hears(scene, "STATUS=one");
	assert_hears_nothing(scene);
}

static void status_stays_one_line(void **state)
{
	struct scene *scene = *state;

	scene->notify = notify_new(scene->loop);
	notify_status(scene->notify, "failed:\nMAINPID=1\tand");
	assert_hears(scene, "STATUS=failed: MAINPID=1 and");
}

static void reload_is_told_once_it_is_ready(void **state)
{
	struct scene *scene = *state;
	char heard[100] = "";
	unsigned long long usec;

	scene->notify = notify_new(scene->loop);
	notify_reloading(scene->notify);
	notify_reloaded(scene->notify); /* or the start would be over */
	assert_hears_nothing(scene);
	notify_ready(scene->notify);
	assert_hears(scene, "READY=1");
	uint64_t before = loop_now_us();
	notify_reloading(scene->notify);
	assert_true(recv(scene->systemd, heard, sizeof(heard) - 1, 0) > 0);
	assert_int_equal(sscanf(heard, "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	assert_in_range(usec, before, loop_now_us());
	notify_reloaded(scene->notify);
	assert_hears(scene, "READY=1");
}

static void says_that_it_stops(void **state)
{
	struct scene *scene = *state;

	scene->notify = notify_new(scene->loop);
	notify_stopping(scene->notify);
	assert_hears(scene, "STOPPING=1");
}

static void finds_a_socket_without_a_file(void **state)
{
	struct scene *scene = *state;
	char name[32];

	snprintf(name, sizeof(name), "@ipipd-notify-%d", getpid());
	close(scene->systemd);
	scene->systemd = listen_at(name);
	setenv("NOTIFY_SOCKET", name, 1);
	scene->notify = notify_new(scene->loop);
	notify_ready(scene->notify);
	assert_hears(scene, "READY=1");
}

static void a_systemd_that_is_gone_is_no_failure(void **state)
{
	struct scene *scene = *state;

	scene->notify = notify_new(scene->loop);
	unlink(scene->path);
	notify_ready(scene->notify);
	notify_stopping(scene->notify);
	assert_hears_nothing(scene);
}

static void without_a_socket_nobody_is_told(void **state)
{
	struct scene *scene = *state;

	unsetenv("NOTIFY_SOCKET");
	setenv("WATCHDOG_USEC", "2000", 1);
	scene->notify = notify_new(scene->loop);
	notify_status(scene->notify, "one");
	notify_ready(scene->notify);
	assert_hears_nothing(scene);
}

static void end(void *user)
{
	loop_stop(user, 0);
}

/* Turns the loop for that long. */
static void turn_ms(struct loop *loop, unsigned ms)
{
	struct loop_timer *timer = loop_timer_new(loop, end, loop);

	loop_timer_arm(loop, timer, loop_now_ms() + ms);
	loop_run(loop);
	loop_timer_free(loop, timer);
}

static unsigned fed(const struct scene *scene)
{
	unsigned n = 0;
	char heard[32];
	ssize_t len;

	while ((len = recv(scene->systemd, heard, sizeof(heard), MSG_DONTWAIT)) > 0) {
		assert_memory_equal(heard, "WATCHDOG=1", (size_t)len);
		n++;
	}
	return n;
}

/* Milliseconds until it is fed the next time. */
static uint64_t until_fed(struct scene *scene)
{
	uint64_t since = loop_now_ms();

	while (!fed(scene))
		turn_ms(scene->loop, 1);
	return loop_now_ms() - since;
}

static void the_loop_feeds_the_watchdog_at_half_its_time(void **state)
{
	struct scene *scene = *state;
	uint64_t shortest = UINT64_MAX;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "200000", 1);
	scene->notify = notify_new(scene->loop);
	assert_int_equal(fed(scene), 1);
	/* a busy machine makes some longer, and nothing makes one shorter */
	for (int i = 0; i < 5; i++) {
		uint64_t ms = until_fed(scene);

		shortest = ms < shortest ? ms : shortest;
	}
	assert_in_range(shortest, 90, 110);
}

static void a_loop_that_hangs_starves_it(void **state)
{
	struct scene *scene = *state;

	setenv("WATCHDOG_USEC", "2000", 1);
	scene->notify = notify_new(scene->loop);
	assert_int_equal(fed(scene), 1);
	usleep(20000);
	assert_int_equal(fed(scene), 0);
}

static void anothers_watchdog_is_not_fed(void **state)
{
	struct scene *scene = *state;

	setenv("WATCHDOG_PID", "1", 1);
	setenv("WATCHDOG_USEC", "2000", 1);
	scene->notify = notify_new(scene->loop);
	turn_ms(scene->loop, 20);
	assert_int_equal(fed(scene), 0);
}

static void no_watchdog_wakes_the_loop_up(void **state)
{
	struct scene *scene = *state;
	const char *const none[] = {NULL, "0", "soon"};

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		if (none[i])
			setenv("WATCHDOG_USEC", none[i], 1);
		scene->notify = notify_new(scene->loop);
		turn_ms(scene->loop, 20);
		assert_int_equal(fed(scene), 0);
		notify_free(scene->notify);
	}
	scene->notify = NULL;
}

#define scene_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(is_ready_once),
		scene_test(tells_a_status_when_it_is_another),
		scene_test(status_stays_one_line),
		scene_test(reload_is_told_once_it_is_ready),
		scene_test(says_that_it_stops),
		scene_test(finds_a_socket_without_a_file),
		scene_test(a_systemd_that_is_gone_is_no_failure),
		scene_test(without_a_socket_nobody_is_told),
		scene_test(the_loop_feeds_the_watchdog_at_half_its_time),
		scene_test(a_loop_that_hangs_starves_it),
		scene_test(anothers_watchdog_is_not_fed),
		scene_test(no_watchdog_wakes_the_loop_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
