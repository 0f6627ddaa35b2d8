/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A field table describes a struct row by row: JSON in and out, SQL columns, CLI options,
 * comparison and the text of a plan all come from walking it. The count of rows is
 * carried, there is no sentinel row.
 *
 * Every struct that has a table begins with `uint64_t set`: bit i says that row i was
 * given (a resource: by the client; a kernel object: that it is wanted, or was read). So
 * "not given" differs from zero, and a comparison looks only at what is set. A field of a
 * resource that was not given holds its default.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ipaddr.h"

enum field_type {
	FIELD_BOOL,     /* bool */
	FIELD_U8,       /* uint8_t */
	FIELD_U16,      /* uint16_t */
	FIELD_U32,      /* uint32_t */
	FIELD_S32,      /* int32_t */
	FIELD_NAME,     /* char[n], in place, NUL-terminated */
	FIELD_STRING,   /* const char *, NULL when not given */
	FIELD_CHOICE,   /* uint8_t, an index into choices */
	FIELD_ADDR,     /* struct addr */
	FIELD_PREFIX,   /* struct prefix */
	FIELD_PREFIXES, /* struct prefixes, in the order given */
	FIELD_LABELS,   /* struct labels, sorted by key */
	FIELD_ROWS,     /* struct rows of another kind (kernel objects only) */
};

enum {
	FIELD_KEY = 1 << 0,           /* part of what the thing is called */
	FIELD_REQUIRED = 1 << 1,      /* a client must give it */
	FIELD_RECREATE = 1 << 2,      /* the kernel cannot change it in place */
	FIELD_RECREATE_ZERO = 1 << 3, /* nor between zero and not zero */
	FIELD_HOST_BITS = 1 << 4,     /* prefixes: a device's own address, host bits stay */
	FIELD_WORD = 1 << 5,          /* word may stand for word_value */
	FIELD_SECRET = 1 << 6,
	FIELD_IFNAME = 1 << 7,  /* a name of an interface */
	FIELD_IGNORE = 1 << 8,  /* never compared */
	FIELD_MARK = 1 << 9,    /* says whose it is: not compared with what is not ours */
	FIELD_UNIQUE = 1 << 10, /* prefixes: none is given twice */
	FIELD_OPEN = 1 << 11,   /* not given is none of its values */
	FIELD_HEX = 1 << 12,    /* shown as 0x2a */
};

struct label {
	const char *key, *value;
};

struct labels {
	struct label *v;
	uint32_t len;
};

/* An array of structs of the kind that the field refers to, each of kind->size bytes. */
struct rows {
	void *v;
	uint32_t len;
};

struct kind;

enum { FIELD_NAME_SIZE = 24 };

struct field {
	char name[FIELD_NAME_SIZE]; /* in place: it is copied into every document */
	uint8_t name_len;
	enum field_type type;
	uint32_t flags;
	uint32_t offset, size;  /* of the member, bytes */
	int64_t min, max, step; /* numbers: bounds, and multiples of step when not 0 */
	uint32_t max_count;     /* lists: how many at most (at least min of them) */
	int64_t dflt;           /* numbers, bools, choices, and the host order of an address */
	const char *word;       /* FIELD_WORD: "auto", "inherit" */
	int64_t word_value;
	/* FIELD_KEY: what the value is introduced with, as iproute2 does; "": nothing. With it the
	 * value is left out where it says nothing: 0, and -1 of what may be negative. */
	const char *key_word;
	const char *const *choices;
	uint32_t n_choices;
	const struct kind *const *refers_to; /* FIELD_NAME: a resource of that kind; FIELD_ROWS */
	const char *doc;                     /* one line */
};

/* A name that does not fit with its NUL does not compile. */
#define FIELD_CALLED(text)                                                                         \
	.name = text,                                                                              \
	.name_len = sizeof(text) - 1 + 0 * sizeof(char[sizeof(text) <= FIELD_NAME_SIZE ? 1 : -1])

/* offsetof, and a compile-time refusal when the member is not of the row's C type */
#define FIELD_AT(st, member, ctype)                                                                \
	FIELD_CALLED(#member),                                                                     \
		.size = sizeof(((struct st *)0)->member),                                          \
		.offset = (uint32_t)(offsetof(struct st, member) +                                 \
				     0 * sizeof(char[__builtin_types_compatible_p(                 \
							     __typeof__(((struct st *)0)->member), \
							     ctype)                                \
							     ? 1                                   \
							     : -1]))
#define FIELD_AT_CHARS(st, member) FIELD_AT(st, member, char[sizeof(((struct st *)0)->member)])

#define F_BOOL(st, m, ...)                                                                         \
	{                                                                                          \
		FIELD_AT(st, m, bool), .type = FIELD_BOOL, .max = 1, __VA_ARGS__                   \
	}
#define F_U8(st, m, ...)                                                                           \
	{                                                                                          \
		FIELD_AT(st, m, uint8_t), .type = FIELD_U8, .max = UINT8_MAX, __VA_ARGS__          \
	}
#define F_U16(st, m, ...)                                                                          \
	{                                                                                          \
		FIELD_AT(st, m, uint16_t), .type = FIELD_U16, .max = UINT16_MAX, __VA_ARGS__       \
	}
#define F_U32(st, m, ...)                                                                          \
	{                                                                                          \
		FIELD_AT(st, m, uint32_t), .type = FIELD_U32, .max = UINT32_MAX, __VA_ARGS__       \
	}
#define F_S32(st, m, ...)                                                                          \
	{                                                                                          \
		FIELD_AT(st, m, int32_t), .type = FIELD_S32, .min = INT32_MIN, .max = INT32_MAX,   \
					  __VA_ARGS__                                              \
	}
#define F_NAME(st, m, ...)                                                                         \
	{                                                                                          \
		FIELD_AT_CHARS(st, m), .type = FIELD_NAME, __VA_ARGS__                             \
	}
#define F_STRING(st, m, ...)                                                                       \
	{                                                                                          \
		FIELD_AT(st, m, const char *), .type = FIELD_STRING, __VA_ARGS__                   \
	}
#define F_CHOICE(st, m, list, ...)                                                                 \
	{                                                                                          \
		FIELD_AT(st, m, uint8_t), .type = FIELD_CHOICE, .choices = (list),                 \
					  .n_choices = ARRAY_LEN(list),                            \
					  .max = ARRAY_LEN(list) - 1, __VA_ARGS__                  \
	}
#define F_ADDR(st, m, ...)                                                                         \
	{                                                                                          \
		FIELD_AT(st, m, struct addr), .type = FIELD_ADDR, __VA_ARGS__                      \
	}
#define F_PREFIX(st, m, ...)                                                                       \
	{                                                                                          \
		FIELD_AT(st, m, struct prefix), .type = FIELD_PREFIX, __VA_ARGS__                  \
	}
#define F_PREFIXES(st, m, ...)                                                                     \
	{                                                                                          \
		FIELD_AT(st, m, struct prefixes), .type = FIELD_PREFIXES, __VA_ARGS__              \
	}
#define F_LABELS(st, m, ...)                                                                       \
	{                                                                                          \
		FIELD_AT(st, m, struct labels), .type = FIELD_LABELS, __VA_ARGS__                  \
	}
#define F_ROWS(st, m, ref, ...)                                                                    \
	{                                                                                          \
		FIELD_AT(st, m, struct rows), .type = FIELD_ROWS, .refers_to = (ref), __VA_ARGS__  \
	}

/* The member of a struct that a row describes. */
static inline void *field_of(const struct field *field, void *object)
{
	return (char *)object + field->offset;
}

static inline const void *field_in(const struct field *field, const void *object)
{
	return (const char *)object + field->offset;
}

static inline uint64_t field_set_mask(const void *object)
{
	return *(const uint64_t *)object;
}

/* The value of a number, bool, choice or address as one integer. */
int64_t field_number(const struct field *field, const void *object);
/* Writes it; the caller has checked the bounds. */
void field_store(const struct field *field, void *object, int64_t value);
/* -1, 0, 1; text by bytes, lists by their members in order */
int field_compare(const struct field *field, const void *a, const void *b);

struct text;
/* As a person reads it: "64", "auto", "192.168.1.1/24", lists with commas. */
void field_show(const struct field *field, const void *object, struct text *text);
