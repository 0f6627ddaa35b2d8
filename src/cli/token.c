/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `token new`: a secret, and the line by which an agent knows it. Nothing is kept, and no agent
 * is asked: the token is shown this once.
 */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/run.h"
#include "cli/token.h"
#include "model/resource.h"

void token_text(const uint8_t random[static TOKEN_RANDOM], char token[static TOKEN_TEXT])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789-_";
	char *to = stpcpy(token, TOKEN_PREFIX);
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < TOKEN_RANDOM; i++) {
		bits = (bits & 0x3f) << 8 | random[i];
		for (held += 8; held >= 6; held -= 6)
			*to++ = digits[bits >> (held - 6) & 0x3f];
	}
	*to++ = digits[bits << (6 - held) & 0x3f];
	*to = '\0';
}

void token_line(const char *name, const char *role, const char *token, struct text *line)
{
	uint8_t digest[32];

	/* only a broken installation has no SHA-256 */
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, token, strlen(token), digest) != 0)
		abort();
	text_addf(line, "%s %s ", name, role);
	text_end(line, hex_write(digest, sizeof(digest), text_room(line, 2 * sizeof(digest))));
}

static void print_json(const char *name, const char *role, const char *token, const char *line)
{
	json_t *document = json_pack("{s:s, s:s, s:s, s:s}", "name", name, "role", role, "token",
				     token, "line", line);

	json_dumpf(document, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(document);
}

static void explain(void)
{
	fputs("hint: the first is the token, shown only now: keep it in a file of mode 0600 for "
	      "--token-file\n"
	      "hint: the second is for the file of tokens of the agent (tcp.tokens), read on "
	      "SIGHUP\n",
	      stderr);
}

int token_new(struct cli *cli)
{
	const char *name = cli->args.words.v[0], *role = args_value(&cli->args, "role");
	const char *fault = resource_name_fault(name);
	uint8_t random[TOKEN_RANDOM];
	char token[TOKEN_TEXT];
	cleanup_text struct text line = {0};

	if (fault)
		return cli_usage("%s", fault);
	if (!role)
		return cli_usage("--role is needed: admin, or read");
	if (strcmp(role, "admin") != 0 && strcmp(role, "read") != 0)
		return cli_usage("--role %s: admin or read is wanted", role);
	if (gnutls_rnd(GNUTLS_RND_KEY, random, sizeof(random)) != 0) {
		cli_complain("the system has no random numbers");
		return CLI_FAILED;
	}
	token_text(random, token);
	token_line(name, role, token, &line);
	if (cli->format == CLI_JSON)
		print_json(name, role, token, text_str(&line));
	else
		printf("%s\n%s\n", token, text_str(&line));
	if (!cli->quiet)
		explain();
	explicit_bzero(random, sizeof(random));
	explicit_bzero(token, sizeof(token));
	return CLI_OK;
}
