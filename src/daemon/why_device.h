/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a device's own chain does to packets as they come in by it: it is met before the first hook
 * that a trace sees, so that its rules are asked instead. What leaves is traced there, too.
 */

#include "daemon/why_fix.h"

/* Of the devices by which nothing was seen to come; probes are over. */
void why_device_ask(struct why_known *known);
/* True: its chain drops them all, which is said, with what lets them in. */
bool why_device_judge(const struct why_known *known, enum why_door door, struct why_check *check);
