/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The failpoints of the agent proper: there are none. */
#include "base/failpoint.h"

void failpoint(unused_ const char *name)
{
}

int failpoint_error(unused_ const char *name)
{
	return 0;
}
