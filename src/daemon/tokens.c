/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of tokens, and whose token this is. Of a token only its digest is ever held. */
#include "daemon/tokens.h"

#include "base/file.h"
#include "model/resource.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char blanks[] = " \t\r";

struct line {
	const char *path;
	unsigned number;
	struct errs *errs;
};

static int fault(const struct line *line, const char *fmt, ...) printf_(2, 3);

static int fault(const struct line *line, const char *fmt, ...)
{
	char sentence[ERR_SENTENCE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	return errs_add(line->errs, -EINVAL, "", "", "%s:%u: %s", line->path, line->number,
			sentence);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_digest(const char *hex, uint8_t digest[static DIGEST_BYTES])
{
	for (size_t i = 0; i < DIGEST_BYTES; i++, hex += 2) {
		int high = digit_of(hex[0]), low = high < 0 ? -1 : digit_of(hex[1]);

		if (low < 0)
			return false;
		digest[i] = (uint8_t)(high << 4 | low);
	}
	return *hex == '\0';
}

enum http_role tokens_role(const char *word)
{
	if (strcmp(word, "admin") == 0)
		return HTTP_ROLE_ADMIN;
	return strcmp(word, "read") == 0 ? HTTP_ROLE_READ : HTTP_ROLE_NONE;
}

static int check_new(const struct line *line, const struct tokens *tokens, const struct token *new)
{
	uint8_t nothing[DIGEST_BYTES];

	digest_sha256("", 0, nothing);
	if (digest_same(nothing, new->digest))
		return fault(line, "this is the digest of an empty token");
	for (size_t i = 0; i < tokens->len; i++) {
		if (strcmp(tokens->v[i].name, new->name) == 0)
			return fault(line, "there is a token named %s already", new->name);
		if (digest_same(tokens->v[i].digest, new->digest))
			return fault(line, "this is the token of %s too", tokens->v[i].name);
	}
	if (tokens->len == TOKENS_MAX)
		return fault(line, "there are more than %d tokens", TOKENS_MAX);
	return 0;
}

/* A fault quotes nothing of the line: it may be a token, in the wrong place. */
static int parse_line(const struct line *line, char *text, struct tokens *tokens)
{
	char *rest, *name = strtok_r(text, blanks, &rest);

	if (!name || name[0] == '#')
		return 0;
	char *role = strtok_r(NULL, blanks, &rest);
	char *digest = role ? strtok_r(NULL, blanks, &rest) : NULL;
	if (!digest || strtok_r(NULL, blanks, &rest))
		return fault(line, "a line is NAME ROLE SHA256HEX");
	struct token token = {.role = tokens_role(role)};
	const char *name_fault = resource_name_fault(name);
	if (name_fault)
		return fault(line, "%s", name_fault);
	name_copy(token.name, name);
	if (token.role == HTTP_ROLE_NONE)
		return fault(line, "the role is neither \"admin\" nor \"read\"");
	if (!read_digest(digest, token.digest))
		return fault(line, "a digest has 64 hexadecimal digits");
	int rc = check_new(line, tokens, &token);
	if (rc == 0)
		vec_push(tokens, token);
	return rc;
}

int tokens_parse(struct tokens *tokens, const char *path, const char *text, struct errs *errs)
{
	struct line line = {.path = path, .errs = errs};
	cleanup_free char *copy = xstrdup(text);
	int rc = 0;

	for (char *at = copy, *next; at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		line.number++;
		if (parse_line(&line, at, tokens) < 0)
			rc = -EINVAL;
	}
	return rc;
}

int tokens_read(struct tokens *tokens, const char *path, struct errs *errs)
{
	cleanup_text struct text text = {0};
	struct err err;
	int rc = file_read(path, TOKENS_FILE_MAX, 0007, &text, &err);

	if (rc < 0)
		return errs_add(errs, rc, "", HTTP_AT_TOKENS, "%s", err.sentence);
	return tokens_parse(tokens, path, text_str(&text), errs);
}

const struct token *tokens_find(const struct tokens *tokens, const char *secret, size_t len)
{
	const struct token *found = NULL;
	uint8_t digest[DIGEST_BYTES];

	digest_sha256(secret, len, digest);
	for (size_t i = 0; i < tokens->len; i++)
		if (digest_same(tokens->v[i].digest, digest))
			found = &tokens->v[i];
	return found;
}
