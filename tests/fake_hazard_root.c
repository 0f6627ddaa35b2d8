/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake kernel's host has its files in `root` of its directory. */
#include "daemon/hazard_files.h"

#include <stdio.h>
#include <stdlib.h>

const char *hazard_files_root(void)
{
	static char root[256];
	const char *directory = getenv("IPIPD_FAKE_KERNEL");

	snprintf(root, sizeof(root), "%s/root", directory ? directory : "/nonexistent");
	return root;
}
