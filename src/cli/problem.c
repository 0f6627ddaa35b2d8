/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a refusal means to the person: exit status, lines, and a hint what to do. */
#include "cli/client.h"

#include <errno.h>
#include <string.h>

#include "cli/cli.h"

static const struct hint {
	const char *code, *text;
} hints[] = {
	{"already-exists", "`set` changes one that exists, `show` prints it"},
	{"deleting", "its objects are still being removed; `wait KIND/NAME --for deleted`"},
	{"destination-in-use", "`ipipctl exit list` shows what leaves through which tunnel"},
	{"endpoints-in-use", "two tunnels need different endpoints or another underlay"},
	{"forbidden", "writes want an admin: a token of that role, or a name in tls.admins"},
	{"generation-mismatch", "it was changed meanwhile: read it again"},
	{"interface-name-taken", "give the tunnel another --device"},
	{"malformed-json", "check the document with a JSON parser, for instance `jq .`"},
	{"precondition-failed", "it exists, or was changed meanwhile: read it again"},
	{"resource-in-use", "remove what refers to it first"},
	{"source-required",
	 "give the tunnel an address; a --source must be one that a declared tunnel has"},
	{"unauthenticated",
	 "--token-file or IPIPCTL_TOKEN_FILE gives a token, --cert a certificate"},
	{"unresolved-reference", "`ipipctl tunnel list` shows the declared tunnels"},
};

int client_exit_of_status(long status)
{
	if (status >= 200 && status < 300)
		return CLI_OK;
	switch (status) {
	case 401:
	case 403:
		return CLI_FORBIDDEN;
	case 404:
	case 410:
		return CLI_NOT_FOUND;
	case 409:
	case 412:
		return CLI_CONFLICT;
	case 400:
	case 413:
	case 415:
	case 422:
		return CLI_INVALID;
	}
	return CLI_FAILED;
}

int client_exit_of_errno(int number)
{
	switch (number) {
	case -EINVAL:
		return CLI_USAGE;
	case -EACCES:
	case -EPERM:
	case -EKEYREJECTED:
		return CLI_FORBIDDEN;
	case -EINTR:
		return CLI_FAILED;
	}
	return CLI_UNREACHABLE;
}

static const char *member(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s ? s : "";
}

/* A fault may repeat what a client sent: none of its control characters reaches a terminal. */
static void add_line(struct text *out, const char *before, const char *separator, const char *after)
{
	output_add_clean(out, before);
	text_add(out, separator);
	output_add_clean(out, after);
	text_add(out, "\n");
}

/* word: of libcurl's sentence, whose TLS library may be GnuTLS or OpenSSL; the first row counts */
static const struct {
	int number;
	const char *word, *text;
} failure_hints[] = {
	{-EACCES, "", "be root, or in the group ipipd"},
	{-EPERM, "", "be root, or in the group ipipd"},
	{-ENOENT, "", "is ipipd running there? `-H` or IPIPCTL_HOST names another agent"},
	{-ECONNREFUSED, "", "is ipipd running there? `-H` or IPIPCTL_HOST names another agent"},
	{-ECONNRESET, "", "`systemctl status ipipd` there says why"},
	{-EPROTO, "reset by peer", "`systemctl status ipipd` there says why"},
	{-EPROTO, "Broken pipe", "`systemctl status ipipd` there says why"},
	{-EKEYREJECTED, "no certificate", "--cert and --key show one that its authority signed"},
	{-EKEYREJECTED, "", "was it signed by the authority that the agent trusts?"},
	{-EPROTO, "expired", "the agent's certificate is over: renew it, or set the clock right"},
	{-EPROTO, "not yet", "the agent's certificate is of the future: set the clock right"},
	{-EPROTO, "match", "the address must have a name, or number, of the agent's certificate"},
	{-EPROTO, "issuer", "--cacert names the file of the authority that signed it"},
	{-EPROTO, "self-signed", "--cacert names the file of the authority that signed it"},
	{-EPROTO, "signer", "--cacert names the file of the authority that signed it"},
	{-EPROTO, "version", "TLS 1.2 is the oldest that is spoken"},
	{-EPROTO, "Empty reply", "if it speaks TLS, its address begins with https://"},
	{-EPROTO, "HTTP/0.9", "if it speaks TLS, its address begins with https://"},
	{-EPROTONOSUPPORT, "", "`-H` or IPIPCTL_HOST names another address"},
	{-EPROTO, "andshake", "does it speak TLS, and does it want a certificate (--cert)?"},
};

int client_print_failure(const char *who, int number, const struct err *err)
{
	cleanup_text struct text out = {0};

	fflush(stdout);
	add_line(&out, who, ": ", err->sentence);
	for (size_t i = 0; i < ARRAY_LEN(failure_hints); i++)
		if (failure_hints[i].number == number &&
		    strstr(err->sentence, failure_hints[i].word)) {
			text_addf(&out, "hint: %s\n", failure_hints[i].text);
			break;
		}
	fputs(text_str(&out), stderr);
	return client_exit_of_errno(number);
}

static void add_faults(struct text *out, const json_t *errors)
{
	const json_t *fault;
	size_t i;

	json_array_foreach(errors, i, fault) {
		const char *pointer = member(fault, "pointer");

		text_add(out, "  ");
		add_line(out, pointer, pointer[0] ? ": " : "", member(fault, "detail"));
	}
}

/* What is not there is a resource when its path is below that of a kind. */
static void hint_names(struct text *out, const char *path)
{
	static const char base[] = "/v1/";
	const char *kind = path + strlen(base);

	if (strncmp(path, base, strlen(base)) != 0)
		return;
	for (unsigned i = 0; i < command_n_resources; i++) {
		size_t len = strlen(command_nouns[i].kind->path);

		if (strncmp(kind, command_nouns[i].kind->path, len) != 0 || kind[len] != '/')
			continue;
		const char *rest = strchr(kind + len + 1, '/');
		if (!rest || strcmp(rest, "/ping") == 0)
			text_addf(out, "hint: `ipipctl %s list` shows the names\n",
				  command_nouns[i].name);
	}
}

static void add_hint(struct text *out, const json_t *problem)
{
	const char *code = member(problem, "code");

	if (strcmp(code, "not-found") == 0)
		hint_names(out, member(problem, "instance"));
	for (size_t i = 0; i < ARRAY_LEN(hints); i++)
		if (strcmp(hints[i].code, code) == 0)
			add_line(out, "hint", ": ", hints[i].text);
}

void client_print_problem(FILE *to, const char *who, const struct response *response)
{
	const json_t *problem = response->json;
	const json_t *errors = json_object_get(problem, "errors");
	const char *title = member(problem, "title"), *detail = member(problem, "detail");
	cleanup_text struct text out = {0};

	if (title[0])
		add_line(&out, who, ": ", title);
	else
		text_addf(&out, "%s: the agent answered with HTTP status %ld\n", who,
			  response->status);
	if (json_array_size(errors))
		add_faults(&out, errors);
	else if (detail[0] && strcmp(detail, title) != 0)
		add_line(&out, "  ", "", detail);
	add_hint(&out, problem);
	fputs(text_str(&out), to);
}
