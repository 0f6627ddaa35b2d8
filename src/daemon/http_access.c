/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of TCP: no listener without tokens or client certificates, none without TLS but on
 * loopback, no web page's request, no name of somebody else's. A request with an Authorization
 * is judged by that alone, another by its client's certificate.
 */
#include "daemon/http_access.h"

#include "base/log.h"
#include "daemon/http_tcp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int check_address(const char *text, bool has_tls, struct errs *errs)
{
	union http_address address;

	if (http_tcp_parse(text, &address) < 0)
		return errs_add(errs, -EINVAL, "", HTTP_AT_ADDRESSES,
				"%s: must be ADDRESS:PORT, as 127.0.0.1:7070 or [::1]:7070", text);
	if (!has_tls && !http_tcp_is_loopback(&address))
		return errs_add(
			errs, -EINVAL, "", HTTP_AT_ADDRESSES,
			"%s: only a loopback address can do without TLS; set tls.certificate "
			"and tls.key",
			text);
	return 0;
}

static int check_addresses(const struct http_access_config *config,
			   const struct http_names *addresses, struct errs *errs)
{
	int rc = 0;

	if (addresses->len > HTTP_ADDRESSES_MAX)
		return errs_add(errs, -EINVAL, "", HTTP_AT_ADDRESSES, "at most %d addresses",
				HTTP_ADDRESSES_MAX);
	for (size_t i = 0; i < addresses->len; i++)
		if (check_address(addresses->v[i], *config->certificate, errs) < 0)
			rc = -EINVAL;
	if (addresses->len && !*config->tokens && !*config->client_ca)
		rc = errs_add(errs, -EINVAL, "", HTTP_AT_ADDRESSES,
			      "%s: TCP needs tokens (tcp.tokens) or client certificates "
			      "(tls.client_ca)",
			      addresses->v[0]);
	return rc;
}

static int check_roles(const struct http_access_config *config, struct errs *errs)
{
	bool has_roles = config->admins.len || config->readers.len;

	if (has_roles == (*config->client_ca != '\0'))
		return 0;
	return errs_add(errs, -EINVAL, "", has_roles ? HTTP_AT_ADMINS : HTTP_AT_CLIENT_CA,
			has_roles ? "roles of client certificates need a tls.client_ca"
				  : "no certificate has a role; name some in tls.admins or "
				    "tls.readers");
}

int http_access_load(struct http_access *access, const struct http_access_config *config,
		     const struct http_names *addresses, struct errs *errs)
{
	*access = (struct http_access){.config = *config};
	int rc = check_addresses(config, addresses, errs);

	if (check_roles(config, errs) < 0)
		rc = -EINVAL;
	if (*config->tokens && tokens_read(&access->tokens, config->tokens, errs) < 0)
		rc = -EINVAL;
	else if (*config->tokens && !access->tokens.len)
		log_warning("%s: there is no token in it", config->tokens);
	if (http_tls_load(&access->tls, config, errs) < 0)
		rc = -EINVAL;
	if (rc < 0)
		http_access_done(access);
	return rc;
}

void http_access_done(struct http_access *access)
{
	vec_done(&access->tokens);
	http_tls_unref(access->tls);
	access->tls = NULL;
}

static bool is_our_host(const struct http_access *access, int fd, const char *host)
{
	const struct http_names *names = &access->config.host_names;

	for (size_t i = 0; i < names->len; i++)
		if (http_tcp_is_host(host, names->v[i]))
			return true;
	return http_tcp_came_to(fd, host);
}

static void judge_token(const struct http_access *access, const char *authorization,
			struct http_caller *caller)
{
	static const char scheme[] = "Bearer ";
	size_t len = strlen(scheme);

	if (strncasecmp(authorization, scheme, len) != 0) {
		caller->fault = "the Authorization is no Bearer token";
		return;
	}
	authorization += len + strspn(authorization + len, " ");
	len = strlen(authorization);
	while (len && strchr(" \t", authorization[len - 1])) /* the library leaves them there */
		len--;
	const struct token *token = tokens_find(&access->tokens, authorization, len);
	if (!token) {
		caller->fault = "the token is not known here";
		return;
	}
	snprintf(caller->name, sizeof(caller->name), "token %s", token->name);
	caller->role = token->role;
}

const char *http_access_judge(const struct http_access *access, struct MHD_Connection *mhd, int fd,
			      struct http_caller *caller)
{
	const char *authorization = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND,
								"Authorization");
	const char *host = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Host");

	if (MHD_lookup_connection_value_n(mhd, MHD_HEADER_KIND, "Origin", strlen("Origin"), NULL,
					  NULL) == MHD_YES)
		return "requests of web pages, with an Origin, are not served";
	if (!host || !is_our_host(access, fd, host))
		return "the Host is neither the address that was asked nor a name in "
		       "tcp.host_names";
	caller->fault = "this request needs a token or a client certificate";
	if (authorization) {
		judge_token(access, authorization, caller);
		return NULL;
	}
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info && access->tls)
		http_tls_caller(access->tls, &access->config, info->tls_session, caller);
	return NULL;
}
