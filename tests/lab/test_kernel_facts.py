#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the design takes for granted about the kernel: fails where that stops being true.

No agent here: `ip` and `nft` only, which also proves the lab itself.
"""
import socket
import struct

import lab
from lab import A_ADDR, B_ADDR, INET, LAN, ip, nft, sysctl

PLAIN = f"type ipip local {A_ADDR} remote {B_ADDR}"
TUN_A = (f"link add name tun_a type ipip local {A_ADDR} remote %s ttl 64",
         "address add 192.168.1.1/24 dev tun_a", "link set tun_a up")
TUN_B = (f"link add name tun_b type ipip local %s remote {A_ADDR} ttl 64",
         "address add 192.168.1.2/24 dev tun_b", "link set tun_b up")

NAT = """
table ip ipipd {
	set sources { type ipv4_addr; flags interval; elements = { 192.168.1.0/24 } }
	chain post { type nat hook postrouting priority 95; policy accept;
		oifname "eth0" ip saddr @sources snat to %s
	}
	chain forward { type filter hook forward priority 0; policy accept;
		iifname "tun_b" oifname "eth0" ip saddr @sources accept
		iifname "eth0" oifname "tun_b" ct state established,related accept
		iifname { "tun_b", "eth0" } drop
	}
}
"""


def tunnels(topology):
    ip(topology.a, *[line.replace("%s", topology.b_addr) for line in TUN_A])
    ip(topology.b, *[line.replace("%s", topology.b_addr) for line in TUN_B])


def nat(topology):
    nft(topology.b, NAT % topology.b_addr)
    for device in ("tun_b", "eth0"):
        sysctl(topology.b, f"net/ipv4/conf/{device}/forwarding", 1)


def exit_rules(ns, destinations, guarded=True):
    """The rule set of kernel.md; without its first two rules it is the negative case."""
    lines = ["rule add priority 9999 nop protocol 105"]
    for destination in destinations:
        lines.append(f"route add {destination} dev tun_a src 192.168.1.1 table 7000 proto 105")
    for length in sorted({int(d.split("/")[1]) for d in destinations}, reverse=True):
        at = 7010 + 2 * (32 - length) + 66 * 32
        lines.append(f"rule add priority {at} lookup main suppress_prefixlength {length}"
                     " protocol 105")
        tail = f" suppress_prefixlength {length - 1}" if length else ""
        lines.append(f"rule add priority {at + 1} lookup 7000{tail} protocol 105")
    if guarded:
        for own in (A_ADDR, LAN):
            lines.append(f"rule add priority 7000 from {own} goto 9999 protocol 105")
        lines.append("rule add priority 7005 fwmark 0x69706970 goto 9999 protocol 105")
    ip(ns, *lines)


class Reference(lab.LabTest):
    """Points 1 to 5 of the main job, done by hand."""

    def test_tunnel_then_exit_then_nat(self):
        t = self.topology()
        tunnels(t)
        self.assert_ping(t.a, "192.168.1.2")
        exit_rules(t.a, [f"{INET}/32"])
        self.assertRegex(lab.route_get(t.a, INET), "dev tun_a .*src 192.168.1.1")
        self.assert_no_ping(t.a, INET)
        nat(t)
        wire = self.capture(t.b, "eth0")
        self.tcp_server(t.inet)
        self.assert_ping(t.a, INET)
        self.assertTrue(lab.tcp_ok(t.a, INET))
        self.assert_seen(wire, f"{A_ADDR} > {B_ADDR}: 192.168.1.1 > {INET}: ICMP echo request")
        self.assert_seen(wire, f"{B_ADDR} > {INET}: ICMP echo request", outgoing=True)
        self.assert_seen(wire, f"{INET} > {B_ADDR}: ICMP echo reply")
        self.assert_seen(wire, f"{B_ADDR} > {A_ADDR}: {INET} > 192.168.1.1: ICMP echo reply")
        self.assert_not_seen(wire, "192[.]168", outgoing=True)
        self.assertEqual("0", sysctl(t.b, "net/ipv4/ip_forward"))

    def test_everything_leaves_through_b_without_a_loop(self):
        for off_link in (False, True):
            for rp_filter in (0, 1, 2):
                with self.subTest(off_link=off_link, rp_filter=rp_filter):
                    t = self.topology(off_link=off_link, rp_filter=rp_filter)
                    tunnels(t)
                    exit_rules(t.a, ["0.0.0.0/0"])
                    nat(t)
                    for other in lab.INET_OTHERS:
                        self.assert_ping(t.a, other)
                    self.assert_ping(t.inet, A_ADDR)
                    self.assert_ping(t.inet, LAN)
                    t.close()

    def test_without_the_first_rules_an_off_link_remote_loops(self):
        t = self.topology(off_link=True)
        tunnels(t)
        nat(t)
        exit_rules(t.a, ["0.0.0.0/0"], guarded=False)
        self.assert_no_ping(t.a, lab.INET_OTHERS[0])
        stats = lab.ip_json(t.a, "-s link show tun_a")[0]["stats64"]["tx"]
        self.assertGreater(stats.get("collisions", 0), 0, stats)


class Links(lab.LabTest):
    def setUp(self):
        self.ns = self.host()

    def device(self, name):
        return lab.ip_json(self.ns, f"link show {name}")[0]

    def test_endpoints_collide_not_only_names(self):
        ip(self.ns, f"link add name one {PLAIN}")
        again = ip(self.ns, f"link add name two {PLAIN}", check=False)
        self.assertIn("File exists", again.err)
        ip(self.ns, f"link add name three {PLAIN} dev eth0")
        ip(self.ns, f"link add name four type ipip remote {B_ADDR}")
        none = ip(self.ns, "link add name five type ipip", check=False)
        self.assertIn("File exists", none.err)

    def test_group_is_honoured_and_alias_ignored_at_creation(self):
        ip(self.ns, f"link add name one alias mine group 77 {PLAIN}")
        device = self.device("one")
        self.assertEqual("77", device["group"])
        self.assertNotIn("ifalias", device)
        ip(self.ns, "link set one alias mine")
        self.assertEqual("mine", self.device("one")["ifalias"])

    def test_a_ttl_forces_path_mtu_discovery(self):
        ip(self.ns, f"link add name one type ipip local {A_ADDR} remote {B_ADDR} ttl 64 nopmtudisc",
           check=False)
        if lab.has_link(self.ns, "one"):
            self.assertTrue(self.device("one")["linkinfo"]["info_data"]["pmtudisc"])
        ip(self.ns, f"link add name two type ipip local {A_ADDR} remote 172.16.1.63 nopmtudisc")
        self.assertFalse(self.device("two")["linkinfo"]["info_data"]["pmtudisc"])

    def test_change_resets_what_is_left_out(self):
        ip(self.ns, f"link add name one type ipip local {A_ADDR} remote {B_ADDR} ttl 64")
        # by hand: `ip link change` sends all attributes itself
        change_tunnel(self.ns, "one", A_ADDR, "172.16.1.63")
        data = self.device("one")["linkinfo"]["info_data"]
        self.assertEqual("172.16.1.63", data["remote"])
        self.assertIn(data.get("ttl", 0), (0, "inherit"))

    def test_remote_cannot_be_unset_in_place(self):
        ip(self.ns, f"link add name one {PLAIN}")
        with self.assertRaises(OSError) as caught:
            change_tunnel(self.ns, "one", A_ADDR, "0.0.0.0")
        self.assertEqual(22, caught.exception.errno)

    def test_mtu_does_not_follow_the_underlay(self):
        ip(self.ns, f"link add name one {PLAIN}", "link set one up")
        self.assertEqual(1480, self.device("one")["mtu"])
        ip(self.ns, "link set eth0 mtu 1400")
        self.assertEqual(1480, self.device("one")["mtu"])
        ip(self.ns, "link set one mtu 3000")
        self.assertEqual(3000, self.device("one")["mtu"])

    def test_a_device_stays_up_without_its_local_address(self):
        ip(self.ns, f"link add name one {PLAIN}", "link set one up",
           f"address del {A_ADDR}/16 dev eth0")
        device = self.device("one")
        self.assertIn("UP", device["flags"])
        self.assertEqual("UNKNOWN", device["operstate"])

    def test_a_group_is_deleted_at_once_and_only_it(self):
        lines = []
        for number in range(50):
            group = 78 if number < 40 else 79
            lines.append(f"link add name g{number} group {group} type ipip local {A_ADDR}"
                         f" remote 10.99.0.{number + 1}")
        ip(self.ns, *lines)
        ip(self.ns, "link del group 78")
        left = [link["ifname"] for link in lab.ip_json(self.ns, "link show type ipip")]
        self.assertEqual({f"g{n}" for n in range(40, 50)}, set(left) - {"tunl0"})

    def test_tunl0_cannot_be_deleted(self):
        ip(self.ns, f"link add name one {PLAIN}")
        if not lab.has_link(self.ns, "tunl0"):
            self.skipTest("fb_tunnels_only_for_init_net is set")
        ip(self.ns, "link del tunl0")
        self.assertTrue(lab.has_link(self.ns, "tunl0"))

    def test_ipv6_of_a_device_is_switched_off_before_up(self):
        ip(self.ns, f"link add name one {PLAIN}")
        sysctl(self.ns, "net/ipv6/conf/one/disable_ipv6", 1)
        ip(self.ns, "link set one up")
        self.assertEqual("", ip(self.ns, "-6 address show dev one"))


class RoutesAndRules(lab.LabTest):
    def setUp(self):
        self.ns = self.host()
        ip(self.ns, *[line.replace("%s", B_ADDR) for line in TUN_A])

    def test_down_removes_routes_without_a_word(self):
        ip(self.ns, f"route add {INET}/32 dev tun_a table 7000")
        events = netlink_listener(self.ns, 1 << (7 - 1))    # RTNLGRP_IPV4_ROUTE
        ip(self.ns, "link set tun_a down")
        self.assertEqual("", ip(self.ns, "route show table 7000").strip())
        ip(self.ns, "link set tun_a up")
        self.assertEqual("", ip(self.ns, "route show table 7000").strip())
        gone = [kind for kind, text in messages(events) if kind == 25
                and socket.inet_aton(INET) in text]
        self.assertEqual([], gone)

    def test_the_last_address_takes_the_routes_along(self):
        ip(self.ns, f"route add {INET}/32 dev tun_a table 7000",
           "address del 192.168.1.1/24 dev tun_a")
        self.assertEqual("", ip(self.ns, "route show table 7000").strip())

    def test_protocol_is_part_of_a_rules_identity(self):
        ip(self.ns, "rule add priority 7001 lookup 7000 protocol 105",
           "rule add priority 7001 lookup 7000 protocol 106")
        self.assertEqual(2, sum("lookup 7000" in line for line in lab.rule_lines(self.ns)))

    def test_a_routes_protocol_changes_by_replace(self):
        ip(self.ns, f"route add {INET}/32 dev tun_a table 7000 proto static",
           f"route replace {INET}/32 dev tun_a table 7000 proto 105")
        self.assertEqual(1, len(lab.our_routes(self.ns)))

    def test_a_source_off_the_tunnels_leaves_in_the_clear(self):
        exit_rules(self.ns, ["0.0.0.0/0"])
        self.assertIn("dev eth0", lab.route_get(self.ns, INET, "from", LAN))
        self.assertIn("dev tun_a", lab.route_get(self.ns, INET))
        self.assertIn("dev eth0", lab.route_get(self.ns, INET, "mark", "0x69706970"))

    def test_longest_prefix_wins_between_main_and_ours(self):
        exit_rules(self.ns, ["0.0.0.0/0", "180.163.0.0/16"])
        ip(self.ns, "route add 180.163.26.0/24 via 172.16.0.1")
        self.assertIn("dev eth0", lab.route_get(self.ns, INET))
        self.assertIn("dev tun_a", lab.route_get(self.ns, "180.163.27.1"))
        self.assertIn("dev eth1", lab.route_get(self.ns, lab.LAN_HOST))
        self.assertIn("dev tun_a", lab.route_get(self.ns, "8.8.8.8"))


class Forwarding(lab.LabTest):
    def test_ip_forward_rewrites_every_device(self):
        ns = self.host()
        sysctl(ns, "net/ipv4/conf/eth1/forwarding", 1)
        sysctl(ns, "net/ipv4/ip_forward", 1)
        sysctl(ns, "net/ipv4/ip_forward", 0)
        self.assertEqual("0", sysctl(ns, "net/ipv4/conf/eth1/forwarding"))
        sysctl(ns, "net/ipv4/conf/eth1/forwarding", 1)
        sysctl(ns, "net/ipv4/ip_forward", 0)  # which it is
        self.assertEqual("1", sysctl(ns, "net/ipv4/conf/eth1/forwarding"))

    def test_the_closing_rule_keeps_strangers_out(self):
        t = self.topology()
        tunnels(t)
        exit_rules(t.a, [f"{INET}/32"])
        nat(t)
        self.assert_ping(t.a, INET)
        ip(t.router, f"route add 192.168.1.0/24 via {B_ADDR}")
        inner = self.capture(t.b, "tun_b")
        self.assert_no_ping(t.router, "192.168.1.1")
        self.assert_no_ping(t.router, lab.THIRD_HOST)
        self.assert_not_seen(inner, f"{lab.ROUTER} > ", outgoing=True)

    def test_input_route_question_runs_the_filters(self):
        t = self.topology(rp_filter=1)
        answer = lab.run(t.b, "ip", "route", "get", INET, "from", "192.168.1.1", "iif", "eth1",
                         check=False)
        self.assertNotEqual(0, answer.status)

    def test_overlapping_intervals_are_refused(self):
        ns = self.host()
        bad = nft(ns, "table ip t { set s { type ipv4_addr; flags interval;"
                  " elements = { 10.0.0.0/8, 10.1.0.0/16 } } }", check=False)
        self.assertNotEqual(0, bad.status)


# raw rtnetlink, where `ip` says more than is wanted

def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def change_tunnel(ns, name, local, remote):
    """RTM_NEWLINK with IFLA_IPTUN_LOCAL and REMOTE, and nothing else."""
    data = attribute(2, socket.inet_aton(local)) + attribute(3, socket.inet_aton(remote))
    info = attribute(1, b"ipip\0") + attribute(2, data)
    with lab.inside(ns):
        index = socket.if_nametoindex(name)
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with sock:
        body = struct.pack("=BxHiII", 0, 0, index, 0, 0) + attribute(18, info)
        sock.send(struct.pack("=IHHII", 16 + len(body), 16, 5, 1, 0) + body)
        answer = sock.recv(65536)
    code = struct.unpack("=i", answer[16:20])[0]
    if code:
        raise OSError(-code, "RTM_NEWLINK")


def netlink_listener(ns, groups):
    with lab.inside(ns):
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        sock.bind((0, groups))
    sock.setblocking(False)
    return sock


def messages(sock):
    found = []
    try:
        while True:
            data = sock.recv(65536)
            while len(data) >= 16:
                size, kind = struct.unpack("=IH", data[:6])
                found.append((kind, data[16:size]))
                data = data[(size + 3) & ~3:]
    except BlockingIOError:
        pass
    sock.close()
    return found


if __name__ == "__main__":
    lab.main()
