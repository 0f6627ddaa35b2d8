/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What systemd is told, as sd_notify(3) and sd_watchdog_enabled(3) say: ready, what the agent is
 * at, that it lives. By hand: it is a page, and libsystemd would come with four libraries more
 * into an agent that runs without systemd as well.
 *
 * Ready is when the first pass over everything is over, however it went. What could be put right
 * is in the kernel before the units behind ours are started; what could not is tried again, and
 * is no reason to hold up the host's boot until TimeoutStartSec= ends an agent that a restart does
 * not help: the status and GET /readyz say what is wrong.
 *
 * The watchdog is fed by a timer of the loop: a loop that hangs starves it. Who sets none costs an
 * idle agent no wake-up.
 */

struct loop;
struct notify;

/* By NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; without them nobody is told anything. */
struct notify *notify_new(struct loop *loop);
void notify_free(struct notify *notify);

/* A sentence; told when it is another one than the last. */
void notify_status(struct notify *notify, const char *status);
/* Told once. */
void notify_ready(struct notify *notify);
/* Around a reload; before it is ready neither is told. */
void notify_reloading(struct notify *notify);
void notify_reloaded(struct notify *notify);
void notify_stopping(struct notify *notify);
