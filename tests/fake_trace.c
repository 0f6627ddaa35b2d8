/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fake kernel tells of neighbours, sysctls and a traced flow: of the last two the
 * script says what is seen, for no packet ever moves here.
 */
#include "fake_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int fake_neighbour(struct kernel *kernel, const char *device, struct addr addr,
		   struct neighbour *neighbour, struct err *err)
{
	const struct fake *fake = (const struct fake *)kernel;

	if (!fake_state_link(fake, device))
		return err_set(err, -ENODEV, "link %s: %s", device, strerror(ENODEV));
	*neighbour = (struct neighbour){0};
	for (size_t i = 0; i < fake->neighbours.len; i++) {
		const struct fake_neighbour *one = &fake->neighbours.v[i];

		if (one->addr.host == addr.host && strcmp(one->device, device) == 0)
			*neighbour = one->neighbour;
	}
	return 0;
}

int fake_sysctl(struct kernel *kernel, const char *device, const char *name, int *value,
		struct err *err)
{
	struct sysctl key = {.head.set = kind_all(&sysctl_kind)};
	struct fake *fake = (struct fake *)kernel;

	fake_script_run(fake);
	bool forwarding = strcmp(name, "forwarding") == 0;
	key.name = forwarding ? SYSCTL_FORWARDING : SYSCTL_RP_FILTER;
	snprintf(key.device, sizeof(key.device), "%s", device);
	if (strcmp(device, "all") == 0 || strcmp(device, "default") == 0) {
		bool is_all = *device == 'a';

		*value = forwarding ? fake->ip_forward : is_all ? 0 : (int)fake->default_rp_filter;
		return 0;
	}
	const struct sysctl *sysctl = (const struct sysctl *)fake_state_find(fake, KIND_SYSCTL,
									     &key);
	if (!sysctl)
		return err_set(err, -ENOENT, "net.ipv4.conf.%s.%s: %s", device, name,
			       strerror(ENOENT));
	*value = (int)sysctl->value;
	return 0;
}

int fake_trace_open(struct kernel *kernel, unused_ const struct trace_question *question,
		    struct err *err)
{
	struct fake *fake = (struct fake *)kernel;

	fake_script_run(fake);
	int refused = fake->tracing ? -EBUSY : fake->refuse_trace;
	if (refused)
		return err_set(err, refused, "trace: %s", strerror(-refused));
	fake->tracing = true;
	fake_state_save(fake);
	return 0;
}

int fake_trace_read(struct kernel *kernel, struct trace_seen *seen, struct err *err)
{
	struct fake *fake = (struct fake *)kernel;

	fake_script_run(fake);
	if (!fake->tracing)
		return err_set(err, -EINVAL, "no trace is open");
	*seen = fake->seen;
	fake_script_next(fake);
	return 0;
}

int fake_trace_close(struct kernel *kernel, struct err *err)
{
	struct fake *fake = (struct fake *)kernel;

	if (!fake->tracing && !fake->trace_left)
		return 0;
	fake_script_run(fake);
	fake->tracing = false;
	fake->trace_left = fake->refuse_trace_close;
	fake_state_save(fake);
	return fake->trace_left ? err_set(err, fake->refuse_trace_close, "trace: its table stays")
				: 0;
}
