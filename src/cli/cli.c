/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From argv to one command and its exit status: global options, the agent, and how
 * failures are told. Results go to stdout, all else to stderr.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "cli/document.h"
#include "cli/remotes.h"
#include "cli/run.h"
#include "model/resource.h"

enum { WAIT_MAX_S = 60, REQUEST_TIMEOUT_S = 30, REQUEST_TIMEOUT_MAX_S = 3600 };
static const char default_host[] = "unix:///run/ipipd/ipipd.sock";

printf_(1, 0) static void complain(const char *fmt, va_list args)
{
	fflush(stdout);
	fputs("ipipctl: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void cli_complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(fmt, args);
	va_end(args);
}

int cli_usage(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(fmt, args);
	va_end(args);
	return CLI_USAGE;
}

int cli_number(struct cli *cli, const char *name, unsigned min, unsigned max, unsigned *value)
{
	const char *s = args_value(&cli->args, name);
	char *end;

	if (!s || !s[0])
		return CLI_OK;
	errno = 0;
	unsigned long number = strtoul(s, &end, 10);
	if (errno || *end || s[0] < '0' || s[0] > '9' || number < min || number > max)
		return cli_usage("--%s %s: a whole number from %u to %u is wanted", name, s, min,
				 max);
	*value = (unsigned)number;
	return CLI_OK;
}

/* The position of the option's value among the words, or -1 after a message. */
static int choice(const struct cli *cli, const char *name, const char *const *words, int n)
{
	const char *s = args_value(&cli->args, name);
	cleanup_text struct text all = {0};

	for (int i = 0; i < n; i++)
		if (!s || strcmp(s, words[i]) == 0)
			return i;
	for (int i = 0; i < n; i++)
		text_addf(&all, "%s%s", i == 0 ? "" : i == n - 1 ? " or " : ", ", words[i]);
	cli_usage("--%s must be %s, not %s", name, text_str(&all), s);
	return -1;
}

static int read_globals(struct cli *cli)
{
	static const char *const formats[] = {"table", "wide", "json", "name"};
	static const char *const color_words[] = {"auto", "always", "never"};
	int format = choice(cli, "output", formats, ARRAY_LEN(formats));
	int color = choice(cli, "color", color_words, ARRAY_LEN(color_words));

	if (format < 0 || color < 0)
		return CLI_USAGE;
	cli->format = args_value(&cli->args, "json") ? CLI_JSON : (enum cli_format)format;
	cli->style = output_style_of_stdout(color_words[color],
					    !args_value(&cli->args, "no-headers"));
	if (cli->format == CLI_WIDE)
		cli->style.width = 0;
	cli->quiet = args_value(&cli->args, "quiet");
	cli->dry_run = args_value(&cli->args, "dry-run");
	cli->yes = args_value(&cli->args, "yes");
	cli->config.verbose = args_value(&cli->args, "verbose");
	cli->config.timeout_s = REQUEST_TIMEOUT_S;
	cli->wait_s = CLI_WAIT_S;
	int status = cli_number(cli, "wait", 0, WAIT_MAX_S, &cli->wait_s);
	if (status == CLI_OK)
		status = cli_number(cli, "request-timeout", 1, REQUEST_TIMEOUT_MAX_S,
				    &cli->config.timeout_s);
	return status;
}

/* Of the command line; the environment gives a token where one can count, and nobody named one. */
static void add_credentials(const struct cli *cli, enum credentials_use use, bool is_one,
			    struct credentials *credentials)
{
	struct credentials given = {0};
	const char *token_file = getenv("IPIPCTL_TOKEN_FILE");

	for (unsigned i = 0; i < credentials_n_members; i++)
		*credentials_at(&given, i) = args_value(&cli->args, credentials_members[i].option);
	if (!is_one)
		credentials_drop(&given, use);
	for (unsigned i = 0; i < credentials_n_members; i++)
		if (credentials_get(&given, i))
			*credentials_at(credentials, i) = credentials_get(&given, i);
	bool counts = use == CREDENTIALS_TOKEN || use == CREDENTIALS_ALL;
	if (!credentials->token_file && counts && token_file && token_file[0])
		credentials->token_file = token_file;
}

static int no_address(const char *host, const struct remotes *remotes, struct err *err)
{
	struct candidates names = {0};
	struct err meant;

	for (size_t i = 0; i < remotes->len; i++)
		vec_push(&names, remotes->v[i].name);
	command_unknown(&meant, "remote", host, &names);
	vec_done(&names);
	return err_set(err, -EINVAL,
		       "%s (`ipipctl remote list` shows all); an address is unix:///PATH, "
		       "http://HOST:PORT or https://HOST:PORT",
		       meant.sentence);
}

/* A name cannot look like an address, so neither hides the other. */
static int find_remote(struct arena *arena, const char *host, struct remote *remote,
		       struct err *err)
{
	struct remotes remotes = {0};
	int rc = 0;

	*remote = (struct remote){.url = host};
	if (!resource_name_fault(host)) {
		rc = remotes_read(arena, &remotes, err);
		const struct remote *found = remotes_find(&remotes, host);

		if (found)
			*remote = *found;
		else if (rc == 0)
			rc = no_address(host, &remotes, err);
	}
	vec_done(&remotes);
	return rc;
}

int cli_open(const struct cli *cli, const char *host, bool is_one, struct client **client)
{
	cleanup_arena struct arena arena = {0};
	struct client_config config = cli->config;
	enum credentials_use use = CREDENTIALS_NONE;
	struct remote remote;
	struct err err;
	int result = find_remote(&arena, host, &remote, &err);

	if (result == 0)
		result = credentials_use(remote.url, &use, &err);
	if (result == 0) {
		config.name = remote.name;
		config.credentials = remote.credentials;
		add_credentials(cli, use, is_one, &config.credentials);
		result = client_open(remote.url, &config, client, &err);
	}
	if (result == 0)
		return CLI_OK;
	cli_complain("%s", err.sentence);
	return CLI_USAGE;
}

struct client *cli_agent(struct cli *cli, int *status)
{
	const char *host = args_value(&cli->args, "host");

	if (cli->client)
		return cli->client;
	if (!host)
		host = getenv("IPIPCTL_HOST");
	if (!host || !host[0])
		host = default_host;
	*status = cli_open(cli, host, true, &cli->client);
	return cli->client;
}

int cli_call(struct cli *cli, const struct request *request, struct response *response)
{
	int status = CLI_OK;
	struct client *client = cli_agent(cli, &status);
	struct err err;

	if (!client)
		return status;
	int result = client_send(client, request, response, &err);
	if (result)
		return client_print_failure("ipipctl", result, &err);
	if (!response_is_ok(response)) {
		fflush(stdout);
		client_print_problem(stderr, "ipipctl", response);
	}
	return client_exit_of_status(response->status);
}

int cli_get(struct cli *cli, const char *path, struct response *response)
{
	return cli_call(cli, &(struct request){.method = "GET", .path = path}, response);
}

void cli_add_query(const struct cli *cli, struct text *path)
{
	text_add(path, strchr(text_str(path), '?') ? "&" : "?");
	if (cli->dry_run)
		text_add(path, "dry_run=true");
	else
		text_addf(path, "wait=%u", cli->wait_s);
}

void cli_print_body(const struct response *response)
{
	size_t len = response->body.len;

	if (!len)
		return;
	fwrite(response->body.s, 1, len, stdout);
	if (response->body.s[len - 1] != '\n')
		putchar('\n');
}

int cli_read_file(const char *path, struct text *text)
{
	bool is_stdin = strcmp(path, "-") == 0;
	cleanup_fd int opened = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	int fd = is_stdin ? STDIN_FILENO : opened;
	char buf[65536];
	ssize_t n = 0;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		text_add_len(text, buf, (size_t)n);
	if (fd < 0 || n < 0)
		return cli_usage("%s: %s", path, strerror(errno));
	return CLI_OK;
}

static int show_help(const struct args *args)
{
	const struct noun *noun = args->noun;
	const struct command *command = args->command;

	/* `help tunnel add`: the command is among the words */
	if (command && strcmp(command->name, "help") == 0) {
		if (args->words.len == 1 && strcmp(args->words.v[0], "options") == 0) {
			help_globals();
			return CLI_OK;
		}
		noun = args->words.len ? command_noun(args->words.v[0]) : NULL;
		size_t at = noun ? 1 : 0;
		const char *word = at < args->words.len ? args->words.v[at] : NULL;
		struct err err;

		command = word ? command_find(noun, word) : NULL;
		if (word && !command) {
			command_unknown_verb(&err, noun, word);
			cli_complain("%s", err.sentence);
			fprintf(stderr, "hint: `ipipctl help%s%s` lists what there is\n",
				noun ? " " : "", noun ? noun->name : "");
			return CLI_USAGE;
		}
		if (++at < args->words.len)
			return cli_usage("one word too many: %s", args->words.v[at]);
	}
	if (command)
		help_command(noun, command);
	else if (noun)
		help_noun(noun);
	else
		help_overview();
	return CLI_OK;
}

/* A way of printing that the command does not have is refused, never ignored. */
static int check_format(const struct cli *cli)
{
	const struct command *command = cli->args.command;
	bool is_resource = cli->args.noun && cli->args.noun->kind;
	bool is_plan = command->is_plan || (cli->dry_run && is_resource);

	if (cli->format == CLI_NAME && (!command->has_names || is_plan))
		return cli_usage("%s%s has no names to print; -o table and -o json are there",
				 command->name, is_plan && !command->is_plan ? " -n" : "");
	if (command->is_text && cli->format != CLI_TABLE)
		return cli_usage("%s prints a text; -o and -j are not for it", command->name);
	if (cli->dry_run && cli->args.noun && !cli->args.noun->kind)
		return cli_usage("%s %s has no dry run", cli->args.noun->name, command->name);
	if (args_value(&cli->args, "as-shell") && !command->is_plan && !cli->dry_run)
		return cli_usage("--as-shell prints a plan: with `%s` it needs -n", command->name);
	return CLI_OK;
}

int cli_version(struct cli *cli)
{
	puts(cli->format == CLI_JSON ? "{\"version\":\"" IPIPD_VERSION "\"}"
				     : "ipipctl " IPIPD_VERSION);
	return CLI_OK;
}

static int run(struct cli *cli)
{
	const struct args *args = &cli->args;
	const struct command *command = args->command;

	if (args_value(args, "version")) {
		int status = read_globals(cli);

		return status == CLI_OK ? cli_version(cli) : status;
	}
	if (args_value(args, "help") || (command && !command->run))
		return show_help(args);
	if (!command && args->noun)
		return cli_usage("%s: which verb? `ipipctl help %s` lists them", args->noun->name,
				 args->noun->name);
	if (!command) {
		int status = cli_usage("which command?");
		help_usage(stderr);
		return status;
	}
	int status = read_globals(cli);
	if (status == CLI_OK)
		status = check_format(cli);
	return status == CLI_OK ? command->run(cli) : status;
}

/* What is still in the buffer goes out; a full disk is told, once. */
static int end_output(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return CLI_OK;
	fprintf(stderr, "ipipctl: not all of the output could be written: %s\n",
		strerror(errno ? errno : EIO));
	return CLI_FAILED;
}

static void hint_help(const struct args *args)
{
	const char *noun = args->noun ? args->noun->name : "", *blank = args->noun ? " " : "";

	if (args->command)
		fprintf(stderr, "hint: `ipipctl help %s%s%s` explains it\n", noun, blank,
			args->command->name);
	else
		fprintf(stderr, "hint: `ipipctl help%s%s` lists %s\n", blank, noun,
			args->noun ? "the verbs" : "commands and options");
}

int cli_main(int argc, char **argv)
{
	struct cli cli = {0};
	struct err err;
	int status;

	if (args_parse(&cli.args, argc, argv, &err)) {
		status = cli_usage("%s", err.sentence);
		hint_help(&cli.args);
	} else {
		status = run(&cli);
	}
	client_close(cli.client);
	args_done(&cli.args);
	int written = end_output();
	return status == CLI_OK ? written : status;
}
