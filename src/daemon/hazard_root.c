/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files are the host's own; alone here, so that tests can put another function in its place. */
#include "daemon/hazard_files.h"

const char *hazard_files_root(void)
{
	return "";
}
