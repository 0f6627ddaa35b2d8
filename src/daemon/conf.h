/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The agent's own settings: a file, the *.conf of the folder that is called as the file with .d
 * behind, in the order of their names, and the command line, each overriding what was before.
 * One table says what there is. Tunnels, routes and rules are no settings: the API declares them.
 */

#include "base/text.h"
#include "base/vec.h"
#include "daemon/api_events.h"
#include "daemon/http.h"

#define CONF_PATH "/etc/ipipd/ipipd.conf"

enum { CONF_FILE_MAX = 64 * 1024, SETTINGS_MAX = 32 };

struct conf {
	struct arena arena; /* of the texts */
	const char *database;
	const char *log_level;
	struct http_config http;
	unsigned events_kept;
	struct events_config events;
	const char *origin[SETTINGS_MAX]; /* "FILE:LINE", "--OPTION"; NULL: the default */
};

enum setting_type {
	SETTING_TEXT,   /* const char * */
	SETTING_LIST,   /* struct http_names, in the file with commas */
	SETTING_NUMBER, /* unsigned */
	SETTING_SIZE,   /* size_t, bytes */
	SETTING_TIME,   /* unsigned, ms */
};

struct setting {
	const char *section, *name;
	enum setting_type type;
	size_t offset;      /* in struct conf */
	uint64_t min, max;  /* numbers; a text's length, a list's count */
	const char *dflt;   /* as in the file */
	const char *option; /* of the command line, NULL: none */
	bool reload;        /* may change while the agent runs */
	/* What a text, or one of a list, must be, if this one is not. */
	const char *(*fault)(const char *value);
	const char *doc;
};

extern const struct setting conf_settings[];
extern const unsigned conf_n_settings;

struct conf_override {
	const struct setting *setting;
	const char *value;
};

struct conf_overrides vec_of(struct conf_override);

/*
 * Reads it all into conf, which is {0} before and goes to conf_done afterwards, in any case.
 * path: NULL for CONF_PATH, which need not be there. -EINVAL, with every fault in errs.
 */
int conf_load(struct conf *conf, const char *path, const struct conf_overrides *overrides,
	      struct errs *errs) must_check;
/* Reads one file's text. */
int conf_parse(struct conf *conf, const char *path, const char *text,
	       struct errs *errs) must_check;
/* Every setting as it is by default. */
void conf_defaults(struct conf *conf);
void conf_done(struct conf *conf);

/* Is this a value of the setting? -EINVAL with a sentence. */
int conf_check_value(const struct setting *setting, const char *value, struct err *err) must_check;
/* Puts in front of sentences about a setting where it was set. */
void conf_locate(const struct conf *conf, struct errs *errs);
/* The value as in the file. */
void conf_show(const struct conf *conf, const struct setting *setting, struct text *text);
/* "32K to 1M" of a number, size or time; nothing of the others. */
void conf_bounds(const struct setting *setting, struct text *text);
/* All of them, as a commented file, in which defaults are comments too. */
void conf_print(const struct conf *conf, struct text *text);
