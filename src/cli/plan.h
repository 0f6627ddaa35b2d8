/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Plans as the API gives them: `{"ops":[…],"revision":R}`, or that under "plan". */

#include "cli/cli.h"

/* Lines of "+ add link tun_a: declared", the commands with --as-shell, the document with -j. */
void plan_print(const struct cli *cli, const struct response *response);
/* how many steps it has */
size_t plan_len(const struct response *response);
