/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Hazards as GET /v1/hazards tells them, for people. */

#include "cli/cli.h"

/* Asks, and prints them, if there are any. An agent that knows no hazards has none. */
void hazards_print(struct cli *cli);
