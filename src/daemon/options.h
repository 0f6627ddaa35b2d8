/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The command line of the agent. */

#include "daemon/conf.h"

struct options {
	const char *config; /* NULL: the default, if it is there */
	struct conf_overrides overrides;
	const char *print; /* what --print names, NULL: nothing */
	bool flush, check_config;
};

enum { EXIT_USAGE = 2 };

/* What the help and the manual say of one. */
struct option_help {
	const char *name;
	const char *argument; /* NULL: it takes none */
	const char *dflt;     /* "": none */
	const char *doc;
};

/* Its doc, with the default. */
void options_doc(const struct option_help *help, struct text *doc);
void options_each(void (*use)(void *user, const struct option_help *help), void *user);

/* Returns -1 to go on, else the exit code: all is said. */
int options_read(int argc, char **argv, struct options *options);
/* The same for words that options_read could not judge. */
int options_error(const char *sentence, const char *argument);
