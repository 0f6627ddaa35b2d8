/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Hazards as GET /v1/hazards tells them, for people. */

#include "cli/cli.h"

/* The agent's answer, the caller's to release; NULL: it gave none. */
json_t *hazards_ask(struct cli *cli);
/* Asks, and prints them, if there are any. An agent that knows no hazards has none. */
void hazards_print(struct cli *cli);
