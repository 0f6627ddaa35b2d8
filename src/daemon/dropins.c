/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files count, and in which order; what a line means is the reader's. */
#include "daemon/dropins.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/vec.h"

enum { DROPIN_PATH = 512, DROPIN_NAME = 128, FILES_MAX = 128, FILE_MAX = 64 << 10 };

static const char *const places[] = {"/etc", "/run", "/usr/local/lib", "/usr/lib"};

struct dropin {
	char name[DROPIN_NAME];
	size_t place;
};

struct dropin_list vec_of(struct dropin);

static char *trim(char *text)
{
	text += strspn(text, " \t\r");
	size_t len = strlen(text);
	while (len && strchr(" \t\r", text[len - 1]))
		text[--len] = '\0';
	return text;
}

void dropins_read_file(const struct dropin_reader *reader, const char *path)
{
	cleanup_text struct text full = {0}, text = {0};
	struct dropin_line line = {.file = path};

	text_addf(&full, "%s%s", reader->root, path);
	if (file_read(text_str(&full), FILE_MAX, 0, &text, NULL) < 0 || !text.s)
		return;
	for (char *rest = text.s, *next; (next = strsep(&rest, "\n"));) {
		line.number++;
		line.text = trim(next);
		if (*line.text && *line.text != '#' && *line.text != ';')
			reader->line(reader->user, &line);
	}
}

static void path_of(char path[static DROPIN_PATH], const char *root, size_t place, const char *name)
{
	snprintf(path, DROPIN_PATH, "%s%s/%s", root, places[place], name);
}

void dropins_read_first(const struct dropin_reader *reader, const char *name)
{
	char path[DROPIN_PATH];

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		path_of(path, reader->root, i, name);
		if (access(path, F_OK))
			continue;
		path_of(path, "", i, name);
		dropins_read_file(reader, path);
		return;
	}
}

static bool is_listed(const struct dropin_list *list, const char *name)
{
	for (size_t i = 0; i < list->len; i++)
		if (strcmp(list->v[i].name, name) == 0)
			return true;
	return false;
}

static void list_place(const char *path, size_t place, struct dropin_list *list)
{
	DIR *directory = opendir(path);

	if (!directory)
		return;
	for (const struct dirent *file; (file = readdir(directory)) && list->len < FILES_MAX;) {
		size_t len = strlen(file->d_name);

		if (len < 6 || len >= DROPIN_NAME || strcmp(file->d_name + len - 5, ".conf") != 0 ||
		    is_listed(list, file->d_name))
			continue;
		struct dropin *dropin = vec_add(list);
		name_copy(dropin->name, file->d_name);
		dropin->place = place;
	}
	closedir(directory);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct dropin *)a)->name, ((const struct dropin *)b)->name);
}

void dropins_read(const struct dropin_reader *reader, const char *name)
{
	char path[DROPIN_PATH];
	struct dropin_list list = {0};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		path_of(path, reader->root, i, name);
		list_place(path, i, &list);
	}
	vec_sort(&list, compare);
	for (size_t i = 0; i < list.len; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", places[list.v[i].place], name,
			 list.v[i].name);
		dropins_read_file(reader, path);
	}
	vec_done(&list);
}

bool dropins_assignment(char *text, char **key, char **value)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return false;
	*equals = '\0';
	*key = trim(text);
	*value = trim(equals + 1);
	return true;
}
