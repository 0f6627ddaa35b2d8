/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP by libcurl: one easy handle for each agent. What an answer means to the person is
 * in problem.c.
 */
#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/arena.h"
#include "cli/trust.h"

enum {
	CONNECT_TIMEOUT_S = 5,
	SILENCE_MAX_S = 60, /* of an agent that streams, which says every 15 s that it is there */
	RETRY_AFTER_MAX_S = 60,
	BODY_MAX = 256 << 20,
};

/* One request that is under way. */
struct transfer {
	CURL *curl;
	const struct request *request;
	struct response *response;
	uint64_t heard_ms; /* when something came last */
};

struct curl_client {
	struct client client;
	struct client_config config;
	CURL *curl;
	char *host, *base, *socket; /* base: what paths are appended to */
	char *token;                /* NULL: none */
	bool is_local;              /* on this host */
	bool has_name;              /* host is that of a remote */
};

static volatile sig_atomic_t interrupted, ignored;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

void client_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void client_ignore_signals(void)
{
	ignored = 1;
}

bool client_interrupted(void)
{
	return interrupted && !ignored;
}

static bool is_silent(const struct transfer *transfer)
{
	return transfer->request->take &&
	       client_now_ms() - transfer->heard_ms > (uint64_t)SILENCE_MAX_S * 1000;
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		       curl_off_t up)
{
	(void)down_total, (void)down, (void)up_total, (void)up;
	return client_interrupted() || is_silent(user);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
	struct transfer *transfer = user;
	const struct request *request = transfer->request;
	struct text *body = &transfer->response->body;
	long status = 0;

	transfer->heard_ms = client_now_ms();
	if (request->take)
		curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300)
		return request->take(request->user, bytes, size * count) ? size * count : 0;
	if (body->len + size * count > BODY_MAX)
		return 0;
	text_add_len(body, bytes, size * count);
	return size * count;
}

uint64_t client_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct curl_slist *headers_of(const struct request *request)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	cleanup_text struct text accept = {0};
	bool patch = strcmp(request->method, "PATCH") == 0;

	if (request->body)
		list = curl_slist_append(list, patch ? "Content-Type: application/merge-patch+json"
						     : "Content-Type: application/json");
	if (request->accept) {
		text_addf(&accept, "Accept: %s", request->accept);
		list = curl_slist_append(list, text_str(&accept));
	}
	if (request->create_only)
		list = curl_slist_append(list, "If-None-Match: *");
	if (request->if_match && request->if_match[0]) {
		cleanup_text struct text match = {0};

		text_addf(&match, "If-Match: %s", request->if_match);
		list = curl_slist_append(list, text_str(&match));
	}
	return list;
}

static void set_body(CURL *curl, const struct request *request)
{
	size_t len = request->body_len;

	if (!request->body)
		return;
	if (!len)
		len = strlen(request->body);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
}

/* libcurl's defaults among these are said again: they are what an auditor looks for. */
static void set_security(const struct curl_client *c)
{
	const struct credentials *credentials = &c->config.credentials;
	CURL *curl = c->curl;

	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	if (credentials->cacert) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, credentials->cacert);
		/* else the system's authorities would be trusted beside it */
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	}
	if (credentials->cert) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, credentials->cert);
		curl_easy_setopt(curl, CURLOPT_SSLKEY,
				 credentials->key ? credentials->key : credentials->cert);
	}
	if (c->token) {
		curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, c->token);
	}
	/* a proxy would see what a loopback address keeps on this host */
	curl_easy_setopt(curl, CURLOPT_NOPROXY, c->is_local ? "*" : NULL);
}

static void set_options(struct curl_client *c, struct transfer *transfer)
{
	const struct request *request = transfer->request;
	unsigned timeout_s = c->config.timeout_s + request->wait_s;
	CURL *curl = c->curl;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT,
			 request->take && !request->bounded ? 0 : (long)timeout_s);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "ipipctl/" IPIPD_VERSION);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
	set_security(c);
	if (c->socket)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	set_body(curl, request);
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

/* Everything else is -EPROTO: somebody answers, but no agent. */
static const struct {
	CURLcode code;
	int number;
	const char *sentence; /* NULL: the system's, or libcurl's own */
} meanings[] = {
	{CURLE_ABORTED_BY_CALLBACK, -EINTR, "interrupted"},
	{CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, "no answer in time"},
	{CURLE_URL_MALFORMAT, -EINVAL, NULL},
	{CURLE_COULDNT_RESOLVE_HOST, -ECONNREFUSED, NULL},
	{CURLE_COULDNT_CONNECT, -ECONNREFUSED, NULL},
};

/* An agent that wants another certificate of ours ends the connection: in TLS 1.3 after the
 * handshake, or while we still send that certificate. */
static bool was_refused(const struct curl_client *c, CURLcode code, const char *detail)
{
	curl_off_t handshake_us = 0;
	long status = 0;

	curl_easy_getinfo(c->curl, CURLINFO_APPCONNECT_TIME_T, &handshake_us);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_SSL_CONNECT_ERROR)
		return c->config.credentials.cert && strstr(detail, " failure: ");
	return (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR) && handshake_us > 0 &&
	       status == 0;
}

/* libcurl on GnuTLS keeps the reason as a number; on OpenSSL it stands in its sentence. */
static void add_cause(const struct curl_client *c, struct text *sentence)
{
	const char *library = curl_version_info(CURLVERSION_NOW)->ssl_version;
	long status = 0;

	curl_easy_getinfo(c->curl, CURLINFO_SSL_VERIFYRESULT, &status);
	if (!status || !library || strncmp(library, "GnuTLS", strlen("GnuTLS")) != 0)
		return;
	text_clear(sentence);
	trust_add_cause(sentence, (unsigned)status);
}

static int fail(struct curl_client *c, CURLcode code, const char *detail, struct err *err)
{
	cleanup_text struct text sentence = {0};
	int number = -EPROTO;
	long os = 0;

	text_add(&sentence, detail[0] ? detail : curl_easy_strerror(code));
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].code == code) {
			number = meanings[i].number;
			if (meanings[i].sentence) {
				text_clear(&sentence);
				text_add(&sentence, meanings[i].sentence);
			}
		}
	if (code == CURLE_ABORTED_BY_CALLBACK && !client_interrupted())
		return err_set(err, -ETIMEDOUT, "%s: not heard of for %d s", c->host,
			       SILENCE_MAX_S);
	curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &os);
	if (code == CURLE_COULDNT_CONNECT && os) {
		/* only of a socket's file may it be told that we are not allowed to */
		number = c->socket ? (int)-os : -ECONNREFUSED;
		text_clear(&sentence);
		text_add(&sentence, strerror((int)os));
	}
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		add_cause(c, &sentence);
	if (was_refused(c, code, detail)) {
		number = -EKEYREJECTED;
		text_clear(&sentence);
		text_addf(&sentence,
			  "the agent took no request, with %s "
			  "certificate of ours",
			  c->config.credentials.cert ? "this" : "no");
	}
	if (number == -EINTR)
		return err_set(err, number, "%s", text_str(&sentence));
	if (c->has_name)
		return err_set(err, number, "%s (%s): %s", c->host, c->base, text_str(&sentence));
	return err_set(err, number, "%s: %s", c->host, text_str(&sentence));
}

static void read_answer(CURL *curl, struct response *response)
{
	struct curl_header *header;
	curl_off_t retry_after = 0;
	long sent = 0;

	curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent);
	response->sent = sent > 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response->status);
	curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
	response->retry_after_s = retry_after < RETRY_AFTER_MAX_S ? (unsigned)retry_after
								  : RETRY_AFTER_MAX_S;
	if (curl_easy_header(curl, "ETag", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		snprintf(response->etag, sizeof(response->etag), "%s", header->value);
	if (curl_easy_header(curl, "Last-Event-ID", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		snprintf(response->last_event, sizeof(response->last_event), "%s", header->value);
}

static int perform(struct curl_client *c, const struct request *request, struct response *response,
		   struct err *err)
{
	char detail[CURL_ERROR_SIZE] = "";
	cleanup_text struct text url = {0};

	text_addf(&url, "%s%s", c->base, request->path);
	struct transfer transfer = {c->curl, request, response, client_now_ms()};
	set_options(c, &transfer);
	struct curl_slist *headers = headers_of(request);
	curl_easy_setopt(c->curl, CURLOPT_URL, text_str(&url));
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, detail);
	CURLcode code = curl_easy_perform(c->curl);
	curl_slist_free_all(headers);
	read_answer(c->curl, response);
	return code == CURLE_OK ? 0 : fail(c, code, detail, err);
}

static int curl_send(struct client *client, const struct request *request,
		     struct response *response, struct err *err)
{
	struct curl_client *c = (struct curl_client *)client;
	uint64_t start_ms = client_now_ms();

	if (c->config.verbose)
		fprintf(stderr, "> %s %s %s\n", request->method, request->path,
			request->body ? request->body : "");
	if (c->config.verbose && c->token)
		fputs("> Authorization: Bearer ***\n", stderr);
	int result = perform(c, request, response, err);
	response->took_ms = (unsigned)(client_now_ms() - start_ms);
	if (c->config.verbose && result == 0)
		fprintf(stderr, "< %ld in %u ms\n", response->status, response->took_ms);
	if (result == 0 && response->body.len)
		response->json = json_loadb(response->body.s, response->body.len, JSON_DECODE_ANY,
					    NULL);
	if (result == 0 && response->status >= 400 && response->body.len &&
	    !json_is_object(response->json))
		return err_set(err, -EPROTONOSUPPORT,
			       "what answers at %s is no ipipd: HTTP status %ld without a problem "
			       "document",
			       client->host, response->status);
	return result;
}

static void curl_close(struct client *client)
{
	struct curl_client *c = (struct curl_client *)client;

	curl_easy_cleanup(c->curl);
	free(c->host);
	free(c->base);
	free(c->socket);
	if (c->token)
		explicit_bzero(c->token, strlen(c->token));
	free(c->token);
	for (unsigned i = 0; i < credentials_n_members; i++)
		free((char *)(uintptr_t)credentials_get(&c->config.credentials, i));
	free(c);
}

static int read_token(const char *path, struct text *token, struct err *err)
{
	bool is_open = false;
	int rc = credentials_read_token(path, token, &is_open, err);

	if (is_open)
		credentials_warn_open(path);
	return rc;
}

int client_open(const char *host, const struct client_config *config, struct client **client,
		struct err *err)
{
	const char *socket = credentials_socket(host);
	cleanup_text struct text token = {0};
	enum credentials_use use = CREDENTIALS_NONE;
	int rc = credentials_use(host, &use, err);

	if (rc == 0)
		rc = credentials_check(&config->credentials, use, host, err);
	if (rc == 0)
		rc = credentials_readable(&config->credentials, err);
	if (rc == 0)
		rc = trust_check(&config->credentials, err);
	if (rc == 0 && config->credentials.token_file)
		rc = read_token(config->credentials.token_file, &token, err);
	if (rc)
		return rc;
	struct curl_client *c = xcalloc(1, sizeof(*c));
	c->client = (struct client){.send = curl_send, .close = curl_close};
	c->config = *config;
	c->has_name = config->name;
	c->curl = curl_easy_init();
	if (!c->curl)
		out_of_memory(sizeof(*c));
	c->client.host = c->host = xstrdup(config->name ? config->name : host);
	c->is_local = use == CREDENTIALS_NONE || use == CREDENTIALS_TOKEN;
	c->socket = socket ? xstrdup(socket) : NULL;
	c->base = xstrdup(socket ? "http://ipipd" : host);
	c->token = token.len ? xstrdup(token.s) : NULL;
	for (unsigned i = 0; i < credentials_n_members; i++) {
		const char *path = credentials_get(&config->credentials, i);

		*credentials_at(&c->config.credentials, i) = path ? xstrdup(path) : NULL;
	}
	for (size_t len = strlen(c->base); len && c->base[len - 1] == '/'; len--)
		c->base[len - 1] = '\0';
	*client = &c->client;
	return 0;
}

void client_close(struct client *client)
{
	if (client)
		client->close(client);
}

int client_send(struct client *client, const struct request *request, struct response *response,
		struct err *err)
{
	if (client_interrupted())
		return err_set(err, -EINTR, "interrupted");
	return client->send(client, request, response, err);
}

void response_done(struct response *response)
{
	json_decref(response->json);
	text_done(&response->body);
	*response = (struct response){0};
}

void client_add_encoded(struct text *path, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (; *s; s++)
		if (strchr(plain, *s))
			text_add_len(path, s, 1);
		else
			text_addf(path, "%%%02X", (unsigned char)*s);
}
