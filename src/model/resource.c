/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names, and finding a kind by what the API calls it. */
#include "model/resource.h"

#include <string.h>

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_name_char(char c)
{
	return is_alnum(c) || c == '.' || c == '_' || c == '-';
}

const char *resource_name_fault(const char *name)
{
	size_t len = strlen(name);

	if (len < 1 || len > RESOURCE_NAME - 1)
		return "a name has 1 to 63 characters";
	if (!is_alnum(name[0]) || !is_alnum(name[len - 1]))
		return "a name begins and ends with a letter or digit";
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(name[i]))
			return "a name has only letters, digits, \".\", \"_\" and \"-\"";
	return NULL;
}

const char *ifname_fault(const char *name)
{
	static const char *const reserved[] = {"lo", "all", "default", "tunl0", ".", ".."};
	size_t len = strlen(name);

	if (len < 1 || len > IFNAMSIZ - 1)
		return "an interface name has 1 to 15 bytes";
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(name[i]))
			return "an interface name has only letters, digits, \".\", \"_\" and \"-\"";
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return "this interface name is reserved";
	return NULL;
}

const struct kind *resource_kind_of_path(const char *path)
{
	for (unsigned i = 0; i < RESOURCE_KINDS; i++)
		if (strcmp(kinds[i]->path, path) == 0 || strcmp(kinds[i]->noun, path) == 0)
			return kinds[i];
	return NULL;
}
