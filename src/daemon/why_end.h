/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Checks that both ends have: of the tunnel's own packets, whoever sends them. */

#include "daemon/why_hop.h"

/* The tunnel's status and its device; true: it says something against it. */
bool why_end_tunnel(const struct why_known *known, struct why_check *check);
/* The outer packets enter a tunnel again; true: they do. */
bool why_end_loop(const struct why_known *known, struct why_check *check);
/* The way to the remote, past our rules, and the local address. */
void why_end_underlay(const struct why_known *known, struct why_check *check);
/* Protocol 4 through the hooks of the underlay, until the inner packet comes out of the tunnel. */
void why_end_decapsulation(const struct why_known *known, enum trace_way way,
			   struct why_check *check);
