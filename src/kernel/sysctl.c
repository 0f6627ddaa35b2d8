/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forwarding and rp_filter of devices: read for all of them in one dump, written through
 * /proc, because a change by RTM_SETLINK is reported to nobody and skips what the sysctl
 * does besides. ip_forward is never written: that rewrites every device.
 */
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "kernel/adapter.h"

enum { SYSCTL_FILE = 48 }; /* longest name of one, NUL included */

static const char *const files[] = {
	[SYSCTL_FORWARDING] = "forwarding",
	[SYSCTL_RP_FILTER] = "rp_filter",
};

void sysctl_open(struct sysctls *sysctls)
{
	int flags = O_DIRECTORY | O_PATH | O_CLOEXEC;

	sysctls->ipv4_fd = open("/proc/sys/net/ipv4/conf", flags);
	sysctls->ipv6_fd = open("/proc/sys/net/ipv6/conf", flags);
}

void sysctl_close(struct sysctls *sysctls)
{
	if (sysctls->ipv4_fd >= 0)
		close(sysctls->ipv4_fd);
	if (sysctls->ipv6_fd >= 0)
		close(sysctls->ipv6_fd);
	sysctls->ipv4_fd = sysctls->ipv6_fd = -1;
}

static bool is_file_name(const char *name, size_t size)
{
	size_t len = strnlen(name, size);

	return len && len < size && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

/* "all" and "default" are directories, too, and concern every device. */
static bool is_device(const char *device)
{
	return strcmp(device, "all") != 0 && strcmp(device, "default") != 0;
}

static int open_file(int directory_fd, const char *device, const char *name, int flags)
{
	char path[IFNAMSIZ + SYSCTL_FILE];

	if (!is_file_name(device, IFNAMSIZ) || !is_file_name(name, SYSCTL_FILE))
		return -EINVAL;
	if (directory_fd < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s", device, name);
	int fd = openat(directory_fd, path, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int sysctl_ask(int directory_fd, const char *device, const char *name, int *value)
{
	cleanup_fd int fd = open_file(directory_fd, device, name, O_RDONLY);
	char digits[16] = {0};

	if (fd < 0)
		return fd;
	ssize_t len = read(fd, digits, sizeof(digits) - 1);
	if (len < 0)
		return -errno;
	*value = (int)strtol(digits, NULL, 10);
	return 0;
}

int sysctl_read(int directory_fd, const char *device, const char *name, uint32_t *value)
{
	int now = 0;
	int error = is_device(device) ? sysctl_ask(directory_fd, device, name, &now) : -EINVAL;

	if (!error)
		*value = (uint32_t)now;
	return error;
}

int sysctl_write(int directory_fd, const char *device, const char *name, uint32_t value)
{
	if (!is_device(device))
		return -EINVAL;
	cleanup_fd int fd = open_file(directory_fd, device, name, O_WRONLY);
	char digits[16];

	if (fd < 0)
		return fd;
	int len = snprintf(digits, sizeof(digits), "%u", value);
	int fault = failpoint_error("sysctl.write");
	if (fault)
		return fault;
	int result = write(fd, digits, (size_t)len) == len ? 0 : -errno;
	failpoint("sysctl.written");
	return result;
}

static void fact_take(struct kern *kern, struct facts *facts, const struct nlmsghdr *h)
{
	size_t header = sizeof(struct netconfmsg);
	struct attrs attrs;

	if (h->nlmsg_type != RTM_NEWNETCONF || !nlmsg_valid_hdr(h, (int)header))
		return;
	attrs_read(h, header, &attrs);
	const int32_t *index = attr_payload(attrs.v[NETCONFA_IFINDEX], sizeof(*index));
	const uint32_t *forwarding = attr_payload(attrs.v[NETCONFA_FORWARDING],
						  sizeof(*forwarding));
	const uint32_t *rp_filter = attr_payload(attrs.v[NETCONFA_RP_FILTER], sizeof(*rp_filter));
	if (!index || !forwarding || !rp_filter)
		return;
	if (*index == NETCONFA_IFINDEX_ALL) /* the same switch as ip_forward */
		facts->ip_forward = *forwarding != 0;
	if (*index == NETCONFA_IFINDEX_DEFAULT) {
		facts->default_forwarding = *forwarding != 0;
		facts->default_rp_filter = (uint8_t)*rp_filter;
	}
	struct name_row *row = names_row(&kern->names, (uint32_t)*index);
	if (!row)
		return;
	row->forwarding = *forwarding != 0;
	row->rp_filter = (uint8_t)*rp_filter;
}

/* From the names' row, where the kernel's answer was taken to. */
static void fact_refresh(const struct kern *kern, struct fact_link *fact)
{
	const struct name_row *row = names_row(&kern->names,
					       names_index(&kern->names, fact->device));

	if (!row)
		return;
	fact->forwarding = row->forwarding;
	fact->rp_filter = row->rp_filter;
}

int sysctl_look_at(struct kern *kern, const struct object_list *keys, struct look *look,
		   struct err *err)
{
	cleanup_batch struct batch batch = {.arena = look->observed->arena};

	for (size_t i = 0; i < keys->len; i++) {
		/* the device is the first member of both */
		const char *device = ((const struct sysctl *)keys->v[i])->device;
		struct netconfmsg header = {.ncm_family = AF_INET};
		uint32_t index = names_index(&kern->names, device);

		if (!index)
			continue;
		struct nlmsghdr *msg = netlink_message(RTM_GETNETCONF, 0, &header, sizeof(header));
		netlink_put(msg, NETCONFA_IFINDEX, &index, sizeof(index));
		batch_ask(&batch, msg, i);
	}
	batch_send(kern->netlink, &batch);
	for (size_t i = 0; i < batch.requests.len; i++) {
		const struct request *request = &batch.requests.v[i];
		const char *device = ((const struct sysctl *)keys->v[request->tag])->device;

		/* gone meanwhile: an event says so */
		if (request->result == -EINVAL || request->result == -ENODEV)
			continue;
		if (request->result)
			return err_set(err, request->result, "reading switches of %s: %s", device,
				       strerror(-request->result));
		fact_take(kern, look->facts, request->answer);
		struct fact_link *fact = (struct fact_link *)(uintptr_t)facts_link(look->facts,
										   device);
		if (fact)
			fact_refresh(kern, fact);
	}
	return 0;
}

static int dump(struct kern *kern, struct look *look, struct err *err)
{
	struct netconfmsg header = {.ncm_family = AF_INET};
	cleanup_free struct nlmsghdr *request = netlink_message(RTM_GETNETCONF, 0, &header,
								sizeof(header));
	cleanup_messages struct messages messages = {0};
	int error = adapter_dump(kern, request, &messages, "switches", err);

	if (error)
		return error;
	look->facts->ip_forward = false;
	messages_each(h, &messages)
		fact_take(kern, look->facts, h);
	for (size_t i = 0; i < look->facts->links.len; i++)
		fact_refresh(kern, &look->facts->links.v[i]);
	return 0;
}

/* So that the echo of our own write, which comes without a port id, wakes nobody. */
static void note_write(struct kern *kern, const struct sysctl *sysctl, uint32_t value)
{
	struct name_row *row = names_row(&kern->names, names_index(&kern->names, sysctl->device));

	if (!row)
		return;
	if (sysctl->name == SYSCTL_FORWARDING)
		row->forwarding = value != 0;
	else
		row->rp_filter = (uint8_t)value;
}

/* A value of 0 here is the whole host's, "1\n" of ip_forward. */
static bool host_forwards(const struct kern *kern)
{
	char digit = '0';
	cleanup_fd int fd = openat(kern->sysctls.ipv4_fd, "../ip_forward", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &digit, 1) == 1 && digit != '0';
}

/* Puts back what was found, where the value is still the one that we wrote. */
static int put_back(struct kern *kern, const struct sysctl *have)
{
	uint32_t now = 0;
	int error = sysctl_read(kern->sysctls.ipv4_fd, have->device, files[have->name], &now);

	if (error == -ENOENT) /* gone with its device */
		return 0;
	if (error || now != have->value || now == have->before)
		return error;
	if (have->name == SYSCTL_FORWARDING && !have->before && host_forwards(kern))
		return 0;
	error = sysctl_write(kern->sysctls.ipv4_fd, have->device, files[have->name], have->before);
	if (!error)
		note_write(kern, have, have->before);
	return error == -ENOENT ? 0 : error;
}

static int set(struct kern *kern, const struct sysctl *want)
{
	int error = sysctl_write(kern->sysctls.ipv4_fd, want->device, files[want->name],
				 want->value);

	if (error)
		return error == -ENOENT ? -ENODEV : error;
	note_write(kern, want, want->value);
	return 0;
}

static void apply(struct kern *kern, struct arena *arena, struct op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct op *op = &ops[i];
		bool delete = op->verb == OP_DELETE;
		int error = delete ? put_back(kern, (const struct sysctl *)op->have)
				   : set(kern, (const struct sysctl *)op->want);

		if (error)
			adapter_fail(op, arena, error, delete ? "put back" : "write", "");
		else
			adapter_succeed(op);
	}
}

const struct kern_adapter sysctl_adapter = {
	.kind = KIND_SYSCTL,
	.groups = {RTNLGRP_IPV4_NETCONF},
	.dump = dump,
	.look_at = sysctl_look_at,
	.apply = apply,
};
