/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What is refused before a request means anything: targets and headers that two readers
 * could understand in two ways. Pure functions over text; libmicrohttpd accepts all of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The raw request target. NULL, or a sentence that says what is wrong with it. */
const char *http_guard_target(const char *target);

/* Headers that a request has once at most: of two, one reader takes the first, another the last. */
enum http_guard_single {
	HTTP_GUARD_HOST,
	HTTP_GUARD_CONTENT_LENGTH,
	HTTP_GUARD_TRANSFER_ENCODING,
	HTTP_GUARD_AUTHORIZATION,
	HTTP_GUARD_CONTENT_TYPE,
	HTTP_GUARD_IF_MATCH,
	HTTP_GUARD_IF_NONE_MATCH,
	HTTP_GUARD_SINGLES,
};

/* Gathers what the headers of one request say. {0} before the first. */
struct http_guard {
	unsigned n[HTTP_GUARD_SINGLES]; /* how often each was there */
	size_t size;                    /* bytes of all of them; the caller may begin with others */
	bool expects;                   /* Expect: 100-continue */
	uint64_t content_length;        /* bytes; 0 without */
	const char *fault;              /* of the first bad header, NULL: none */
};

/* Every header in order; sizes without NUL. */
void http_guard_header(struct http_guard *guard, const char *name, size_t name_size,
		       const char *value, size_t value_size);
/* After the last header. version: "HTTP/1.1". NULL, or a sentence. */
const char *http_guard_fault(const struct http_guard *guard, const char *version);
/* Does text begin behind that end of another and so many line ends, and with nothing between? */
bool http_guard_adjoins(const char *end, const char *text, unsigned line_ends);
/* The code of the problem with which a request of that status is refused. */
const char *http_guard_code(unsigned status);
