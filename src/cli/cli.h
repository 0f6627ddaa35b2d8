/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One run of ipipctl: what was asked (command, words, options), how to answer, and the
 * agent that is asked. Every command is an `int run(struct cli *)` that returns an exit
 * status of cli.md.
 */

#include "cli/client.h"
#include "cli/command.h"
#include "cli/output.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* the operation failed, or the resource is not ready */
	CLI_USAGE = 2,
	CLI_TIMEOUT = 3,     /* waited in vain */
	CLI_UNREACHABLE = 4, /* the agent */
	CLI_FORBIDDEN = 5,
	CLI_NOT_FOUND = 6,
	CLI_CONFLICT = 7, /* or a precondition */
	CLI_INVALID = 8,  /* resource */
};

enum cli_format { CLI_TABLE, CLI_WIDE, CLI_JSON, CLI_NAME };

enum { CLI_WAIT_S = 5 }; /* how long a write waits for its resource, unless --wait says */

struct cli {
	struct args args;
	enum cli_format format;
	struct output_style style; /* of tables on stdout */
	bool quiet, dry_run, yes;
	unsigned wait_s;
	struct client_config config;
	struct client *client; /* of --host, opened by the first cli_agent() */
};

int cli_main(int argc, char **argv);

/* Opens an agent by its address, or a remote by its name. is_one: the options of credentials must
 * be able to count there; else they count where they can. CLI_OK, or a status after a message. */
int cli_open(const struct cli *cli, const char *host, bool is_one,
	     struct client **client) must_check;
/* The agent of --host; NULL after the reason was printed, with the exit status in *status. */
struct client *cli_agent(struct cli *cli, int *status);
/* "ipipctl: …" on stderr; returns CLI_USAGE */
int cli_usage(const char *fmt, ...) printf_(1, 2);
/* "ipipctl: …" on stderr */
void cli_complain(const char *fmt, ...) printf_(1, 2);

/* Sends to the agent of --host. CLI_OK: a 2xx answer is in *response; else the failure was
 * printed and its exit status is returned. */
int cli_call(struct cli *cli, const struct request *request, struct response *response) must_check;
/* GET; the same. */
int cli_get(struct cli *cli, const char *path, struct response *response) must_check;

/* Adds to the path of a write what --dry-run, or else --wait, means to the agent. */
void cli_add_query(const struct cli *cli, struct text *path);

/* The body of an answer as it came, with a newline at its end. */
void cli_print_body(const struct response *response);

/* A whole number of option `name`; *value stays when it was not given. CLI_USAGE when it is no
 * number from min to max. */
int cli_number(struct cli *cli, const char *name, unsigned min, unsigned max,
	       unsigned *value) must_check;
/* The whole of a file, or of stdin when it is "-". CLI_OK, or CLI_USAGE after a message. */
int cli_read_file(const char *path, struct text *text) must_check;
