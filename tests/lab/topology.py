# SPDX-License-Identifier: GPL-2.0-or-later
"""The hosts of the lab, their wires and addresses."""
import os

from namespaces import eventually, has_link, ip, netns_add, netns_del, netns_name, serial, sysctl

A_ADDR, B_ADDR, B_OFF_LINK = "172.16.16.22", "172.16.1.62", "172.17.0.2"
ROUTER, INET = "172.16.0.1", "180.163.26.39"
INET_OTHERS = ("203.0.113.9", "198.51.100.7")
LAN, LAN_HOST = "10.8.0.1", "10.8.0.2"          # behind A
THIRD, THIRD_HOST = "10.9.0.1", "10.9.0.2"      # behind B


class Topology:
    """A, B, the router, a host on the Internet, one LAN behind A, one behind B.

    on-link:   a, b and the router on one bridge; off_link: b behind the router.
    own_a: A is the namespace that this process is in.
    The router knows no way to the inner network 192.168.1.0/24.
    """

    def __init__(self, off_link=False, rp_filter=0, own_a=False):
        self.prefix = f"l{os.getpid()}x{next(serial)}"
        self.off_link, self.rp_filter, self.own_a = off_link, rp_filter, own_a
        for role in ("a", "b", "router", "inet", "switch", "third", "lan"):
            setattr(self, role, f"{self.prefix}-{role}")
        self.a_addr, self.b_addr = A_ADDR, B_OFF_LINK if off_link else B_ADDR
        self.b_gateway = "172.17.0.1" if off_link else ROUTER
        self._build()

    def _names(self):
        return (self.a, self.b, self.router, self.inet, self.switch, self.third, self.lan)

    def _make_namespace(self, ns):
        if self.own_a and ns == self.a:
            netns_name(ns)
        else:
            netns_add(ns)
        sysctl(ns, "net/ipv6/conf/default/accept_dad", 0)
        host = ns in (self.a, self.b)
        for device in ("all", "default", "lo"):
            sysctl(ns, f"net/ipv4/conf/{device}/rp_filter", self.rp_filter if host else 0)

    def _build(self):
        for ns in self._names():
            self._make_namespace(ns)
        ip(self.switch, "link add name br0 type bridge", "link set br0 up",
           f"link add name to_router type veth peer name eth0 netns {self.router}",
           "link set to_router master br0 up")
        ip(self.inet, f"link add name eth0 type veth peer name eth1 netns {self.router}",
           "link set eth0 up", f"address add {INET}/24 dev eth0",
           *[f"address add {other}/32 dev lo" for other in INET_OTHERS],
           "route add default via 180.163.26.1")
        ip(self.router, "link set eth0 up", "link set eth1 up",
           f"address add {ROUTER}/16 dev eth0", "address add 180.163.26.1/24 dev eth1",
           *[f"route add {other}/32 via {INET}" for other in INET_OTHERS])
        self._wire("a")
        self._wire("b")
        self.give_address("a")
        self.give_address("b")
        ip(self.router, f"route add 10.8.0.0/24 via {self.a_addr}",
           f"route add 10.9.0.0/24 via {self.b_addr}")
        sysctl(self.router, "net/ipv4/ip_forward", 1)

    def _wire(self, role):
        """The host's eth0 (down on the wire until give_address) and its eth1 with a LAN."""
        ns = getattr(self, role)
        if role == "b" and self.off_link:
            ip(self.router, f"link add name eth2 type veth peer name eth0 netns {ns}",
               "link set eth2 up", "address add 172.17.0.1/24 dev eth2")
        else:
            ip(self.switch, f"link add name to_{role} type veth peer name eth0 netns {ns}",
               f"link set to_{role} master br0 up")
        behind, own, other = ((self.lan, LAN, LAN_HOST) if role == "a"
                              else (self.third, THIRD, THIRD_HOST))
        ip(ns, "link set eth0 up", f"link add name eth1 type veth peer name eth0 netns {behind}",
           "link set eth1 up", f"address add {own}/24 dev eth1")
        ip(behind, "link set eth0 up", f"address add {other}/24 dev eth0",
           f"route add default via {own}")

    def give_address(self, role):
        if role == "a":
            ip(self.a, f"address add {A_ADDR}/16 dev eth0", f"route add default via {ROUTER}")
        else:
            length = 24 if self.off_link else 16
            ip(self.b, f"address add {self.b_addr}/{length} dev eth0",
               f"route add default via {self.b_gateway}")

    def reboot(self, role):
        """The host's namespace goes and comes again, its eth0 without an address."""
        ns = getattr(self, role)
        side, device = ((self.router, "eth2") if role == "b" and self.off_link
                        else (self.switch, f"to_{role}"))
        behind = self.lan if role == "a" else self.third
        netns_del(ns)
        for other, name in ((side, device), (behind, "eth0")):
            eventually(lambda: not has_link(other, name), 30, f"{name} to go")
        self._make_namespace(ns)
        self._wire(role)
        if role == "b" and not self.off_link:
            ip(self.router, "neigh flush all", check=False)

    def close(self):
        if self.own_a:
            ip(self.a, "link delete eth0", "link delete eth1", check=False)
        for ns in self._names():
            netns_del(ns)
