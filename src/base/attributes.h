/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Attributes that gcc and clang check for us, under short names. */

#define printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define must_check         __attribute__((warn_unused_result))
#define unused_            __attribute__((unused))
#define noreturn_          __attribute__((noreturn))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
