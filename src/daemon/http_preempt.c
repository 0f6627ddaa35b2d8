/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library (0.9.75) does not tell whose request it refuses. It is certain where its headers
 * are whole and we were not told yet, which both hold within one call alone; and elsewhere while
 * only one of those that may be read in this run is at such a place.
 */
#include "daemon/http_preempt.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { EVENTS_MAX = 64, FIRST_BYTES = 512 };

/* Where a request is. */
enum { ELSEWHERE, IN_LINE = 1, IN_HEADERS = 2, BEHIND_HEADERS = 4, IN_CHUNKS = 8 };

/* By words of its page. */
static const struct {
	const char *words;
	unsigned places; /* where a request is that gets it */
	unsigned status;
	const char *sentence;
} pages[] = {
	{"wrong value for <b>Content-Length", BEHIND_HEADERS, 400,
	 "Content-Length is not a number"},
	{"too large value for <b>Content-Length", BEHIND_HEADERS, 413,
	 "Content-Length is larger than any body"},
	{"Your HTTP header was too big", IN_LINE | IN_HEADERS | BEHIND_HEADERS | IN_CHUNKS, 431,
	 "the request line, the headers, or cookies, are too many or too large"},
	{"Your HTTP chunked encoding was", IN_CHUNKS, 400, "the chunked encoding is malformed"},
	{"The chunk size", IN_CHUNKS, 413, "a chunk is larger than any body"},
	{"Your HTTP request was syntactically", IN_LINE | IN_HEADERS | IN_CHUNKS, 400,
	 "a line of the request is none of HTTP/1.1"},
	{"Requested HTTP version is", IN_LINE, 400,
	 "the protocol is neither HTTP/1.0 nor HTTP/1.1"},
};

/*
 * Edge-triggered, and for room to write as well: then an arrival is told also when what arrived
 * has been read by now. What is still unread is told again, by being asked for anew.
 */
static int watch(struct connection *connection, int operation)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};

	return epoll_ctl(connection->http->stirred_fd, operation, connection->fd, &event) < 0
		       ? -errno
		       : 0;
}

int http_preempt_watch(struct connection *connection)
{
	return watch(connection, EPOLL_CTL_ADD);
}

static unsigned place_of(const struct exchange *x)
{
	if (!x)
		return IN_LINE;
	if (x->phase == PHASE_HEADERS)
		return MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
			       ? BEHIND_HEADERS
			       : IN_HEADERS;
	return x->phase == PHASE_BODY && x->is_chunked ? IN_CHUNKS : ELSEWHERE;
}

static void stir(struct connection *connection)
{
	const struct http_listener *listener = connection->listener;

	connection->stirred = listener->runs + !listener->running;
}

void http_preempt_stir(struct connection *connection)
{
	stir(connection);
	(void)!watch(connection, EPOLL_CTL_MOD);
}

static bool ends_version(const char *bytes, size_t len)
{
	static const char *const versions[] = {"HTTP/1.1", "HTTP/1.0"};

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		size_t all = strlen(versions[i]);

		if (len <= all && memcmp(bytes, versions[i] + all - len, len) == 0)
			return true;
	}
	return false;
}

/*
 * Of what the library would close on in silence, or wait for more of. NULL: of neither, or what
 * may be the rest of a line that has begun well, and was read so far when nobody looked.
 */
static const char *first_fault(const char *bytes, size_t len)
{
	static const char tls_handshake[] = {0x16, 0x03};

	if (len >= sizeof(tls_handshake) && !memcmp(bytes, tls_handshake, sizeof(tls_handshake)))
		return "this is TLS, which is not spoken here";
	const char *end = memchr(bytes, '\n', len);
	if (!end)
		return NULL;
	size_t line = (size_t)(end - bytes);
	line -= line && end[-1] == '\r';
	if (memchr(bytes, ' ', line) || ends_version(bytes, line))
		return NULL;
	return "the first line is no request";
}

void http_preempt_peek(struct connection *connection)
{
	char bytes[FIRST_BYTES];

	if (connection->peeked || connection->spoke || connection->session)
		return;
	ssize_t len = recv(connection->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	if (len <= 0)
		return;
	connection->peeked = true;
	const char *fault = first_fault(bytes, (size_t)len);
	if (!fault)
		return;
	http_exchange_preempt(http_exchange_new(connection, connection->mhd, "(unknown)"), 400,
			      fault);
	http_set_deadline(connection, connection->http->config.header_deadline_ms);
}

static void look(const struct http *http, uint32_t kinds)
{
	struct epoll_event events[EVENTS_MAX];
	unsigned seen = 0; /* those asked for anew come again, behind the others */
	int n;

	do {
		n = epoll_wait(http->stirred_fd, events, EVENTS_MAX, 0);
		for (int i = 0; i < n; i++) {
			struct connection *connection = events[i].data.ptr;

			if (events[i].events & kinds)
				stir(connection);
			if (!connection->listener->running)
				http_preempt_peek(connection);
			/* what waits behind a request is asked for when that is answered */
			if (events[i].events & EPOLLIN && place_of(connection->exchange))
				(void)!watch(connection, EPOLL_CTL_MOD);
		}
	} while (n == EVENTS_MAX && (seen += EVENTS_MAX) < http->n_connections);
}

/* What TLS has taken from the socket, and nobody from TLS, no epoll tells. */
void http_preempt_look(const struct http_listener *listener)
{
	look(listener->http, EPOLLIN);
	if (!listener->has_tls)
		return;
	for (struct connection *c = listener->http->connections; c; c = c->next)
		if (c->session && gnutls_record_check_pending(c->session) > 0)
			stir(c);
}

/* Something of it was read in this run, as far as is known. Where there is no room to write,
 * what came since the run began, and was read, was not told. */
static bool may_be_read(const struct connection *connection)
{
	struct pollfd fd = {.fd = connection->fd, .events = POLLOUT};

	if (!connection->listener->running)
		return false;
	return connection->stirred == connection->listener->runs || poll(&fd, 1, 0) < 0 ||
	       !(fd.revents & POLLOUT);
}

static struct connection *only_one(const struct http *http, unsigned places)
{
	struct connection *found = NULL;
	unsigned n = 0;

	look(http, EPOLLIN | EPOLLOUT); /* who came since the run began */
	for (struct connection *c = http->connections; c; c = c->next) {
		unsigned place = place_of(c->exchange) & places;

		if (place == BEHIND_HEADERS)
			return c;
		if (place && may_be_read(c) && n++ == 0)
			found = c;
	}
	return n == 1 ? found : NULL;
}

struct exchange *http_preempt_find(const struct http *http, const char *page, unsigned *status,
				   const char **sentence)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (!strstr(page, pages[i].words))
			continue;
		struct connection *c = only_one(http, pages[i].places);
		if (!c)
			return NULL;
		*status = pages[i].status;
		*sentence = pages[i].sentence;
		return c->exchange ? c->exchange : http_exchange_new(c, c->mhd, "(unknown)");
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
	if (x->connection->session) {
		(void)gnutls_record_send(x->connection->session, text.s, text.len);
		gnutls_bye(x->connection->session, GNUTLS_SHUT_WR);
	} else {
		(void)send(fd, text.s, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	shutdown(fd, SHUT_WR);
}
