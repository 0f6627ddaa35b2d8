/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The near end's check `route`, and how a route is told. */

#include "daemon/why_fix.h"

/* "180.163.26.39 dev tun_a src 192.168.1.1 table 7000", and more behind it. */
void why_route_say(struct why_check *check, enum why_verdict verdict, const struct why_route *route,
		   const char *more);
void why_route_judge(const struct why_known *known, struct why_check *check);
