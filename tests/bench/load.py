# SPDX-License-Identifier: GPL-2.0-or-later
"""The same work in four languages: a declaration, `ip -batch`, `nft -f`, files of networkd.
links.c has the fifth; its names and addresses are these."""
import json

import lab

TABLE = 7000


def _address(base, i):
    i += base
    return f"{i >> 24}.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"


def remote(i):
    return _address(0xc6120001, i)


def inner(i):
    return _address(0x0a400000, i)


def destination(i):
    return _address(0x0b000000, i)


def source(i):
    return _address(0x0c000000, i)


def tunnel(i):
    return {"name": f"t{i}", "local": lab.A_ADDR, "remote": remote(i),
            "addresses": [f"{inner(i)}/32"]}


def exit_route(i, routes=1):
    return {"name": f"e{i}", "tunnel": f"t{i}",
            "destinations": [f"{destination(i * routes + k)}/32" for k in range(routes)]}


def nat_rule(i):
    return {"name": f"n{i}", "sources": [f"{source(i)}/32"], "out_interface": "eth0"}


def document(tunnels=(), exits=(), rules=()):
    return json.dumps({"tunnels": list(tunnels), "exit_routes": list(exits),
                       "nat_rules": list(rules)}, separators=(",", ":"))


def full(count, first=0, routes=1):
    """So many tunnels, each with an address, exit routes and a NAT source."""
    span = range(first, first + count)
    return document(map(tunnel, span), (exit_route(i, routes) for i in span),
                    map(nat_rule, span))


def sources(count, first=0, name="many", **more):
    return {"name": name, "sources": [f"{source(i)}/32" for i in range(first, first + count)],
            "out_interface": "eth0", "in_interface": "eth1", **more}


# ---------------------------------------------------------------- ip and nft

def ip_tunnel(i):
    return (f"link add name t{i} type ipip local {lab.A_ADDR} remote {remote(i)} ttl 64",
            f"address add {inner(i)}/32 dev t{i}",
            f"link set t{i} up",
            f"route add {destination(i)}/32 dev t{i} src {inner(i)} table {TABLE} proto 105")


def ip_tunnels(count, first=0):
    return lines(line for i in range(first, first + count) for line in ip_tunnel(i))


def ip_routes(count):
    return lines(f"route add {destination(i)}/32 dev t0 src {inner(0)} table {TABLE} proto 105"
                 for i in range(count))


def networkd(i):
    """The two files of systemd-networkd for a tunnel, by suffix."""
    return (("netdev", f"[NetDev]\nName=t{i}\nKind=ipip\n[Tunnel]\nLocal={lab.A_ADDR}\n"
             f"Remote={remote(i)}\nTTL=64\nIndependent=yes\n"),
            ("network", f"[Match]\nName=t{i}\n[Network]\nAddress={inner(i)}/32\n"))


def lines(all_lines):
    return "\n".join(all_lines) + "\n"


NFT_CHAIN = """table ip bench {
	chain postrouting {
		type nat hook postrouting priority 95; policy accept;
	}
}
"""
NFT_MAP = """table ip bench {
	map sources {
		type ipv4_addr : ipv4_addr
		elements = { %s }
	}
	chain postrouting {
		type nat hook postrouting priority 95; policy accept;
		oifname "eth0" snat to ip saddr map @sources
	}
}
"""


def nft_rules(count):
    return NFT_CHAIN + lines(f'add rule ip bench postrouting oifname "eth0" ip saddr {source(i)}'
                             f" snat to {lab.A_ADDR}" for i in range(count))


def nft_map(count):
    return NFT_MAP % ",\n".join(f"{source(i)} : {lab.A_ADDR}" for i in range(count))
