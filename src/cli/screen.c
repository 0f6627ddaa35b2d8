/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal of `top`, by the sequences that every terminal of today knows. */
#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/client.h"

/* alternate page, no cursor, lines are cut and not wrapped; and back */
static const char enter[] = "\033[?1049h\033[?25l\033[?7l",
		  leave[] = "\033[?7h\033[?25h\033[?1049l";

static volatile sig_atomic_t resized;

static void on_resize(int number)
{
	(void)number;
	resized = 1;
}

bool screen_is_there(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
}

static void put(const char *sequence)
{
	fputs(sequence, stdout);
	fflush(stdout);
}

void screen_open(struct screen *screen)
{
	struct sigaction action = {.sa_handler = on_resize};

	sigaction(SIGWINCH, &action, NULL);
	screen->is_open = true;
	screen->has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen->before) == 0;
	if (screen->has_keys) {
		struct termios raw = screen->before;

		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		/* a stopped program, or a core, would leave the terminal as it is now */
		raw.c_cc[VSUSP] = raw.c_cc[VQUIT] = _POSIX_VDISABLE;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	put(enter);
}

void screen_close(struct screen *screen)
{
	if (!screen->is_open)
		return;
	put(leave);
	if (screen->has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
	screen->is_open = false;
}

struct screen_size screen_size(void)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_row || !size.ws_col)
		return (struct screen_size){24, 80};
	return (struct screen_size){size.ws_row, size.ws_col};
}

void screen_draw(const char *lines)
{
	cleanup_text struct text out = {0};

	/* over what is there, so that nothing flickers; then the rest of the page goes */
	text_add(&out, "\033[H");
	while (*lines) {
		size_t len = strcspn(lines, "\n");

		text_add_len(&out, lines, len);
		text_add(&out, "\033[K");
		lines += len;
		if (*lines == '\n' && *++lines)
			text_add(&out, "\n");
	}
	text_add(&out, "\033[J");
	put(text_str(&out));
}

/* Between the look at what a handler has set, and the waiting, no signal may get lost. */
static int wait_for_key(const struct screen *screen, unsigned ms)
{
	struct pollfd key = {.fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN};
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	sigset_t handled, before;
	int n = 0;

	sigemptyset(&handled);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGWINCH);
	sigprocmask(SIG_BLOCK, &handled, &before);
	if (!client_interrupted() && !resized)
		n = ppoll(&key, 1, &time, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return n;
}

enum screen_event screen_wait(const struct screen *screen, unsigned ms)
{
	uint64_t end_ms = client_now_ms() + ms, now_ms;
	char key;

	while ((now_ms = client_now_ms()) < end_ms) {
		int n = wait_for_key(screen, (unsigned)(end_ms - now_ms));

		if (client_interrupted())
			return SCREEN_QUIT;
		if (resized) {
			resized = 0;
			return SCREEN_RESIZED;
		}
		if (n > 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
			return SCREEN_QUIT;
	}
	return SCREEN_TIME;
}
