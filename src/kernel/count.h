/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Counters of devices, as their messages carry them. */

#include "kernel/adapter.h"

/* False: the message has none. */
bool count_parse_stats(const struct nlmsghdr *h, struct link_stats *stats);
/* Of a device that is, or was. False: no device, or one without counters. */
bool count_parse_link(const struct nlmsghdr *h, const struct names *names,
		      struct counted_link *counted);
/* Of a device that was looked at, from which all but the counters is taken. False: it was not. */
bool count_parse_counters(const struct nlmsghdr *h, const struct names *names,
			  struct counted_link *counted);
/* Appends all devices that were looked at. */
int count_links(struct kern *kern, struct counted_links *links, struct err *err) must_check;
