/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What `top` knows of each tunnel: its state, its counters and how fast they grow. The agent
 * gives counters one tunnel at a time, so a refresh asks those that are shown, and of the others
 * the ones that it has not asked for longest, as far as time and ROWS_ASKED_MAX allow: a busy one
 * comes up after some refreshes, however many there are.
 */

#include "cli/client.h"
#include "cli/output.h"
#include "model/resource.h"

enum { ROWS_ASKED_MAX = 500 };

enum top_counter {
	TOP_RX_BYTES,
	TOP_TX_BYTES,
	TOP_RX_PACKETS,
	TOP_TX_PACKETS,
	TOP_RX_ERRORS,
	TOP_TX_ERRORS,
	TOP_RX_DROPPED,
	TOP_TX_DROPPED,
	TOP_COUNTERS,
};

struct top_row {
	char name[RESOURCE_NAME], state[16];
	uint64_t asked_ms;       /* 0: never */
	bool is_known, has_rate; /* counters were read, and before that too */
	bool is_shown;           /* at the last refresh */
	double count[TOP_COUNTERS], rate[TOP_COUNTERS]; /* per second */
};

struct top_rows {
	struct vec_of(struct top_row) v; /* the busiest first */
	char *seen;                      /* revision and states when the list was read */
	unsigned age;                    /* refreshes since then */
};

/* Reads what has changed. The first `shown` rows are asked first, all in budget_ms. An exit
 * status; what is known stays when it fails, and err says why. */
int top_rows_refresh(struct top_rows *rows, struct client *client, unsigned shown,
		     unsigned budget_ms, struct err *err) must_check;
/* Adds "3 tunnels: 2 ready, 1 failed  rx 41 Mb/s  tx 9 Mb/s". */
void top_rows_add_sums(const struct top_rows *rows, const struct output_style *style,
		       struct text *out);
/* Adds a table of the first lines, and how many more there are. */
void top_rows_add_table(const struct top_rows *rows, const struct output_style *style,
			unsigned lines, struct text *out);
void top_rows_done(struct top_rows *rows);
