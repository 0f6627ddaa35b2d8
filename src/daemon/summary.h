/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How the agent is, in a sentence: "3 tunnels, 1 exit-route: 3 ready, 1 pending". For systemctl
 * status, where a person looks first.
 */

#include "daemon/reconcile.h"

/* As the last pass left it. */
void summary_add(const struct reconcile_report *report, struct text *text);
