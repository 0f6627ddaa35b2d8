/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A document of each kind with every field that a client can give, and the least one. */

#include "model/resource.h"

static const char *const full_samples[RESOURCE_KINDS] = {
	[KIND_TUNNEL] =
		"{\"name\":\"tun_a\",\"labels\":{\"site\":\"a\",\"empty\":\"\"},"
		"\"comment\":\"to B\\nover the WAN\",\"enabled\":false,\"adopt\":true,"
		"\"remote\":\"172.16.1.62\",\"local\":\"172.16.16.22\",\"device\":\"ipip-b\","
		"\"underlay\":\"eth0\",\"addresses\":[\"192.168.1.1/24\",\"10.0.0.1/32\"],"
		"\"mtu\":1480,\"ttl\":0,\"tos\":252,\"path_mtu_discovery\":false,"
		"\"mss_clamp\":false,\"rp_filter\":\"loose\","
		"\"allowed_sources\":[\"192.168.1.0/24\",\"0.0.0.0/0\"]}",
	[KIND_EXIT_ROUTE] = "{\"name\":\"qq\",\"labels\":{},\"comment\":\"\",\"enabled\":true,"
			    "\"adopt\":false,\"tunnel\":\"tun_a\","
			    "\"destinations\":[\"180.163.26.39/32\",\"0.0.0.0/0\",\"10.0.0.0/8\"],"
			    "\"source\":\"192.168.1.1\",\"metric\":4294967295,"
			    "\"from\":[\"10.1.0.0/16\",\"10.0.0.0/16\"]}",
	[KIND_NAT_RULE] = "{\"name\":\"exit\",\"labels\":{\"k\":\"\\u20ac\"},\"comment\":\"NAT\","
			  "\"enabled\":true,\"adopt\":false,\"sources\":[\"192.168.1.0/24\","
			  "\"192.168.1.7/32\"],\"out_interface\":\"eth0\",\"action\":\"snat\","
			  "\"to_address\":\"172.16.1.62\",\"in_interface\":\"tun_b\","
			  "\"destinations\":[\"0.0.0.0/0\"],\"priority\":65535}",
};

static const char *const least_samples[RESOURCE_KINDS] = {
	[KIND_TUNNEL] = "{\"name\":\"tun_a\",\"remote\":\"172.16.1.62\"}",
	[KIND_EXIT_ROUTE] = "{\"name\":\"qq\",\"tunnel\":\"tun_a\","
			    "\"destinations\":[\"0.0.0.0/0\"]}",
	[KIND_NAT_RULE] = "{\"name\":\"exit\",\"sources\":[\"192.168.1.0/24\"],"
			  "\"out_interface\":\"eth0\"}",
};
