/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library (0.9.75) does not tell whose request it refuses. It is certain where its headers
 * are whole and we were not told yet, which both hold within one call alone; and of chunks, while
 * only one body comes in chunks. Faults of single lines stay the library's to tell.
 */
#include "daemon/http_preempt.h"

#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* By the words of its pages. */
static const struct {
	const char *words;
	enum phase phase;
	const char *sentence;
} pages[] = {
	{"wrong value for <b>Content-Length", PHASE_HEADERS, "Content-Length is not a number"},
	{"too large value for <b>Content-Length", PHASE_HEADERS,
	 "Content-Length is larger than any body"},
	{"Your HTTP header was too big", PHASE_HEADERS, "there are too many cookies"},
	{"Your HTTP chunked encoding was", PHASE_BODY, "the chunked encoding is malformed"},
	{"The chunk size", PHASE_BODY, "a chunk is larger than any body"},
};

static bool is_candidate(const struct exchange *x, enum phase phase)
{
	if (!x || x->phase != phase)
		return false;
	return phase == PHASE_BODY
		       ? x->is_chunked
		       : MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE) !=
				 NULL;
}

static struct exchange *only_one(const struct http *http, enum phase phase)
{
	struct exchange *found = NULL;

	for (const struct connection *c = http->connections; c; c = c->next) {
		if (!is_candidate(c->exchange, phase))
			continue;
		if (found)
			return NULL;
		found = c->exchange;
	}
	return found;
}

struct exchange *http_preempt_find(const struct http *http, const char *page, const char **sentence)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (!strstr(page, pages[i].words))
			continue;
		*sentence = pages[i].sentence;
		return only_one(http, pages[i].phase);
	}
	return NULL;
}

static void add_head(struct text *text, unsigned status, const char *const *headers, size_t len)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[40];

	strftime(date, sizeof(date), "%a, %d %b %Y %T GMT", gmtime_r(&now, &tm));
	text_addf(text,
		  "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\nContent-Length: %zu\r\n",
		  status, MHD_get_reason_phrase_for(status), date, len);
	for (; headers && headers[0]; headers += 2)
		text_addf(text, "%s: %s\r\n", headers[0], headers[1]);
	text_add(text, "\r\n");
}

void http_preempt_say(const struct exchange *x, unsigned status, const char *const *headers,
		      const char *body, size_t len)
{
	cleanup_text struct text text = {0};
	int fd = x->connection->fd;

	add_head(&text, status, headers, len);
	text_add_len(&text, body, len);
	/* all answers before it are sent, so that there is room for one that is so short */
	if (x->connection->tls) {
		gnutls_session_t session = MHD_get_connection_info(
						   x->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)
						   ->tls_session;

		(void)gnutls_record_send(session, text.s, text.len);
		gnutls_bye(session, GNUTLS_SHUT_WR);
	} else {
		(void)send(fd, text.s, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	shutdown(fd, SHUT_WR);
}
