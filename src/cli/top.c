/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `top`: the busiest tunnels, again and again. What is measured is in top_rows.c, the terminal is
 * screen.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/run.h"
#include "cli/screen.h"
#include "cli/top_rows.h"

enum { PLAIN_LINES = 50, HEAD_LINES = 4, INTERVAL_MAX_S = 3600, MANY = 1000000 };

struct top {
	struct cli *cli;
	struct client *client;
	struct top_rows rows;
	struct screen screen;
	unsigned interval_ms, count, lines; /* count, lines 0: no end, and what there is room for */
	struct err err;                     /* of the last refresh; number 0: it went well */
};

static int read_interval(struct cli *cli, unsigned *ms)
{
	const char *s = args_value(&cli->args, "interval");
	char *end = NULL;

	*ms = 1000;
	if (!s)
		return CLI_OK;
	double seconds = strtod(s, &end);
	if (end == s || *end || !(seconds >= 0.1 && seconds <= INTERVAL_MAX_S))
		return cli_usage("--interval %s: seconds from 0.1 to %d are wanted", s,
				 INTERVAL_MAX_S);
	*ms = (unsigned)(seconds * 1000 + 0.5);
	return CLI_OK;
}

static unsigned lines_of(const struct top *top)
{
	unsigned rows = screen_size().rows;

	if (top->lines)
		return top->lines;
	if (!top->screen.is_open)
		return PLAIN_LINES;
	return rows > HEAD_LINES ? rows - HEAD_LINES : 1;
}

static void add_head(const struct top *top, struct text *out)
{
	time_t now = time(NULL);
	struct tm tm;
	char clock[16];
	cleanup_text struct text line = {0};

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
	text_addf(&line, "%s  %s  ", top->client->host, clock);
	output_add_clean(out, text_str(&line));
	top_rows_add_sums(&top->rows, &top->cli->style, out);
	text_add(out, "\n");
	if (top->err.number && top->screen.is_open)
		output_add_clean(out, top->err.sentence);
	text_add(out, top->screen.is_open ? "\n" : "");
}

static void show(struct top *top)
{
	struct output_style style = top->cli->style;
	cleanup_text struct text out = {0};

	style.width = top->screen.is_open ? screen_size().columns : style.width;
	add_head(top, &out);
	top_rows_add_table(&top->rows, &style, lines_of(top), &out);
	if (top->screen.is_open) {
		screen_draw(text_str(&out));
		return;
	}
	printf("%s\n", text_str(&out));
	fflush(stdout);
}

/* A failure in between is told, and the next refresh tries again. */
static int refresh(struct top *top)
{
	top->err = (struct err){0};
	int status = top_rows_refresh(&top->rows, top->client, lines_of(top), top->interval_ms / 2,
				      &top->err);

	if (status != CLI_OK && !top->screen.is_open && !client_interrupted())
		client_print_failure("ipipctl", top->err.number, &top->err);
	return status;
}

/* False: it shall end. */
static bool pause_for(struct top *top, uint64_t until_ms)
{
	uint64_t now_ms;

	while ((now_ms = client_now_ms()) < until_ms) {
		switch (screen_wait(&top->screen, (unsigned)(until_ms - now_ms))) {
		case SCREEN_QUIT:
			return false;
		case SCREEN_RESIZED:
			if (top->screen.is_open)
				show(top);
			break;
		case SCREEN_TIME:
			break;
		}
	}
	return !client_interrupted();
}

static int run(struct top *top)
{
	int status = CLI_OK;
	uint64_t next_ms = client_now_ms();

	for (unsigned shown = 0; !top->count || shown < top->count; shown++) {
		if (shown && !pause_for(top, next_ms))
			return CLI_OK;
		next_ms = client_now_ms() + top->interval_ms;
		status = refresh(top);
		if (client_interrupted())
			return CLI_OK;
		if (status != CLI_OK && !shown)
			return status;
		if (!shown && screen_is_there())
			screen_open(&top->screen);
		if (status == CLI_OK || top->screen.is_open)
			show(top);
		if (ferror(stdout))
			return CLI_FAILED;
	}
	return status;
}

int top_top(struct cli *cli)
{
	struct top top = {.cli = cli};
	int status = read_interval(cli, &top.interval_ms);

	if (status == CLI_OK)
		status = cli_number(cli, "count", 1, MANY, &top.count);
	if (status == CLI_OK)
		status = cli_number(cli, "lines", 1, MANY, &top.lines);
	if (status != CLI_OK)
		return status;
	top.client = cli_agent(cli, &status);
	if (!top.client)
		return status;
	client_catch_signals();
	status = run(&top);
	screen_close(&top.screen);
	top_rows_done(&top.rows);
	return status;
}
