/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Commands that repair. Each is whole: what it is about works after it. They are pasted into a
 * root's shell, so a name that the kernel has from others stands in none but when it is harmless.
 */

#include "daemon/shell_word.h"
#include "daemon/why_find.h"

/* A resource that is not ready, by its status' reason; says it, too. */
void why_fix_status(const struct why_known *known, enum kind_id kind, const char *name,
		    struct why_check *check);
/* The tunnel's outer packets have no way, or no source. */
void why_fix_underlay(const struct why_known *known, struct why_check *check);
/* A name that no resource of that kind has: stem, or stem-2 and so on. */
const char *why_fix_name(const struct why_known *known, enum kind_id kind, const char *stem,
			 char name[static RESOURCE_NAME]);
/* A device that there is none of, for a tunnel to that remote: "tun_16_22". */
const char *why_fix_device(const struct why_known *known, struct addr remote,
			   char device[static IFNAMSIZ]);
/* A NAT rule that lets FROM out of the WAN device. */
void why_fix_nat(const struct why_known *known, struct why_check *check);
/* An address of this end for a tunnel in which FROM is the other one. */
struct prefix why_fix_beside(const struct why_known *known);
/* Replies to FROM are to go into the tunnel. */
void why_fix_return(const struct why_known *known, struct why_check *check);
