/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading and writing of settings. inih takes lines apart; it cuts long ones in two, passes empty
 * sections and tells of one fault alone, so that the lines are looked at here before.
 */
#include "daemon/conf.h"

#include "base/file.h"
#include "base/words.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 196 }; /* inih's buffer is 200, with \r, \n and NUL */

struct reading {
	struct conf *conf;
	const char *path;
	const char *at; /* rest of the text */
	char line[LINE_BYTES + 1];
	unsigned number;
	bool heard; /* inih took the line for name and value, or went on with one */
	bool lost;  /* in a section that there is not: that has been said */
	const struct setting *last;
	unsigned first[SETTINGS_MAX]; /* lines in which they are set */
	struct errs *errs;
};

static int fault(const struct reading *r, const char *fmt, ...) printf_(2, 3);

static int fault(const struct reading *r, const char *fmt, ...)
{
	char sentence[ERR_SENTENCE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	return errs_add(r->errs, -EINVAL, "", "", "%s:%u: %s", r->path, r->number, sentence);
}

static unsigned index_of(const struct setting *setting)
{
	return (unsigned)(setting - conf_settings);
}

static void *value_of(const struct setting *setting, struct conf *conf)
{
	return (char *)conf + setting->offset;
}

/* Digits and a unit; -EINVAL when it is another thing or too large. */
static int number_of(const char *value, const char *const *units, const uint64_t *factors,
		     uint64_t *number)
{
	char *end;

	if (value[0] < '0' || value[0] > '9' || strspn(value, "0123456789") > 12)
		return -EINVAL;
	uint64_t digits = strtoull(value, &end, 10);
	for (; *units; units++, factors++)
		if (strcmp(end, *units) == 0) {
			*number = digits * *factors;
			return 0;
		}
	return -EINVAL;
}

static int parse_number(const struct setting *setting, const char *value, uint64_t *number)
{
	static const char *const units[][4] = {
		[SETTING_NUMBER] = {"", NULL},
		[SETTING_SIZE] = {"", "K", "M", NULL},
		[SETTING_TIME] = {"s", "ms", NULL},
	};
	static const uint64_t factors[][3] = {
		[SETTING_NUMBER] = {1},
		[SETTING_SIZE] = {1, 1024, 1024 * 1024},
		[SETTING_TIME] = {1000, 1},
	};
	int rc = number_of(value, units[setting->type], factors[setting->type], number);

	return rc || *number < setting->min || *number > setting->max ? -EINVAL : 0;
}

static void show_number(enum setting_type type, uint64_t number, struct text *text)
{
	if (type == SETTING_TIME && number % 1000)
		text_addf(text, "%llums", (unsigned long long)number);
	else if (type == SETTING_TIME)
		text_addf(text, "%llus", (unsigned long long)number / 1000);
	else if (type == SETTING_SIZE && number && number % (1 << 20) == 0)
		text_addf(text, "%lluM", (unsigned long long)number >> 20);
	else if (type == SETTING_SIZE && number && number % 1024 == 0)
		text_addf(text, "%lluK", (unsigned long long)number >> 10);
	else
		text_addf(text, "%llu", (unsigned long long)number);
}

void conf_bounds(const struct setting *setting, struct text *text)
{
	if (setting->type == SETTING_TEXT || setting->type == SETTING_LIST)
		return;
	show_number(setting->type, setting->min, text);
	text_add(text, " to ");
	show_number(setting->type, setting->max, text);
}

static int set_number(const struct setting *setting, const char *value, struct conf *conf,
		      struct err *err)
{
	static const char *const what[] = {
		[SETTING_NUMBER] = "a whole number from ",
		[SETTING_SIZE] = "a size from ",
		[SETTING_TIME] = "a time from ",
	};
	cleanup_text struct text bounds = {0};
	uint64_t number;

	if (parse_number(setting, value, &number) < 0) {
		conf_bounds(setting, &bounds);
		return err_set(err, -EINVAL, "%s: must be %s%s", setting->name, what[setting->type],
			       text_str(&bounds));
	}
	if (setting->type == SETTING_SIZE)
		*(size_t *)value_of(setting, conf) = (size_t)number;
	else
		*(unsigned *)value_of(setting, conf) = (unsigned)number;
	return 0;
}

/* In a file that would be where a comment begins. */
static bool has_comment(const char *value)
{
	return *value == ';' || strstr(value, " ;") || strstr(value, "\t;");
}

static int set_text(const struct setting *setting, const char *value, struct conf *conf,
		    struct err *err)
{
	size_t len = strlen(value);
	const char *wanted = setting->fault && len ? setting->fault(value) : NULL;

	if (len < setting->min || len > setting->max)
		return err_set(err, -EINVAL, "%s: has %llu to %llu bytes", setting->name,
			       (unsigned long long)setting->min, (unsigned long long)setting->max);
	if (wanted)
		return err_set(err, -EINVAL, "%s: must be %s", setting->name, wanted);
	*(const char **)value_of(setting, conf) = arena_strdup(&conf->arena, value);
	return 0;
}

static int add_name(const struct setting *setting, const char *name, struct conf *conf,
		    struct err *err)
{
	struct http_names *names = value_of(setting, conf);
	const char *wanted = *name ? setting->fault(name) : "names, with commas between them";

	/* where a list goes on in the next line, a comment begins with either */
	if (has_comment(name) || *name == '#')
		wanted = "without a \";\" or \"#\" at its start";
	if (wanted)
		return err_set(err, -EINVAL, "%s: must be %s", setting->name, wanted);
	if (names->len == setting->max)
		return err_set(err, -EINVAL, "%s: has at most %llu", setting->name,
			       (unsigned long long)setting->max);
	if (!names->v)
		names->v = arena_array(&conf->arena, setting->max, sizeof(*names->v));
	names->v[names->len++] = name;
	return 0;
}

/* Behind what the list holds already. */
static int add_names(const struct setting *setting, const char *value, struct conf *conf,
		     struct err *err)
{
	static const char blanks[] = " \t\r\v\f"; /* as inih takes them off a line's end */
	int rc = 0;

	while (*value && rc == 0) {
		value += strspn(value, blanks);
		size_t len = strcspn(value, ","), end = len;

		while (end && strchr(blanks, value[end - 1]))
			end--;
		rc = add_name(setting, arena_strndup(&conf->arena, value, end), conf, err);
		value += len + (value[len] == ',');
	}
	return rc;
}

/* goes_on: what a list holds stays. */
static int set(const struct setting *setting, const char *value, bool goes_on, struct conf *conf,
	       struct err *err)
{
	if (has_comment(value))
		return err_set(err, -EINVAL, "%s: has a \";\" where a comment begins",
			       setting->name);
	switch (setting->type) {
	case SETTING_TEXT:
		return set_text(setting, value, conf, err);
	case SETTING_LIST:
		if (!goes_on)
			((struct http_names *)value_of(setting, conf))->len = 0;
		return add_names(setting, value, conf, err);
	case SETTING_NUMBER:
	case SETTING_SIZE:
	case SETTING_TIME:
		return set_number(setting, value, conf, err);
	}
	return -EINVAL;
}

int conf_check_value(const struct setting *setting, const char *value, struct err *err)
{
	struct conf scratch = {0};
	int rc = set(setting, value, false, &scratch, err);

	conf_done(&scratch);
	return rc;
}

static const char *close_to(const char *word, const char *section)
{
	struct guess guess = guess_at(word);

	for (unsigned i = 0; i < conf_n_settings; i++) {
		const struct setting *setting = &conf_settings[i];

		if (!section)
			guess_offer(&guess, setting->section);
		else if (strcmp(section, setting->section) == 0)
			guess_offer(&guess, setting->name);
	}
	return guess.meant;
}

/* section NULL: the word is one */
static void fault_unknown(const struct reading *r, const char *word, const char *section)
{
	const char *meant = close_to(word, section);

	fault(r, "unknown %s %.40s%s%s%s", section ? "setting" : "section", word,
	      meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static bool is_section(const char *word)
{
	for (unsigned i = 0; i < conf_n_settings; i++)
		if (strcmp(conf_settings[i].section, word) == 0)
			return true;
	return false;
}

static const struct setting *find(const char *section, const char *name)
{
	for (unsigned i = 0; i < conf_n_settings; i++)
		if (strcmp(conf_settings[i].section, section) == 0 &&
		    strcmp(conf_settings[i].name, name) == 0)
			return &conf_settings[i];
	return NULL;
}

static void take(struct reading *r, const struct setting *setting, const char *value)
{
	bool goes_on = r->line[0] == ' ' || r->line[0] == '\t';
	unsigned *first = &r->first[index_of(setting)];
	struct err err;

	if (goes_on && (setting->type != SETTING_LIST || setting != r->last)) {
		fault(r, "a line that begins with a blank goes on with a list");
		return;
	}
	if (*first && !goes_on) {
		fault(r, "%s: is set in line %u already", setting->name, *first);
		return;
	}
	if (!goes_on)
		*first = r->number;
	r->last = setting;
	if (set(setting, value, goes_on, r->conf, &err) < 0)
		fault(r, "%s", err.sentence);
	r->conf->origin[index_of(setting)] = arena_printf(&r->conf->arena, "%s:%u", r->path,
							  r->number);
}

static int on_value(void *user, const char *section, const char *name, const char *value)
{
	struct reading *r = user;
	const struct setting *setting = find(section, name);

	r->heard = true;
	if (r->lost)
		return 1;
	if (setting)
		take(r, setting, value);
	else if (!*section)
		fault(r, "%.40s: stands in no section", name);
	else
		fault_unknown(r, name, section);
	return 1;
}

static void judge_section(struct reading *r, char *name)
{
	char *end = strchr(name, ']');

	r->last = NULL;
	r->lost = true;
	if (!end) {
		fault(r, "a section is [NAME]");
		return;
	}
	*end = '\0';
	if (is_section(name))
		r->lost = false;
	else
		fault_unknown(r, name, NULL);
}

static bool is_comment(const char *line)
{
	line += strspn(line, " \t\r");
	return *line == ';' || *line == '#';
}

/* What inih passed over in the line that it had last. */
static void judge_line(struct reading *r)
{
	char *s = r->line + strspn(r->line, " \t\r");

	if (r->heard || !*s || is_comment(s))
		return;
	if (*s == '[')
		judge_section(r, s + 1);
	else
		fault(r, "is neither NAME = VALUE nor [SECTION]");
}

/* inih does so too, but not where a list goes on. */
static void cut_comment(char *line)
{
	for (char *c = line; *c; c++)
		if (*c == ';' && c > line && isspace((unsigned char)c[-1])) {
			*c = '\0';
			return;
		}
}

/* Gives inih the next line, as fgets would. */
static char *next_line(char *to, int size, void *stream)
{
	struct reading *r = stream;
	size_t len = strcspn(r->at, "\n");

	judge_line(r);
	if (!*r->at)
		return NULL;
	r->number++;
	r->heard = false;
	const char *line = r->at;
	r->at += len + (r->at[len] == '\n');
	if (len > LINE_BYTES || len + 2 > (size_t)size) {
		if (!is_comment(line))
			fault(r,
			      "a line has at most %d bytes; a list can go on in the next, "
			      "after a blank",
			      LINE_BYTES);
		len = 0;
	}
	memcpy(r->line, line, len);
	r->line[len] = '\0';
	cut_comment(r->line);
	snprintf(to, (size_t)size, "%s\n", r->line);
	return to;
}

int conf_parse(struct conf *conf, const char *path, const char *text, struct errs *errs)
{
	struct reading r = {.conf = conf, .path = path, .at = text, .errs = errs};
	size_t before = errs->total;

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		r.at += 3; /* a mark of some editors */
	/* its own verdict is the line of the first fault, of those that are told here */
	int line = ini_parse_stream(next_line, &r, on_value, &r);
	if (line && errs->total == before) {
		r.number = line > 0 ? (unsigned)line : 0;
		fault(&r, "is neither NAME = VALUE nor [SECTION]");
	}
	return errs->total > before ? -EINVAL : 0;
}

static int read_file(struct conf *conf, const char *path, bool may_lack, struct errs *errs)
{
	cleanup_text struct text text = {0};
	struct err err;
	int rc = file_read(path, CONF_FILE_MAX, 0, &text, &err);

	if (rc == -ENOENT && may_lack)
		return 0;
	if (rc < 0)
		return errs_add(errs, -EINVAL, "", "", "%s", err.sentence);
	return conf_parse(conf, path, text_str(&text), errs);
}

static int is_conf(const struct dirent *file)
{
	size_t len = strlen(file->d_name);

	return file->d_name[0] != '.' && len > 5 && strcmp(file->d_name + len - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_folder(struct conf *conf, const char *path, struct errs *errs)
{
	const char *folder = arena_printf(&conf->arena, "%s.d", path);
	struct dirent **files;
	int rc = 0, n = scandir(folder, &files, is_conf, by_name);

	if (n < 0)
		return errno == ENOENT
			       ? 0
			       : errs_add(errs, -EINVAL, "", "", "%s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		const char *file = arena_printf(&conf->arena, "%s/%s", folder, files[i]->d_name);

		if (read_file(conf, file, false, errs) < 0)
			rc = -EINVAL;
		free(files[i]);
	}
	free(files);
	return rc;
}

static void override(struct conf *conf, const struct conf_overrides *overrides)
{
	bool seen[SETTINGS_MAX] = {false};

	for (size_t i = 0; i < overrides->len; i++) {
		const struct setting *setting = overrides->v[i].setting;
		unsigned at = index_of(setting);

		/* that it is a value was checked when the option was read */
		if (set(setting, overrides->v[i].value, seen[at], conf, NULL) < 0)
			continue;
		seen[at] = true;
		conf->origin[at] = arena_printf(&conf->arena, "--%s", setting->option);
	}
}

void conf_defaults(struct conf *conf)
{
	for (unsigned i = 0; i < conf_n_settings; i++)
		if (set(&conf_settings[i], conf_settings[i].dflt, false, conf, NULL) < 0)
			abort(); /* a mistake in the table */
}

int conf_load(struct conf *conf, const char *path, const struct conf_overrides *overrides,
	      struct errs *errs)
{
	const char *file = path ? path : CONF_PATH;

	conf_defaults(conf);
	int rc = read_file(conf, file, !path, errs);
	int folder_rc = read_folder(conf, file, errs);
	override(conf, overrides);
	return rc ? rc : folder_rc;
}

void conf_done(struct conf *conf)
{
	arena_done(&conf->arena);
}

static const char *origin_of(const struct conf *conf, const char *place)
{
	for (unsigned i = 0; i < conf_n_settings; i++) {
		const struct setting *setting = &conf_settings[i];
		size_t len = strlen(setting->section);

		if (strncmp(place, setting->section, len) == 0 && place[len] == '.' &&
		    strcmp(place + len + 1, setting->name) == 0)
			return conf->origin[i] ? conf->origin[i] : place;
	}
	return place;
}

void conf_locate(const struct conf *conf, struct errs *errs)
{
	for (size_t i = 0; i < errs->len; i++) {
		struct err *err = &errs->v[i];
		char sentence[ERR_SENTENCE];

		if (!*err->pointer)
			continue;
		snprintf(sentence, sizeof(sentence), "%s: %s", origin_of(conf, err->pointer),
			 err->sentence);
		memcpy(err->sentence, sentence, sizeof(sentence));
		err->pointer[0] = '\0';
	}
}

/* In lines that inih takes whole. */
static void show_names(const struct http_names *names, struct text *text)
{
	size_t begin = text->len;

	for (size_t i = 0; i < names->len; i++) {
		bool is_full = text->len - begin + strlen(names->v[i]) > LINE_BYTES / 2;

		if (i)
			text_add(text, is_full ? ",\n\t" : ", ");
		if (is_full)
			begin = text->len;
		text_add(text, names->v[i]);
	}
}

void conf_show(const struct conf *conf, const struct setting *setting, struct text *text)
{
	const void *value = (const char *)conf + setting->offset;
	const struct http_names *names = value;

	switch (setting->type) {
	case SETTING_TEXT:
		text_add(text, *(const char *const *)value);
		break;
	case SETTING_LIST:
		show_names(names, text);
		break;
	case SETTING_SIZE:
		show_number(setting->type, *(const size_t *)value, text);
		break;
	case SETTING_NUMBER:
	case SETTING_TIME:
		show_number(setting->type, *(const unsigned *)value, text);
		break;
	}
}

static void print_setting(const struct conf *conf, const struct setting *setting, struct text *text)
{
	cleanup_text struct text value = {0}, bounds = {0};

	conf_show(conf, setting, &value);
	conf_bounds(setting, &bounds);
	text_addf(text, "\n# %s%s%s", setting->doc, bounds.len ? ": " : "", text_str(&bounds));
	bool is_default = strcmp(text_str(&value), setting->dflt) == 0;
	text_addf(text, "%s\n%s%s =%s%s\n", setting->reload ? " (reload)" : "",
		  is_default ? "#" : "", setting->name, value.len ? " " : "", text_str(&value));
}

void conf_print(const struct conf *conf, struct text *text)
{
	const char *section = "";

	text_addf(text,
		  "# Settings of ipipd, see ipipd.conf(5). Files ipipd.conf.d/*.conf override this "
		  "one,\n# options of the command line both. SIGHUP has those with (reload) read "
		  "anew, and the\n# files that they name. Comments show the defaults.\n");
	for (unsigned i = 0; i < conf_n_settings; i++) {
		if (strcmp(section, conf_settings[i].section) != 0)
			text_addf(text, "\n[%s]\n", conf_settings[i].section);
		section = conf_settings[i].section;
		print_setting(conf, &conf_settings[i], text);
	}
}
