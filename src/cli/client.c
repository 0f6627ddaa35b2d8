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
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, request->take ? 0 : (long)timeout_s);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "ipipctl/" IPIPD_VERSION);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
	if (c->socket) {
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	}
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

static int fail(struct curl_client *c, CURLcode code, const char *detail, struct err *err)
{
	const char *sentence = detail[0] ? detail : curl_easy_strerror(code);
	int number = -EPROTO;
	long os = 0;

	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].code == code) {
			number = meanings[i].number;
			sentence = meanings[i].sentence ? meanings[i].sentence : sentence;
		}
	if (code == CURLE_ABORTED_BY_CALLBACK && !client_interrupted())
		return err_set(err, -ETIMEDOUT, "%s: not heard of for %d s", c->host,
			       SILENCE_MAX_S);
	curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &os);
	if (code == CURLE_COULDNT_CONNECT && os) {
		number = (int)-os;
		sentence = strerror((int)os);
	}
	if (number == -EINTR)
		return err_set(err, number, "%s", sentence);
	return err_set(err, number, "%s: %s", c->host, sentence);
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
	int result = perform(c, request, response, err);
	response->took_ms = (unsigned)(client_now_ms() - start_ms);
	if (c->config.verbose && result == 0)
		fprintf(stderr, "< %ld in %u ms\n", response->status, response->took_ms);
	if (result == 0 && response->body.len)
		response->json = json_loadb(response->body.s, response->body.len, JSON_DECODE_ANY,
					    NULL);
	return result;
}

static void curl_close(struct client *client)
{
	struct curl_client *c = (struct curl_client *)client;

	curl_easy_cleanup(c->curl);
	free(c->host);
	free(c->base);
	free(c->socket);
	free(c);
}

/* "unix:///run/x.sock", or a bare absolute path; NULL when it is neither */
static const char *socket_of(const char *host)
{
	if (strncmp(host, "unix://", strlen("unix://")) == 0)
		host += strlen("unix://");
	return host[0] == '/' ? host : NULL;
}

static bool is_url(const char *host)
{
	return strncasecmp(host, "http://", strlen("http://")) == 0 ||
	       strncasecmp(host, "https://", strlen("https://")) == 0;
}

int client_open(const char *host, const struct client_config *config, struct client **client,
		struct err *err)
{
	const char *socket = socket_of(host);

	if (!socket && !is_url(host))
		return err_set(err, -EINVAL,
			       "%s is not the address of an agent: give unix:///PATH, "
			       "http://HOST:PORT or https://HOST:PORT",
			       host);
	struct curl_client *c = xcalloc(1, sizeof(*c));
	c->client = (struct client){.send = curl_send, .close = curl_close};
	c->config = *config;
	c->curl = curl_easy_init();
	if (!c->curl)
		out_of_memory(sizeof(*c));
	c->client.host = c->host = xstrdup(host);
	c->socket = socket ? xstrdup(socket) : NULL;
	c->base = xstrdup(socket ? "http://ipipd" : host);
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
