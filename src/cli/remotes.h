/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Agents that have a name for their user: address and credentials, in one file of JSON,
 * $XDG_CONFIG_HOME/ipipctl/remotes.json or ~/.config/ipipctl/remotes.json:
 *
 *	{"b": {"url": "https://b.example:7443", "token_file": "/home/me/b.token"}}
 *
 * A name is that of a resource, so it has no colon and no slash and looks like no address.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "cli/credentials.h"

struct remote {
	const char *name, *url;
	struct credentials credentials;
};

/* By name. {0} is an empty list; the texts are the arena's. */
struct remotes vec_of(struct remote);

/* Where the file is; -ENOENT: neither XDG_CONFIG_HOME nor HOME says. */
int remotes_path(struct text *path, struct err *err) must_check;
/* What a text of that file says; -EINVAL for the first thing that is wrong. */
int remotes_parse(const char *path, const char *text, struct arena *arena, struct remotes *remotes,
		  struct err *err) must_check;
/* As it stands in the file. */
void remotes_format(const struct remotes *remotes, struct text *text);

/* A file that is not there is an empty list; one that others may write is refused. */
int remotes_read(struct arena *arena, struct remotes *remotes, struct err *err) must_check;
/* Writes the whole file anew: all of it or nothing. */
int remotes_write(const struct remotes *remotes, struct err *err) must_check;
/* Makes the folder, and keeps other ipipctl from changing the file while *fd is open. */
int remotes_lock(int *fd, struct err *err) must_check;

/* NULL: none of that name */
struct remote *remotes_find(const struct remotes *remotes, const char *name);
/* Adds one at its place in the order. */
void remotes_add(struct remotes *remotes, const struct remote *remote);
void remotes_remove(struct remotes *remotes, struct remote *remote);
/* Name, address and credentials: are they fit to be used together? */
int remotes_check(const struct remote *remote, struct err *err) must_check;
