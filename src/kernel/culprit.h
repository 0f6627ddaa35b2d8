/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Who is behind changes, as far as the kernel tells: of rtnetlink the port of a socket, which is
 * its process's id where it has but one, and of nftables the process itself.
 */

#include <stdbool.h>
#include <stdint.h>

struct culprit {
	bool changed;         /* something was, by whomever */
	bool several;         /* or unknown, where events were lost: nobody is to be named */
	uint32_t port;        /* of changes by rtnetlink; 0: none, or the kernel's own */
	uint32_t nft_port;    /* of those of nftables */
	uint32_t nft_pid;     /* whose port that is; 0: not told */
	char nft_process[16]; /* its name */
};

enum { CULPRIT_WORDS = 128, CULPRIT_UNIT = 64 };

void culprit_add(struct culprit *culprit, uint32_t port);
void culprit_add_nft(struct culprit *culprit, uint32_t port);
/* Comes behind what it made; counts only if that was added. */
void culprit_tell_nft(struct culprit *culprit, uint32_t port, uint32_t pid, const char *process);
/* Both together did what is repaired. */
void culprit_join(struct culprit *culprit, const struct culprit *other);
/* The systemd unit of a process, of what /proc/PID/cgroup says (cgroups(7)); "": none. */
void culprit_unit(const char *cgroups, char unit[static CULPRIT_UNIT]);
/* "pid 12 (nft), x.service", by /proc; "" where that would be a guess. */
void culprit_words(const struct culprit *culprit, char words[static CULPRIT_WORDS]);
