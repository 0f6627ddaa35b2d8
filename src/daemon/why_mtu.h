/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The last check of both ends: which sizes pass, against the device's MTU. */

#include "daemon/why_fix.h"

void why_mtu_judge(const struct why_known *known, struct why_check *check);
