/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `remote add`, `list` and `rm`. No agent is asked. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/remotes.h"
#include "cli/run.h"
#include "cli/trust.h"

/* As it was named, but from any folder. NULL: the folder is gone, or the name is not UTF-8. */
static const char *absolute(struct arena *arena, const char *path)
{
	char folder[PATH_MAX];
	json_t *is_text = json_string(path);

	if (!is_text)
		return NULL;
	json_decref(is_text);
	if (path[0] == '/')
		return arena_strdup(arena, path);
	return getcwd(folder, sizeof(folder)) ? arena_printf(arena, "%s/%s", folder, path) : NULL;
}

static int read_request(const struct cli *cli, struct arena *arena, struct remote *remote)
{
	*remote = (struct remote){.name = cli->args.words.v[0], .url = cli->args.words.v[1]};
	for (unsigned i = 0; i < credentials_n_members; i++) {
		const char *option = credentials_members[i].option;
		const char *path = args_value(&cli->args, option);

		if (!path)
			continue;
		const char **to = credentials_at(&remote->credentials, i);
		*to = absolute(arena, path);
		if (!*to)
			return cli_usage("--%s %s: no path that can be kept", option, path);
	}
	return CLI_OK;
}

/* What is kept shall work: better said now than at its first use. */
static int check_files(const struct remote *remote)
{
	const struct credentials *credentials = &remote->credentials;
	cleanup_text struct text token = {0};
	bool is_open = false;
	struct err err;
	int rc = credentials_readable(credentials, &err);

	if (rc == 0)
		rc = trust_check(credentials, &err);
	if (rc == 0 && credentials->token_file)
		rc = credentials_read_token(credentials->token_file, &token, &is_open, &err);
	if (rc)
		return cli_usage("%s", err.sentence);
	if (is_open)
		credentials_warn_open(credentials->token_file);
	return CLI_OK;
}

/* Locked from the reading to the writing: two at a time both count. */
static int begin_change(struct arena *arena, struct remotes *remotes, int *lock)
{
	struct err err;
	int rc = remotes_lock(lock, &err);

	if (rc == 0)
		rc = remotes_read(arena, remotes, &err);
	if (rc == 0)
		return CLI_OK;
	cli_complain("%s", err.sentence);
	return CLI_FAILED;
}

static int end_change(const struct remotes *remotes)
{
	struct err err;

	if (remotes_write(remotes, &err) == 0)
		return CLI_OK;
	cli_complain("%s", err.sentence);
	return CLI_FAILED;
}

static void report(const struct cli *cli, const char *name, const char *what)
{
	if (cli->format == CLI_NAME)
		puts(name);
	else if (cli->format == CLI_JSON)
		return;
	else if (!cli->quiet)
		printf("remote/%s  %s\n", name, what);
}

static void print_json(const struct remotes *remotes)
{
	cleanup_text struct text text = {0};

	remotes_format(remotes, &text);
	fputs(text_str(&text), stdout);
}

static int add(struct cli *cli, struct arena *arena, struct remotes *remotes)
{
	cleanup_fd int lock = -1;
	struct remote remote;
	struct err err;
	int status = read_request(cli, arena, &remote);

	if (status == CLI_OK && remotes_check(&remote, &err))
		status = cli_usage("%s", err.sentence);
	if (status == CLI_OK)
		status = check_files(&remote);
	if (status == CLI_OK)
		status = begin_change(arena, remotes, &lock);
	if (status != CLI_OK)
		return status;
	if (remotes_find(remotes, remote.name)) {
		cli_complain("there is a remote named %s already", remote.name);
		fprintf(stderr, "hint: `ipipctl remote rm %s` removes it\n", remote.name);
		return CLI_CONFLICT;
	}
	remotes_add(remotes, &remote);
	status = end_change(remotes);
	if (status != CLI_OK)
		return status;
	report(cli, remote.name, "added");
	if (cli->format == CLI_JSON)
		print_json(&(struct remotes){.v = &remote, .len = 1});
	return CLI_OK;
}

/* All of them, or none when one is not there. */
static int rm(struct cli *cli, struct arena *arena, struct remotes *remotes)
{
	const struct args *args = &cli->args;
	cleanup_fd int lock = -1;
	int status = begin_change(arena, remotes, &lock);

	for (size_t i = 0; status == CLI_OK && i < args->words.len; i++) {
		struct remote *remote = remotes_find(remotes, args->words.v[i]);

		if (!remote) {
			cli_complain("there is no remote named %s", args->words.v[i]);
			fputs("hint: `ipipctl remote list` shows them\n", stderr);
			return CLI_NOT_FOUND;
		}
		remotes_remove(remotes, remote);
	}
	if (status == CLI_OK)
		status = end_change(remotes);
	for (size_t i = 0; status == CLI_OK && i < args->words.len; i++)
		report(cli, args->words.v[i], "removed");
	return status;
}

static void print_table(const struct cli *cli, const struct remotes *remotes)
{
	cleanup_table struct output_table table = {.columns = 2 + credentials_n_members,
						   .whole = 1};

	output_cell(&table, "NAME");
	output_cell(&table, "URL");
	for (unsigned m = 0; m < credentials_n_members; m++)
		output_cell(&table, credentials_members[m].title);
	for (size_t i = 0; i < remotes->len; i++) {
		output_cell(&table, remotes->v[i].name);
		output_cell(&table, remotes->v[i].url);
		for (unsigned m = 0; m < credentials_n_members; m++)
			output_cell(&table, credentials_get(&remotes->v[i].credentials, m));
	}
	output_print(&table, &cli->style);
}

static int list(struct cli *cli, struct arena *arena, struct remotes *remotes)
{
	struct err err;

	if (remotes_read(arena, remotes, &err)) {
		cli_complain("%s", err.sentence);
		return CLI_FAILED;
	}
	if (cli->format == CLI_JSON) {
		print_json(remotes);
		return CLI_OK;
	}
	if (cli->format != CLI_NAME)
		print_table(cli, remotes);
	for (size_t i = 0; cli->format == CLI_NAME && i < remotes->len; i++)
		puts(remotes->v[i].name);
	if (!remotes->len && !cli->quiet)
		fputs("no remotes\n", stderr);
	return CLI_OK;
}

/* Runs one with what it needs, and cleans up behind it. */
static int with_remotes(struct cli *cli, int (*run)(struct cli *, struct arena *, struct remotes *))
{
	cleanup_arena struct arena arena = {0};
	struct remotes remotes = {0};
	int status = run(cli, &arena, &remotes);

	vec_done(&remotes);
	return status;
}

int remote_add(struct cli *cli)
{
	return with_remotes(cli, add);
}

int remote_list(struct cli *cli)
{
	return with_remotes(cli, list);
}

int remote_rm(struct cli *cli)
{
	return with_remotes(cli, rm);
}
