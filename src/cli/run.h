/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The functions behind the rows of command.c, each in the file of its first word. */

struct cli;
struct response;

int resources_list(struct cli *cli);
int resources_show(struct cli *cli);
int resources_add(struct cli *cli);
int resources_set(struct cli *cli);
int resources_rm(struct cli *cli);
int resources_ping(struct cli *cli);
/* The exit status that a state means after waiting: pending is a timeout. */
int resources_exit_of_state(const char *state);
/* What a DELETE of `who` came to, as the format wants it; and its exit status. */
int resources_report_removal(const struct cli *cli, const char *who,
			     const struct response *response);

int apply_apply(struct cli *cli);
int apply_diff(struct cli *cli);
int apply_plan(struct cli *cli);
int apply_export(struct cli *cli);
int apply_reconcile(struct cli *cli);

int pair_pair(struct cli *cli);
int pair_unpair(struct cli *cli);

int remote_add(struct cli *cli);
int remote_list(struct cli *cli);
int remote_rm(struct cli *cli);

int token_new(struct cli *cli);

int why_why(struct cli *cli);

int completion_script(struct cli *cli);
int completion_complete(struct cli *cli);

int top_top(struct cli *cli);

int status_status(struct cli *cli);
int wait_wait(struct cli *cli);
int events_events(struct cli *cli);
int raw_api(struct cli *cli);
int cli_version(struct cli *cli);
