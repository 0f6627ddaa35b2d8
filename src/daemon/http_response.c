/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bodies for libmicrohttpd: whole ones, and those that are written while they are sent. */
#include "daemon/http_response.h"

#include <string.h>

struct http_body {
	struct http_stream stream;
	bool (*wait)(void *user);
	void *user;
	bool ended;
	struct text piece; /* that was written */
	size_t taken;      /* of it by the library */
};

/* False: there is no more, or none yet. */
static bool write_piece(struct http_body *body)
{
	body->taken = 0;
	text_clear(&body->piece);
	body->stream.next(body->stream.user, &body->piece);
	return body->piece.len;
}

static ssize_t body_read(void *cls, unused_ uint64_t position, char *to, size_t max)
{
	struct http_body *body = cls;

	if (body->ended)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (body->taken == body->piece.len && !write_piece(body)) {
		bool waits = body->stream.follows && body->wait(body->user);

		return waits ? 0 : MHD_CONTENT_READER_END_OF_STREAM;
	}
	size_t left = body->piece.len - body->taken, len = left < max ? left : max;
	memcpy(to, body->piece.s + body->taken, len);
	body->taken += len;
	return (ssize_t)len;
}

void http_body_end(struct http_body *body)
{
	if (!body->ended)
		body->stream.done(body->stream.user);
	body->ended = true;
}

static void body_free(void *cls)
{
	struct http_body *body = cls;

	http_body_end(body);
	text_done(&body->piece);
	free(body);
}

/* In answer to HEAD the library (0.9.75) sends the end of a body whose length is not known. */
static uint64_t length_of(struct http_body *body)
{
	uint64_t length = 0;

	while (write_piece(body))
		length += body->piece.len;
	return length;
}

struct http_body *http_body_new(const struct http_stream *stream, bool (*wait)(void *user),
				void *user)
{
	struct http_body *body = xcalloc(1, sizeof(*body));

	body->stream = *stream;
	body->wait = wait;
	body->user = user;
	return body;
}

struct MHD_Response *http_response_stream(struct http_body *body, const char *method)
{
	bool is_head = strcmp(method, "HEAD") == 0;
	struct MHD_Response *response = MHD_create_response_from_callback(
		is_head ? length_of(body) : MHD_SIZE_UNKNOWN, HTTP_PIECE, body_read, body,
		body_free);

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
