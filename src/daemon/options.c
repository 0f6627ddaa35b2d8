/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of the command line: some of its own, and a row of conf_settings for each other. */
#include "daemon/options.h"

#include "base/words.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG = 1, CHECK_CONFIG, PRINT, FLUSH, VERSION, HELP = 'h', SETTING = 0x100 };

static const struct {
	int id;
	struct option_help help;
} own_options[] = {
	{CONFIG,
	 {"config", "FILE", CONF_PATH, "Read these settings; the default need not be there"}},
	{CHECK_CONFIG, {"check-config", NULL, "", "Tell every fault of the settings, and end"}},
	{PRINT, {"print", "WHAT", "", "Print config, metrics or openapi, and end"}},
	{FLUSH, {"flush", NULL, "", "Take everything of ours out of the kernel, and end"}},
	{VERSION, {"version", NULL, "", "Print the version, and end"}},
	{HELP, {"help", NULL, "", "Print this, and end"}},
};

static const char try_help[] = "Try 'ipipd --help'.\n";

enum { LONGS_MAX = ARRAY_LEN(own_options) + SETTINGS_MAX + 1 };

static const char *argument_of(const struct setting *setting)
{
	if (setting->type == SETTING_LIST)
		return "ADDR:PORT";
	return setting->fault ? "LEVEL" : "PATH";
}

void options_each(void (*use)(void *user, const struct option_help *help), void *user)
{
	for (unsigned i = 0; i < conf_n_settings; i++) {
		const struct setting *setting = &conf_settings[i];

		if (setting->option)
			use(user, &(struct option_help){setting->option, argument_of(setting),
							setting->dflt, setting->doc});
	}
	for (size_t i = 0; i < ARRAY_LEN(own_options); i++)
		use(user, &own_options[i].help);
}

void options_doc(const struct option_help *help, struct text *doc)
{
	text_add(doc, help->doc);
	if (*help->dflt)
		text_addf(doc, " (%s)", help->dflt);
}

static void print_option(unused_ void *user, const struct option_help *help)
{
	cleanup_text struct text option = {0}, doc = {0};

	text_addf(&option, "--%s%s%s", help->name, help->argument ? " " : "",
		  help->argument ? help->argument : "");
	options_doc(help, &doc);
	printf("  %-19s %s\n", text_str(&option), text_str(&doc));
}

static void usage(void)
{
	puts("Usage: ipipd [OPTION]...\n"
	     "Keeps the kernel's IPIP tunnels, exit routes and NAT equal to what is declared.\n"
	     "One agent runs in each network namespace, in the foreground; it logs to stderr.\n");
	options_each(print_option, NULL);
	puts("\nOptions override the settings of files; --listen may be repeated. The directories\n"
	     "of socket and database are made when only they are missing. SIGTERM and SIGINT end\n"
	     "the agent; what is in the kernel stays there. SIGHUP has settings, tokens and\n"
	     "certificates read anew.");
}

int options_error(const char *sentence, const char *argument)
{
	fprintf(stderr, "ipipd: %s%s\n%s", sentence, argument, try_help);
	return EXIT_USAGE;
}

static int override(struct options *options, const struct setting *setting, const char *value)
{
	struct err err;

	if (conf_check_value(setting, value, &err) < 0) {
		fprintf(stderr, "ipipd: --%s %s: %s\n%s", setting->option, value, err.sentence,
			try_help);
		return EXIT_USAGE;
	}
	vec_push(&options->overrides, ((struct conf_override){setting, value}));
	return -1;
}

static void fill_longs(struct option longs[static LONGS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(own_options); i++)
		longs[n++] = (struct option){own_options[i].help.name,
					     own_options[i].help.argument ? required_argument
									  : no_argument,
					     NULL, own_options[i].id};
	for (unsigned i = 0; i < conf_n_settings; i++)
		if (conf_settings[i].option)
			longs[n++] = (struct option){conf_settings[i].option, required_argument,
						     NULL, SETTING + (int)i};
}

static int take(struct options *options, int option)
{
	switch (option) {
	case CONFIG:
		options->config = optarg;
		return -1;
	case CHECK_CONFIG:
		options->check_config = true;
		return -1;
	case PRINT:
		options->print = optarg;
		return -1;
	case FLUSH:
		options->flush = true;
		return -1;
	case VERSION:
		printf("ipipd %s\n", IPIPD_VERSION);
		return 0;
	case HELP:
		usage();
		return 0;
	default:
		return override(options, &conf_settings[option - SETTING], optarg);
	}
}

static const struct option *named(const struct option *longs, const char *name, size_t len)
{
	for (; longs->name; longs++)
		if (strlen(longs->name) == len && strncmp(longs->name, name, len) == 0)
			return longs;
	return NULL;
}

static const char *closest(const struct option *longs, const char *name)
{
	struct guess guess = guess_at(name);

	for (; longs->name; longs++)
		guess_offer(&guess, longs->name);
	return guess.meant;
}

/* getopt_long() takes `--sock` for `--socket`: what is mistyped must start nothing. */
static int check_names(int argc, char **argv, const struct option *longs)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "--", 2) != 0)
			continue;
		char *name = argv[i] + 2;
		size_t len = strcspn(name, "=");
		const struct option *option = named(longs, name, len);

		if (!option) {
			name[len] = '\0';
			const char *meant = closest(longs, name);

			fprintf(stderr, "ipipd: there is no option --%s%s%s%s\n%s", name,
				meant ? ", did you mean --" : "", meant ? meant : "",
				meant ? "?" : "", try_help);
			return EXIT_USAGE;
		}
		if (option->has_arg == required_argument && !name[len])
			i++;
	}
	return -1;
}

/* What getopt_long() would say itself, in its own words: of the word before the next one. */
static int refuse(int option, const char *word)
{
	const char letter[] = {'-', (char)optopt, '\0'};
	bool is_letter = optopt != HELP && optopt < 128 && isgraph(optopt);

	if (option == ':')
		return options_error(word, " needs a value");
	if (is_letter)
		return options_error("there is no option ", letter);
	return options_error(word, " takes no value");
}

int options_read(int argc, char **argv, struct options *options)
{
	struct option longs[LONGS_MAX] = {0};
	int option;

	fill_longs(longs);
	opterr = 0;
	int code = check_names(argc, argv, longs);
	while (code < 0 && (option = getopt_long(argc, argv, ":h", longs, NULL)) != -1)
		code = option == ':' || option == '?' ? refuse(option, argv[optind - 1])
						      : take(options, option);
	if (code < 0 && optind < argc)
		return options_error("unexpected argument: ", argv[optind]);
	return code;
}
