/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which credentials can count where, and the reading of a token. */
#include "cli/credentials.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

enum { TOKEN_MAX = 4096 };

const struct credentials_member credentials_members[] = {
	{"token_file", "token-file", "TOKEN-FILE", offsetof(struct credentials, token_file)},
	{"cacert", "cacert", "CACERT", offsetof(struct credentials, cacert)},
	{"cert", "cert", "CERT", offsetof(struct credentials, cert)},
	{"key", "key", "KEY", offsetof(struct credentials, key)},
};
const unsigned credentials_n_members = ARRAY_LEN(credentials_members);

const char **credentials_at(struct credentials *credentials, unsigned member)
{
	return (const char **)((char *)credentials + credentials_members[member].offset);
}

const char *credentials_get(const struct credentials *credentials, unsigned member)
{
	return *credentials_at((struct credentials *)(uintptr_t)credentials, member);
}

const char *credentials_socket(const char *address)
{
	if (strncmp(address, "unix://", strlen("unix://")) == 0)
		address += strlen("unix://");
	return address[0] == '/' ? address : NULL;
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

static int use_of_url(CURLU *url, const char *address, enum credentials_use *use, struct err *err)
{
	char *scheme = NULL, *host = NULL, *rest = NULL;
	int rc = 0;

	CURLUcode code = curl_url_set(url, CURLUPART_URL, address, CURLU_DISALLOW_USER);
	if (code == CURLUE_USER_NOT_ALLOWED)
		return err_set(err, -EINVAL,
			       "a user or password in an address is not sent; --token-file names "
			       "the file of a token");
	if (code != CURLUE_OK || curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		rc = err_set(err, -EINVAL, "%s is no URL", address);
	else if (curl_url_get(url, CURLUPART_QUERY, &rest, 0) == CURLUE_OK ||
		 curl_url_get(url, CURLUPART_FRAGMENT, &rest, 0) == CURLUE_OK)
		rc = err_set(err, -EINVAL, "%s: an agent's address has no ? and no #", address);
	else if (strcasecmp(scheme, "https") == 0)
		*use = CREDENTIALS_ALL;
	else
		*use = is_loopback(host) ? CREDENTIALS_TOKEN : CREDENTIALS_OPEN;
	curl_free(scheme);
	curl_free(host);
	curl_free(rest);
	return rc;
}

static bool is_url(const char *address)
{
	return strncasecmp(address, "http://", strlen("http://")) == 0 ||
	       strncasecmp(address, "https://", strlen("https://")) == 0;
}

int credentials_use(const char *address, enum credentials_use *use, struct err *err)
{
	if (credentials_socket(address)) {
		*use = CREDENTIALS_NONE;
		return 0;
	}
	if (!is_url(address))
		return err_set(err, -EINVAL,
			       "%s is not the address of an agent: give unix:///PATH, "
			       "http://HOST:PORT or https://HOST:PORT",
			       address);
	CURLU *url = curl_url();
	if (!url)
		out_of_memory(sizeof(url));
	int rc = use_of_url(url, address, use, err);
	curl_url_cleanup(url);
	return rc;
}

static bool can_count(enum credentials_use use, unsigned member)
{
	bool is_token = credentials_members[member].offset ==
			offsetof(struct credentials, token_file);

	return use == CREDENTIALS_ALL || (use == CREDENTIALS_TOKEN && is_token);
}

void credentials_drop(struct credentials *credentials, enum credentials_use use)
{
	for (unsigned i = 0; i < credentials_n_members; i++)
		if (!can_count(use, i))
			*credentials_at(credentials, i) = NULL;
}

static int refuse(const char *option, const char *address, enum credentials_use use,
		  struct err *err)
{
	if (use == CREDENTIALS_NONE)
		return err_set(err, -EINVAL,
			       "--%s is for https://; over a unix socket the agent knows who asks",
			       option);
	if (strcmp(option, "token-file") == 0)
		return err_set(err, -EINVAL,
			       "%s: a token is not sent in the clear; use https://, or http:// "
			       "to this host alone",
			       address);
	return err_set(err, -EINVAL, "--%s is for https://, not for %s", option, address);
}

int credentials_check(const struct credentials *credentials, enum credentials_use use,
		      const char *address, struct err *err)
{
	for (unsigned i = 0; i < credentials_n_members; i++) {
		const char *path = credentials_get(credentials, i);
		const char *option = credentials_members[i].option;

		if (path && !can_count(use, i))
			return refuse(option, address, use, err);
	}
	if (credentials->key && !credentials->cert)
		return err_set(err, -EINVAL, "--key is the key of a certificate: give --cert too");
	return 0;
}

static bool is_visible(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

int credentials_readable(const struct credentials *credentials, struct err *err)
{
	for (unsigned i = 0; i < credentials_n_members; i++) {
		const char *path = credentials_get(credentials, i);

		if (path && access(path, R_OK) != 0)
			return err_set(err, -EINVAL, "--%s %s: %s", credentials_members[i].option,
				       path, strerror(errno));
	}
	return 0;
}

void credentials_warn_open(const char *path)
{
	fprintf(stderr, "ipipctl: warning: others may read the token in %s; chmod go= %s\n", path,
		path);
}

int credentials_read_token(const char *path, struct text *token, bool *is_open, struct err *err)
{
	struct stat st;
	int rc = file_read(path, TOKEN_MAX, 0, token, err);

	if (rc)
		return rc;
	*is_open = stat(path, &st) == 0 && st.st_mode & 0044;
	if (token->len && token->s[token->len - 1] == '\n')
		text_cut(token, token->len - 1);
	if (token->len && token->s[token->len - 1] == '\r')
		text_cut(token, token->len - 1);
	if (!token->len)
		return err_set(err, -EINVAL, "%s: there is no token in it", path);
	if (!is_visible(token->s))
		return err_set(err, -EINVAL,
			       "%s: a token is one line of visible ASCII characters, and nothing "
			       "else in the file",
			       path);
	return 0;
}
