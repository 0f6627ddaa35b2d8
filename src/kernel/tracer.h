/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The trace of trace.h on the real kernel: how it is opened, read and closed. */

#include "kernel/adapter.h"

int tracer_open(struct kern *kern, const struct trace_question *question, struct err *err);
int tracer_read(struct kern *kern, struct trace_seen *seen, struct err *err);
int tracer_close(struct kern *kern, struct err *err);
/* Takes away what a killed agent left, or a close that failed. */
int tracer_sweep(struct kern *kern, struct err *err);
