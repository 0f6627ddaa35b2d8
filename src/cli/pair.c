/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"
#include "cli/run.h"
int pair_pair(struct cli *cli) { (void)cli; return CLI_FAILED; }
int pair_unpair(struct cli *cli) { (void)cli; return CLI_FAILED; }
