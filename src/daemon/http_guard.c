/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refusal of ambiguous requests: smuggling, escapes, control characters. */
#include "daemon/http_guard.h"

#include "base/percent.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *escape_fault(const char *escape, bool in_path)
{
	int byte = percent_byte(escape);

	if (byte < 0)
		return "the request target has an invalid percent-encoding";
	if (byte == 0)
		return "the request target has an encoded NUL";
	if (in_path && byte == '/')
		return "the request path has an encoded slash";
	return NULL;
}

static const char *bytes_fault(const char *target)
{
	bool in_path = true;

	for (const char *s = target; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= 0x20 || c >= 0x7f || c == '#')
			return "the request target has a character that must be encoded";
		if (c == '?')
			in_path = false;
		const char *fault = c == '%' ? escape_fault(s, in_path) : NULL;
		if (fault)
			return fault;
	}
	return NULL;
}

/* one dot, plain or encoded: how many bytes it takes, 0 when there is none */
static size_t dot_size(const char *s)
{
	if (*s == '.')
		return 1;
	return strncasecmp(s, "%2e", 3) == 0 ? 3 : 0;
}

static bool is_dot_segment(const char *s)
{
	size_t first = dot_size(s);
	size_t second = first ? dot_size(s + first) : 0;

	return first && strchr("/?", s[first + second]);
}

const char *http_guard_target(const char *target)
{
	if (*target != '/')
		return "the request target must be a path";
	const char *fault = bytes_fault(target);
	if (fault)
		return fault;
	for (const char *s = target; *s && *s != '?'; s++) {
		if (*s != '/')
			continue;
		if (s[1] == '/')
			return "the request path has an empty segment";
		if (is_dot_segment(s + 1))
			return "the request path has a dot segment";
	}
	return NULL;
}

static bool is_token(const char *s, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)s[i]) && !memchr("!#$%&'*+-.^_`|~", s[i], 15))
			return false;
	return size > 0;
}

static bool has_control(const char *s, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
			return true;
	return false;
}

static bool is_name(const char *name, size_t size, const char *wanted)
{
	return size == strlen(wanted) && strncasecmp(name, wanted, size) == 0;
}

static void content_length(struct http_guard *guard, const char *value, size_t size)
{
	uint64_t length = 0;

	/* 18 digits hold any size there is, and cannot overflow */
	if (size == 0 || size > 18)
		guard->fault = "Content-Length is not a size";
	for (size_t i = 0; i < size && !guard->fault; i++) {
		if (value[i] < '0' || value[i] > '9')
			guard->fault = "Content-Length is not a number";
		length = length * 10 + (uint64_t)(value[i] - '0');
	}
	guard->content_length = length;
}

static const struct {
	const char *name, *fault;
} singles[HTTP_GUARD_SINGLES] = {
	[HTTP_GUARD_HOST] = {"Host", "more than one Host"},
	[HTTP_GUARD_CONTENT_LENGTH] = {"Content-Length", "more than one Content-Length"},
	[HTTP_GUARD_TRANSFER_ENCODING] = {"Transfer-Encoding", "more than one Transfer-Encoding"},
	[HTTP_GUARD_AUTHORIZATION] = {"Authorization", "more than one Authorization"},
	[HTTP_GUARD_CONTENT_TYPE] = {"Content-Type", "more than one Content-Type"},
	[HTTP_GUARD_IF_MATCH] = {"If-Match", "more than one line of If-Match"},
	[HTTP_GUARD_IF_NONE_MATCH] = {"If-None-Match", "more than one line of If-None-Match"},
};

static void single(struct http_guard *guard, const char *name, size_t name_size, const char *value,
		   size_t value_size)
{
	unsigned i = 0;

	while (i < HTTP_GUARD_SINGLES && !is_name(name, name_size, singles[i].name))
		i++;
	if (i == HTTP_GUARD_SINGLES)
		return;
	guard->n[i]++;
	if (i == HTTP_GUARD_CONTENT_LENGTH)
		content_length(guard, value, value_size);
	else if (i == HTTP_GUARD_TRANSFER_ENCODING && !is_name(value, value_size, "chunked"))
		guard->fault = "Transfer-Encoding other than chunked";
}

void http_guard_header(struct http_guard *guard, const char *name, size_t name_size,
		       const char *value, size_t value_size)
{
	guard->size += name_size + value_size + strlen(": \r\n");
	if (guard->fault)
		return;
	if (!is_token(name, name_size))
		guard->fault = "a header's name is not a token";
	else if (has_control(value, value_size))
		guard->fault = "a header has a control character";
	else if (is_name(name, name_size, "Expect"))
		guard->expects = true;
	else
		single(guard, name, name_size, value, value_size);
}

const char *http_guard_fault(const struct http_guard *guard, const char *version)
{
	bool is_10 = strcmp(version, "HTTP/1.0") == 0;

	if (guard->fault)
		return guard->fault;
	if (!is_10 && strcmp(version, "HTTP/1.1") != 0)
		return "the protocol is neither HTTP/1.0 nor HTTP/1.1";
	for (unsigned i = 0; i < HTTP_GUARD_SINGLES; i++)
		if (guard->n[i] > 1)
			return singles[i].fault;
	if (guard->n[HTTP_GUARD_TRANSFER_ENCODING] && guard->n[HTTP_GUARD_CONTENT_LENGTH])
		return "Content-Length together with Transfer-Encoding";
	if (guard->n[HTTP_GUARD_TRANSFER_ENCODING] && is_10)
		return "Transfer-Encoding in HTTP/1.0";
	if (!guard->n[HTTP_GUARD_HOST] && !is_10)
		return "no Host";
	return NULL;
}

bool http_guard_adjoins(const char *end, const char *text, unsigned line_ends)
{
	uintptr_t from = (uintptr_t)end, to = (uintptr_t)text;

	/* LF or CR LF; numbers, since they may be of two blocks */
	return to >= from + line_ends && to <= from + 2 * (uintptr_t)line_ends;
}

const char *http_guard_code(unsigned status)
{
	switch (status) {
	case 401:
		return "unauthenticated";
	case 403:
		return "forbidden";
	case 408:
		return "request-timeout";
	case 413:
		return "body-too-large";
	case 429:
		return "too-many-requests";
	case 431:
		return "headers-too-large";
	}
	return "bad-request";
}
