/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams to systemd. When there is something to tell is for main.c to say. */
#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop.h"

struct notify {
	struct loop *loop;
	struct sockaddr_un address;
	socklen_t address_len;       /* 0: nobody asks */
	struct loop_timer *watchdog; /* NULL: none */
	uint64_t feed_ms;
	bool ready, failed;
	struct text status; /* as it was told last */
};

static void tell(struct notify *notify, const char *message)
{
	if (!notify->address_len)
		return;
	cleanup_fd int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s >= 0 && sendto(s, message, strlen(message), MSG_NOSIGNAL,
			     (const struct sockaddr *)&notify->address, notify->address_len) >= 0)
		return;
	if (!notify->failed)
		log_warning("systemd cannot be notified: %s", strerror(errno));
	notify->failed = true;
}

static void find_socket(struct notify *notify)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (!len || len >= sizeof(notify->address.sun_path))
		return;
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, path, len);
	if (path[0] == '@')
		notify->address.sun_path[0] = '\0';
	notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static void feed(void *user)
{
	struct notify *notify = user;

	tell(notify, "WATCHDOG=1");
	loop_timer_arm(notify->loop, notify->watchdog, loop_now_ms() + notify->feed_ms);
}

/* At half the time, as sd_watchdog_enabled(3) recommends. */
static void start_watchdog(struct notify *notify)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!notify->address_len || !usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return;
	notify->feed_ms = strtoull(usec, NULL, 10) / 2000;
	if (!notify->feed_ms)
		return;
	notify->watchdog = loop_timer_new(notify->loop, feed, notify);
	feed(notify);
}

struct notify *notify_new(struct loop *loop)
{
	struct notify *notify = xcalloc(1, sizeof(*notify));

	notify->loop = loop;
	find_socket(notify);
	start_watchdog(notify);
	return notify;
}

void notify_free(struct notify *notify)
{
	if (!notify)
		return;
	loop_timer_free(notify->loop, notify->watchdog);
	text_done(&notify->status);
	free(notify);
}

void notify_status(struct notify *notify, const char *status)
{
	cleanup_text struct text line = {0};

	text_addf(&line, "STATUS=%s", status);
	/* a line of its own would be another variable: the kernel's words are in the status */
	for (char *c = line.s; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	if (strcmp(line.s, text_str(&notify->status)) == 0)
		return;
	tell(notify, line.s);
	text_clear(&notify->status);
	text_add(&notify->status, line.s);
}

void notify_ready(struct notify *notify)
{
	if (notify->ready)
		return;
	failpoint("agent.ready");
	notify->ready = true;
	tell(notify, "READY=1");
}

void notify_reloading(struct notify *notify)
{
	cleanup_text struct text message = {0};

	if (!notify->ready)
		return;
	text_add(&message, "RELOADING=1\nMONOTONIC_USEC=");
	text_add_number(&message, (int64_t)loop_now_us());
	tell(notify, message.s);
}

void notify_reloaded(struct notify *notify)
{
	if (notify->ready)
		tell(notify, "READY=1");
}

void notify_stopping(struct notify *notify)
{
	tell(notify, "STOPPING=1");
}
