/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fills the sources of the manual pages: a line `@PART [NOUN]` becomes what the tables of the
 * programs say, as scdoc(5) takes it; all other lines are copied. Runs when the pages are built.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "codec/value.h"
#include "daemon/api_answers.h"
#include "daemon/api_params.h"
#include "daemon/api_problem.h"
#include "daemon/api_routes.h"
#include "daemon/metric_table.h"
#include "daemon/options.h"
#include "model/resource.h"

/* As it stands, whatever scdoc would make of it. */
static void add_plain(struct text *page, const char *s)
{
	for (; *s; s++) {
		if (strchr("*_\\`", *s))
			text_add_char(page, '\\');
		text_add_char(page, *s);
	}
}

/* Between two marks of scdoc: * is bold, _ is underlined. */
static void add_marked(struct text *page, char mark, const char *s)
{
	text_add_char(page, mark);
	add_plain(page, s);
	text_add_char(page, mark);
}

/* What stands behind an option or a command, if there is something. */
static void add_argument(struct text *page, const char *s)
{
	if (!s || !*s)
		return;
	text_add_char(page, ' ');
	add_marked(page, '_', s);
}

static void add_indent(struct text *page, unsigned depth)
{
	while (depth--)
		text_add_char(page, '\t');
}

/* What a term that was added means. */
static void add_meaning(struct text *page, unsigned depth, const char *doc)
{
	text_add_char(page, '\n');
	add_indent(page, depth + 1);
	add_plain(page, doc);
	text_add(page, "\n\n");
}

static void add_agent_option(void *page, const struct option_help *help)
{
	cleanup_text struct text doc = {0};

	options_doc(help, &doc);
	text_addf(page, "*--%s*", help->name);
	add_argument(page, help->argument);
	add_meaning(page, 0, text_str(&doc));
}

static void add_agent_options(struct text *page, unused_ const char *noun)
{
	options_each(add_agent_option, page);
}

static void add_settings(struct text *page, unused_ const char *noun)
{
	static const char *const types[] = {
		[SETTING_TEXT] = "text",  [SETTING_LIST] = "list", [SETTING_NUMBER] = "number",
		[SETTING_SIZE] = "bytes", [SETTING_TIME] = "time",
	};
	const char *section = "";

	for (unsigned i = 0; i < conf_n_settings; i++) {
		const struct setting *setting = &conf_settings[i];
		cleanup_text struct text bounds = {0}, doc = {0};

		if (strcmp(section, setting->section) != 0)
			text_addf(page, "## [%s]\n\n", setting->section);
		section = setting->section;
		conf_bounds(setting, &bounds);
		text_addf(&doc, "%s%s%s.", setting->doc, bounds.len ? ": " : "", text_str(&bounds));
		text_addf(&doc, " Default: %s.", *setting->dflt ? setting->dflt : "empty");
		text_addf(&doc, "%s%s%s", setting->option ? " Option --" : "",
			  setting->option ? setting->option : "", setting->option ? "." : "");
		text_add(&doc, setting->reload ? " Read anew on SIGHUP." : "");
		add_marked(page, '*', setting->name);
		text_add(page, " = ");
		add_marked(page, '_', types[setting->type]);
		add_meaning(page, 0, text_str(&doc));
	}
}

static void add_option(struct text *page, unsigned depth, const struct option *option)
{
	add_indent(page, depth);
	if (option->letter)
		text_addf(page, "*-%c*, ", option->letter);
	text_addf(page, "*--%s*", option->name);
	if (option->arg_optional)
		text_addf(page, "[=_%s_]", option->arg);
	else
		add_argument(page, option->arg);
	add_meaning(page, depth, option->doc);
}

static void add_globals(struct text *page, unused_ const char *noun)
{
	for (unsigned i = 0; i < command_n_globals; i++)
		add_option(page, 0, &command_globals[i]);
}

static void add_command(struct text *page, const char *noun, const struct command *command)
{
	text_addf(page, "*%s%s%s*", noun, *noun ? " " : "", command->name);
	add_argument(page, command->words);
	add_meaning(page, 0, command->doc);
	for (unsigned i = 0; i < command->n_options; i++)
		add_option(page, 1, &command->options[i]);
}

static void add_commands(struct text *page, unused_ const char *noun)
{
	for (unsigned i = 0; i < command_n_bare; i++)
		if (!command_bare[i].is_hidden)
			add_command(page, "", &command_bare[i]);
}

/* The resources have their verbs in common: those of the first are all that there are. */
static void add_verbs(struct text *page, const char *name)
{
	const struct noun *noun = command_noun(name);

	for (unsigned i = 0; noun && i < noun->n_verbs; i++)
		add_command(page, noun->kind && !noun->verbs[i].only ? "NOUN" : noun->name,
			    &noun->verbs[i]);
}

static void add_nouns(struct text *page, unused_ const char *noun)
{
	for (unsigned i = 0; i < command_n_resources; i++) {
		text_addf(page, "*%s*, *%s*", command_nouns[i].name, command_nouns[i].alias);
		add_meaning(page, 0, command_noun_doc(&command_nouns[i]));
	}
}

/* Of a kind of resources: those fields that all kinds have, which stand in the struct that they
 * begin with, or those of its own. */
static void each_field(struct text *page, const struct kind *kind, bool common,
		       void (*add)(struct text *page, const struct field *field))
{
	for (unsigned i = 0; i < kind->n_fields; i++)
		if ((kind->fields[i].offset < sizeof(struct resource)) == common)
			add(page, &kind->fields[i]);
}

static void each_own_field(struct text *page, const char *name,
			   void (*add)(struct text *page, const struct field *field))
{
	const struct noun *noun = command_resource(name);

	if (noun)
		each_field(page, noun->kind, false, add);
}

/* As an option of add and set. */
static void add_field_option(struct text *page, const struct field *field)
{
	cleanup_text struct text usage = {0}, doc = {0};

	if (field->flags & FIELD_KEY)
		return;
	options_usage(field, &usage, &doc);
	char *argument = strchr(usage.s, ' ');
	if (argument)
		*argument++ = '\0';
	add_marked(page, '*', usage.s);
	add_argument(page, argument);
	add_meaning(page, 0, text_str(&doc));
}

static void add_field_options(struct text *page, const char *name)
{
	each_own_field(page, name, add_field_option);
}

static void add_common_options(struct text *page, unused_ const char *noun)
{
	each_field(page, &tunnel_kind, true, add_field_option);
}

/* What a row says of every kind of resource. */
static void add_template(struct text *text, const char *template)
{
	static const struct {
		const char *mark, *with;
	} marks[] = {{"{Kind}", "Kind"}, {"{noun}", "resource"}};

	while (*template) {
		size_t i = 0;

		while (i < ARRAY_LEN(marks) && strncmp(template, marks[i].mark, 6) != 0)
			i++;
		if (i == ARRAY_LEN(marks)) {
			text_add_char(text, *template ++);
			continue;
		}
		text_add(text, marks[i].with);
		template += 6;
	}
}

static void add_words(struct text *doc, const char *what, const char *words)
{
	if (!words || !*words)
		return;
	text_addf(doc, " %s ", what);
	for (; *words; words++) {
		text_add(doc, *words == ' ' ? ", " : "");
		text_add_len(doc, words, *words != ' ');
	}
	text_add(doc, ".");
}

static void add_answer(struct text *doc, const struct api_answer *answer)
{
	text_addf(doc, "%u", answer->status);
	if (answer->schema)
		text_addf(doc, " %s", answer->schema);
	if (answer->media)
		text_addf(doc, " (%s)", answer->media);
}

static void add_statuses(struct text *doc, const struct api_route *route)
{
	text_add(doc, " Answers");
	for (unsigned i = 0; i < API_ANSWERS_MAX && route->answers[i].status; i++) {
		text_add(doc, i ? ", " : " ");
		add_answer(doc, &route->answers[i]);
	}
	text_add_char(doc, '.');
	add_words(doc, "Problems", route->problems);
}

static void add_routes(struct text *page, unused_ const char *noun)
{
	for (unsigned i = 0; i < api_routes_count; i++) {
		const struct api_route *route = &api_routes[i];
		cleanup_text struct text doc = {0}, filled = {0};

		text_addf(&doc, "%s%s %s", route->summary, strchr(route->summary, '?') ? "" : ".",
			  route->doc);
		add_words(&doc, "Parameters", route->params);
		add_words(&doc, "Headers", route->headers);
		add_words(&doc, "Body", route->body);
		add_statuses(&doc, route);
		text_add(&doc, route->flags & ROUTE_ADMIN ? " For admins." : "");
		text_add(&doc, route->flags & ROUTE_OPEN ? " For everybody." : "");
		add_template(&filled, text_str(&doc));
		text_addf(page, "*%s* ", route->method);
		add_marked(page, '*', route->path);
		add_meaning(page, 0, text_str(&filled));
	}
}

/* allowed: what may stand there */
static void add_field(struct text *page, const struct field *field, const char *allowed)
{
	cleanup_text struct text word = {0};

	add_marked(page, '*', field->name);
	text_addf(page, ": ");
	if (field->type == FIELD_PREFIXES)
		text_addf(page, "a list of at most %u, each ", field->max_count);
	add_plain(page, allowed);
	text_add(page, field->flags & FIELD_REQUIRED ? "; required" : "");
	if (!(field->flags & FIELD_OPEN))
		options_default(field, &word);
	text_addf(page, "%s%s", word.len ? "; default " : "", text_str(&word));
	add_meaning(page, 0, field->doc);
}

static void add_parameters(struct text *page, unused_ const char *noun)
{
	for (unsigned i = 0; i < api_params_kind.n_fields; i++) {
		cleanup_text struct text allowed = {0};

		api_params_allowed(&api_params_kind.fields[i], &allowed);
		add_field(page, &api_params_kind.fields[i], text_str(&allowed));
	}
}

static void add_member(struct text *page, const struct field *field)
{
	cleanup_text struct text allowed = {0};

	value_allowed(field, &allowed);
	add_field(page, field, text_str(&allowed));
}

static void add_fields(struct text *page, const char *name)
{
	each_own_field(page, name, add_member);
}

static void add_common_fields(struct text *page, unused_ const char *noun)
{
	each_field(page, &tunnel_kind, true, add_member);
}

static void add_ping(struct text *page, unused_ const char *noun)
{
	for (unsigned i = 0; i < api_ping_body.n_fields; i++)
		add_member(page, &api_ping_body.fields[i]);
}

static void add_member_type(struct text *text, const struct openapi_member *member)
{
	static const char *const types[] = {
		[OPENAPI_BOOLEAN] = "true or false",
		[OPENAPI_INTEGER] = "whole number",
		[OPENAPI_NUMBER] = "number",
		[OPENAPI_STRING] = "text",
		[OPENAPI_TIME] = "time",
		[OPENAPI_UUID] = "UUID",
		[OPENAPI_ADDRESS] = "address",
		[OPENAPI_CHOICE] = "",
		[OPENAPI_SCHEMA] = "",
		[OPENAPI_ANY] = "any value",
	};

	text_addf(text, "%s%s%s", member->flags & OPENAPI_LIST ? "list of " : "",
		  types[member->type], member->schema ? member->schema : "");
	for (unsigned i = 0; i < member->n_choices; i++)
		text_addf(text, "%s%s", i ? ", " : "", member->choices[i]);
	text_add(text, member->flags & OPENAPI_NULLABLE ? "; or null" : "");
	text_add(text, member->flags & OPENAPI_OPTIONAL ? "; may be absent" : "");
}

static void add_answers(struct text *page, unused_ const char *noun)
{
	unsigned n = 0;
	const struct openapi_schema *schemas = api_answers_tables(&n);

	for (unsigned s = 0; s < n; s++) {
		text_addf(page, "## %s\n\n", schemas[s].name);
		for (unsigned i = 0; i < schemas[s].n_members; i++) {
			cleanup_text struct text type = {0};

			add_member_type(&type, &schemas[s].members[i]);
			add_marked(page, '*', schemas[s].members[i].name);
			text_add(page, ": ");
			add_plain(page, text_str(&type));
			add_meaning(page, 0, schemas[s].members[i].doc);
		}
	}
}

static void add_problems(struct text *page, unused_ const char *noun)
{
	for (unsigned i = 0; i < api_problems_count; i++) {
		const struct api_problem *problem = &api_problems[i];
		cleanup_text struct text doc = {0};

		text_addf(&doc, "%s, as: %s", problem->title, problem->detail);
		text_addf(page, "*%s*, %u", problem->code, problem->status);
		add_meaning(page, 0, text_str(&doc));
	}
}

static void add_metrics(struct text *page, unused_ const char *noun)
{
	for (size_t i = 0; i < metric_table_len; i++) {
		const struct metric *metric = &metric_table[i];

		add_marked(page, '*', metric->name);
		text_addf(page, ", %s", metric_type_names[metric->type]);
		for (size_t l = 0; l < METRIC_LABELS && metric->rows->labels[l]; l++)
			text_addf(page, "%s%s", l ? ", " : " by ", metric->rows->labels[l]);
		add_meaning(page, 0, metric->help);
	}
}

/* NAME(SECTION), and what stands in the margins. */
static void add_title(struct text *page, const char *name)
{
	text_addf(page, "%s \"ipipd %s\" \"Manual of ipipd\"\n", name, IPIPD_VERSION);
}

static const struct {
	const char *name;
	void (*add)(struct text *page, const char *noun);
} parts[] = {
	{"title", add_title},
	{"agent-options", add_agent_options},
	{"settings", add_settings},
	{"globals", add_globals},
	{"nouns", add_nouns},
	{"verbs", add_verbs},
	{"common-options", add_common_options},
	{"field-options", add_field_options},
	{"commands", add_commands},
	{"routes", add_routes},
	{"parameters", add_parameters},
	{"common-fields", add_common_fields},
	{"fields", add_fields},
	{"ping", add_ping},
	{"answers", add_answers},
	{"problems", add_problems},
	{"metrics", add_metrics},
};

/* False when there is no such part, or it is empty. */
static bool add_part(struct text *page, char *line)
{
	const char *name = strtok(line, " \n"), *argument = strtok(NULL, " \n");
	size_t before = page->len;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (name && strcmp(parts[i].name, name) == 0)
			parts[i].add(page, argument ? argument : "");
	return page->len > before;
}

int main(void)
{
	cleanup_text struct text page = {0};
	char line[1024];

	while (fgets(line, sizeof(line), stdin)) {
		if (*line != '@') {
			text_add(&page, line);
		} else if (!add_part(&page, line + 1)) {
			fprintf(stderr, "man_tables: no part %s\n", line + 1);
			return 1;
		}
	}
	return fputs(text_str(&page), stdout) < 0 || fflush(stdout) ? 1 : 0;
}
