/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of the command line: some of its own, and a row of conf_settings for each other. */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG = 1, CHECK_CONFIG, PRINT, FLUSH, VERSION, HELP, SETTING };

struct own_option {
	const char *name;
	int id;
	const char *argument; /* NULL: it takes none */
	const char *doc;
};

/* clang-format off */
static const struct own_option own_options[] = {
	{"config", CONFIG, "FILE", "read these settings (default " CONF_PATH ", if it is there)"},
	{"check-config", CHECK_CONFIG, NULL, "tell every fault of the settings, and end"},
	{"print", PRINT, "WHAT", "print it, and end: config, the settings as a file;\n"
	 "                      openapi, what the API takes and answers"},
	{"flush", FLUSH, NULL, "take everything of this agent out of the kernel, and end"},
	{"version", VERSION, NULL, "print the version, and end"},
	{"help", HELP, NULL, "print this, and end"},
};
/* clang-format on */

enum { LONGS_MAX = ARRAY_LEN(own_options) + SETTINGS_MAX + 1 };

static const char *argument_of(const struct setting *setting)
{
	if (setting->type == SETTING_LIST)
		return "ADDR:PORT";
	return setting->fault ? "LEVEL" : "PATH";
}

static void print_option(const char *name, const char *argument)
{
	char text[40];

	snprintf(text, sizeof(text), "--%s%s%s", name, argument ? " " : "",
		 argument ? argument : "");
	printf("  %-19s ", text);
}

static void usage(void)
{
	puts("Usage: ipipd [OPTION]...\n"
	     "Keeps the kernel's IPIP tunnels, exit routes and NAT equal to what is declared.\n"
	     "One agent runs in each network namespace, in the foreground; it logs to stderr.\n");
	for (unsigned i = 0; i < conf_n_settings; i++) {
		const struct setting *setting = &conf_settings[i];

		if (!setting->option)
			continue;
		print_option(setting->option, argument_of(setting));
		printf("%s%s%s%s\n", setting->doc, *setting->dflt ? " (" : "", setting->dflt,
		       *setting->dflt ? ")" : "");
	}
	for (size_t i = 0; i < ARRAY_LEN(own_options); i++) {
		print_option(own_options[i].name, own_options[i].argument);
		puts(own_options[i].doc);
	}
	puts("\nOptions override the settings of files; --listen may be repeated. The directories\n"
	     "of socket and database are made when only they are missing. SIGTERM and SIGINT end\n"
	     "the agent; what is in the kernel stays there. SIGHUP has settings, tokens and\n"
	     "certificates read anew.");
}

int options_error(const char *sentence, const char *argument)
{
	fprintf(stderr, "ipipd: %s%s\nTry 'ipipd --help'.\n", sentence, argument);
	return EXIT_USAGE;
}

static int override(struct options *options, const struct setting *setting, const char *value)
{
	struct err err;

	if (conf_check_value(setting, value, &err) < 0) {
		fprintf(stderr, "ipipd: --%s %s: %s\nTry 'ipipd --help'.\n", setting->option, value,
			err.sentence);
		return EXIT_USAGE;
	}
	vec_push(&options->overrides, ((struct conf_override){setting, value}));
	return -1;
}

static void fill_longs(struct option longs[static LONGS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(own_options); i++)
		longs[n++] = (struct option){own_options[i].name,
					     own_options[i].argument ? required_argument
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
	case '?': /* getopt_long has said what is wrong */
		fputs("Try 'ipipd --help'.\n", stderr);
		return EXIT_USAGE;
	default:
		return override(options, &conf_settings[option - SETTING], optarg);
	}
}

int options_read(int argc, char **argv, struct options *options)
{
	struct option longs[LONGS_MAX] = {0};
	int option, code = -1;

	fill_longs(longs);
	while (code < 0 && (option = getopt_long(argc, argv, "", longs, NULL)) != -1)
		code = take(options, option);
	if (code < 0 && optind < argc)
		return options_error("unexpected argument: ", argv[optind]);
	return code;
}
