/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The whole terminal, for a live screen: its alternate page, without cursor and echo, until
 * screen_close puts everything back. Signals that end the program must be caught meanwhile
 * (client_catch_signals).
 */

#include <stdbool.h>
#include <termios.h>

#include "base/text.h"

struct screen {
	bool is_open, has_keys; /* stdin is the terminal too */
	struct termios before;
};

/* Is there a terminal that can be drawn on? */
bool screen_is_there(void);
void screen_open(struct screen *screen);
void screen_close(struct screen *screen);
#define cleanup_screen cleanup_(screen_close)

struct screen_size {
	unsigned rows, columns;
};
struct screen_size screen_size(void);
/* Shows the lines in place of what is there. */
void screen_draw(const char *lines);

enum screen_event { SCREEN_TIME, SCREEN_RESIZED, SCREEN_QUIT };
/* Waits so long, or for what comes first: another size, q, or a signal that ends the program. */
enum screen_event screen_wait(const struct screen *screen, unsigned ms);
