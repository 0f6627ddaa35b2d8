/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The SQL texts of db/, in order, embedded at build by cmake/embed.cmake. Migration i
 * (from 0) brings a database from user_version i to i + 1.
 */

extern const char *const migrations[];
extern const unsigned migrations_count;
