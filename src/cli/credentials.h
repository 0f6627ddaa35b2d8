/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What proves to an agent who we are (a token, a certificate), and whose certificate of an
 * agent is trusted. All are paths; what is in the files is read when an agent is opened.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/text.h"

/* NULL: none. Owned by whoever filled it. */
struct credentials {
	const char *token_file; /* one line, the bearer token */
	const char *cacert;     /* PEM; only what these authorities signed is trusted */
	const char *cert, *key; /* PEM; without a key, it stands in the certificate's file */
};

/* The members, for those who walk them: options, files and tables have these names. */
extern const struct credentials_member {
	const char *name;   /* "token_file" */
	const char *option; /* "token-file" */
	const char *title;  /* "TOKEN-FILE", of a column */
	size_t offset;
} credentials_members[];
extern const unsigned credentials_n_members;

const char **credentials_at(struct credentials *credentials, unsigned member);
const char *credentials_get(const struct credentials *credentials, unsigned member);

/* What can count at an address. */
enum credentials_use {
	CREDENTIALS_NONE,  /* a unix socket: the kernel tells who asks */
	CREDENTIALS_OPEN,  /* http:// to elsewhere: a token would be read on the way */
	CREDENTIALS_TOKEN, /* http:// to this host */
	CREDENTIALS_ALL,   /* https:// */
};

/* "unix:///run/x.sock", or a bare absolute path: the path; NULL when it is neither */
const char *credentials_socket(const char *address);
/* -EINVAL: it is no address of an agent, or one with a password in it. */
int credentials_use(const char *address, enum credentials_use *use, struct err *err) must_check;
/* -EINVAL for the first that cannot count there. */
int credentials_check(const struct credentials *credentials, enum credentials_use use,
		      const char *address, struct err *err) must_check;
/* -EINVAL for the first file that cannot be read. */
int credentials_readable(const struct credentials *credentials, struct err *err) must_check;
/* Forgets what cannot count there. */
void credentials_drop(struct credentials *credentials, enum credentials_use use);
/*
 * The token, without the end of its line. *is_open: others may read the file. The sentence
 * quotes nothing of what is in it.
 */
int credentials_read_token(const char *path, struct text *token, bool *is_open,
			   struct err *err) must_check;
/* on stderr: others may read it */
void credentials_warn_open(const char *path);
