/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library (0.9.75) tells neither whose request it refuses nor whom it drops without a word:
 * it is whose socket or TLS it used last, or whose request was completed last. Its calls come by
 * here, because what a program defines goes before what its shared libraries do (ELF, as with
 * malloc); what is done with them is what it always was.
 */
#include "daemon/http_preempt.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Whom the library works for. */
static struct {
	const struct http_listener *listener; /* NULL: none of ours runs */
	int fd;
	bool reads; /* of his bytes there are some that it did not tell of yet */
} at_work;

/* By words of its page. */
static const struct {
	const char *words;
	unsigned status;
	const char *sentence;
} pages[] = {
	{"wrong value for <b>Content-Length", 400, "Content-Length is not a number"},
	{"too large value for <b>Content-Length", 413, "Content-Length is larger than any body"},
	{"Your HTTP header was too big", 431,
	 "the request line, the headers, or cookies, are too many or too large"},
	{"Your HTTP chunked encoding was", 400, "the chunked encoding is malformed"},
	{"The chunk size", 413, "a chunk is larger than any body"},
	{"Your HTTP request was syntactically", 400, "a line of the request is none of HTTP/1.1"},
	{"Requested HTTP version is", 400, "the protocol is neither HTTP/1.0 nor HTTP/1.1"},
};

static void work_for(int fd, bool reads)
{
	at_work.fd = fd;
	at_work.reads = reads;
}

static struct connection *connection_at_work(void)
{
	const struct http *http = at_work.listener ? at_work.listener->http : NULL;

	return http && at_work.fd >= 0 && (size_t)at_work.fd < http->n_by_fd
		       ? http->by_fd[at_work.fd]
		       : NULL;
}

static void refuse(struct connection *connection, unsigned status, const char *sentence)
{
	struct exchange *x = connection->exchange;

	if (connection->refused)
		return; /* what the library makes of the rest was answered with that */
	if (!x)
		x = http_exchange_new(connection, connection->mhd, "(unknown)");
	http_exchange_preempt(x, status, sentence);
}

/* Any of these, or an error. */
static bool happened(int fd, short events)
{
	struct pollfd pollfd = {.fd = fd, .events = events};

	return poll(&pollfd, 1, 0) > 0;
}

bool http_preempt_late(struct connection *connection)
{
	const struct exchange *x = connection->exchange;

	if (connection->refused || happened(connection->fd, POLLRDHUP) ||
	    (x ? x->phase > PHASE_BODY : !connection->asks))
		return false;
	refuse(connection, MHD_HTTP_REQUEST_TIMEOUT, "the request was not whole in time");
	return true;
}

bool http_preempt_page(const char *page)
{
	struct connection *connection = connection_at_work();

	if (!connection || (connection->exchange && !connection->refused &&
			    connection->exchange->phase > PHASE_BODY))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (!strstr(page, pages[i].words))
			continue;
		refuse(connection, pages[i].status, pages[i].sentence);
		return true;
	}
	return false;
}

void http_preempt_run(struct http_listener *listener)
{
	at_work.listener = listener;
	at_work.fd = -1;
	MHD_run(listener->daemon);
	at_work.listener = NULL;
	listener->idle_runs = at_work.fd < 0 ? listener->idle_runs + 1 : 0;
}

void http_preempt_next(const struct connection *connection, bool answered)
{
	work_for(connection->fd, answered);
}

/* The protocol of other ports, by its first byte. It is told so in the clear. */
static void refuse_tongue(unsigned char first)
{
	enum { HANDSHAKE = 22 }; /* RFC 8446, 5.1 */
	bool is_tls = first == HANDSHAKE, is_word = first >= 'A' && first <= 'Z';
	struct connection *connection = connection_at_work();

	if (!connection || connection->heard)
		return;
	connection->heard = true;
	if (!(connection->session ? is_word : is_tls))
		return;
	connection->session = NULL;
	refuse(connection, 400,
	       is_tls ? "this is TLS, which is not spoken here"
		      : "this is not TLS, which is spoken here");
	http_set_deadline(connection, connection->http->config.header_deadline_ms);
}

/* A request that is done has its headers still, when the library closes for it. */
static bool is_between_requests(const struct connection *connection)
{
	return !connection->exchange &&
	       !MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
}

/* The library is about to say no more to him: without a word, if he was being read. */
static void ends(int fd, bool has_tls)
{
	if (fd != at_work.fd || !at_work.reads)
		return;
	at_work.reads = false;
	struct connection *connection = connection_at_work();
	if (connection && !connection->session != has_tls && is_between_requests(connection) &&
	    !happened(fd, 0)) /* of one that was reset it reads once more, and drops that */
		refuse(connection, 400, "the first line is no request");
}

/* The library (0.9.75) reads on when a request that it was to hold is answered; and takes the end
 * of what its client sends for the client's, so that he would get no answer. */
static bool is_read_later(int fd)
{
	at_work.fd = fd;
	const struct connection *connection = connection_at_work();
	const struct exchange *x = connection ? connection->exchange : NULL;

	return x && !connection->session && !connection->refused &&
	       (x->phase == PHASE_HANDLER || x->phase == PHASE_ANSWERED);
}

/* So many bytes came of a request, unless TLS is still to take it out of them. */
static void note_asking(ssize_t len, bool has_tls)
{
	struct connection *connection = connection_at_work();

	if (connection && !connection->session != has_tls && len > 0)
		connection->asks = true;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	bool later = is_read_later(fd);
	ssize_t len = later ? -1 : recvfrom(fd, bytes, size, flags, NULL, NULL);

	if (later)
		errno = EAGAIN;
	work_for(fd, len > 0);
	if (len > 0)
		refuse_tongue(*(const unsigned char *)bytes);
	note_asking(len, false);
	return len;
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
	work_for(fd, false);
	return sendto(fd, bytes, len, flags, NULL, 0);
}

int shutdown(int fd, int how)
{
	ends(fd, false);
	return (int)syscall(SYS_shutdown, fd, how);
}

/* What TLS holds of a record whose begin was taken is read without recv(). The other function is
 * the same, and tells the record's number besides. */
ssize_t gnutls_record_recv(gnutls_session_t session, void *bytes, size_t size)
{
	unsigned char sequence[8];
	ssize_t len = gnutls_record_recv_seq(session, bytes, size, sequence);

	work_for(gnutls_transport_get_int(session), len > 0);
	note_asking(len, true);
	return len;
}

ssize_t gnutls_record_send(gnutls_session_t session, const void *bytes, size_t len)
{
	work_for(gnutls_transport_get_int(session), false);
	return gnutls_record_send2(session, bytes, len, 0, GNUTLS_RECORD_WAIT);
}

int gnutls_bye(gnutls_session_t session, gnutls_close_request_t how)
{
	static int (*bye)(gnutls_session_t session, gnutls_close_request_t how);

	if (!bye)
		*(void **)&bye = dlsym(RTLD_NEXT, "gnutls_bye");
	ends(gnutls_transport_get_int(session), true);
	return bye(session, how);
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

/* All answers before it are sent, but may not be read: the kernel gives twice what is asked for. */
static void make_room(int fd)
{
	int size = 0;
	socklen_t len = sizeof(size);

	(void)getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

void http_preempt_say(const struct exchange *x, unsigned status, const char *const *headers,
		      const char *body, size_t len)
{
	cleanup_text struct text text = {0};
	int fd = x->connection->fd;

	add_head(&text, status, headers, len);
	text_add_len(&text, body, len);
	make_room(fd);
	if (x->connection->session) {
		(void)gnutls_record_send(x->connection->session, text.s, text.len);
		gnutls_bye(x->connection->session, GNUTLS_SHUT_WR);
	} else {
		(void)send(fd, text.s, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	shutdown(fd, SHUT_WR);
}
