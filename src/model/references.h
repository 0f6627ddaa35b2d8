/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Within model/: what exit routes need of tunnels. The tunnel is declared, and the source
 * stands on a tunnel and is no tunnel's outer address: packets with any other source leave
 * in the clear.
 */

#include "model/declaration.h"

/* An exit route that is put, against the tunnels of the declaration. */
int references_check_route(const struct declaration *d, const struct exit_route *route,
			   struct errs *errs) must_check;
/* A tunnel that is put: -EBUSY when an exit route that held would not hold with it. */
int references_check_tunnel(const struct declaration *d, const struct tunnel *tunnel,
			    struct errs *errs) must_check;
/* A tunnel that is removed: -EBUSY, naming the exit routes that need it. */
int references_check_remove(const struct declaration *d, const struct tunnel *tunnel,
			    struct errs *errs) must_check;
/* Every exit route after a merge: n log n. */
int references_check(const struct declaration_merge *merge, struct errs *errs) must_check;
/* The number of distinct `from` prefixes has an end: for a route that is put, and after a
 * merge. */
int references_check_from(const struct declaration *d, const struct exit_route *route,
			  struct errs *errs) must_check;
int references_check_froms(const struct declaration_merge *merge, struct errs *errs) must_check;
