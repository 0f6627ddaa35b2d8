/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Who changed what: as events in the write's own transaction, and as lines in the log. */

#include "daemon/api_write.h"
#include "daemon/event_log.h"

/* Before the changes are declared: what they replace is compared. */
void audit_gather(const struct api_call *call, const struct api_changes *changes,
		  struct event_log *log);
int audit_store(const struct api_call *call, struct event_log *log, uint64_t revision,
		struct err *err) must_check;
/* Somebody has what another database left removed: in a transaction of its own, before it goes. */
int audit_orphans(const struct api_call *call, const struct reconcile_report *report,
		  struct err *err) must_check;
/* After they were stored; not each of ten thousand. */
void audit_log(const struct api_call *call, const struct event_log *log);
