/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What libFuzzer calls, and corpus.c in its place. */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
