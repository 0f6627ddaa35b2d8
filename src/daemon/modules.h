/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The kernel's modules, as files tell of them. `root` stands in front of each path: "" but for
 * tests. */

enum module_state {
	MODULE_UNKNOWN, /* not loaded, and what could be loaded is hidden from us */
	MODULE_MISSING,
	MODULE_THERE, /* built in, loaded, or there to be loaded */
};

enum module_state modules_state(const char *root, const char *name);
