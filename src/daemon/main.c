/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's start and end: options, directories, one agent per network namespace, then
 * the layers put together in order and the loop. What is in the kernel stays there when the
 * agent ends; --flush takes it out.
 */
#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "daemon/api.h"
#include "daemon/namespace.h"
#include "daemon/uuid.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/ipipd/ipipd.sock"
#define DEFAULT_DB     "/var/lib/ipipd/ipipd.db"

enum {
	EXIT_USAGE = 2,
	EXIT_CONFIG = 78, /* EX_CONFIG of sysexits(3): a restart will not help */
	BODY_MAX = 8 << 20,
	PATCH_MAX = 64 << 10,
};

struct options {
	const char *socket_path, *db_path;
	bool flush;
};

static const char usage[] =
	"Usage: ipipd [OPTION]...\n"
	"Keeps the kernel's IPIP tunnels, exit routes and NAT equal to what is declared.\n"
	"One agent runs in each network namespace, in the foreground; it logs to stderr.\n"
	"\n"
	"  --socket PATH      listen here (default " DEFAULT_SOCKET ")\n"
	"  --db PATH          keep the declaration here (default " DEFAULT_DB ")\n"
	"  --log-level LEVEL  error, warning, notice, info (default) or debug\n"
	"  --flush            take everything of this agent out of the kernel, and end\n"
	"  --version          print the version, and end\n"
	"  --help             print this, and end\n"
	"\n"
	"The directories of both paths are made when only they are missing. The socket is for\n"
	"root and the group ipipd, where there is one. SIGTERM and SIGINT end the agent; what is\n"
	"in the kernel stays there. SIGHUP is ignored.\n";

static int usage_error(const char *sentence, const char *argument)
{
	fprintf(stderr, "ipipd: %s%s\nTry 'ipipd --help'.\n", sentence, argument);
	return EXIT_USAGE;
}

static int set_log_level(const char *name)
{
	int level = log_level_parse(name);

	if (level < 0)
		return usage_error("not a log level: ", name);
	log_set_level((enum log_level)level);
	return -1;
}

/* Returns -1 to go on, else the exit code. */
static int read_options(int argc, char **argv, struct options *options)
{
	enum { SOCKET = 1, DB, LOG_LEVEL, FLUSH, VERSION, HELP };
	static const struct option longs[] = {
		{"socket", required_argument, NULL, SOCKET},
		{"db", required_argument, NULL, DB},
		{"log-level", required_argument, NULL, LOG_LEVEL},
		{"flush", no_argument, NULL, FLUSH},
		{"version", no_argument, NULL, VERSION},
		{"help", no_argument, NULL, HELP},
		{0},
	};
	int option, code = -1;

	while (code < 0 && (option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case SOCKET:
			options->socket_path = optarg;
			break;
		case DB:
			options->db_path = optarg;
			break;
		case LOG_LEVEL:
			code = set_log_level(optarg);
			break;
		case FLUSH:
			options->flush = true;
			break;
		case VERSION:
			printf("ipipd %s\n", IPIPD_VERSION);
			return 0;
		case HELP:
			fputs(usage, stdout);
			return 0;
		default: /* getopt_long has said what is wrong */
			fputs("Try 'ipipd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (code < 0 && optind < argc)
		return usage_error("unexpected argument: ", argv[optind]);
	return code;
}

/* The directory of a file, made when it is missing (its parent must be there). */
static int make_directory_of(const char *path, mode_t mode, struct err *err)
{
	cleanup_free char *directory = xstrdup(path);
	char *slash = strrchr(directory, '/');

	if (!slash || slash == directory)
		return 0;
	*slash = '\0';
	if (mkdir(directory, mode) == 0 && chmod(directory, mode) == 0) /* past the umask */
		return 0;
	return errno == EEXIST ? 0
			       : err_set(err, -errno, "cannot make the directory %s: %s", directory,
					 strerror(errno));
}

/* Tells systemd, when it asked: sd_notify(3), without its library. */
static void notify_ready(void)
{
	static const char message[] = "READY=1";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (!len || len >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	cleanup_fd int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s >= 0 &&
	    sendto(s, message, sizeof(message) - 1, MSG_NOSIGNAL, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_warning("systemd cannot be notified: %s", strerror(errno));
}

static void on_signal(void *user, int number)
{
	log_notice("stopping on signal %d; what is in the kernel stays", number);
	loop_stop(user, 0);
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

static int start_http(struct agent *agent, struct api *api, const struct options *options,
		      struct err *err)
{
	struct http_config config = {
		.socket_path = options->socket_path,
		.group = "ipipd",
		.connections_max = 256,
		.idle_timeout_s = 10,
		.body_max = BODY_MAX,
		.patch_max = PATCH_MAX,
		.header_deadline_ms = 5000,
		.body_deadline_ms = 30000,
		.stream_deadline_ms = 60000,
	};
	int rc = make_directory_of(options->socket_path, 0755, err);

	return rc ? rc : http_start(&agent->http, agent->loop, &config, api_handler(api), err);
}

static int serve(struct agent *agent, bool created, const struct options *options, struct err *err)
{
	static const struct reconcile_config reconcile_config = {
		.coalesce_ms = 5,
		.period_ms = 30000,
		.backoff_min_ms = 200,
		.backoff_max_ms = 30000,
	};
	static const int signals[] = {SIGTERM, SIGINT};
	struct api *api = NULL;

	int rc = reconcile_new(&agent->reconcile, agent->loop, agent->kernel, agent->store,
			       &agent->declaration, created, &reconcile_config, err);
	if (!rc)
		rc = loop_signals(agent->loop, signals, ARRAY_LEN(signals), on_signal, agent->loop,
				  err);
	if (!rc) {
		api = api_new(agent);
		rc = start_http(agent, api, options, err);
	}
	if (!rc) {
		api_join_loop(api);
		log_notice("ipipd %s serves %s", IPIPD_VERSION, options->socket_path);
		failpoint("agent.ready");
		notify_ready();
		rc = loop_run(agent->loop);
	}
	if (agent->http)
		http_stop(agent->http);
	api_free(api);
	reconcile_free(agent->reconcile);
	return rc;
}

static int open_store(struct agent *agent, const struct options *options, bool *created,
		      struct err *err)
{
	int rc = make_directory_of(options->db_path, 0700, err);

	if (!rc)
		rc = store_open(&agent->store, options->db_path, created, err);
	if (!rc)
		rc = store_load(agent->store, &agent->declaration, err);
	if (!rc)
		rc = load_host_id(agent, err);
	return rc;
}

static int flush(struct agent *agent, const struct options *options, struct err *err)
{
	unsigned removed = 0;
	int rc = reconcile_flush(agent->kernel, agent->store, &removed, err);

	if (!rc)
		log_notice("flushed: %u objects removed from the kernel; what %s declares comes "
			   "back when ipipd starts",
			   removed, options->db_path);
	return rc;
}

static int run(struct agent *agent, const struct options *options, struct err *err)
{
	bool created = false;
	/* the kernel first: who may not change it leaves no database behind */
	int rc = kernel_open(&agent->kernel, err);

	if (!rc)
		rc = open_store(agent, options, &created, err);
	if (rc)
		return rc;
	if (options->flush)
		return flush(agent, options, err);
	rc = loop_new(&agent->loop, err);
	return rc ? rc : serve(agent, created, options, err);
}

static void done(struct agent *agent)
{
	loop_free(agent->loop);
	if (agent->kernel)
		agent->kernel->vt->close(agent->kernel);
	if (agent->store)
		store_close(agent->store);
	declaration_done(&agent->declaration);
}

int main(int argc, char **argv)
{
	struct options options = {.socket_path = DEFAULT_SOCKET, .db_path = DEFAULT_DB};
	struct agent agent = {0};
	cleanup_fd int lock = -1;
	struct err err = {0};
	int code = read_options(argc, argv, &options);

	if (code >= 0)
		return code;
	umask(0077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);  /* a terminal that closes; nothing is read anew yet */
	signal(SIGXFSZ, SIG_IGN); /* no room is a write that fails: 503, not the end */
	int rc = namespace_lock(&lock, &err);
	if (!rc)
		rc = run(&agent, &options, &err);
	bool is_newer = rc == -ENOTSUP && agent.kernel && !agent.store;
	done(&agent);
	if (rc < 0)
		log_error("ipipd %s: %s", options.flush ? "cannot flush" : "cannot start",
			  err.sentence);
	return is_newer ? EXIT_CONFIG : rc < 0 ? EXIT_FAILURE : rc;
}
