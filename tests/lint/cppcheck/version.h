/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* On the command line cppcheck would lose the quotes. */
#define IPIPD_VERSION "0"
