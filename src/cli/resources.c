/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show, add, set, rm and ping of every noun; list is in list.c. */
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/document.h"
#include "cli/plan.h"
#include "cli/run.h"

/* Where a value that was not given as it is comes from. */
static void add_note(struct text *note, const struct field *field, const json_t *declared,
		     const char *shown)
{
	cleanup_text struct text usual = {0};

	options_default(field, &usual);
	if (declared)
		document_add_value(note, declared, DOCUMENT_LIST_SHOWN);
	else
		text_add(note,
			 strcmp(shown, text_str(&usual)) == 0 ? "default" : "chosen by the agent");
}

static void show_field(const struct cli *cli, const struct field *field, const json_t *document,
		       struct output_table *table)
{
	const json_t *declared = json_object_get(document, field->name);
	const json_t *value = document_value(document, field->name);
	cleanup_text struct text text = {0}, note = {0};

	if (!value)
		return;
	document_add_value(&text, value, cli->format == CLI_WIDE ? 0 : DOCUMENT_LIST_SHOWN);
	if (!json_equal(value, declared))
		add_note(&note, field, declared, text_str(&text));
	output_cell(table, field->name);
	output_cell(table, text_str(&text));
	text_clear(&text);
	text_addf(&text, note.len ? "(%s)" : " ", text_str(&note));
	output_cell(table, text_str(&text));
}

static void show_objects(const json_t *status, const struct output_style *style)
{
	cleanup_table struct output_table table = {.columns = 4};
	const json_t *objects = json_object_get(status, "objects"), *object;
	json_int_t total = document_number(status, "objects_total");
	size_t i;

	output_cell(&table, "OBJECT");
	output_cell(&table, "KEY");
	output_cell(&table, "STATE");
	output_cell(&table, "MESSAGE");
	json_array_foreach(objects, i, object) {
		const char *message = document_string(object, "message");

		output_cell(&table, document_string(object, "kind"));
		output_cell(&table, document_string(object, "key"));
		output_cell(&table, document_string(object, "state"));
		output_cell(&table, message[0] ? message : " ");
	}
	if (json_array_size(objects))
		putchar('\n');
	output_print(&table, style);
	if (total > (json_int_t)json_array_size(objects))
		printf("and %lld more, all as declared\n",
		       (long long)(total - (json_int_t)json_array_size(objects)));
}

/* "tunnel/tun_a  ready for 3d" and, when there is one, the reason */
static void show_headline(const struct cli *cli, const json_t *document)
{
	const json_t *status = document_status(document);
	int64_t since = output_time(document_string(status, "since"));
	cleanup_text struct text line = {0}, reason = {0};

	text_addf(&line, "%s/%s  ", cli->args.noun->name, document_string(document, "name"));
	output_add_state(&line, document_state(document), cli->style.color);
	if (since >= 0) {
		text_add(&line, " for ");
		output_add_age(&line, (int64_t)time(NULL) - since);
	}
	document_add_reason(&reason, status);
	puts(text_str(&line));
	if (!reason.len)
		return;
	text_clear(&line);
	text_add(&line, "  ");
	output_add_folded(&line, text_str(&reason), line.len, cli->style.width);
	puts(text_str(&line));
}

static void show_document(const struct cli *cli, const json_t *document)
{
	const struct kind *kind = cli->args.noun->kind;
	struct output_style plain = {.color = cli->style.color, .width = cli->style.width};
	cleanup_table struct output_table table = {.columns = 3, .whole = 1};
	cleanup_text struct text line = {0}, history = {0};

	show_headline(cli, document);
	for (unsigned i = 0; i < table.columns; i++)
		output_cell(&table, "-");
	for (unsigned i = 0; i < kind->n_fields; i++)
		if (!(kind->fields[i].flags & FIELD_KEY))
			show_field(cli, &kind->fields[i], document, &table);
	output_print(&table, &plain);
	text_addf(&history, "generation %lld, created %s, updated %s",
		  (long long)document_number(document, "generation"),
		  document_string(document, "created_at"), document_string(document, "updated_at"));
	output_add_folded(&line, text_str(&history), 0, cli->style.width);
	puts(text_str(&line));
	show_objects(document_status(document), &cli->style);
}

static int show_one(struct cli *cli, const char *name)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};

	document_add_path(&path, cli->args.noun->kind, name);
	int status = cli_get(cli, text_str(&path), &response);
	if (status != CLI_OK)
		return status;
	if (cli->format == CLI_JSON)
		cli_print_body(&response);
	else if (cli->format == CLI_NAME)
		printf("%s/%s\n", cli->args.noun->name, name);
	else
		show_document(cli, response.json);
	return CLI_OK;
}

int resources_show(struct cli *cli)
{
	int worst = CLI_OK;

	for (size_t i = 0; i < cli->args.words.len; i++) {
		if (i && cli->format != CLI_JSON && cli->format != CLI_NAME)
			putchar('\n');
		int status = show_one(cli, cli->args.words.v[i]);
		if (worst == CLI_OK)
			worst = status;
	}
	return worst;
}

int resources_exit_of_state(const char *state)
{
	if (!document_is_amiss(state))
		return CLI_OK;
	return strcmp(state, "pending") == 0 ? CLI_TIMEOUT : CLI_FAILED;
}

/* What a write came to: a line on stdout; why it is not ready on stderr. */
static int report_write(const struct cli *cli, const char *verb, const struct response *response)
{
	const char *state = document_state(response->json);
	const char *name = document_string(response->json, "name");
	const char *noun = cli->args.noun->name;

	if (cli->format == CLI_JSON)
		cli_print_body(response);
	else if (cli->format == CLI_NAME)
		printf("%s/%s\n", noun, name);
	else if (!cli->quiet)
		printf("%s/%s  %s, %s\n", noun, name, verb, state);
	int status = cli->wait_s ? resources_exit_of_state(state) : CLI_OK;
	if (status != CLI_OK) {
		cleanup_text struct text text = {0};

		document_add_state(&text, document_status(response->json));
		cli_complain("%s/%s is %s", noun, name, text_str(&text));
	}
	return status;
}

/* before: the document that a PATCH is for, NULL when there was none */
static int write_fields(struct cli *cli, const char *method, const char *path, const json_t *before)
{
	cleanup_response struct response response = {0};
	cleanup_free char *body = json_dumps(cli->args.fields, JSON_COMPACT);
	struct request request = {
		.method = method, .path = path, .body = body, .wait_s = cli->wait_s};
	int status = cli_call(cli, &request, &response);

	if (status != CLI_OK)
		return status;
	if (cli->dry_run) {
		plan_print(cli, &response);
		return CLI_OK;
	}
	const char *verb = before ? "set" : "created";
	if (before &&
	    document_number(before, "generation") == document_number(response.json, "generation"))
		verb = "unchanged";
	return report_write(cli, verb, &response);
}

/* A new resource has nothing to reset: a field that is null in a patch is left out, a label
 * is empty. */
static void settle_nulls(json_t *fields)
{
	const char *name, *key;
	json_t *value, *label;
	void *next;

	json_object_foreach_safe(fields, next, name, value) {
		json_object_foreach(value, key, label)
			if (json_is_null(label))
				json_object_set_new(value, key, json_string(""));
		if (json_is_null(value))
			json_object_del(fields, name);
	}
}

int resources_add(struct cli *cli)
{
	cleanup_text struct text path = {0};

	text_addf(&path, "/v1/%s", cli->args.noun->kind->path);
	cli_add_query(cli, &path);
	if (!cli->args.fields)
		cli->args.fields = json_object();
	settle_nulls(cli->args.fields);
	json_t *name = json_string(cli->args.words.v[0]);
	if (!name)
		return cli_usage("the name is not UTF-8");
	json_object_set_new(cli->args.fields, "name", name);
	return write_fields(cli, "POST", text_str(&path), NULL);
}

int resources_set(struct cli *cli)
{
	cleanup_response struct response before = {0};
	cleanup_text struct text path = {0};

	if (!cli->args.fields)
		return cli_usage("nothing to set; `ipipctl help %s set` lists the fields",
				 cli->args.noun->name);
	document_add_path(&path, cli->args.noun->kind, cli->args.words.v[0]);
	/* only a generation that stays tells that nothing was changed */
	int status = cli_get(cli, text_str(&path), &before);
	if (status != CLI_OK)
		return status;
	cli_add_query(cli, &path);
	return write_fields(cli, "PATCH", text_str(&path), before.json);
}

int resources_report_removal(const struct cli *cli, const char *who,
			     const struct response *response)
{
	const json_t *status = document_status(response->json);
	bool stands = response->status == 202, is_failure = stands && cli->wait_s;
	cleanup_text struct text reason = {0};

	if (cli->format == CLI_JSON)
		cli_print_body(response);
	else if (cli->format == CLI_NAME)
		puts(who);
	else if (!cli->quiet && !is_failure)
		printf("%s  %s\n", who, stands ? "removing" : "removed");
	if (!is_failure)
		return CLI_OK;
	document_add_reason(&reason, status);
	cli_complain("%s is no longer declared, but its objects still stand%s%s", who,
		     reason.len ? ": " : "", text_str(&reason));
	/* any other reason is the kernel's refusal */
	return strcmp(document_string(status, "reason"), "Deleting") == 0 ? CLI_TIMEOUT
									  : CLI_FAILED;
}

static int remove_one(struct cli *cli, const char *name)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0}, who = {0};

	document_add_path(&path, cli->args.noun->kind, name);
	cli_add_query(cli, &path);
	text_addf(&who, "%s/%s", cli->args.noun->name, name);
	struct request request = {
		.method = "DELETE", .path = text_str(&path), .wait_s = cli->wait_s};
	int status = cli_call(cli, &request, &response);
	if (status != CLI_OK)
		return status;
	if (!cli->dry_run)
		return resources_report_removal(cli, text_str(&who), &response);
	plan_print(cli, &response);
	return CLI_OK;
}

int resources_rm(struct cli *cli)
{
	int worst = CLI_OK;

	for (size_t i = 0; i < cli->args.words.len; i++) {
		int status = remove_one(cli, cli->args.words.v[i]);

		if (worst == CLI_OK)
			worst = status;
	}
	return worst;
}

static double number_of(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static void print_ping(const struct response *response)
{
	const json_t *rtt = json_object_get(response->json, "rtt_ms");

	printf("%lld of %lld answered", (long long)document_number(response->json, "received"),
	       (long long)document_number(response->json, "sent"));
	if (json_is_object(rtt))
		printf(", %.2f/%.2f/%.2f ms min/avg/max", number_of(rtt, "min"),
		       number_of(rtt, "avg"), number_of(rtt, "max"));
	putchar('\n');
}

int resources_ping(struct cli *cli)
{
	cleanup_response struct response response = {0};
	cleanup_text struct text path = {0};
	const char *target = args_value(&cli->args, "target");
	unsigned count = 3;
	int status = cli_number(cli, "count", 1, 10, &count);

	if (status != CLI_OK)
		return status;
	document_add_path(&path, cli->args.noun->kind, cli->args.words.v[0]);
	text_add(&path, "/ping");
	json_t *question = json_pack("{s:i, s:s*}", "count", (int)count, "target", target);
	cleanup_free char *body = json_dumps(question, JSON_COMPACT);
	json_decref(question);
	struct request request = {
		.method = "POST", .path = text_str(&path), .body = body, .wait_s = count};
	status = cli_call(cli, &request, &response);
	if (status != CLI_OK)
		return status;
	if (cli->format == CLI_JSON)
		cli_print_body(&response);
	else if (!cli->quiet)
		print_ping(&response);
	return document_number(response.json, "received") ? CLI_OK : CLI_FAILED;
}
