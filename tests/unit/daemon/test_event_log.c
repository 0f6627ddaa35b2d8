/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what happened to rows: few are told one by one, many together, and none without end. */
#include "daemon/event_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/resource.h"

struct scene {
	char folder[32], path[64];
	struct store *store;
	struct event_log log;
	struct err err;
};

static int setup(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));
	bool created;

	snprintf(scene->folder, sizeof(scene->folder), "/tmp/ipipd-unit.XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	snprintf(scene->path, sizeof(scene->path), "%s/db", scene->folder);
	assert_int_equal(store_open(&scene->store, scene->path, &created, &scene->err), 0);
	assert_int_equal(store_events_load(scene->store, 1000, &scene->err), 0);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	store_close(scene->store);
	event_log_done(&scene->log);
	unlink(scene->path);
	rmdir(scene->folder);
	free(scene);
	return 0;
}

struct row {
	char type[32], name[300], names[2048], document[2048];
};

struct written {
	struct row v[8];
	unsigned len;
};

static bool keep_row(void *user, const struct store_event *event)
{
	struct written *rows = user;
	struct row *row = &rows->v[rows->len++];

	snprintf(row->type, sizeof(row->type), "%s", event->type);
	snprintf(row->name, sizeof(row->name), "%s", event->name ? event->name : "");
	snprintf(row->names, sizeof(row->names), "%s", event->names ? event->names : "");
	snprintf(row->document, sizeof(row->document), "%s", event->document);
	return rows->len < ARRAY_LEN(rows->v);
}

/* What is in the store after the log was committed, at most eight. */
static struct written commit(struct scene *scene)
{
	const struct event_origin origin = {.revision = 3, .trigger = "event"};
	struct written rows = {0};

	event_log_commit(&scene->log, &origin, scene->store);
	assert_false(store_in_transaction(scene->store));
	assert_int_equal(scene->log.events.len, 0);
	assert_true(store_events_read(scene->store, 0, keep_row, &rows, &scene->err) >= 0);
	return rows;
}

static void add(struct scene *scene, unsigned n, const char *state)
{
	char name[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s%u", state, i);
		event_log_add(&scene->log, &(struct event){.type = EVENT_STATE_CHANGED,
							   .kind = &tunnel_kind,
							   .name = name,
							   .state = state});
	}
}

static void an_empty_log_writes_nothing(void **state)
{
	struct scene *scene = *state;

	event_log_commit(&scene->log, &(struct event_origin){0}, scene->store);
	assert_int_equal(store_events_newest(scene->store), 0);
}

static void says_what_there_is_and_leaves_out_the_rest(void **state)
{
	struct scene *scene = *state;

	event_log_add(&scene->log, &(struct event){.type = EVENT_STARTED, .message = "\"x\""});
	struct written rows = commit(scene);
	assert_int_equal(rows.len, 1);
	assert_string_equal(rows.v[0].type, "started");
	assert_string_equal(rows.v[0].document,
			    "\"revision\":3,\"trigger\":\"event\",\"message\":\"\\\"x\\\"\"");
}

static void many_of_a_kind_and_state_are_told_together_others_are_not(void **state)
{
	struct scene *scene = *state;

	add(scene, EVENTS_EACH_MAX + 1, "ready");
	add(scene, 2, "failed");
	struct written rows = commit(scene);
	assert_int_equal(rows.len, 3);
	assert_string_equal(rows.v[0].name, "failed0");
	assert_string_equal(rows.v[1].name, "failed1");
	assert_string_equal(rows.v[2].name, "");
	assert_non_null(strstr(rows.v[2].names, "[\"ready0\",\"ready1\","));
	assert_non_null(strstr(rows.v[2].names, ",\"ready64\"]"));
}

static void more_names_than_one_event_has_room_for_are_several(void **state)
{
	struct scene *scene = *state;

	add(scene, EVENTS_NAMES_MAX * 2 + 1, "ready");
	struct written rows = commit(scene);
	assert_int_equal(rows.len, 3);
	assert_string_equal(rows.v[2].names, "[\"ready256\"]");
}

static void long_words_are_cut_and_any_bytes_become_text(void **state)
{
	struct scene *scene = *state;
	char message[2001];

	memset(message, 'x', sizeof(message) - 1);
	message[2000] = '\0';
	memcpy(message + 999, "\xc3\xa4", 2); /* one character, half of which is left */
	event_log_add(&scene->log, &(struct event){.type = EVENT_PASS_FAILED, .message = message});
	struct written rows = commit(scene);
	assert_int_equal(rows.len, 1);
	assert_non_null(strstr(rows.v[0].document, "xx?\""));
	assert_true(strlen(rows.v[0].document) < 1100);
}

static void comes_and_goes_with_the_transaction_of_a_write(void **state)
{
	struct scene *scene = *state;

	add(scene, 1, "ready");
	assert_int_equal(store_begin(scene->store, &scene->err), 0);
	assert_int_equal(event_log_write(&scene->log, &(struct event_origin){.caller = "uid 0"},
					 scene->store, &scene->err),
			 0);
	store_rollback(scene->store);
	assert_int_equal(store_events_newest(scene->store), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(an_empty_log_writes_nothing),
		TEST(says_what_there_is_and_leaves_out_the_rest),
		TEST(many_of_a_kind_and_state_are_told_together_others_are_not),
		TEST(more_names_than_one_event_has_room_for_are_several),
		TEST(long_words_are_cut_and_any_bytes_become_text),
		TEST(comes_and_goes_with_the_transaction_of_a_write),
	};

	return cmocka_run_group_tests_name("event_log", tests, NULL, NULL);
}
