/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose socket it is: stale, in use, foreign, systemd's; and who may use it. */
#include "http_server.h"

#include "daemon/http_socket.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>

static void listen_at(const struct server *server, int *fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, server->path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(*fd, 5), 0);
}

static void assert_open_fails(const char *path, int number)
{
	struct http_socket sock;
	struct err err = {0};

	assert_int_equal(http_socket_open(&sock, path, NULL, 128, &err), number);
	assert_int_equal(err.number, number);
	assert_non_null(strstr(err.sentence, "socket"));
}

static void replaces_the_socket_of_an_agent_that_is_gone(void **state)
{
	struct server *server = *state;
	int fd;

	listen_at(server, &fd);
	close(fd);
	assert_int_equal(access(server->path, F_OK), 0);
	server_start(server);
	close(client_connect(server));
}

static void leaves_the_socket_of_an_agent_that_answers(void **state)
{
	const struct server *server = *state;
	int fd;

	listen_at(server, &fd);
	assert_open_fails(server->path, -EADDRINUSE);
	close(client_connect(server));
	close(fd);
}

static void leaves_a_file_that_is_no_socket(void **state)
{
	const struct server *server = *state;

	close(open(server->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_open_fails(server->path, -EEXIST);
	assert_int_equal(access(server->path, F_OK), 0);
}

static void refuses_paths_that_cannot_be(void **state)
{
	char path[200] = {0};

	memset(path, 'a', sizeof(path) - 1);
	assert_open_fails(path, -ENAMETOOLONG);
	assert_open_fails("", -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/missing/missing/socket",
		 ((const struct server *)*state)->directory);
	assert_open_fails(path, -ENOENT);
}

static unsigned mode_of(const char *path, gid_t *group)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	*group = st.st_gid;
	return st.st_mode & 07777;
}

static void is_its_owners_only_without_a_group(void **state)
{
	const struct server *server = *state;
	const char *const groups[] = {NULL, "no-such-group-here"};

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		struct http_socket sock;
		gid_t group;

		assert_int_equal(http_socket_open(&sock, server->path, groups[i], 128, NULL), 0);
		assert_int_equal(mode_of(server->path, &group), 0600);
		assert_int_equal(sock.group, (gid_t)-1);
		http_socket_close(&sock);
		assert_int_equal(access(server->path, F_OK), -1);
	}
}

static void lets_the_group_in(void **state)
{
	const struct server *server = *state;
	const struct group *own = getgrgid(getegid());
	struct http_socket sock;
	gid_t group;

	if (!own)
		skip();
	gid_t wanted = own->gr_gid;
	assert_int_equal(http_socket_open(&sock, server->path, own->gr_name, 128, NULL), 0);
	assert_int_equal(mode_of(server->path, &group), 0660);
	assert_int_equal(group, wanted);
	assert_int_equal(sock.group, wanted);
	http_socket_close(&sock);
}

static void does_not_remove_the_socket_of_a_successor(void **state)
{
	const struct server *server = *state;
	struct http_socket sock;
	int fd;

	assert_int_equal(http_socket_open(&sock, server->path, NULL, 128, NULL), 0);
	unlink(server->path);
	listen_at(server, &fd);
	http_socket_close(&sock);
	close(client_connect(server));
	close(fd);
}

/* The role that a process of that user and group has. */
static enum http_role role_of(const struct http_socket *sock, uid_t uid, gid_t gid, gid_t extra)
{
	struct http_caller caller = {0};
	int client[2], go[2];

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};

		strcpy(address.sun_path, sock->path);
		close(go[1]);
		client[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (setgroups(1, &extra) < 0 || setgid(gid) < 0 || setuid(uid) < 0 ||
		    connect(client[0], (struct sockaddr *)&address, sizeof(address)) < 0)
			_exit(1);
		_exit(read(go[0], &address, 1) == 0 ? 0 : 1);
	}
	close(go[0]);
	struct pollfd pollfd = {.fd = sock->fd, .events = POLLIN};
	assert_int_equal(poll(&pollfd, 1, ANSWER_MS), 1);
	client[1] = accept4(sock->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(client[1] >= 0);
	http_socket_caller(sock, client[1], &caller);
	assert_int_equal(caller.uid, uid);
	assert_int_equal(caller.pid, pid);
	close(go[1]);
	close(client[1]);
	waitpid(pid, NULL, 0);
	return caller.role;
}

enum { SOME_USER = 54321, SOME_GROUP = 54322, OTHER_GROUP = 54323 };

static void root_and_the_group_are_admins_and_nobody_else(void **state)
{
	const struct server *server = *state;
	struct http_socket sock;

	if (geteuid() != 0)
		skip();
	assert_int_equal(http_socket_open(&sock, server->path, NULL, 128, NULL), 0);
	/* as systemd might have made it */
	assert_int_equal(chmod(server->path, 0666), 0);
	assert_int_equal(chmod(server->directory, 0755), 0);
	sock.group = SOME_GROUP;
	assert_int_equal(role_of(&sock, 0, 0, 0), HTTP_ROLE_ADMIN);
	assert_int_equal(role_of(&sock, SOME_USER, SOME_GROUP, OTHER_GROUP), HTTP_ROLE_ADMIN);
	assert_int_equal(role_of(&sock, SOME_USER, OTHER_GROUP, SOME_GROUP), HTTP_ROLE_ADMIN);
	assert_int_equal(role_of(&sock, SOME_USER, OTHER_GROUP, OTHER_GROUP), HTTP_ROLE_NONE);
	sock.group = (gid_t)-1;
	assert_int_equal(role_of(&sock, SOME_USER, SOME_GROUP, SOME_GROUP), HTTP_ROLE_NONE);
	http_socket_close(&sock);
}

static void systemds_socket_outlives_the_agent(void **state)
{
	struct server *server = *state;

	listen_at(server, &server->listening);
	server->passed = true;
	for (unsigned i = 0; i < 2; i++) {
		server_start(server);
		int fd = client_connect(server);
		client_say(fd, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_answer(fd, "GET /echo");
		close(fd);
		assert_int_equal(server_end(server), 0);
		assert_int_equal(access(server->path, F_OK), 0);
	}
	/* not shut down: who comes now waits for the next agent */
	close(client_connect(server));
	close(server->listening);
}

static void what_systemd_passes_must_be_a_listening_unix_socket(void **state)
{
	struct server *server = *state;
	int status;

	server->listening = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->passed = true;
	pid_t pid = fork();
	if (pid == 0)
		server_main(server);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 6);
	close(server->listening);
}

#define prepared(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		prepared(replaces_the_socket_of_an_agent_that_is_gone),
		prepared(leaves_the_socket_of_an_agent_that_answers),
		prepared(leaves_a_file_that_is_no_socket),
		prepared(refuses_paths_that_cannot_be),
		prepared(is_its_owners_only_without_a_group),
		prepared(lets_the_group_in),
		prepared(does_not_remove_the_socket_of_a_successor),
		prepared(root_and_the_group_are_admins_and_nobody_else),
		prepared(systemds_socket_outlives_the_agent),
		prepared(what_systemd_passes_must_be_a_listening_unix_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
