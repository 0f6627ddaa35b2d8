/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's start and end: settings, directories, one agent per network namespace, then
 * the layers put together in order and the loop. What is in the kernel stays there when the
 * agent ends; --flush takes it out.
 */
#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "daemon/api.h"
#include "daemon/api_openapi.h"
#include "daemon/event_log.h"
#include "daemon/hazard_scan.h"
#include "daemon/metric_table.h"
#include "daemon/namespace.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/summary.h"
#include "daemon/uuid.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	EXIT_CONFIG = 78,         /* EX_CONFIG of sysexits(3): a restart will not help */
	MAPPED_BYTES = 128 * 1024 /* malloc's own default, to begin with */
};

/* The agent and what it was started with. */
struct process {
	struct agent agent;
	struct options options;
	struct conf conf;   /* of the start */
	struct conf reread; /* by SIGHUP: what of it may change has taken the place of conf's */
	struct notify *notify;
	struct errs errs;
	bool stopping;
};

/* The first of them is the last word: "cannot start: …". */
static void log_faults(struct process *process, const char *what)
{
	const struct errs *errs = &process->errs;

	conf_locate(&process->conf, &process->errs);
	for (size_t i = 0; i < errs->len; i++)
		log_error("%s: %s", what, errs->v[i].sentence);
	if (errs->total > errs->len)
		log_error("%s: and %zu faults more", what, errs->total - errs->len);
}

static void log_unapplied(const struct conf *before, const struct conf *now)
{
	for (unsigned i = 0; i < conf_n_settings; i++) {
		const struct setting *setting = &conf_settings[i];
		cleanup_text struct text was = {0}, is = {0};

		if (setting->reload)
			continue;
		conf_show(before, setting, &was);
		conf_show(now, setting, &is);
		if (strcmp(text_str(&was), text_str(&is)) != 0)
			log_notice("%s.%s is another now, which counts from the next start on",
				   setting->section, setting->name);
	}
}

static void set_log_level(const struct conf *conf)
{
	log_set_level((enum log_level)log_level_parse(conf->log_level));
}

static void reload(struct process *process)
{
	struct conf conf = {0};

	notify_reloading(process->notify);
	process->errs = (struct errs){0};
	int rc = conf_load(&conf, process->options.config, &process->options.overrides,
			   &process->errs);
	if (!rc)
		rc = http_reload(process->agent.http, &conf.http.access, &process->errs);
	if (rc) {
		conf_locate(&conf, &process->errs);
		log_faults(process, "not reloaded, all is as before");
		conf_done(&conf);
	} else {
		log_unapplied(&process->conf, &conf);
		set_log_level(&conf);
		conf_done(&process->reread);
		process->reread = conf;
		log_notice("reloaded settings, tokens and certificates");
	}
	notify_reloaded(process->notify);
}

static void stop(void *user)
{
	struct process *process = user;

	loop_stop(process->agent.loop, 0);
}

/* Who has come is heard before; a second signal does not wait for that. */
static void on_signal(void *user, int number)
{
	struct process *process = user;

	if (number == SIGHUP) {
		if (!process->stopping)
			reload(process);
		return;
	}
	if (process->stopping) {
		stop(process);
		return;
	}
	process->stopping = true;
	log_notice("stopping on signal %d; what is in the kernel stays", number);
	notify_stopping(process->notify);
	http_quiesce(process->agent.http, stop, process);
}

static int load_host_id(struct agent *agent, struct err *err)
{
	int rc = store_meta_get(agent->store, "host_id", agent->host_id, sizeof(agent->host_id),
				err);

	if (rc || agent->host_id[0])
		return rc;
	uuid_random(agent->host_id);
	rc = store_begin(agent->store, err);
	if (!rc)
		rc = store_meta_set(agent->store, "host_id", agent->host_id, err);
	failpoint("host-id.commit");
	if (!rc)
		rc = store_commit(agent->store, err);
	failpoint("host-id.committed");
	return rc;
}

static void tell(struct agent *agent, enum event_type type, const char *message)
{
	struct event_log log = {0};

	event_log_add(&log, &(struct event){.type = type, .message = message});
	event_log_commit(&log, &(struct event_origin){.revision = agent->declaration.revision},
			 agent->store);
}

static void on_pass(void *user)
{
	struct process *process = user;
	struct reconcile_report report;
	cleanup_text struct text status = {0};

	reconcile_report(process->agent.reconcile, &report);
	summary_add(&report, &status);
	notify_status(process->notify, text_str(&status));
	notify_ready(process->notify);
}

static int serve(struct process *process, bool created, struct err *err)
{
	struct reconcile_config reconcile_config = {
		.coalesce_ms = 5,
		.period_ms = 30000,
		.backoff_min_ms = 200,
		.backoff_max_ms = 30000,
		.metrics = &process->agent.metrics,
	};
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct agent *agent = &process->agent;
	struct api *api = NULL;

	int rc = reconcile_new(&agent->reconcile, agent->loop, agent->kernel, agent->store,
			       &agent->declaration, created, &reconcile_config, err);
	if (!rc)
		rc = loop_signals(agent->loop, signals, ARRAY_LEN(signals), on_signal, process,
				  err);
	if (!rc) {
		api = api_new(agent, &process->conf.events);
		process->notify = notify_new(agent->loop);
		reconcile_on_pass(agent->reconcile, on_pass, process);
		agent->hazards = hazard_scan_new(agent);
		api_join_loop(api); /* before the server: it sends what a turn answers at its end */
		rc = http_start(&agent->http, agent->loop, &process->conf.http, api_handler(api),
				&process->errs);
	}
	if (!rc) {
		log_notice("ipipd %s serves %s", IPIPD_VERSION, http_unix_path(agent->http));
		tell(agent, EVENT_STARTED, "ipipd " IPIPD_VERSION);
		rc = loop_run(agent->loop);
		tell(agent, EVENT_STOPPING, "what is in the kernel stays there");
	}
	if (agent->http)
		http_stop(agent->http);
	api_free(api);
	notify_free(process->notify);
	hazard_scan_free(agent->hazards);
	reconcile_free(agent->reconcile);
	return rc;
}

static int open_store(struct agent *agent, const struct conf *conf, bool *created, struct err *err)
{
	int rc = store_open(&agent->store, conf->database, created, err);
	if (!rc)
		rc = store_load(agent->store, &agent->declaration, err);
	if (!rc)
		rc = store_events_load(agent->store, conf->events_kept, err);
	if (!rc)
		rc = load_host_id(agent, err);
	if (rc && !strstr(err->sentence, conf->database)) {
		struct err cause = *err; /* SQLite's words say what, not where */

		return err_set(err, rc, "%s: %s", conf->database, cause.sentence);
	}
	return rc;
}

static int flush(struct process *process, struct err *err)
{
	unsigned removed = 0;
	int rc = reconcile_flush(process->agent.kernel, process->agent.store, &removed, err);

	if (!rc)
		log_notice("flushed: %u objects removed from the kernel; what %s declares comes "
			   "back when ipipd starts",
			   removed, process->conf.database);
	return rc;
}

static int run(struct process *process, struct err *err)
{
	struct agent *agent = &process->agent;
	bool created = false;
	/* the kernel first: who may not change it leaves no database behind */
	int rc = kernel_open(&agent->kernel, err);

	if (!rc)
		rc = open_store(agent, &process->conf, &created, err);
	if (rc)
		return rc;
	if (process->options.flush && created)
		log_warning("there was no database %s: what only a database tells, sysctls before "
			    "all, is not put back",
			    process->conf.database);
	if (process->options.flush)
		return flush(process, err);
	rc = loop_new(&agent->loop, err);
	return rc ? rc : serve(process, created, err);
}

static void done(struct agent *agent)
{
	loop_free(agent->loop);
	if (agent->kernel)
		agent->kernel->vt->close(agent->kernel);
	if (agent->store)
		store_close(agent->store);
	declaration_done(&agent->declaration);
	metrics_done(&agent->metrics);
}

static int run_agent(struct process *process)
{
	const char *what = process->options.flush ? "ipipd cannot flush" : "ipipd cannot start";
	struct agent *agent = &process->agent;
	cleanup_fd int lock = -1;
	struct err err = {0};
	int rc = namespace_lock(&lock, &err);

	if (!rc)
		rc = run(process, &err);
	bool is_newer = rc == -ENOTSUP && agent->kernel && !agent->store;
	bool is_config = rc == -EINVAL && process->errs.total;
	done(agent);
	if (rc < 0 && err.number)
		log_error("%s: %s", what, err.sentence);
	log_faults(process, what);
	return is_newer || is_config ? EXIT_CONFIG : rc < 0 ? EXIT_FAILURE : rc;
}

static int load(struct process *process)
{
	return conf_load(&process->conf, process->options.config, &process->options.overrides,
			 &process->errs);
}

static int add_config(struct process *process, struct text *text)
{
	if (load(process) < 0) {
		log_faults(process, "settings");
		return EXIT_CONFIG;
	}
	conf_print(&process->conf, text);
	return 0;
}

static int add_openapi(unused_ struct process *process, struct text *text)
{
	api_openapi_add(text);
	return 0;
}

static int add_metrics(unused_ struct process *process, struct text *text)
{
	exposition_describe(metric_table, metric_table_len, text);
	return 0;
}

/* What --print can. */
static const struct {
	const char *name;
	int (*add)(struct process *process, struct text *text); /* an exit code */
} prints[] = {
	{"config", add_config},
	{"metrics", add_metrics},
	{"openapi", add_openapi},
};

static int print(struct process *process)
{
	cleanup_text struct text text = {0};
	size_t i = 0;

	while (i < ARRAY_LEN(prints) && strcmp(prints[i].name, process->options.print) != 0)
		i++;
	if (i == ARRAY_LEN(prints))
		return options_error("--print knows no ", process->options.print);
	int exit_code = prints[i].add(process, &text);
	if (exit_code)
		return exit_code;
	return fputs(text_str(&text), stdout) < 0 || fflush(stdout) ? EXIT_FAILURE : 0;
}

static int start(struct process *process)
{
	const struct options *options = &process->options;

	if (options->print)
		return print(process);
	int rc = load(process);
	if (rc && options->flush && !options->check_config) {
		/* a package that goes asks nobody to mend its settings first */
		log_faults(process, "flushing in spite of settings");
		process->errs = (struct errs){0};
		return run_agent(process);
	}
	/* with the faults of the files that are named there */
	if (options->check_config && http_check(&process->conf.http, &process->errs) < 0)
		rc = -EINVAL;
	if (rc) {
		log_faults(process, "settings");
		return EXIT_CONFIG;
	}
	set_log_level(&process->conf);
	if (!options->check_config)
		return run_agent(process);
	log_notice("the settings hold");
	return 0;
}

int main(int argc, char **argv)
{
	static struct process process;
	int code = options_read(argc, argv, &process.options);

	if (code < 0) {
		/* else malloc raises it to the largest that was ever freed: a body of megabytes,
		 * and what is large comes from the heap from then on, and leaves holes there */
		mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
		umask(0077);
		signal(SIGPIPE, SIG_IGN);
		signal(SIGHUP, SIG_IGN);  /* until it can be heard */
		signal(SIGXFSZ, SIG_IGN); /* no room is a write that fails: 503, not the end */
		code = start(&process);
	}
	vec_done(&process.options.overrides);
	conf_done(&process.conf);
	conf_done(&process.reread);
	return code;
}
