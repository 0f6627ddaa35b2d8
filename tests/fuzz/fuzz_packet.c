/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a packet that a raw socket read. What is quoted in it lies within it, and what is
 * read of that is no more of it.
 */
#include "fuzz.h"

#include <assert.h>

#include "daemon/packet.h"

static void is_within(const struct packet *packet, const uint8_t *bytes, size_t size)
{
	if (!packet->quoted)
		return;
	assert(packet->quoted >= bytes + PACKET_IP_HEADER);
	assert(packet->quoted + packet->quoted_len == bytes + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct packet packet = {0}, sent = {0};

	if (!packet_read(bytes, size, &packet))
		return 0;
	is_within(&packet, bytes, size);
	uint16_t mtu = packet.mtu;
	if (packet_read_quoted(&packet, &sent))
		is_within(&sent, packet.quoted, packet.quoted_len);
	assert(packet.mtu <= mtu);
	return 0;
}
