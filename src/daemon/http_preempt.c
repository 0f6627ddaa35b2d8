/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library (0.9.75) does not tell whose request it refuses. It is certain where its headers
 * are whole and we were not told yet, which both hold within one call alone; and elsewhere while
 * only one is at such a place. Faults of single lines stay the library's to tell: the first one
 * may be of any connection that rests.
 */
#include "daemon/http_preempt.h"

#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Where a request is. */
enum { ELSEWHERE, IN_HEADERS = 1, BEHIND_HEADERS = 2, IN_CHUNKS = 4 };

/* By status, and words of its page. */
static const struct {
	unsigned status;
	const char *words;
	unsigned places; /* where a request is that gets it */
	const char *sentence;
} pages[] = {
	{400, "wrong value for <b>Content-Length", BEHIND_HEADERS,
	 "Content-Length is not a number"},
	{413, "too large value for <b>Content-Length", BEHIND_HEADERS,
	 "Content-Length is larger than any body"},
	{431, "Your HTTP header was too big", IN_HEADERS | BEHIND_HEADERS | IN_CHUNKS,
	 "the headers, or cookies, are too many or too large"},
	{400, "Your HTTP chunked encoding was", IN_CHUNKS, "the chunked encoding is malformed"},
	{413, "The chunk size", IN_CHUNKS, "a chunk is larger than any body"},
};

static unsigned place_of(const struct exchange *x)
{
	if (x && x->phase == PHASE_HEADERS)
		return MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
			       ? BEHIND_HEADERS
			       : IN_HEADERS;
	return x && x->phase == PHASE_BODY && x->is_chunked ? IN_CHUNKS : ELSEWHERE;
}

static struct exchange *only_one(const struct http *http, unsigned places)
{
	struct exchange *found = NULL;
	unsigned n = 0;

	for (const struct connection *c = http->connections; c; c = c->next) {
		unsigned place = place_of(c->exchange) & places;

		if (place == BEHIND_HEADERS)
			return c->exchange;
		if (place && n++ == 0)
			found = c->exchange;
	}
	return n == 1 ? found : NULL;
}

struct exchange *http_preempt_find(const struct http *http, unsigned status, const char *page,
				   const char **sentence)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (status != pages[i].status || !strstr(page, pages[i].words))
			continue;
		*sentence = pages[i].sentence;
		return only_one(http, pages[i].places);
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
