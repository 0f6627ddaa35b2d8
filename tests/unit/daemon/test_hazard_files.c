/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of a host that tell of hazards, in a folder that stands for its root. */
#include "daemon/hazard_files.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"

struct scene {
	char root[32];
	struct hazard_files files;
};

static int setup(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));

	strcpy(scene->root, "/tmp/ipipd-files-XXXXXX");
	assert_non_null(mkdtemp(scene->root));
	*state = scene;
	return 0;
}

static int remove_one(const char *path, unused_ const struct stat *st, unused_ int type,
		      unused_ struct FTW *where)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	hazard_files_done(&scene->files);
	nftw(scene->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(scene);
	return 0;
}

static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

static void put(const struct scene *scene, const char *path, const char *text)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", scene->root, path);
	make_folders(full);
	FILE *file = fopen(full, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static const struct hazard_files *reads(struct scene *scene)
{
	hazard_files_done(&scene->files);
	hazard_files_read(scene->root, &scene->files);
	return &scene->files;
}

/* "KEY=VALUE WHERE" of each line, one behind the other */
static void sysctls(struct scene *scene, const char *expected)
{
	const struct hazard_files *files = reads(scene);
	cleanup_text struct text text = {0};

	for (size_t i = 0; i < files->sysctls.len; i++)
		text_addf(&text, "%s=%s %s\n", files->sysctls.v[i].key,
			  files->sysctls.v[i].value ? files->sysctls.v[i].value : "-",
			  files->sysctls.v[i].where);
	assert_string_equal(text_str(&text), expected);
}

static void an_empty_host_says_nothing(void **state)
{
	const struct hazard_files *files = reads(*state);

	assert_int_equal(files->ipip, MODULE_UNKNOWN);
	assert_false(files->networkd || files->network_manager || files->rpfilter);
	assert_null(files->blacklisted);
	assert_int_equal(files->sysctls.len + files->unmanaged.len, 0);
}

static void a_module_is_kept_away_by_two_lines(void **state)
{
	struct scene *scene = *state;

	put(scene, "/etc/modprobe.d/a.conf", "# blacklist ipip\nblacklist ipip6\nalias x ipip\n");
	assert_null(reads(scene)->blacklisted);
	put(scene, "/usr/lib/modprobe.d/b.conf", "\n  blacklist\tipip  \n");
	assert_string_equal(reads(scene)->blacklisted, "/usr/lib/modprobe.d/b.conf:2");
	put(scene, "/etc/modprobe.d/b.conf", "install  ipip /bin/false\n");
	assert_string_equal(reads(scene)->blacklisted, "/etc/modprobe.d/b.conf:1");
}

static void files_of_one_name_count_once_and_in_order(void **state)
{
	struct scene *scene = *state;

	put(scene, "/usr/lib/sysctl.d/50-default.conf",
	    "net.ipv4.conf.*.rp_filter = 2\n"
	    "-net.ipv4.conf.all.rp_filter\n");
	put(scene, "/etc/sysctl.d/10-a.conf", "net.ipv4.ip_forward=0\nkernel.panic=1\n");
	put(scene, "/usr/lib/sysctl.d/10-a.conf", "net.ipv4.ip_forward=1\n");
	put(scene, "/run/sysctl.d/60.conf", "-net.ipv4.conf.eth0/100.forwarding = 0\n");
	put(scene, "/etc/sysctl.d/README", "net.ipv4.ip_forward=1\n");
	put(scene, "/etc/sysctl.conf", "; a\nnet/ipv4/ip_forward = 1\n");
	sysctls(scene, "net/ipv4/ip_forward=0 /etc/sysctl.d/10-a.conf:1\n"
		       "net/ipv4/conf/*/rp_filter=2 /usr/lib/sysctl.d/50-default.conf:1\n"
		       "net/ipv4/conf/all/rp_filter=- /usr/lib/sysctl.d/50-default.conf:2\n"
		       "net/ipv4/conf/eth0.100/forwarding=0 /run/sysctl.d/60.conf:1\n"
		       "net/ipv4/ip_forward=1 /etc/sysctl.conf:2\n");
}

static void systemd_says_what_runs(void **state)
{
	struct scene *scene = *state;

	put(scene, "/proc/12/comm", "systemd-network\n");
	put(scene, "/proc/13/comm", "NetworkManager2\n");
	assert_true(reads(scene)->networkd);
	assert_false(reads(scene)->network_manager);
	put(scene, "/proc/14/comm", "NetworkManager\n");
	assert_true(reads(scene)->network_manager);
	put(scene, "/run/systemd/units/invocation:ssh.service", "");
	assert_false(reads(scene)->networkd);
	put(scene, "/run/systemd/units/invocation:systemd-networkd.service", "");
	assert_true(reads(scene)->networkd);
}

static void networkd_is_told_in_files_and_drop_ins(void **state)
{
	struct scene *scene = *state;

	put(scene, "/run/systemd/units/invocation:systemd-networkd.service", "");
	put(scene, "/etc/systemd/networkd.conf",
	    "[Network]\n#ManageForeignRoutes=no\nManageForeignRoutingPolicyRules = No\n");
	assert_true(reads(scene)->networkd_keeps_rules);
	assert_false(reads(scene)->networkd_keeps_routes);
	put(scene, "/etc/systemd/networkd.conf.d/b.conf", "[Network]\nManageForeignRoutes=false\n");
	put(scene, "/run/systemd/networkd.conf.d/c.conf",
	    "[Network]\nManageForeignRoutingPolicyRules=yes\n");
	assert_false(reads(scene)->networkd_keeps_rules);
	assert_true(reads(scene)->networkd_keeps_routes);
}

static void network_manager_is_told_what_to_leave_alone(void **state)
{
	struct scene *scene = *state;

	put(scene, "/run/systemd/units/invocation:NetworkManager.service", "");
	put(scene, "/etc/NetworkManager/NetworkManager.conf",
	    "[keyfile]\nunmanaged-devices=interface-name:a*;driver:ipip\n");
	assert_int_equal(reads(scene)->unmanaged.len, 2);
	assert_string_equal(scene->files.unmanaged.v[1], "driver:ipip");
	put(scene, "/etc/NetworkManager/conf.d/x.conf", "[keyfile]\nunmanaged-devices+=b\n");
	assert_int_equal(reads(scene)->unmanaged.len, 3);
	put(scene, "/etc/NetworkManager/conf.d/y.conf", "[keyfile]\nunmanaged-devices=c\n");
	assert_int_equal(reads(scene)->unmanaged.len, 1);
}

static void udev_is_asked_for_one_device(void **state)
{
	struct scene *scene = *state;

	put(scene, "/run/udev/data/n7", "I:1\nE:ID_NET_MANAGED_BY=ipipd\nE:NM_UNMANAGED=1\n");
	put(scene, "/run/udev/data/n8", "I:1\nE:NM_UNMANAGED=0\n");
	assert_true(hazard_files_unmanaged(scene->root, 7));
	assert_false(hazard_files_unmanaged(scene->root, 8));
	assert_false(hazard_files_unmanaged(scene->root, 9));
}

static void large_files_and_long_lists_end(void **state)
{
	struct scene *scene = *state;
	cleanup_text struct text lines = {0};

	for (unsigned i = 0; i < 1000; i++)
		text_addf(&lines, "net.ipv4.conf.e%u.rp_filter=1\n", i);
	put(scene, "/etc/sysctl.d/a.conf", text_str(&lines));
	assert_int_equal(reads(scene)->sysctls.len, 512);
	for (unsigned i = 0; i < 5000; i++)
		text_add(&lines, "# much to say here\n");
	put(scene, "/etc/sysctl.d/a.conf", text_str(&lines));
	assert_int_equal(reads(scene)->sysctls.len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_empty_host_says_nothing),
		TEST(a_module_is_kept_away_by_two_lines),
		TEST(files_of_one_name_count_once_and_in_order),
		TEST(systemd_says_what_runs),
		TEST(networkd_is_told_in_files_and_drop_ins),
		TEST(network_manager_is_told_what_to_leave_alone),
		TEST(udev_is_asked_for_one_device),
		TEST(large_files_and_long_lists_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
