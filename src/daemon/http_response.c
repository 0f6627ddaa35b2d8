/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bodies for libmicrohttpd: whole ones, and those that are written while they are sent. */
#include "daemon/http_response.h"

#include <stdbool.h>
#include <string.h>

/* A piece that was written, and how much of it the library took. */
struct stream {
	struct http_stream stream;
	struct text piece;
	size_t taken;
};

/* False: there is no more. */
static bool write_piece(struct stream *s)
{
	s->taken = 0;
	text_clear(&s->piece);
	s->stream.next(s->stream.user, &s->piece);
	return s->piece.len;
}

static ssize_t stream_read(void *cls, unused_ uint64_t position, char *to, size_t max)
{
	struct stream *s = cls;

	if (s->taken == s->piece.len && !write_piece(s))
		return MHD_CONTENT_READER_END_OF_STREAM;
	size_t left = s->piece.len - s->taken, len = left < max ? left : max;
	memcpy(to, s->piece.s + s->taken, len);
	s->taken += len;
	return (ssize_t)len;
}

static void stream_free(void *cls)
{
	struct stream *s = cls;

	s->stream.done(s->stream.user);
	text_done(&s->piece);
	free(s);
}

/* In answer to HEAD the library (0.9.75) sends the end of a body whose length is not known. */
static uint64_t length_of(struct stream *s)
{
	uint64_t length = 0;

	while (write_piece(s))
		length += s->piece.len;
	return length;
}

struct MHD_Response *http_response_stream(const struct http_stream *stream, const char *method)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	s->stream = *stream;
	bool is_head = strcmp(method, "HEAD") == 0;
	struct MHD_Response *response = MHD_create_response_from_callback(
		is_head ? length_of(s) : MHD_SIZE_UNKNOWN, HTTP_PIECE, stream_read, s, stream_free);
	if (!response)
		out_of_memory(HTTP_PIECE);
	return response;
}

struct MHD_Response *http_response_of(const char *body, size_t len)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);

	if (!response)
		out_of_memory(len);
	return response;
}

void http_response_headers(struct MHD_Response *response, const char *const *headers)
{
	for (; headers && headers[0]; headers += 2)
		MHD_add_response_header(response, headers[0], headers[1]);
}
