/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Per-device switches under /proc/sys/net, through directories that are held open. */

#include <stdbool.h>
#include <stdint.h>

struct sysctls {
	int ipv4_fd, ipv6_fd; /* /proc/sys/net/ipv4/conf, …/ipv6/conf; -1: there is none */
};

void sysctl_open(struct sysctls *sysctls);
void sysctl_close(struct sysctls *sysctls);
/* Below directory_fd/DEVICE/. -EINVAL: no name of a device; -ENOENT: not there. */
int sysctl_read(int directory_fd, const char *device, const char *name, uint32_t *value);
int sysctl_write(int directory_fd, const char *device, const char *name, uint32_t value);
/* As it is now; device may be "all" or "default". -ENOENT: no such device, or no such name. */
int sysctl_ask(int directory_fd, const char *device, const char *name, int *value);
