/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of remotes. Whether what its paths name is there is judged when it is used. */
#include "cli/remotes.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/words.h"
#include "model/resource.h"

enum { FILE_MAX = 1 << 20 };

static int folder_path(struct text *path, struct err *err)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	/* the standard ignores a relative one */
	if (config && config[0] == '/')
		text_addf(path, "%s/ipipctl", config);
	else if (home && home[0])
		text_addf(path, "%s/.config/ipipctl", home);
	else
		return err_set(err, -ENOENT,
			       "neither XDG_CONFIG_HOME nor HOME says where remotes are kept");
	return 0;
}

int remotes_path(struct text *path, struct err *err)
{
	int rc = folder_path(path, err);

	if (rc == 0)
		text_add(path, "/remotes.json");
	return rc;
}

static const char *closest_member(const char *word)
{
	struct guess guess = guess_at(word);

	guess_offer(&guess, "url");
	for (unsigned i = 0; i < credentials_n_members; i++)
		guess_offer(&guess, credentials_members[i].name);
	return guess.meant;
}

/* where a member of that name goes; NULL: there is none */
static const char **member_at(struct remote *remote, const char *name)
{
	if (strcmp(name, "url") == 0)
		return &remote->url;
	for (unsigned i = 0; i < credentials_n_members; i++)
		if (strcmp(credentials_members[i].name, name) == 0)
			return credentials_at(&remote->credentials, i);
	return NULL;
}

static int unknown_member(const char *remote, const char *member, struct err *err)
{
	const char *meant = closest_member(member);

	if (meant)
		return err_set(err, -EINVAL, "%s: unknown member %s; did you mean %s?", remote,
			       member, meant);
	return err_set(err, -EINVAL, "%s: unknown member %s", remote, member);
}

static int parse_remote(const char *name, json_t *document, struct arena *arena,
			struct remote *remote, struct err *err)
{
	const char *key;
	json_t *value;

	*remote = (struct remote){.name = arena_strdup(arena, name)};
	if (!json_is_object(document))
		return err_set(err, -EINVAL, "%s: an object is wanted", name);
	json_object_foreach(document, key, value) {
		const char **to = member_at(remote, key);

		if (!to)
			return unknown_member(name, key, err);
		if (!json_is_string(value))
			return err_set(err, -EINVAL, "%s: %s: a string is wanted", name, key);
		*to = arena_strdup(arena, json_string_value(value));
	}
	if (!remote->url)
		return err_set(err, -EINVAL, "%s: the url is missing", name);
	return remotes_check(remote, err);
}

static int parse_all(json_t *document, struct arena *arena, struct remotes *remotes,
		     struct err *err)
{
	const char *name;
	json_t *value;

	if (!json_is_object(document))
		return err_set(err, -EINVAL, "an object is wanted, with a member for each remote");
	json_object_foreach(document, name, value) {
		struct remote remote;
		int rc = parse_remote(name, value, arena, &remote, err);

		if (rc)
			return rc;
		remotes_add(remotes, &remote);
	}
	return 0;
}

int remotes_parse(const char *path, const char *text, struct arena *arena, struct remotes *remotes,
		  struct err *err)
{
	json_error_t fault;
	json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
	struct err why;

	if (!document)
		return err_set(err, -EINVAL, "%s:%d: %s", path, fault.line, fault.text);
	int rc = parse_all(document, arena, remotes, &why);
	json_decref(document);
	return rc ? err_set(err, rc, "%s: %s", path, why.sentence) : 0;
}

static json_t *json_of(const struct remote *remote)
{
	json_t *document = json_object();

	json_object_set_new(document, "url", json_string(remote->url));
	for (unsigned i = 0; i < credentials_n_members; i++) {
		const char *path = credentials_get(&remote->credentials, i);

		if (path)
			json_object_set_new(document, credentials_members[i].name,
					    json_string(path));
	}
	return document;
}

void remotes_format(const struct remotes *remotes, struct text *text)
{
	json_t *document = json_object();

	for (size_t i = 0; i < remotes->len; i++)
		json_object_set_new(document, remotes->v[i].name, json_of(&remotes->v[i]));
	cleanup_free char *dump = json_dumps(document, JSON_INDENT(2));
	text_addf(text, "%s\n", dump);
	json_decref(document);
}

int remotes_read(struct arena *arena, struct remotes *remotes, struct err *err)
{
	cleanup_text struct text path = {0}, text = {0};

	if (remotes_path(&path, err))
		return 0; /* no home, no remotes */
	int rc = file_read(path.s, FILE_MAX, 0022, &text, err);
	if (rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	return rc ? rc : remotes_parse(path.s, text_str(&text), arena, remotes, err);
}

/* The folder and the one that it is in, as far as they are missing. */
static int make_folder(const char *path, struct err *err)
{
	cleanup_text struct text parent = {0};

	const char *slash = strrchr(path, '/');

	if (slash)
		text_add_len(&parent, path, (size_t)(slash - path));
	if (parent.len && mkdir(parent.s, 0700) != 0 && errno != EEXIST)
		return err_set(err, -errno, "%s: %s", parent.s, strerror(errno));
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

int remotes_lock(int *fd, struct err *err)
{
	cleanup_text struct text path = {0};
	int rc = folder_path(&path, err);
	const char *name = text_str(&path);

	if (rc == 0)
		rc = make_folder(name, err);
	if (rc)
		return rc;
	cleanup_fd int folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || flock(folder, LOCK_EX) != 0)
		return err_set(err, -errno, "%s: %s", name, strerror(errno));
	*fd = take_fd(&folder);
	return 0;
}

static int write_all(int fd, const struct text *text)
{
	for (size_t done = 0; done < text->len;) {
		ssize_t n = write(fd, text->s + done, text->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

int remotes_write(const struct remotes *remotes, struct err *err)
{
	cleanup_text struct text path = {0}, new = {0}, text = {0};
	int rc = remotes_path(&path, err);

	if (rc)
		return rc;
	remotes_format(remotes, &text);
	text_addf(&new, "%s.XXXXXX", path.s);
	cleanup_fd int fd = mkostemp(new.s, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", new.s, strerror(errno));
	rc = write_all(fd, &text);
	if (rc == 0 && rename(new.s, path.s) != 0)
		rc = -errno;
	if (rc == 0)
		return 0;
	unlink(new.s);
	return err_set(err, rc, "%s: %s", path.s, strerror(-rc));
}

struct remote *remotes_find(const struct remotes *remotes, const char *name)
{
	for (size_t i = 0; i < remotes->len; i++)
		if (strcmp(remotes->v[i].name, name) == 0)
			return &remotes->v[i];
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct remote *)a)->name, ((const struct remote *)b)->name);
}

void remotes_add(struct remotes *remotes, const struct remote *remote)
{
	vec_push(remotes, *remote);
	vec_sort(remotes, by_name);
}

void remotes_remove(struct remotes *remotes, struct remote *remote)
{
	size_t after = (size_t)(remotes->v + remotes->len - (remote + 1));

	memmove(remote, remote + 1, after * sizeof(*remote));
	remotes->len--;
}

int remotes_check(const struct remote *remote, struct err *err)
{
	const char *fault = resource_name_fault(remote->name);
	enum credentials_use use = CREDENTIALS_NONE;
	struct err why;

	if (fault)
		return err_set(err, -EINVAL, "%s: %s", remote->name, fault);
	int rc = credentials_use(remote->url, &use, &why);
	if (rc == 0)
		rc = credentials_check(&remote->credentials, use, remote->url, &why);
	return rc ? err_set(err, rc, "%s: %s", remote->name, why.sentence) : 0;
}
